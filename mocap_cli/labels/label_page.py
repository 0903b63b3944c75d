"""Label page: frames with the tracker's keypoints to correct by hand, in one HTML file.

The page needs no network. It keeps the labels in the browser and saves them as COCO keypoints,
which `--labels` reads. Script and style are the files in annotator/ and the viewer's.
"""

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson

from mocap_cli.body.skeleton import KEYPOINTS, mirror_indices
from mocap_cli.export.views.html_page import as_script, build_html, embedded
from mocap_cli.io.atomic import write_atomically
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.types import UInt8

_VIEWER = Path(__file__).parents[1] / "export" / "views" / "viewer"
_ANNOTATOR = Path(__file__).parent / "annotator"
_STYLES = (_VIEWER / "theme.css", _ANNOTATOR / "annotator.css")
_SCRIPTS = (
    *(_VIEWER / name for name in ("carried.js", "canvas.js")),
    *(_ANNOTATOR / f"{name}.js" for name in ("labelling", "keeping", "image_view", "pointing")),
    *(_ANNOTATOR / f"{name}.js" for name in ("lists", "annotator")),
)
_MAX_SIDE = 1920  # pixels of an embedded image; larger ones are scaled down, their labels are not
_JPEG_QUALITY = 90
_VISIBLE_SCORE = 0.3  # below it the tracker's keypoint starts as occluded
_ABSENT, _OCCLUDED, _VISIBLE = 0, 1, 2  # COCO's visibility

_Point = tuple[float | None, float | None, int]  # x and y in pixels, visibility


@dataclass(frozen=True, slots=True)
class FrameToLabel:
    """One image of the page."""

    jpeg: bytes
    guess: tuple[_Point, ...]  # of the 21 keypoints

    @classmethod
    def of(cls, image: UInt8, keypoints: Keypoints, frame: int) -> "FrameToLabel":
        """The image, and the tracker's keypoints of that frame."""
        height, width = image.shape[:2]
        places = keypoints.xy[frame].astype(np.float64).round(2).tolist()
        scores = keypoints.score[frame].tolist()
        points = zip(places, scores, strict=True)
        return cls(_jpeg(image), tuple(_guess(x, y, s, width, height) for (x, y), s in points))


def write_label_page(path: Path, coco: Mapping[str, Any], frames: Sequence[FrameToLabel]) -> None:
    """Write the page for the images of a COCO document without annotations, in their order."""
    content = {
        "coco": coco,
        "guesses": [frame.guess for frame in frames],
        "mirror": mirror_indices(KEYPOINTS),
    }
    # Labels belong to these images and guesses, wherever the file lies.
    digest = hashlib.sha256(orjson.dumps(content)).hexdigest()[:16]
    parts = {
        "title": html.escape(_title(coco["images"])),
        "settings": as_script({**content, "storage": f"mocap-labels-{digest}"}),
        "carried": "\n".join(
            embedded(f"frame-{k}", base64.b64encode(frame.jpeg).decode("ascii"))
            for k, frame in enumerate(frames)
        ),
    }
    page = build_html(_ANNOTATOR / "annotator.html", _STYLES, _SCRIPTS, parts)
    with write_atomically(path) as aside:
        aside.write_text(page, encoding="utf-8")


def _title(images: Sequence[Mapping[str, Any]]) -> str:
    videos = sorted({str(image["file_name"]).rpartition("_")[0] for image in images})
    count = f"{len(images)} frame{'s' * (len(images) != 1)}"
    return f"Label {count} of {videos[0] if len(videos) == 1 else f'{len(videos)} videos'}"


def _guess(x: float, y: float, score: float, width: int, height: int) -> _Point:
    if not (0 <= x <= width and 0 <= y <= height):  # NaN, or outside the image
        return None, None, _ABSENT
    return x, y, _VISIBLE if score >= _VISIBLE_SCORE else _OCCLUDED


def _jpeg(image: UInt8) -> bytes:
    height, width = image.shape[:2]
    scale = min(1.0, _MAX_SIDE / max(width, height))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    quality = (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], quality)
    return jpeg.tobytes()
