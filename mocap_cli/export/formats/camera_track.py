"""The camera of a motion over the frames of an animation, for GLB, USD and FBX."""

import math
from dataclasses import dataclass

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import resample_rotations
from mocap_cli.types import Float64

_FILM_MM = 36.0  # longer side of the film: focal lengths are those of 35 mm cameras
_STILL = 1e-6  # largest difference of a rotation or position (metres) of a fixed camera
_SKEW = 1e-3  # largest difference of a rotation from an orthonormal matrix


@dataclass(frozen=True, slots=True)
class CameraTrack:
    """A pinhole of constant focal length, X right, Y up, looking along -Z.

    A fixed camera has one frame, a moving one those of the animation.
    """

    rotations: Float64  # (T, 3, 3) world from camera
    positions: Float64  # (T, 3) metres
    size: tuple[int, int]  # pixels of the image
    focal_pixels: float
    centre: tuple[float, float]  # pixels, Y down: the principal point

    @property
    def aspect(self) -> float:
        """Width of the image over its height."""
        return self.size[0] / self.size[1]

    @property
    def field_of_view(self) -> tuple[float, float]:
        """Radians across the width and the height, about the middle of the image."""
        width, height = (2 * math.atan(side / 2 / self.focal_pixels) for side in self.size)
        return width, height

    @property
    def film_mm(self) -> tuple[float, float]:
        """Width and height of the film."""
        return self.size[0] * self._pixel_mm, self.size[1] * self._pixel_mm

    @property
    def focal_mm(self) -> float:
        """Focal length for that film."""
        return self.focal_pixels * self._pixel_mm

    @property
    def film_offset_mm(self) -> tuple[float, float]:
        """How far the middle of the film lies to the right of and above the principal point."""
        (width, height), (x, y) = self.size, self.centre
        return (width / 2 - x) * self._pixel_mm, (y - height / 2) * self._pixel_mm

    @property
    def _pixel_mm(self) -> float:
        return _FILM_MM / max(self.size)


def camera_track(motion: Motion, times: Float64) -> CameraTrack | None:
    """The camera at these times, or None if no frame of the motion has a camera pose."""
    pose = motion.camera.world_from_camera.astype(np.float64)
    axes = np.nan_to_num(pose[..., :3])
    square = axes @ np.swapaxes(axes, -1, -2)
    known = np.isfinite(pose).all(axis=(1, 2)) & (np.linalg.det(axes) > 0)
    known &= np.abs(square - np.eye(3)).max(axis=(1, 2)) < _SKEW
    if not known.any():
        return None
    pose = pose[known]
    if np.ptp(pose, axis=0).max() < _STILL:
        rotations, positions = pose[:1, :, :3], pose[:1, :, 3]
    else:
        rotations, positions = resample_rotations(
            pose[:, None, :, :3], pose[..., 3], motion.times[known], times
        )
        rotations = rotations[:, 0]
    size = (motion.source.width, motion.source.height)
    camera = motion.camera
    return CameraTrack(rotations, positions, size, camera.focal_pixels, camera.centre)
