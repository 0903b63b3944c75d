"""Rotations: how the camera of a background turned, for those who place people in its world."""

import numpy as np
from scipy.spatial.transform import Rotation

from mocap_cli.camera.camera_path import CameraPath
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.types import Float64


def path_rotations(path: CameraPath, pinhole: Pinhole) -> Float64:
    """(N, 3, 3) each frame's camera axes (X right, Y up, Z back) to its part's first.

    As `pinhole` has it: through a lens taken for shorter than it is, turns look larger.
    """
    seen_longer = float(np.median(path.focal)) / pinhole.focal
    turns = Rotation.from_matrix(path.rotations()).as_rotvec()
    return np.asarray(Rotation.from_rotvec(turns * seen_longer).as_matrix())
