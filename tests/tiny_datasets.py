"""Tiny folders laid out as the owners of data sets distribute them, with known poses."""

from pathlib import Path
from typing import Any

import numpy as np
from film import film, picture_of
from numpy.typing import NDArray
from PIL import Image
from poses import dance
from scipy.spatial.transform import Rotation

from mocap_cli.body.skeleton import BODY

FRAMES = 30
H36M_CAMERAS = ("54138969", "55011271", "58860488", "60457274")
_H36M = {
    "pelvis": 0, "right_hip": 1, "right_knee": 2, "right_ankle": 3, "left_hip": 6, "left_knee": 7,
    "left_ankle": 8, "spine": 12, "thorax": 13, "head": 15, "left_shoulder": 17, "left_elbow": 18,
    "left_wrist": 19, "right_shoulder": 25, "right_elbow": 26, "right_wrist": 27,
}  # fmt: skip


def turn_of(camera: int) -> NDArray[np.float64]:
    """camera_from_world of one of several cameras around the person."""
    return Rotation.from_euler("yx", (1.3 * camera, 0.1)).as_matrix()


def seen_by(camera: int, seed: int = 0, frames: int = FRAMES) -> NDArray[np.float64]:
    """(N, 19, 3) joints in the axes of a camera of ours, 4 m away."""
    joints = dance(np.arange(frames) / 50, seed)
    return joints @ turn_of(camera).T + (0.0, 0.0, -4.0)


def as_published(joints: NDArray[np.float64], order: dict[str, int], count: int) -> Any:
    """(N, count, 3) in millimetres, X right, Y down, Z forward."""
    rows = np.zeros((len(joints), count, 3))
    for name, at in order.items():
        rows[:, at] = joints[:, BODY.index(name)] * (1000, -1000, -1000)
    return rows


def numbered_images(folder: Path, names: list[str]) -> None:
    """Images that bear their number in the list."""
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        Image.fromarray(picture_of(number, 64, 48)).save(folder / name, quality=95)


def human36m(root: Path, poses: str = "MyPoseFeatures/D3_Positions_mono") -> Path:
    """One take of each of the seven subjects, by four cameras."""
    from cdflib.cdfwrite import CDF

    clip = film(root.parent / "tiny.mp4", range(FRAMES)).read_bytes()
    for seed, subject in enumerate(("S1", "S5", "S6", "S7", "S8", "S9", "S11")):
        (root / subject / "Videos").mkdir(parents=True)
        (root / subject / poses).mkdir(parents=True)
        for camera, name in enumerate(H36M_CAMERAS):
            (root / subject / "Videos" / f"Walking 1.{name}.mp4").write_bytes(clip)
            rows = as_published(seen_by(camera, seed), _H36M, 32).reshape(1, FRAMES, 96)
            file = CDF(str(root / subject / poses / f"Walking 1.{name}.cdf"))
            spec = {
                "Variable": "Pose", "Data_Type": CDF.CDF_FLOAT, "Num_Elements": 1,
                "Rec_Vary": True, "Dim_Sizes": [FRAMES, 96],
            }  # fmt: skip
            file.write_var(spec, var_attrs={}, var_data=rows.astype(np.float32))
            file.close()
    return root
