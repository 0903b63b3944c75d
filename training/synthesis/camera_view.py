"""Camera view: pinhole, pose and image size."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.types import Float64


@dataclass(frozen=True, slots=True)
class CameraView:
    """Pose, lens and image size of a camera."""

    pinhole: Pinhole
    world_from_camera: Float64  # (3, 4) metres
    width: int  # pixels
    height: int

    def __post_init__(self) -> None:
        if self.world_from_camera.shape != (3, 4):
            raise ValueError("give the camera a 3x4 pose")
        if self.width < 1 or self.height < 1:
            raise ValueError("give the picture at least one pixel")

    @property
    def position(self) -> Float64:
        """(3,) position of the camera in the world."""
        return self.world_from_camera[:, 3]

    def to_camera(self, points: ArrayLike) -> Float64:
        """(..., 3) world to (..., 3) camera axes, metres."""
        return np.asarray((np.asarray(points) - self.position) @ self.world_from_camera[:, :3])

    def pixels(self, points: ArrayLike) -> Float64:
        """(..., 3) world to (..., 2) pixels; behind the camera is NaN."""
        return self.pinhole.project(self.to_camera(points))

    def homography_to(self, other: "CameraView") -> Float64:
        """(3, 3) homography to another view that differs only by rotation and zoom."""
        turn = other.world_from_camera[:, :3].T @ self.world_from_camera[:, :3]
        return np.asarray(_lens(other.pinhole) @ turn @ np.linalg.inv(_lens(self.pinhole)))

    def pixel_rays(self, samples: int = 1) -> Float64:
        """World directions through a grid of samples: (height * samples, width * samples, 3)."""
        x = (np.arange(self.width * samples) + 0.5) / samples
        y = (np.arange(self.height * samples) + 0.5) / samples
        grid = np.stack(np.meshgrid(x, y), axis=-1)
        return np.asarray(self.pinhole.rays(grid) @ self.world_from_camera[:, :3].T)


def _lens(pinhole: Pinhole) -> Float64:
    """Camera axes to homogeneous pixels: Y down, the camera looks along -Z."""
    (x, y), focal = pinhole.centre, pinhole.focal
    return np.array([[focal, 0.0, -x], [0.0, -focal, -y], [0.0, 0.0, -1.0]])


def look_at_pose(position: ArrayLike, target: ArrayLike, roll: float = 0.0) -> Float64:
    """The pose (3, 4) of a camera at `position` that looks at `target`.

    `roll` turns the camera clockwise about its own view, so that the picture tilts to the left.
    """
    position = np.asarray(position, np.float64)
    backward = position - np.asarray(target, np.float64)
    backward /= np.linalg.norm(backward)
    up = np.array([0.0, 1.0, 0.0]) if abs(backward[1]) < 0.999 else np.array([0.0, 0.0, -1.0])
    right = np.cross(up, backward)
    right /= np.linalg.norm(right)
    level = np.stack((right, np.cross(backward, right), backward), axis=1)
    cosine, sine = math.cos(roll), math.sin(roll)
    turn = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    return np.concatenate((level @ turn, position[:, None]), axis=1)
