"""Camera path: rotation and focal length of a camera, frame by frame."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from mocap_cli.types import Bool, Float64, Int64

CameraKind = Literal["fixed", "turning", "walking"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraPath:
    """Orientation and lens of the camera at each frame.

    `rays_from_frame` maps a displayed pixel (x, y, 1) to a direction in the axes common to a
    part: X right, Y down, Z ahead. Frames that could not be matched are not `known` and are
    interpolated.
    """

    size: tuple[int, int]  # displayed pixels
    times: Float64  # (T,) seconds
    part: Int64  # (T,) frames of one part share their axes; a cut begins another part
    known: Bool  # (T,)
    rays_from_frame: Float64  # (T, 3, 3)
    focal: Float64  # (T,) pixels; the further the camera rotates, the more certain
    gain: Float64  # (T, 3) brightness against the part, red, green and blue
    kind: tuple[CameraKind, ...]  # of each part; the rays of a walking camera have no true scale
    reprojection_error: tuple[float, ...]  # pixels, 68 % of the points of each part are within
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        T = len(self.times)
        shapes = {
            "part": (T,),
            "known": (T,),
            "rays_from_frame": (T, 3, 3),
            "focal": (T,),
            "gain": (T, 3),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} is {getattr(self, name).shape}, not {shape}")
        if T == 0 or len(self.kind) != self.part[-1] + 1:
            raise ValueError("give at least one frame, and a kind for each part")
        if len(self.reprojection_error) != len(self.kind):
            raise ValueError("give a reprojection error for each part")

    @property
    def moves(self) -> bool:
        """Whether the camera rotates, zooms or translates in any part."""
        return any(kind != "fixed" for kind in self.kind)

    def frame_at(self, time: float) -> int:
        """Index of the frame nearest to that second."""
        later = int(np.clip(np.searchsorted(self.times, time), 1, max(len(self.times) - 1, 1)))
        if len(self.times) == 1:
            return 0
        return later - int(time - self.times[later - 1] < self.times[later] - time)

    def homography(self, frame: int, other: int) -> Float64:
        """(3, 3) from the pixels of one frame to those of another frame of the same part."""
        matrix = np.linalg.inv(self.rays_from_frame[other]) @ self.rays_from_frame[frame]
        return np.asarray(matrix / matrix[2, 2])

    def rotations(self) -> Float64:
        """(T, 3, 3) from each frame's camera axes (X right, Y up, Z back) to the first of its part.

        Frames between known ones are interpolated; a walking camera is taken as fixed.
        """
        result = np.tile(np.eye(3), (len(self.times), 1, 1))
        for part, kind in enumerate(self.kind):
            frames = np.flatnonzero(self.part == part)
            if kind == "turning":
                result[frames] = self._part_rotations(frames)
        return result

    def _part_rotations(self, frames: Int64) -> Float64:
        known = frames[self.known[frames]]
        rotations = self.rays_from_frame[known] @ intrinsic_matrices(self.focal[known], self.size)
        flip = np.diag([1.0, -1.0, -1.0])
        keys = Rotation.from_matrix(flip @ rotations @ flip)
        if len(known) == 1:
            return np.tile(np.eye(3), (len(frames), 1, 1))
        times = np.clip(self.times[frames], self.times[known[0]], self.times[known[-1]])
        every = Slerp(self.times[known], keys)(times)
        return np.asarray((every[0].inv() * every).as_matrix())


def fixed_camera_path(
    times: Float64, part: Int64, size: tuple[int, int], focal: float
) -> CameraPath:
    """Path of a camera that does not move."""
    T, parts = len(times), int(part[-1]) + 1
    fixed: tuple[CameraKind, ...] = ("fixed",)
    rays = np.linalg.inv(intrinsic_matrices(np.array([focal]), size))
    return CameraPath(
        size=size,
        times=times,
        part=part,
        known=np.ones(T, np.bool_),
        rays_from_frame=np.repeat(rays, T, axis=0),
        focal=np.full(T, focal),
        gain=np.ones((T, 3)),
        kind=fixed * parts,
        reprojection_error=(0.0,) * parts,
    )


def intrinsic_matrices(focal: Float64, size: tuple[int, int]) -> Float64:
    """(N, 3, 3) from rays to displayed pixels; the middle of a pixel is at +0.5."""
    matrices = np.zeros((len(focal), 3, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = focal
    matrices[:, :2, 2], matrices[:, 2, 2] = np.array(size) / 2, 1
    return matrices
