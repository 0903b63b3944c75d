"""CSV and NPZ: joints and angles as tables for spreadsheets and statistics; arrays for NumPy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.joint_angles import joint_angles
from mocap_cli.body.motion import Motion
from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.io.atomic import write_atomically

_COLUMNS = ("time", "joint", "x", "y", "z", "sigma", "seen")


def write_csv(motion: Motion, path: Path) -> None:
    """One row for each joint in each frame; unknown values are empty cells."""
    with write_atomically(path) as aside, aside.open("w", encoding="ascii", newline="") as file:
        file.write(",".join(_COLUMNS) + "\n")
        file.writelines(_rows(motion))


def _rows(motion: Motion) -> Iterator[str]:
    numbers = np.concatenate((motion.joints, motion.sigma[..., None]), axis=-1)  # (T, J, 4)
    for time, joints, detected in zip(motion.times.tolist(), numbers, motion.detected, strict=True):
        last = "true" if detected else "false"
        for name, values in zip(motion.skeleton.names, joints.tolist(), strict=True):
            cells = ",".join("" if v != v else f"{v:.6f}" for v in values)
            yield f"{time:.6f},{name},{cells},{last}\n"


def write_angles(motion: Motion, path: Path, decimals: int = 4) -> None:
    """One row for each frame and one column for each angle, in degrees."""
    angles = joint_angles(motion)
    table = np.stack(tuple(angles.values()), axis=-1)  # (T, A)
    with write_atomically(path) as aside, aside.open("w", encoding="ascii", newline="") as file:
        file.write(",".join(("time", *angles)) + "\n")
        for time, row in zip(motion.times.tolist(), table.tolist(), strict=True):
            cells = ",".join("" if v != v else f"{v:.{decimals}f}" for v in row)
            file.write(f"{time:.6f},{cells}\n")


def write_npz(motion: Motion, path: Path) -> None:
    """Every array of the motion under its own name, compressed and without pickle."""
    arrays: dict[str, NDArray[Any]] = {
        "times": motion.times,
        "joints": motion.joints,
        "sigma": motion.sigma,
        "seen": motion.detected,
        "contacts": motion.contacts,
        "xy": motion.xy,
        "score": motion.score,
        "joint_names": np.array(motion.skeleton.names),
        "parents": np.array(motion.skeleton.parents),
        "keypoint_names": np.array(KEYPOINTS),
        "focal_pixels": np.array(motion.camera.focal_pixels),
        "centre": np.array(motion.camera.centre),
        "world_from_camera": motion.camera.world_from_camera,
        "size_pixels": np.array((motion.source.width, motion.source.height)),
        "space": np.array(motion.space),
        "source": np.array(motion.source.file),
    }
    if motion.facing is not None:
        arrays |= {"facing": motion.facing.direction, "facing_sigma": motion.facing.sigma}
    with write_atomically(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
