"""Ski-Pose PTZ-Camera data set as distributed: square crops as PNG, labels as HDF5.

    train/labels.h5
    train/seq_000/cam_00/image_000000.png

Row i of `seq`, `cam`, `frame`, `subj` names an image, row i of `3D` its 17 joints in the order of
Human3.6M, in metres in camera axes (X right, Y down, Z forward) about the pelvis, as the owners'
load_h5_example.py reads them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.joint_names import unnamed_skeleton
from mocap_cli.io.damage import damage_at
from mocap_cli.types import Float64
from training.datasets.annotation_files import read_hdf5
from training.datasets.clips import (
    Choice,
    Clip,
    ImageSequence,
    Split,
    in_our_axes,
    refuse_unknown,
    require_file,
)

_RECIPE = tuple(Split(name, (), labels_every=1) for name in ("train", "test"))
_FPS = 30  # no file states it
_LARGEST_NUMBER = 10**6
_JOINTS = {name: i for i, name in enumerate(unnamed_skeleton(17, 3)) if name}


def read_ski_ptz(root: Path, choice: Choice) -> Iterator[Clip]:
    """A clip for each run and camera, in the owners' split: skiers 1 to 5 and skier 6."""
    found: set[str] = set()
    for split in _RECIPE:
        path = require_file(root / split.name / "labels.h5", "it lies in each of train/ and test/")
        keys, joints = _read_labels(path)
        runs, of_run = np.unique(keys[:, :3], axis=0, return_inverse=True)
        for run, (sequence, camera, subject) in enumerate(runs.tolist()):
            name = f"seq_{sequence:03d}"
            found.add(name)
            if choice.only is None or name in choice.only:
                rows = np.flatnonzero(of_run.ravel() == run)
                rows = rows[np.argsort(keys[rows, 3], kind="stable")]
                numbers = keys[rows, 3].tolist()
                folder = path.parent / name / f"cam_{camera:02d}"
                images = [folder / f"image_{number:06d}.png" for number in numbers]
                for image in images:
                    require_file(image, f"{path} labels it")
                frames = np.arange(0, len(rows), choice.labels_of(split))
                yield Clip(
                    split=split.name,
                    group=name,
                    take=name,
                    camera=camera,
                    subject=str(subject),
                    footage=ImageSequence(tuple(images), tuple(numbers), choice.fps or _FPS),
                    frames=frames,
                    joints=joints[rows[frames]],
                    joint_names=tuple(_JOINTS),
                    cameras_stand=False,
                )
    refuse_unknown(choice, found, root)


def _read_labels(path: Path) -> tuple[NDArray[np.int64], Float64]:
    """Sequence, camera, subject and frame (N, 4) of each image, and its joints (N, P, 3)."""
    *columns, pose = read_hdf5(path, "seq", "cam", "subj", "frame", "3D")
    with damage_at(path):
        keys = np.stack([column.ravel() for column in columns], axis=1)
        if not (np.abs(keys) < _LARGEST_NUMBER).all():  # false where it is NaN
            raise ValueError("seq, cam, subj and frame are numbers of images")
        keys = keys.astype(np.int64)
        joints = pose.reshape(len(keys), 17, 3)[:, list(_JOINTS.values())]
        if len(np.unique(keys, axis=0)) < len(keys):
            raise ValueError("two rows label the same image")
    return keys, in_our_axes(joints, 1.0)
