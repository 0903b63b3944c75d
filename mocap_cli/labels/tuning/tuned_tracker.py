"""Tuned tracker: the default tracker with a tuned 2D network, for `mocap track --model`.

It is used in the videos that were labelled: in others it is worse. There the labels themselves
replace what the network finds, and the frames around them gain from that as well. The .mocap file
holds the constants of the network that differ from the bundled one, and the labels: tensors and
JSON, no code.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.io.onnx_file import OnnxFile
from mocap_cli.io.sealed import FileKind
from mocap_cli.io.video_cache import file_sha256
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.pose_networks import MOVENET
from mocap_cli.keypoints.subject import SubjectPoint
from mocap_cli.labels.tuning.movenet import MoveNet
from mocap_cli.lifting.lift import LiftedPose
from mocap_cli.progress import Count, no_progress
from mocap_cli.types import Float64
from mocap_cli.weights import Device, weight_hash, weight_path

_LABEL_SCORE, _OTHER_SCORE = 0.9, 0.3  # of labelled keypoints, and of the others in such a frame
_APART = 0.25  # seconds between points: at each of them people are searched for
_LABELS = "labels."
_UNUSED = "{name} was made for other videos and is not used here: label frames of this one too"
_HINT = "give a file that `mocap label-fit --tune` of this version wrote, or tune again"


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVideo:
    """Keypoints that somebody labelled in a video."""

    times: Float64  # (M,) seconds
    xy: Float64  # (M, 21, 2) displayed pixels; NaN where unlabelled

    def points(self) -> tuple[SubjectPoint, ...]:
        """Where the person is, at times that are some way apart."""
        found: list[SubjectPoint] = []
        for i in np.argsort(self.times, kind="stable"):
            time, known = float(self.times[i]), np.isfinite(self.xy[i]).all(axis=-1)
            last = found[-1].time if found else None
            if known.any() and (last is None or time - last >= _APART):
                x, y = self.xy[i, known].mean(axis=0).tolist()
                found.append(SubjectPoint(x, y, time))
        return tuple(found)

    def inserted(self, keypoints: Keypoints) -> Keypoints:
        """The keypoints with the labels in place of what was found in their frames."""
        xy, score = keypoints.xy.copy(), keypoints.score.copy()
        detected = keypoints.detected.copy()
        gap = float(np.median(np.diff(keypoints.times))) if len(keypoints) > 1 else 1.0
        for time, points in zip(self.times, self.xy, strict=True):
            frame = int(np.abs(keypoints.times - time).argmin())
            known = np.isfinite(points).all(axis=-1)
            if abs(keypoints.times[frame] - time) > gap / 2 or not known.any():
                continue
            if not keypoints.tracked[frame]:  # points that nobody knows, with a score of 0
                xy[frame] = points[known].mean(axis=0)
            xy[frame, known], score[frame, known] = points[known], _LABEL_SCORE
            score[frame, ~known] = np.minimum(score[frame, ~known], _OTHER_SCORE)
            detected[frame] = True
        return replace(keypoints, xy=xy, score=score, detected=detected)


@dataclass(frozen=True, slots=True)
class _DefaultPose:
    """Keypoints, and the pose as it is lifted from them."""

    keypoints: Keypoints
    notes: tuple[str, ...] = ()

    def pose(self, keypoints: Keypoints, camera: Pinhole, lifted: LiftedPose) -> LiftedPose:
        """The lifted pose."""
        return lifted


@dataclass(frozen=True, slots=True, eq=False)
class TunedTracker:
    """Labels in their videos, and there a tuned MoveNet in place of the bundled one."""

    KIND: ClassVar[FileKind] = FileKind(
        format="mocap-tuned-1", noun="a tuned 2D network", hint=_HINT
    )

    network: bytes | None  # the ONNX file of a tuned MoveNet; None: the bundled one
    name: str  # of the .mocap file
    digest: str  # SHA-256 of the .mocap file
    labels: Mapping[str, LabelledVideo]  # by SHA-256 of each video that was labelled

    @staticmethod
    def open(path: Path) -> "TunedTracker":
        """Read what `save` wrote; anything else is refused."""
        metadata, tensors = TunedTracker.KIND.read(path)
        if metadata.get("network") != weight_hash(f"{MOVENET}.onnx"):
            raise MocapError(f"{path} was tuned from another 2D network", _HINT)
        file = OnnxFile.parse(weight_path(f"{MOVENET}.onnx").read_bytes())
        arrays = {name: value.numpy() for name, value in tensors.items()}
        changed = {name: a for name, a in arrays.items() if not name.startswith(_LABELS)}
        _check(path, file, changed)
        digest = sha256(path.read_bytes()).hexdigest()
        network = file.with_constants(changed) if changed else None
        return TunedTracker(network, path.name, digest, _labels_of(path, arrays))

    @staticmethod
    def of(network: MoveNet | None, labels: Mapping[str, LabelledVideo]) -> "TunedTracker":
        """A tracker that is in no file."""
        file = OnnxFile.parse(weight_path(f"{MOVENET}.onnx").read_bytes())
        tuned = file.with_constants(network.constants()) if network else None
        return TunedTracker(tuned, "", sha256(tuned or b"").hexdigest(), labels)

    @staticmethod
    def save(
        network: MoveNet | None,
        labels: Mapping[str, LabelledVideo],
        about: Mapping[str, Any],
        path: Path,
    ) -> None:
        """Write the tuned network and the labels to a .mocap file; `about` is for people."""
        changed = network.constants() if network else {}
        constants = {k: torch.from_numpy(v) for k, v in changed.items()}
        for video, label in labels.items():
            xy = label.xy.reshape(len(label.xy), 2 * len(KEYPOINTS))
            rows = np.concatenate((label.times[:, None], xy), axis=1)
            constants[f"{_LABELS}{video}"] = torch.from_numpy(rows)
        metadata = {"network": weight_hash(f"{MOVENET}.onnx"), "about": json.dumps(dict(about))}
        TunedTracker.KIND.write(path, metadata, constants)

    def analyse(
        self,
        video: Path,
        keypoints: Keypoints,
        span: tuple[float | None, float | None],
        device: Device,
        on_frame: Count = no_progress,
    ) -> _DefaultPose:
        """Put the labels of this video in place of what the network found."""
        labels = self._labels(video)
        if labels is None:
            return _DefaultPose(keypoints, (_UNUSED.format(name=self.name),))
        return _DefaultPose(labels.inserted(keypoints))

    def movenet(self, video: Path) -> bytes | None:
        """The tuned network, for a video that was labelled."""
        return None if self._labels(video) is None else self.network

    def points(self, video: Path) -> tuple[SubjectPoint, ...]:
        """The middle of the labelled body, so that nobody else in the video is followed."""
        labels = self._labels(video)
        return labels.points() if labels else ()

    def _labels(self, video: Path) -> LabelledVideo | None:
        """Those of a video; None: it was not labelled."""
        state = video.stat()
        return self.labels.get(_sha256_of(video, state.st_size, state.st_mtime_ns))

    def without_labels(self) -> "TunedTracker":
        """The network alone, to measure what it has learnt."""
        none = LabelledVideo(np.zeros(0), np.zeros((0, len(KEYPOINTS), 2)))
        return replace(self, labels=dict.fromkeys(self.labels, none))


@lru_cache(maxsize=8)
def _sha256_of(video: Path, size: int, modified: int) -> str:
    """The SHA-256 of a video, computed once while its size and time of change stay."""
    return file_sha256(video)


def _labels_of(path: Path, arrays: Mapping[str, NDArray[Any]]) -> dict[str, LabelledVideo]:
    """The labels in a file."""
    found = {}
    for name, rows in arrays.items():
        if name.startswith(_LABELS):
            if rows.dtype != np.float64 or rows.shape[1:] != (1 + 2 * len(KEYPOINTS),):
                raise MocapError(f"{path} is damaged: {name[:40]} is not of labels", _HINT)
            xy = rows[:, 1:].reshape(-1, len(KEYPOINTS), 2)
            found[name.removeprefix(_LABELS)] = LabelledVideo(rows[:, 0], xy)
    return found


def _alike(values: NDArray[Any], old: NDArray[Any]) -> bool:
    return values.shape == old.shape and values.dtype == old.dtype


def _check(path: Path, file: OnnxFile, changed: Mapping[str, Any]) -> None:
    """Refuse constants that the network does not have, or of another kind."""
    for name, values in changed.items():
        if name not in file.changeable or not _alike(values, file.constants[name]):
            raise MocapError(f"{path} is damaged: {name[:40]} is not of this network", _HINT)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise MocapError(f"{path} is damaged: {name} is not finite", _HINT)
