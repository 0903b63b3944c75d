"""Tiny folders laid out as the owners of data sets distribute them, with known poses."""

import io
import json
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from film import film, picture_of
from numpy.typing import NDArray
from PIL import Image
from poses import dance
from scipy.spatial.transform import Rotation

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.labels.alignment.time_alignment import find_video
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.readers.dispatch import read_labels

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


def three_dpw(root: Path, python: str = "3") -> Path:
    """A sequence of one person in each split, and one of two people in train."""
    for split, name, people in (
        ("train", "courtyard_golf_00", 1), ("validation", "outdoors_parcours_00", 1),
        ("test", "downtown_walking_00", 1), ("train", "courtyard_hug_00", 2),
    ):  # fmt: skip
        world, from_world = filmed_by_hand()
        rows = np.zeros((len(world), 24, 3))
        rows[:, list(_SMPL.values())] = world[:, [BODY.index(joint) for joint in _SMPL]]
        valid = np.arange(len(world)) % 4 != 2
        document = {
            "sequence": name,
            "jointPositions": [rows.reshape(-1, 72)] * people,
            "cam_poses": np.asfortranarray(from_world),
            "campose_valid": [valid.astype(np.int64)] * people,
            "genders": ["f"] * people,
            "betas": [np.zeros(10)] * people,
        }
        path = root / "sequenceFiles" / split / f"{name}.pkl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickled(document, python))
        images = [f"image_{i:05d}.jpg" for i in range(len(world))]
        numbered_images(root / "imageFiles" / name, images)
    return root


_SMPL = {
    "pelvis": 0, "left_hip": 1, "right_hip": 2, "left_knee": 4, "right_knee": 5, "left_ankle": 7,
    "right_ankle": 8, "left_toe": 10, "right_toe": 11, "thorax": 12, "neck": 15,
    "left_shoulder": 16, "right_shoulder": 17, "left_elbow": 18, "right_elbow": 19,
    "left_wrist": 20, "right_wrist": 21,
}  # fmt: skip


def filmed_by_hand() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Joints (N, 19, 3) in the world, and a turning camera (N, 4, 4) with Y down from there."""
    times = np.arange(12) / 30
    from_world = np.tile(np.eye(4), (12, 1, 1))
    from_world[:, :3, :3] = Rotation.from_euler("xy", np.stack((3 + times, times), 1)).as_matrix()
    from_world[:, :3, 3] = (0.2, 0.1, 4.0)
    return dance(times), from_world


def pickled(document: dict[str, Any], python: str) -> bytes:
    """As Python 3 pickles it, or as Python 2 did: its byte strings become texts when read."""

    class Python2Pickler(pickle.Pickler):
        def reducer_override(self, value: Any) -> Any:
            if not isinstance(value, np.ndarray):
                return NotImplemented
            function, arguments, state, *_ = value.__reduce__()
            return function, arguments, (*state[:-1], state[-1].decode("latin-1"))

    file = io.BytesIO()
    (pickle.Pickler if python == "3" else Python2Pickler)(file, protocol=2).dump(document)
    content = file.getvalue()
    return content if python == "3" else content.replace(b"numpy._core.", b"numpy.core.")


SKI_FRAMES = (5, 6, 7, 9)  # of each run; one is missing


def ski_ptz(root: Path) -> Path:
    """One run of a skier by two cameras in train, another in test."""
    import h5py

    names = ("pelvis", *_R_LEG, *_L_LEG, "spine", "thorax", "", "head", *_L_ARM, *_R_ARM)
    order = {name: i for i, name in enumerate(names) if name}
    for split, sequence, subject in (("train", 3, 1), ("test", 20, 6)):
        rows = []
        for camera in (0, 1):
            joints = as_published(seen_by(camera, sequence), order, 17) / 1000
            joints -= joints[:, :1]
            folder = root / split / f"seq_{sequence:03d}" / f"cam_{camera:02d}"
            numbered_images(folder, [f"image_{frame:06d}.png" for frame in SKI_FRAMES])
            rows += [(sequence, camera, f, subject, joints[f].ravel()) for f in SKI_FRAMES]
        rows = rows[::2] + rows[1::2]  # in no order
        with h5py.File(root / split / "labels.h5", "w") as file:
            for i, key in enumerate(("seq", "cam", "frame", "subj", "3D")):
                file[key] = np.array([row[i] for row in rows], np.float64)
    return root


_R_LEG, _L_LEG = (tuple(f"{s}_{n}" for n in ("hip", "knee", "ankle")) for s in ("right", "left"))
_R_ARM, _L_ARM = (
    tuple(f"{s}_{n}" for n in ("shoulder", "elbow", "wrist")) for s in ("right", "left")
)


def diving(root: Path) -> Path:
    """A dive by two calibrated cameras with clicks, and one by a single camera without."""
    (root / "train").mkdir(parents=True)
    film(root / "train/dive02.cam0.mp4", range(FRAMES))
    names = [name for name in KEYPOINTS if name in BODY.names and not name.endswith("toe")]
    calibration = {}
    for camera in (0, 1):
        film(root / f"train/dive01.cam{camera}.mp4", range(FRAMES))
        place = np.array((0.0, 0.0, 4.0)) @ turn_of(camera)
        calibration[f"cam{camera}"] = {
            "focal_pixels": 50, "centre": [32, 24],
            "world_from_camera": np.column_stack((turn_of(camera).T, place)).tolist(),
        }  # fmt: skip
        pixels = Pinhole(50, (32, 24)).project(seen_by(camera)[:, [BODY.index(n) for n in names]])
        rows = [",".join(("frame", *(f"{n}_{axis}" for n in names for axis in "xy")))]
        rows += [f"{f}," + ",".join(map(repr, map(float, pixels[f].ravel()))) for f in (2, 8, 20)]
        (root / f"train/dive01.cam{camera}.csv").write_text("\n".join(rows))
    (root / "train/calibration.json").write_text(json.dumps(calibration))
    return root


def labels_by_video(folder: Path, split: str) -> dict[str, Labels]:
    """Labels of a split by the name of their video, each of which is found."""
    videos = sorted(p for p in (folder / split).rglob("*") if p.suffix in (".mp4", ".avi"))
    return {find_video(one, videos).name: one for one in read_labels(folder / "labels" / split)}


def assert_refused(result: tuple[int, str, str], named: str, out: Path) -> None:
    """One line that names the file, one hint, and nothing written."""
    status, _, err = result
    assert status == 1
    error, hint = err.strip().splitlines()
    assert named in error
    assert hint.startswith("hint: ")
    assert not out.exists()
