"""A folder of one's own calibrated takes with 2D clicks, for the paper's unpublished dives.

    train/dive01.cam0.mp4, train/dive01.cam1.mp4      the cameras of a take start together
    train/dive01.cam0.csv, train/dive01.cam1.json     2D labels in any form of docs/labels.md
    train/calibration.json                            by video, or "cam0", "cam1" for all takes
    test/...

Clicks of several cameras are triangulated; takes of one camera become clips without labels.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.io.inputs import find_inputs
from mocap_cli.labels.alignment.reconstruction import CalibratedCamera, triangulate_labels
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.readers.dispatch import read_labels
from training.datasets.clips import Choice, Clip, Split, refuse_unknown, require_file

_RECIPE = tuple(Split(name, (), labels_every=1) for name in ("train", "validation", "test"))
_SUFFIXES = (".csv", ".json", ".npz", ".xml")


def read_diving(root: Path, choice: Choice) -> Iterator[Clip]:
    """Clips of the folders train, validation and test, of which train must be there."""
    found: set[str] = set()
    for split in _RECIPE:
        folder = root / split.name
        if not folder.is_dir():
            if split.name == "train":
                raise MocapError(f"{folder} is missing", "sort the takes into train/ and test/")
            continue
        takes = _takes(folder)
        found |= takes.keys()
        for take, videos in sorted(takes.items()):
            if choice.only is None or take in choice.only:
                yield from _clips(take, videos, split, choice)
    refuse_unknown(choice, found, root)


def _takes(folder: Path) -> Mapping[str, dict[int, Path]]:
    """The videos of each take by camera number."""
    takes: dict[str, dict[int, Path]] = defaultdict(dict)
    for video in find_inputs(folder):
        take, _, camera = video.stem.rpartition(".cam")
        if not take or not camera.isdecimal():
            raise MocapError(
                f"{video} names no camera", "name the videos of a take TAKE.cam0.mp4, TAKE.cam1.mp4"
            )
        takes[take][int(camera)] = video
    there = {video.stem for videos in takes.values() for video in videos.values()}
    for path in sorted(folder.iterdir()):
        if path.suffix in _SUFFIXES and ".cam" in path.stem and path.stem not in there:
            raise MocapError(f"{path} labels a video that is missing", f"add {path.stem}.mp4")
    return takes


def _clips(take: str, videos: Mapping[int, Path], split: Split, choice: Choice) -> Iterator[Clip]:
    clicks = {camera: _clicks(video) for camera, video in videos.items()}
    labelled = {camera: labels for camera, labels in clicks.items() if labels is not None}
    solid: dict[str, Labels] = {}
    if len(labelled) > 1:
        cameras = _cameras(next(iter(videos.values())).parent, videos, labelled)
        solid = {one.video: one for one in triangulate_labels([*labelled.values()], cameras)}
    for camera, video in sorted(videos.items()):
        labels = solid.get(video.name)
        chosen = np.arange(0, 0 if labels is None else len(labels), choice.labels_of(split))
        yield Clip(
            split=split.name,
            group=take,
            take=take,
            camera=camera,
            subject=take,
            footage=video,
            frames=np.zeros(0, np.int64) if labels is None else labels.frames[chosen],
            joints=np.zeros((0, len(BODY), 3)) if labels is None else labels.joints[chosen],
            joint_names=tuple(BODY.names),
        )


def _clicks(video: Path) -> Labels | None:
    """The 2D labels next to a video."""
    path = next((p for s in _SUFFIXES if (p := video.with_suffix(s)).is_file()), None)
    if path is None:
        return None
    labels = read_labels(path)[0]
    if not labels.has_2d.any() or (labels.frames < 0).any():
        raise MocapError(f"{path} has no 2D points by frame number", "docs/labels.md lists forms")
    for note in labels.notes:
        if "breaks off" in note:
            raise MocapError(f"{path} {note}", "copy or write the file again")
    return replace(labels, video=video.name)


def _cameras(
    folder: Path, videos: Mapping[int, Path], labelled: Iterable[int]
) -> dict[str, CalibratedCamera]:
    """The calibration of each labelled video, by its stem."""
    path = require_file(folder / "calibration.json", "it calibrates the cameras of the takes")
    given = CalibratedCamera.read_all(path)
    cameras = {}
    for number in labelled:
        stem = videos[number].stem
        found = given.get(stem, given.get(f"cam{number}"))
        if found is None:
            raise MocapError(
                f"{path} lacks the camera of {videos[number].name}", f'name it "cam{number}"'
            )
        cameras[stem] = found
    return cameras
