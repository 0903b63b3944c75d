"""Human3.6M as its owners distribute it: MP4 videos and CDF poses, by subject.

Layout after unpacking the archives of each subject (as h36m-fetch by A. Nibali and VideoPose3D by
Facebook Research expect it):

    S1/Videos/Directions 1.54138969.mp4
    S1/MyPoseFeatures/D3_Positions_mono/Directions 1.54138969.cdf

`D3_Positions_mono` holds the variable `Pose`, (1, N, 96): 32 joints in millimetres in camera axes,
X right, Y down, Z forward, at the 50 frames a second of the videos. h36m-fetch names its folder
`Poses_D3_Positions_mono`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mocap_cli.errors import MocapError
from mocap_cli.io.damage import damage_at
from mocap_cli.types import Float64
from training.datasets.annotation_files import read_cdf
from training.datasets.clips import (
    Choice,
    Clip,
    Split,
    in_our_axes,
    require_file,
    subjects_of,
)

_RECIPE = (
    Split("train", ("S1", "S5", "S6", "S7", "S8"), labels_every=5),
    Split("test", ("S9", "S11"), labels_every=10),  # as with weak 2D labels in the paper
)
_MILLIMETRE = 0.001
_CAMERAS = ("54138969", "55011271", "58860488", "60457274")
_POSES = ("MyPoseFeatures/D3_Positions_mono", "Poses_D3_Positions_mono")
_DAMAGED = {("S11", "Directions")}  # a video is broken in the archive; everybody leaves it out
_JOINTS: Mapping[str, int] = {
    "pelvis": 0, "right_hip": 1, "right_knee": 2, "right_ankle": 3, "left_hip": 6, "left_knee": 7,
    "left_ankle": 8, "spine": 12, "thorax": 13, "head": 15, "left_shoulder": 17, "left_elbow": 18,
    "left_wrist": 19, "right_shoulder": 25, "right_elbow": 26, "right_wrist": 27,
}  # fmt: skip
"""The 17 joints of the literature among the 32, without the nose (14)."""


def read_human36m(root: Path, choice: Choice) -> Iterator[Clip]:
    """Clips of the paper's subjects: S1, S5, S6, S7, S8 to train, S9 and S11 to test."""
    for split, subject, folder in subjects_of(_RECIPE, choice, [root]):
        poses = _pose_folder(folder)
        for take, videos in sorted(_takes(folder / "Videos").items()):
            if (subject, take) in _DAMAGED:
                continue
            for number, camera in enumerate(_CAMERAS):
                video = require_file(
                    folder / "Videos" / f"{take}.{camera}.mp4",
                    f"other cameras have the take, as {videos[0].name}",
                )
                joints = _read_joints(poses / f"{take}.{camera}.cdf", video)
                frames = np.arange(0, len(joints), choice.labels_of(split))
                yield Clip(
                    split=split.name,
                    group=subject,
                    take=f"{subject}_{take}",
                    camera=number,
                    subject=subject,
                    footage=video,
                    frames=frames,
                    joints=joints[frames],
                    joint_names=tuple(_JOINTS),
                )


def _pose_folder(subject: Path) -> Path:
    for name in _POSES:
        if (subject / name).is_dir():
            return subject / name
    raise MocapError(
        f"{subject / _POSES[0]} is missing", "unpack the archive of D3_Positions_mono there"
    )


def _takes(folder: Path) -> Mapping[str, list[Path]]:
    """The videos of each take; `_ALL` are calibration recordings without poses."""
    takes: dict[str, list[Path]] = defaultdict(list)
    for video in sorted(folder.glob("*.mp4")):
        take, _, camera = video.stem.rpartition(".")
        if not video.name.startswith("_") and camera in _CAMERAS:
            takes[take].append(video)
    if not takes:
        raise MocapError(
            f"{folder} holds no videos as {folder / f'Walking.{_CAMERAS[0]}.mp4'}",
            "unpack the archive of videos there",
        )
    return takes


def _read_joints(path: Path, video: Path) -> Float64:
    """Joints (N, P, 3) of every frame."""
    pose = read_cdf(require_file(path, f"it annotates {video}"), "Pose")
    with damage_at(path):
        whole = pose.reshape(-1, 32, 3)
    return in_our_axes(whole[:, list(_JOINTS.values())], _MILLIMETRE)
