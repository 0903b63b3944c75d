"""Tiny folders laid out as the owners of data sets distribute them, with known poses."""

from fractions import Fraction
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

_3DHP = {
    "pelvis": 4, "spine": 3, "thorax": 5, "head": 7, "left_shoulder": 9, "left_elbow": 10,
    "left_wrist": 11, "right_shoulder": 14, "right_elbow": 15, "right_wrist": 16, "left_hip": 18,
    "left_knee": 19, "left_ankle": 20, "right_hip": 23, "right_knee": 24, "right_ankle": 25,
}  # fmt: skip
_3DHP_TEST = {
    "head": 0, "thorax": 1, "right_shoulder": 2, "right_elbow": 3, "right_wrist": 4,
    "left_shoulder": 5, "left_elbow": 6, "left_wrist": 7, "right_hip": 8, "right_knee": 9,
    "right_ankle": 10, "left_hip": 11, "left_knee": 12, "left_ankle": 13, "pelvis": 14, "spine": 15,
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


def mpi_inf_3dhp(root: Path) -> Path:
    """Both sequences of S1 and S6, by eight cameras, and the test sequence TS1."""
    import h5py
    from scipy.io import savemat

    clip = film(root.parent / "tiny.avi", range(FRAMES), time_base=Fraction(1, 25)).read_bytes()
    for subject, sequence in (("S1", 1), ("S1", 2), ("S6", 1), ("S6", 2)):
        folder = root / subject / f"Seq{sequence}"
        (folder / "imageSequence").mkdir(parents=True)
        cells = np.empty((14, 1), object)
        for camera in range(14):
            rows = as_published(seen_by(camera, sequence), _3DHP, 28)
            cells[camera, 0] = rows.reshape(FRAMES, 84).astype(np.float32)
            if camera in (0, 1, 2, 4, 5, 6, 7, 8):
                (folder / "imageSequence" / f"video_{camera}.avi").write_bytes(clip)
        savemat(folder / "annot.mat", {"annot3": cells, "frames": np.arange(FRAMES)})
    folder = root / "mpi_inf_3dhp_test_set/TS1"
    numbered_images(folder / "imageSequence", [f"img_{i + 1:06d}.jpg" for i in range(FRAMES)])
    with h5py.File(folder / "annot_data.mat", "w", userblock_size=512) as file:
        file["annot3"] = as_published(seen_by(0), _3DHP_TEST, 17)[:, None]
        file["valid_frame"] = (np.arange(FRAMES) % 3 == 1).astype(np.uint8)[:, None]
    return root
