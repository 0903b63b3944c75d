"""Detections: those of one person by frame, in records that everybody in a video shares."""

from collections.abc import Iterator, Mapping

import numpy as np

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.io.records import Records
from mocap_cli.keypoints.appearance import SHAPE
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.detection import COCO_COUNT, Detection

_K = len(KEYPOINTS)
_RECORD = np.dtype([
    ("movenet", np.float32, (COCO_COUNT, 2)),
    ("movenet_score", np.float32, (COCO_COUNT,)),
    ("blazepose", np.float32, (_K, 2)),
    ("blazepose_score", np.float32, (_K,)),
    ("appearance", np.float16, SHAPE),
    ("crop", np.float64, (4,)),
    ("confidence", np.float64),
    ("xy", np.float32, (COCO_COUNT, 2)),
    ("next_crop", np.float64, (4,)),
    ("stature", np.float64),
    ("propagated", np.bool_),
])  # fmt: skip
"""The fields of `Detection`, in their order."""


class DetectionRecords:
    """The detections of everybody in a video, one after another."""

    def __init__(self) -> None:
        self._records = Records(_RECORD)

    def append(self, detection: Detection) -> int:
        """Add one; returns its number."""
        fields = {name: getattr(detection, name) for name in _RECORD.names or ()}
        for name in ("crop", "next_crop"):
            crop: Crop = fields[name]
            fields[name] = crop.x, crop.y, crop.side, crop.angle
        return self._records.append(tuple(fields.values()))

    def __getitem__(self, number: int) -> Detection:
        record = self._records[number]
        fields = {name: record[name] for name in _RECORD.names or ()}
        for name in ("crop", "next_crop"):
            fields[name] = Crop(*fields[name].tolist())
        for name in ("confidence", "stature", "propagated"):
            fields[name] = fields[name].item()
        return Detection(**fields)


class Detections(Mapping[int, Detection]):
    """The detections of one person by frame."""

    def __init__(self, records: DetectionRecords) -> None:
        self._records = records
        self._rows: dict[int, int] = {}  # numbers of records by frame

    def __getitem__(self, frame: int) -> Detection:
        return self._records[self._rows[frame]]

    def __contains__(self, frame: object) -> bool:
        return frame in self._rows

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, frame: int, detection: Detection) -> None:
        """Add the detection in another frame."""
        self._rows[frame] = self._records.append(detection)

    def before(self, frame: int) -> "Detections":
        """Those of earlier frames."""
        return self._with({i: row for i, row in self._rows.items() if i < frame})

    def since(self, frame: int) -> "Detections":
        """Those of that frame and later ones."""
        return self._with({i: row for i, row in self._rows.items() if i >= frame})

    def __or__(self, other: "Detections") -> "Detections":
        """Those of both; of the other in frames that both have."""
        return self._with(self._rows | other._rows)

    def _with(self, rows: dict[int, int]) -> "Detections":
        some = Detections(self._records)
        some._rows = rows
        return some
