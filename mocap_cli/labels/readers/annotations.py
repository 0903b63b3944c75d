"""Annotated images as 2D labels: COCO keypoints, LabelMe, CVAT and DeepLabCut."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from mocap_cli.body.joint_names import distinct_names, map_to_keypoints
from mocap_cli.errors import MocapError
from mocap_cli.io.damage import damage_at
from mocap_cli.keypoints.readers.deeplabcut import read_deeplabcut_rows
from mocap_cli.labels.labels import Labels, make_labels
from mocap_cli.types import Float64

_Points = Mapping[str, tuple[float, float]]
_Frame = tuple[int, _Points]

_NUMBERED = re.compile(r"^(?P<video>.*?)[_\-.#]*?(?P<number>[0-9]+)$")
_MIN_LIKELIHOOD = 0.3  # of DeepLabCut, from which a point is used
_ONE_PERSON_HINT = "label one person; export the others to files of their own"
_NAMES_HINT = "name images VIDEO_000001.jpg and so on"


def read_annotations(path: Path, document: Mapping[str, Any] | None = None) -> list[Labels] | None:
    """Labels of a file of COCO (`document` is its JSON), CVAT or DeepLabCut; None if it is none."""
    if document is not None:
        return _read_coco(path, document) if "annotations" in document else None
    suffix = path.suffix.lower()
    if suffix == ".xml":
        return _read_cvat(path)
    return _read_deeplabcut(path) if suffix == ".csv" else None


def _read_coco(path: Path, document: Mapping[str, Any]) -> list[Labels]:
    """A COCO keypoint file: images are named `VIDEO_000001.jpg` and on, counted from 1."""
    with damage_at(path, "images"):
        images = {image["id"]: _mapping(image) for image in document["images"]}
        first = min(_video_and_frame(str(i["file_name"]))[1] for i in images.values())
    with damage_at(path, "categories[0].keypoints"):
        names = [str(name) for name in document["categories"][0]["keypoints"]]
    videos: dict[str, list[tuple[Mapping[str, Any], _Points]]] = {}
    with damage_at(path, "annotations"):
        annotations = list(document["annotations"])
    for i, mark in enumerate(annotations):
        with damage_at(path, f"annotations[{i}]"):
            image = images[mark["image_id"]]
            video, _ = _video_and_frame(str(image["file_name"]))
            points = _coco_points(mark["keypoints"], names)
            videos.setdefault(video, []).append((image, points))
    return [_coco_video(path, video, marked, first) for video, marked in videos.items()]


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"it is a {type(value).__name__}, not an object")
    return value


def _coco_points(flat: Sequence[float], names: Sequence[str]) -> _Points:
    values = np.array(flat, np.float64)
    if values.shape != (3 * len(names),):
        raise ValueError(
            f"keypoints has {values.size} numbers, but the category names {len(names)} keypoints,"
            f" which take {3 * len(names)} (x, y and visibility of each)"
        )
    triples = values.reshape(len(names), 3).tolist()
    return {n: (x, y) for n, (x, y, visible) in zip(names, triples, strict=True) if visible}


def _coco_video(
    path: Path, video: str, marked: Sequence[tuple[Mapping[str, Any], _Points]], first: int
) -> Labels:
    images = [image for image, _ in marked]
    points = [found for _, found in marked]
    with damage_at(path, f"the images of {video}"):
        size = _size(images[0].get("width"), images[0].get("height"))
        numbers = [_video_and_frame(str(image["file_name"]))[1] for image in images]
        timed = all("time" in image for image in images)
        times = np.array([float(image["time"]) for image in images]) if timed else None
    if times is not None:
        return _annotated_labels(path, video, points, times=times, size=size)
    return _annotated_labels(path, video, points, numbers=_from_zero(numbers, first), size=size)


def _from_zero(numbers: Sequence[int], first: int) -> list[int]:
    """ffmpeg counts images from 1, most other programs from 0: a 0 tells which."""
    return [number - (0 if first == 0 else 1) for number in numbers]


def _size(width: Any, height: Any) -> tuple[int, int] | None:
    return (int(width), int(height)) if width and height else None


def read_labelme(files: Sequence[tuple[Path, Mapping[str, Any]]]) -> list[Labels]:
    """LabelMe's documents, one an image named VIDEO_000123.json, each point a shape."""
    videos: dict[str, list[tuple[int, _Points, tuple[int, int] | None]]] = {}
    for path, document in files:
        with damage_at(path, "imagePath, imageWidth, imageHeight"):
            video, number = _video_and_frame(str(document.get("imagePath") or path.name))
            size = _size(document.get("imageWidth"), document.get("imageHeight"))
        videos.setdefault(video, []).append((number, _labelme_points(path, document), size))
    first = min((n for marks in videos.values() for n, _, _ in marks), default=1)
    where = files[0][0].parent if len(files) > 1 else files[0][0]
    return [
        _annotated_labels(
            where,
            video,
            [points for _, points, _ in marks],
            # a few chosen images need not include the one that tells how they are counted
            numbers=_from_zero([n for n, _, _ in marks], first),
            size=marks[0][2],
        )
        for video, marks in videos.items()
        if any(points for _, points, _ in marks)
    ]


def _labelme_points(path: Path, document: Mapping[str, Any]) -> _Points:
    points: dict[str, tuple[float, float]] = {}
    with damage_at(path, "shapes"):
        shapes = list(document["shapes"])
    for i, shape in enumerate(shapes):
        with damage_at(path, f"shapes[{i}]"):
            if _mapping(shape).get("shape_type", "point") != "point":
                continue
            name, (x, y) = str(shape["label"]), shape["points"][0]
            if name in points:
                raise MocapError(f"{path} has the point {name} twice", _ONE_PERSON_HINT)
            points[name] = float(x), float(y)
    return points


def _read_cvat(path: Path) -> list[Labels]:
    """CVAT's XML: of videos (tracks of points or skeletons) and of images."""
    with damage_at(path):
        root = ElementTree.parse(path).getroot()
    source = root.findtext(".//meta//source") or root.findtext(".//meta//task/name") or path.stem
    videos: dict[str, dict[int, dict[str, tuple[float, float]]]] = {}
    for i, track in enumerate(root.iter("track")):
        with damage_at(path, f"track {i} ({track.get('label')})"):
            for number, name, place in _cvat_track(track):
                videos.setdefault(source, {}).setdefault(number, {})[name] = place
    for image in root.iter("image"):
        with damage_at(path, f"image {image.get('id')} ({image.get('name')})"):
            missing = int(image.get("id") or 0)
            video, number = _video_and_frame(image.get("name") or "", missing=missing)
            for mark in image.iter("points"):
                place = _cvat_place(mark)
                videos.setdefault(video, {}).setdefault(number, {})[mark.get("label") or ""] = place
    if not videos:
        raise MocapError(f"{path} holds no points of CVAT", "export it as CVAT for video 1.1")
    of_images = root.find("image") is not None
    first = 1 if of_images and all(0 not in marks for marks in videos.values()) else 0
    return [
        _annotated_labels(path, video, list(marks.values()), numbers=_from_zero(list(marks), first))
        for video, marks in videos.items()
    ]


def _cvat_track(track: ElementTree.Element) -> list[tuple[int, str, tuple[float, float]]]:
    """Frame number, name and pixels of every point of a track that is inside the image."""
    marks = [(mark, mark.get("frame")) for mark in track.findall("points")]
    for skeleton in track.findall("skeleton"):
        marks += [(m, m.get("frame") or skeleton.get("frame")) for m in skeleton.findall("points")]
    return [
        (int(number or 0), mark.get("label") or track.get("label") or "", _cvat_place(mark))
        for mark, number in marks
        if mark.get("outside") != "1"
    ]


def _cvat_place(mark: ElementTree.Element) -> tuple[float, float]:
    x, _, y = (mark.get("points") or "nan,nan").split(";")[0].partition(",")
    return float(x), float(y)


def _read_deeplabcut(path: Path) -> list[Labels] | None:
    """DeepLabCut's tables: annotations (labeled-data/VIDEO/img0001.png) or what it predicted.

    None where a table does not begin as DeepLabCut's do.
    """
    rows = read_deeplabcut_rows(path)
    if rows is None:
        return None
    videos: dict[str, list[_Frame]] = {}
    for row in rows:
        with damage_at(path, f"row {row.line}"):
            video, number = _deeplabcut_frame(path, row.image, row.number)
        sure = {n: (x, y) for n, (x, y, s) in row.points.items() if s >= _MIN_LIKELIHOOD}
        videos.setdefault(video, []).append((number, sure))
    return [
        _annotated_labels(path, video, [p for _, p in marks], numbers=[n for n, _ in marks])
        for video, marks in videos.items()
    ]


def _deeplabcut_frame(path: Path, where: Sequence[str], first: str) -> tuple[str, int]:
    if not where:  # a whole video's table is called VIDEODLC_network_..., rows are its frames
        return path.stem.split("DLC_")[0], int(float(first))
    steps = "/".join(where).replace("\\", "/").split("/")
    video = steps[-2] if len(steps) > 1 else path.parent.name
    return video, _video_and_frame(steps[-1])[1]


def _annotated_labels(
    path: Path,
    video: str,
    points: Sequence[_Points],
    *,
    numbers: Sequence[int] | None = None,
    times: Float64 | None = None,
    size: tuple[int, int] | None = None,
) -> Labels:
    """Labels of the points that are annotated in some frames of a video."""
    with damage_at(path):
        names = distinct_names(name for marks in points for name in marks)
    xy = np.full((len(points), len(names), 2), np.nan)
    index = {name: i for i, name in enumerate(names)}
    for i, marks in enumerate(points):
        for name, place in marks.items():
            xy[i, index[name]] = place
    known = map_to_keypoints(names, xy, str(path))
    return make_labels(path, video, frames=numbers, times=times, xy=known, size=size)


def _video_and_frame(name: str, *, missing: int | None = None) -> tuple[str, int]:
    """VIDEO_000012.jpg and VIDEO/img12.png to VIDEO and 12."""
    path = Path(name.replace("\\", "/"))
    found = _NUMBERED.match(path.stem)
    if found is None:
        if missing is not None:
            return path.parent.name or path.stem, missing
        raise ValueError(f"the image name {name!r} does not end in a frame number; {_NAMES_HINT}")
    generic = found["video"].lower() in ("", "img", "image", "frame")
    return (path.parent.name if generic else found["video"]), int(found["number"])
