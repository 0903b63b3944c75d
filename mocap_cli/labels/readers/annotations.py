"""Clicks in pictures: COCO keypoints, LabelMe, CVAT and DeepLabCut as labels."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import orjson
from numpy.typing import NDArray

from mocap_cli.errors import MocapError
from mocap_cli.labels.labels import Labels, make_labels
from mocap_cli.labels.readers.joint_names import map_to_keypoints
from mocap_cli.types import Float64

_Points = Mapping[str, tuple[float, float]]

_NUMBERED = re.compile(r"^(?P<video>.*?)[_\-.#]*?(?P<number>\d+)$")
_MIN_LIKELIHOOD = 0.3  # DeepLabCut's likelihood from which a point is believed
_ONE_PERSON_HINT = "label one person; export the others apart"


def read_coco(path: Path, document: Mapping[str, Any]) -> list[Labels]:
    """A COCO keypoint file: pictures are of `VIDEO_000001.jpg` and on, counted from 1."""
    try:
        images = {image["id"]: image for image in document["images"]}
        names = [str(n) for n in document["categories"][0]["keypoints"]]
        marks: dict[str, list[tuple[Mapping[str, Any], _Points]]] = {}
        for mark in document["annotations"]:
            image = images[mark["image_id"]]
            video, _ = _video_and_frame(image["file_name"])
            marks.setdefault(video, []).append((image, _coco_points(mark["keypoints"], names)))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise MocapError(f"{path} is no COCO keypoint file: {error}", "export it anew") from error
    return [_coco_video(path, video, marked, images) for video, marked in marks.items()]


def _coco_points(flat: Sequence[float], names: Sequence[str]) -> _Points:
    triples = np.array(flat, np.float64).reshape(len(names), 3)
    return {n: (x, y) for n, (x, y, state) in zip(names, triples.tolist(), strict=True) if state}


def _coco_video(
    path: Path,
    video: str,
    marked: Sequence[tuple[Mapping[str, Any], _Points]],
    images: Mapping[Any, Mapping[str, Any]],
) -> Labels:
    first = marked[0][0]
    size = (int(first["width"]), int(first["height"])) if "width" in first else None
    points = [p for _, p in marked]
    if all("time" in image for image, _ in marked):
        times = np.array([float(image["time"]) for image, _ in marked])
        return _annotated_labels(path, video, points, times=times, size=size)
    numbers = [_video_and_frame(image["file_name"])[1] for image, _ in marked]
    start = min(_video_and_frame(i["file_name"])[1] for i in images.values())
    return _annotated_labels(path, video, points, frames=_from_zero(numbers, start), size=size)


def _from_zero(numbers: Sequence[int], first: int) -> NDArray[np.int64]:
    """ffmpeg counts pictures from 1, most other programs from 0: a 0 tells which."""
    return np.array(numbers, np.int64) - (0 if first == 0 else 1)


def read_labelme(paths: Sequence[Path]) -> list[Labels]:
    """LabelMe's files, one a picture named VIDEO_000123.json, each point a shape."""
    videos: dict[str, list[tuple[int, _Points, tuple[int, int] | None]]] = {}
    for path in paths:
        document = read_json_object(path)
        video, number = _video_and_frame(str(document.get("imagePath") or path.name))
        shapes = [s for s in document.get("shapes", []) if s.get("shape_type", "point") == "point"]
        points = {str(s["label"]): (float(s["points"][0][0]), float(s["points"][0][1]))
                  for s in shapes}  # fmt: skip
        if len(points) < len(shapes):
            raise MocapError(f"{path} has a point twice", _ONE_PERSON_HINT)
        wide, high = document.get("imageWidth"), document.get("imageHeight")
        size = (int(wide), int(high)) if wide and high else None
        videos.setdefault(video, []).append((number, points, size))
    first = min((n for marks in videos.values() for n, _, _ in marks), default=1)
    return [
        _annotated_labels(
            paths[0].parent if len(paths) > 1 else paths[0],
            video,
            [points for _, points, _ in marks],
            # a few chosen pictures need not include the one that tells how they are counted
            frames=np.array([n for n, _, _ in marks], np.int64) - (0 if first == 0 else 1),
            size=marks[0][2],
        )
        for video, marks in videos.items()
        if any(points for _, points, _ in marks)
    ]


def read_cvat(path: Path) -> list[Labels]:
    """CVAT's XML: of videos (tracks of points or skeletons) and of pictures."""
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError) as error:
        raise MocapError(f"{path} breaks off or is no XML: {error}", "export it anew") from error
    source = root.findtext(".//meta//source") or root.findtext(".//meta//task/name") or path.stem
    frames: dict[str, dict[int, dict[str, tuple[float, float]]]] = {}
    for track in root.iter("track"):
        for mark in [*track.findall("points"), *track.iterfind("skeleton/points")]:
            if mark.get("outside") != "1":
                name = mark.get("label") or track.get("label") or ""
                number = int(mark.get("frame") or _parent_frame(track, mark))
                frames.setdefault(source, {}).setdefault(number, {})[name] = _cvat_xy(mark)
    for image in root.iter("image"):
        video, number = _video_and_frame(image.get("name") or "", missing=int(image.get("id") or 0))
        for mark in image.iter("points"):
            name = mark.get("label") or ""
            frames.setdefault(video, {}).setdefault(number, {})[name] = _cvat_xy(mark)
    if not frames:
        raise MocapError(f"{path} holds no points of CVAT", "export it as CVAT for video 1.1")
    pictures = root.find("image") is not None
    shift = 1 if pictures and all(0 not in marks for marks in frames.values()) else 0
    return [
        _annotated_labels(
            path, video, list(marks.values()), frames=np.array(list(marks), np.int64) - shift
        )
        for video, marks in frames.items()
    ]


def _parent_frame(track: ElementTree.Element, mark: ElementTree.Element) -> int:
    for skeleton in track.findall("skeleton"):
        if mark in list(skeleton):
            return int(skeleton.get("frame") or 0)
    return 0


def _cvat_xy(mark: ElementTree.Element) -> tuple[float, float]:
    x, _, y = (mark.get("points") or "nan,nan").split(";")[0].partition(",")
    return float(x), float(y)


def is_deeplabcut(path: Path) -> bool:
    """Whether a table begins as DeepLabCut's do."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.readline().split(",")[0].strip() == "scorer"


def read_deeplabcut(path: Path) -> list[Labels]:
    """DeepLabCut's tables: clicks (labeled-data/VIDEO/img0001.png) or what it found in a video."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    heads = {row[0]: row for row in rows[:5] if row[0] in ("scorer", "bodyparts", "coords")}
    parts, axes = heads.get("bodyparts"), heads.get("coords")
    if parts is None or axes is None:
        raise MocapError(f"{path} lacks the rows bodyparts and coords", "export it anew")
    if any(row[0] == "individuals" and len(set(row) - {"individuals", "", "single"}) > 1
           for row in rows[:5]):  # fmt: skip
        raise MocapError(f"{path} labels several individuals", _ONE_PERSON_HINT)
    videos: dict[str, list[tuple[int, _Points]]] = {}
    for row in rows[len(heads) + sum(r[0] == "individuals" for r in rows[:5]) :]:
        where = [c for c in row[:3] if c and not _is_number(c)]
        video, number = _deeplabcut_frame(path, where, row[0])
        videos.setdefault(video, []).append((number, _deeplabcut_points(row, parts, axes)))
    return [
        _annotated_labels(
            path, video, [p for _, p in marks], frames=np.array([n for n, _ in marks], np.int64)
        )
        for video, marks in videos.items()
    ]


def _deeplabcut_frame(path: Path, where: Sequence[str], first: str) -> tuple[str, int]:
    if not where:  # a whole video's table is called VIDEODLC_network_..., rows are its frames
        return path.stem.split("DLC_")[0], int(float(first))
    steps = "/".join(where).replace("\\", "/").split("/")
    video = steps[-2] if len(steps) > 1 else path.parent.name
    return video, _video_and_frame(steps[-1])[1]


def _deeplabcut_points(row: Sequence[str], parts: Sequence[str], axes: Sequence[str]) -> _Points:
    found: dict[str, dict[str, float]] = {}
    for cell, part, axis in zip(row, parts, axes, strict=False):
        if axis in ("x", "y", "likelihood") and _is_number(cell):
            found.setdefault(part, {})[axis] = float(cell)
    return {
        part: (v["x"], v["y"])
        for part, v in found.items()
        if "x" in v and "y" in v and v.get("likelihood", 1.0) >= _MIN_LIKELIHOOD
    }


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _annotated_labels(
    path: Path,
    video: str,
    points: Sequence[_Points],
    *,
    frames: NDArray[np.int64] | None = None,
    times: Float64 | None = None,
    size: tuple[int, int] | None = None,
) -> Labels:
    """Labels of the points that were clicked in some pictures of a video."""
    names = list(dict.fromkeys(name for marks in points for name in marks))
    xy = np.full((len(points), len(names), 2), np.nan)
    for i, marks in enumerate(points):
        for name, place in marks.items():
            xy[i, names.index(name)] = place
    if frames is not None and (frames < 0).any():
        raise MocapError(f"{path} counts a frame below 0", "name pictures VIDEO_000001.jpg and on")
    known = map_to_keypoints(names, xy, str(path))
    return make_labels(path, video, frames=frames, times=times, xy=known, size=size)


def _video_and_frame(name: str, *, missing: int | None = None) -> tuple[str, int]:
    """VIDEO_000012.jpg and VIDEO/img12.png to VIDEO and 12."""
    path = Path(name.replace("\\", "/"))
    found = _NUMBERED.match(path.stem)
    if found is None:
        if missing is not None:
            return path.parent.name or path.stem, missing
        raise MocapError(
            f"{name} does not tell which frame it is", "name pictures VIDEO_000001.jpg and on"
        )
    plain = found["video"].lower() in ("", "img", "image", "frame")
    return (path.parent.name if plain else found["video"]), int(found["number"])


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON file's mapping."""
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise MocapError(f"{path} breaks off or is no JSON: {error}", "export it anew") from error
    if not isinstance(document, dict):
        raise MocapError(f"{path} is no label file", "give one of the forms in docs/labels.md")
    return document
