"""MPI-INF-3DHP as its owners' scripts unpack it: AVI videos, images, MATLAB annotations.

    S1/Seq1/annot.mat                                 cells annot3[camera], (N, 84) each
    S1/Seq1/imageSequence/video_0.avi
    mpi_inf_3dhp_test_set/TS1/annot_data.mat          version 7.3: annot3 (N, 1, 17, 3), valid_frame
    mpi_inf_3dhp_test_set/TS1/imageSequence/img_000001.jpg

Joints are millimetres in camera axes, X right, Y down, Z forward; `univ_annot3`, scaled to one
height, is not used. Layout, fields and the order of joints follow the owners' get_dataset.sh and
mpii_get_joint_set.m and the loaders of posepile (I. Sarandi) and HMR (A. Kanazawa).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mocap_cli.errors import MocapError
from mocap_cli.io.damage import INCOMPLETE_HINT, damage_at
from mocap_cli.types import Float64, Int64
from training.datasets.annotation_files import read_hdf5, read_mat
from training.datasets.clips import (
    Choice,
    Clip,
    ImageSequence,
    Split,
    in_our_axes,
    require_file,
    subjects_of,
)

# With labels of every 50th frame, the frame counts of these six subjects and the eight cameras
# below give the 17,128 labels of the paper (2 %) exactly.
_RECIPE = (
    Split("train", ("S1", "S2", "S3", "S4", "S5", "S8"), labels_every=50),
    Split("validation", ("S6", "S7"), labels_every=50),
    Split("test", ("TS1", "TS2", "TS3", "TS4"), labels_every=1),  # of the frames marked valid
)
_MILLIMETRE = 0.001
_CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)  # downloaded by default; the other six are used if there
_ALL_CAMERAS = 14
_TEST_SET = "mpi_inf_3dhp_test_set"
_FPS = 25  # of the test set, which is images; no file states it

_JOINTS: Mapping[str, int] = {
    "pelvis": 4, "spine": 3, "thorax": 5, "head": 7, "left_shoulder": 9, "left_elbow": 10,
    "left_wrist": 11, "right_shoulder": 14, "right_elbow": 15, "right_wrist": 16, "left_hip": 18,
    "left_knee": 19, "left_ankle": 20, "right_hip": 23, "right_knee": 24, "right_ankle": 25,
}  # fmt: skip
_TEST_JOINTS: Mapping[str, int] = {
    "pelvis": 14, "spine": 15, "thorax": 1, "head": 0, "right_shoulder": 2, "right_elbow": 3,
    "right_wrist": 4, "left_shoulder": 5, "left_elbow": 6, "left_wrist": 7, "right_hip": 8,
    "right_knee": 9, "right_ankle": 10, "left_hip": 11, "left_knee": 12, "left_ankle": 13,
}  # fmt: skip
"""Among 28 joints, and among the 17 of the test set, without the middle of the head."""


def read_mpi_inf_3dhp(root: Path, choice: Choice) -> Iterator[Clip]:
    """Clips of S1 to S8, by all cameras, and of TS1 to TS4, by their only one."""
    for split, subject, folder in subjects_of(_RECIPE, choice, [root, root / _TEST_SET]):
        if split.name == "test":
            yield _test_clip(folder, split, choice)
        else:
            for sequence in ("Seq1", "Seq2"):
                yield from _clips(folder / sequence, subject, split, choice.labels_of(split))


def _clips(folder: Path, subject: str, split: Split, every: int) -> Iterator[Clip]:
    take = f"{subject}_{folder.name}"
    annotation = require_file(folder / "annot.mat", f"it annotates {take}")
    (cells,) = read_mat(annotation, "annot3")
    for camera in range(_ALL_CAMERAS):
        video = folder / "imageSequence" / f"video_{camera}.avi"
        if not video.is_file():
            if camera not in _CAMERAS:
                continue
            require_file(video, "it is one of the eight cameras downloaded by default")
        with damage_at(annotation, f"annot3, camera {camera}"):
            pose = np.asarray(cells.ravel()[camera], np.float64).reshape(-1, 28, 3)
        frames = np.arange(0, len(pose), every)
        yield Clip(
            split=split.name,
            group=take,
            take=take,
            camera=camera,
            subject=subject,
            footage=video,
            frames=frames,
            joints=in_our_axes(pose[frames][:, list(_JOINTS.values())], _MILLIMETRE),
            joint_names=tuple(_JOINTS),
        )


def _test_clip(folder: Path, split: Split, choice: Choice) -> Clip:
    annotation = require_file(folder / "annot_data.mat", f"it annotates {folder.name}")
    joints, frames = _read_test_joints(annotation)
    count, frames = len(joints), frames[:: choice.labels_of(split)]
    images = [folder / "imageSequence" / f"img_{number:06d}.jpg" for number in range(1, count + 1)]
    for image in images:
        require_file(image, f"{annotation.name} annotates {count} images")
    return Clip(
        split=split.name,
        group=folder.name,
        take=folder.name,
        camera=0,
        subject=folder.name,
        footage=ImageSequence(tuple(images), tuple(range(count)), choice.fps or _FPS),
        frames=frames,
        joints=joints[frames],
        joint_names=tuple(_TEST_JOINTS),
    )


def _read_test_joints(path: Path) -> tuple[Float64, Int64]:
    """Joints (N, P, 3) of every frame, and the numbers of the frames that are to be evaluated."""
    pose, valid = read_hdf5(path, "annot3", "valid_frame")
    with damage_at(path):
        whole = pose.reshape(-1, 17, 3)
        frames = np.flatnonzero(valid.ravel())
    if len(whole) != valid.size or not len(frames):
        raise MocapError(
            f"{path} is damaged: {len(whole)} poses, {valid.size} frames, {len(frames)} of them"
            " valid",
            INCOMPLETE_HINT,
        )
    return in_our_axes(whole[:, list(_TEST_JOINTS.values())], _MILLIMETRE), frames
