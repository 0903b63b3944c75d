"""COCO: the 2D keypoints as an annotation file, for other vision programs."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion
from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.io.atomic import write_atomically

_KEYPOINTS = KEYPOINTS[:17]
_VISIBLE_SCORE = 0.5
"""Score from which a keypoint counts as visible (v = 2); below, as labelled only (v = 1)."""

COCO_LIMBS = (  # in the order of COCO's own files, counted from 1
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9),
    (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip


def write_coco(motion: Motion, path: Path) -> None:
    """One image for each frame, and one annotation where the person was detected."""
    stem = Path(motion.source.file).stem
    size = {"width": motion.source.width, "height": motion.source.height}
    document = {
        "info": {"description": f"keypoints of {motion.source.file}"},
        "images": [
            {"id": i, "file_name": f"{stem}_{i:06d}.jpg", **size, "time": time}
            for i, time in enumerate(motion.times.tolist(), 1)
        ],
        "annotations": _annotations(motion),
        "categories": [
            {
                "id": 1,
                "name": "person",
                "supercategory": "person",
                "keypoints": _KEYPOINTS,
                "skeleton": COCO_LIMBS,
            }
        ],
    }
    with write_atomically(path) as aside:
        aside.write_bytes(orjson.dumps(document))


def _annotations(motion: Motion) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for t in np.flatnonzero(motion.detected).tolist():
        xy, score = motion.xy[t, : len(_KEYPOINTS)], motion.score[t, : len(_KEYPOINTS)]
        known = np.asarray(np.isfinite(xy).all(axis=-1))
        if known.any():
            made.append({"id": len(made) + 1, "image_id": t + 1, **_annotation(xy, score, known)})
    return made


def _annotation(
    xy: NDArray[np.float32], score: NDArray[np.float32], known: NDArray[np.bool_]
) -> dict[str, Any]:
    state = np.where(known, np.where(score >= _VISIBLE_SCORE, 2, 1), 0)
    score = np.where(known, np.nan_to_num(score), 0)
    low, high = xy[known].min(axis=0), xy[known].max(axis=0)
    places = np.where(known[:, None], xy, 0).astype(np.float64).round(3)
    points = [
        v for (x, y), s in zip(places.tolist(), state.tolist(), strict=True) for v in (x, y, s)
    ]
    box = np.concatenate((low, high - low)).astype(np.float64).round(3)
    return {
        "category_id": 1,
        "keypoints": points,
        "num_keypoints": int(known.sum()),
        "bbox": box.tolist(),
        "area": round(float(box[2] * box[3]), 3),
        "iscrowd": 0,
        "score": round(float(score[known].mean()), 4),
        "keypoint_scores": score.astype(np.float64).round(4).tolist(),
    }
