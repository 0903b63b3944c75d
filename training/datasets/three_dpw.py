"""3DPW (3D Poses in the Wild) as distributed: image folders and one pickle a sequence.

    imageFiles/courtyard_golf_00/image_00000.jpg
    sequenceFiles/train/courtyard_golf_00.pkl

Fields by the readme of the data set: `jointPositions`, a list with (N, 72) for each person, 24
SMPL joints in metres in the world; `cam_poses` (N, 4, 4), camera axes (X right, Y down, Z forward)
from the world; `campose_valid`, a list with (N,) for each person. All are aligned to the images,
30 a second.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mocap_cli.body.joint_names import unnamed_skeleton
from mocap_cli.errors import MocapError
from mocap_cli.io.damage import damage_at
from mocap_cli.types import Float64
from training.datasets.array_pickle import read_array_pickle
from training.datasets.clips import (
    Choice,
    Clip,
    ImageSequence,
    Split,
    in_our_axes,
    refuse_unknown,
    require_file,
)

_RECIPE = tuple(Split(name, (), labels_every=1) for name in ("train", "validation", "test"))
_FPS = 30
_JOINTS = {name: i for i, name in enumerate(unnamed_skeleton(24, 3)) if name}


def read_three_dpw(root: Path, choice: Choice) -> Iterator[Clip]:
    """Clips of the sequences with one person, which are those that the paper uses."""
    found: set[str] = set()
    for split in _RECIPE:
        folder = root / "sequenceFiles" / split.name
        if not folder.is_dir():
            raise MocapError(f"{folder} is missing", "unpack sequenceFiles.zip there")
        for path in sorted(folder.glob("*.pkl")):
            if choice.only is None or path.stem in choice.only:
                found.add(path.stem)
                yield from _clips(path, root / "imageFiles" / path.stem, split, choice)
    refuse_unknown(choice, found, root / "sequenceFiles")


def _clips(path: Path, images: Path, split: Split, choice: Choice) -> Iterator[Clip]:
    sequence = read_array_pickle(path)
    with damage_at(path):
        people = len(sequence["jointPositions"])
    if people != 1:
        return
    joints = _joints_in_camera(path, sequence)
    files = [images / f"image_{number:05d}.jpg" for number in range(len(joints))]
    for file in files:
        require_file(file, f"{path.name} annotates {len(joints)} images")
    known = np.flatnonzero(np.isfinite(joints).any(axis=(1, 2)))
    frames = known[:: choice.labels_of(split)]
    yield Clip(
        split=split.name,
        group=path.stem,
        take=path.stem,
        camera=0,
        subject=path.stem,
        footage=ImageSequence(tuple(files), tuple(range(len(files))), choice.fps or _FPS),
        frames=frames,
        joints=joints[frames],
        joint_names=tuple(_JOINTS),
    )


def _joints_in_camera(path: Path, sequence: dict[str, Any]) -> Float64:
    """Joints (N, P, 3) of the only person; NaN where the camera's pose is not valid."""
    with damage_at(path):
        world = np.asarray(sequence["jointPositions"][0], np.float64).reshape(-1, 24, 3)
        count = len(world)
        from_world = np.asarray(sequence["cam_poses"], np.float64).reshape(count, 4, 4)
        valid = np.asarray(sequence["campose_valid"][0]).reshape(count)
        chosen = world[:, list(_JOINTS.values())]
        own = chosen @ from_world[:, :3, :3].swapaxes(1, 2) + from_world[:, None, :3, 3]
        return in_our_axes(np.where(valid[:, None, None] != 0, own, np.nan), 1.0)
