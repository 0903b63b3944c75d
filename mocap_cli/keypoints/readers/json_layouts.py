"""JSON of 2D detectors: COCO, AlphaPose, MMPose (RTMPose), OpenPose, MediaPipe and our own."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from mocap_cli.body.motion_json import read_motion
from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.io.damage import damage_at
from mocap_cli.keypoints.readers.people import NO_TRACK, UNSCORED, FilePeople, PersonRow
from mocap_cli.types import Float64

_LAST_NUMBER = re.compile(r"(\d+)(?!.*\d)")
_OPENPOSE_NUMBER = re.compile(r"(\d+)_keypoints$")
_NUMBER_KEYS = ("frame", "frame_id", "frame_index", "frame_number")
_SECONDS_KEYS = ("time", "seconds", "timestamp")
_LANDMARK_KEYS = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark", "keypoints", "poses")
_TRACK_KEYS = ("track_id", "idx", "person_id", "id")
_SCORE_KEYS = ("visibility", "score", "confidence", "presence")


def read_json_people(path: Path) -> FilePeople | None:
    """The people of a JSON file; None where its layout is unknown."""
    with damage_at(path):
        document = orjson.loads(path.read_bytes())
    first = document[0] if isinstance(document, list) and document else document
    if not isinstance(first, dict):
        return _landmark_frames(path, document) if isinstance(first, list) else None
    if isinstance(document, list):
        if "image_id" in first:
            return _coco_results(path, document)
        return _mmpose(path, document) if "instances" in first else _landmark_frames(path, document)
    if "mocap" in document:
        return _own(path)
    if "annotations" in document and "images" in document:
        return _coco_annotations(path, document)
    if "instance_info" in document:
        return _mmpose(path, document["instance_info"])
    frames = document.get("frames")
    return _landmark_frames(path, frames) if isinstance(frames, list) else None


def read_openpose_folder(folder: Path) -> FilePeople | None:
    """A folder of OpenPose, one VIDEO_000000000012_keypoints.json a frame; None without any."""
    rows: list[PersonRow] = []
    files = sorted(path for path in folder.glob("*.json") if _OPENPOSE_NUMBER.search(path.stem))
    for path in files:
        number = _OPENPOSE_NUMBER.search(path.stem)
        with damage_at(path, "people"):
            for person in orjson.loads(path.read_bytes())["people"]:
                points = _triples(person["pose_keypoints_2d"])
                track = np.ravel(person.get("person_id", NO_TRACK))[0]
                rows.append(PersonRow(int(number[1]) if number else 0, points, int(track)))
    if not files:
        return None
    with damage_at(folder):
        return FilePeople.of(rows, str(folder))


def _own(path: Path) -> FilePeople:
    """A result of `mocap track`; frames that were interpolated are interpolated again."""
    motion = read_motion(path)
    points = np.concatenate((motion.xy, motion.score[..., None]), axis=-1).astype(np.float64)
    rows = [
        PersonRow(float(motion.times[i]), points[i], 0) for i in np.flatnonzero(motion.detected)
    ]
    with damage_at(path):
        return FilePeople.of(rows, str(path), KEYPOINTS, in_seconds=True)


def _coco_results(path: Path, document: Sequence[Any]) -> FilePeople:
    """COCO results and AlphaPose: a list of people, each with the image that it is in."""
    rows, named = [], False
    for i, person in enumerate(document):
        with damage_at(path, f"[{i}]"):
            image = person["image_id"]
            named = named or isinstance(image, str)
            number = _last_number(image) if isinstance(image, str) else float(image)
            rows.append(PersonRow(number, _triples(person["keypoints"]), _track(person)))
    with damage_at(path):
        # AlphaPose names images 0.jpg, 1.jpg; a frame of its own may have no person
        return FilePeople.of(rows, str(path), first=0 if named else None)


def _coco_annotations(path: Path, document: Mapping[str, Any]) -> FilePeople:
    """COCO annotations: images named VIDEO_000001.jpg; ours have a time and scores as well."""
    with damage_at(path, "images"):
        images = {image["id"]: image for image in document["images"]}
        timed = all("time" in image for image in images.values())
        numbers = {k: _last_number(str(image["file_name"])) for k, image in images.items()}
    with damage_at(path, "categories[0].keypoints"):
        names = [str(name) for name in document["categories"][0]["keypoints"]]
    rows = []
    for i, person in enumerate(document["annotations"]):
        with damage_at(path, f"annotations[{i}]"):
            key = person["image_id"]
            moment = float(images[key]["time"]) if timed else numbers[key]
            rows.append(PersonRow(moment, _annotated(person), _track(person, _TRACK_KEYS[:1])))
    first = None if not timed and 0 not in numbers.values() else 0
    with damage_at(path):
        return FilePeople.of(rows, str(path), names, in_seconds=timed, first=first)


def _annotated(person: Mapping[str, Any]) -> Float64:
    """Points of an annotation: its scores if it has any, else by visibility (1 hidden, 2 seen)."""
    points = _triples(person["keypoints"])
    if "keypoint_scores" in person:
        points[:, 2] = np.array(person["keypoint_scores"], np.float64)
    elif np.isin(points[:, 2], (0, 1, 2)).all():
        points[:, 2] *= UNSCORED / 2
    return points


def _mmpose(path: Path, frames: Sequence[Any]) -> FilePeople:
    """MMPose's predictions, RTMPose among them: a list of frames with instances."""
    rows = []
    for i, frame in enumerate(frames):
        with damage_at(path, f"frame {i}"):
            for person in frame["instances"]:
                xy = np.array(person["keypoints"], np.float64)[:, :2]
                score = np.array(person["keypoint_scores"], np.float64)
                points = np.concatenate((xy, score[:, None]), axis=1)
                rows.append(PersonRow(float(frame.get("frame_id", i)), points, _track(person)))
    with damage_at(path):
        numbered = all("frame_id" in frame for frame in frames)
        base = min((int(frame["frame_id"]) for frame in frames), default=0) if numbered else 0
        return FilePeople.of(rows, str(path), first=min(base, 1))


def _landmark_frames(path: Path, frames: Sequence[Any]) -> FilePeople:
    """MediaPipe's landmarks: a list of frames, each a list of points with x, y and visibility."""
    rows: list[PersonRow] = []
    names: list[str] = []
    timed = False
    for i, frame in enumerate(frames):
        with damage_at(path, f"frame {i}"):
            moment, seconds = _moment(frame, i)
            timed = timed or seconds
            for person in _landmarks(frame):
                rows.append(PersonRow(moment, np.array([_landmark(p) for p in person], np.float64)))
                names = names or [str(p["name"]) for p in person if "name" in p]
    with damage_at(path):
        return FilePeople.of(rows, str(path), names or None, in_seconds=timed, first=None)


def _moment(frame: Any, index: int) -> tuple[float, bool]:
    """Number of the frame, or its time in seconds and True."""
    if isinstance(frame, dict):
        for key in _NUMBER_KEYS:
            if key in frame:
                return float(frame[key]), False
        for key in ("timestamp_ms", "timestampMs"):
            if key in frame:
                return float(frame[key]) / 1000, True
        for key in _SECONDS_KEYS:
            if key in frame:
                return float(frame[key]), True
    return float(index), False


def _landmarks(value: Any) -> Iterator[Sequence[Any]]:
    """The people of a frame, each a list of landmarks, however they are wrapped."""
    if isinstance(value, dict):
        for key in _LANDMARK_KEYS:
            if value.get(key):
                yield from _landmarks(value[key])
                return
    elif isinstance(value, list) and value:
        if _is_landmark(value[0]):
            yield value
        else:
            for person in value:
                yield from _landmarks(person)


def _is_landmark(value: Any) -> bool:
    if isinstance(value, dict):
        return "x" in value and "y" in value
    return isinstance(value, list) and bool(value) and isinstance(value[0], int | float)


def _landmark(value: Any) -> tuple[float, float, float]:
    if isinstance(value, dict):
        score = next((value[key] for key in _SCORE_KEYS if key in value), UNSCORED)
        return float(value["x"]), float(value["y"]), float(score)
    # x, y, score or x, y, z, visibility
    return float(value[0]), float(value[1]), float(value[-1]) if len(value) > 2 else UNSCORED


def _triples(flat: Sequence[float]) -> Float64:
    """(P, 3) of a flat list x, y, score."""
    values = np.array(flat, np.float64)
    if values.ndim != 1 or len(values) % 3:
        raise ValueError(f"keypoints are {values.shape} numbers, not x, y and score of each")
    return values.reshape(-1, 3)


def _track(person: Mapping[str, Any], keys: Sequence[str] = _TRACK_KEYS) -> int:
    value = next((person[key] for key in keys if key in person), NO_TRACK)
    number = np.ravel(value)
    return int(number[0]) if len(number) == 1 else NO_TRACK


def _last_number(name: str) -> float:
    found = _LAST_NUMBER.search(Path(name.replace("\\", "/")).stem)
    if found is None:
        raise ValueError(f"the image name {name!r} has no frame number")
    return float(found[1])
