"""Surface: the plane or cylinder that a background is painted on, and how it maps to frames."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from mocap_cli.camera.camera_path import CameraPath, intrinsic_matrices
from mocap_cli.types import Float32, Float64, Int64

SurfaceShape = Literal["plane", "cylinder"]

_MIN_DEPTH = 0.05  # of a ray's length; rays less far ahead do not meet a plane
_MAX_PIXELS = 24e6  # of a plate: 100 MB
_WIDEST_PLANE = np.tan(np.radians(52))  # from straight ahead; further out a plane is all rim
_TALLEST_CYLINDER = np.tan(np.radians(65))  # above the horizon
_LARGEST_TILT = np.cos(np.radians(40))  # between a camera's up and the axis that it pans about
_STEPS = 9  # places along each edge of a frame
_GRID = 8  # pixels: interpolation between grid points errs by about 8 over the focal length


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Maps directions to the pixels of a plate; X right, Y down, Z ahead."""

    shape: SurfaceShape
    focal: float  # pixels a radian, where the surface is nearest
    corner: tuple[float, float]  # of the plate's pixel (0, 0), in pixels from straight ahead
    size: tuple[int, int]  # width and height of the plate, pixels
    surface_from_part: Float64  # (3, 3) rotates the axes common to a part's frames

    def pixels(self, rays: Float64) -> Float64:
        """(..., 3) directions in the part's axes to (..., 2); NaN where the surface is not."""
        x, y, z = np.moveaxis(np.asarray(rays) @ self.surface_from_part.T, -1, 0)
        if self.shape == "plane":
            length = np.sqrt(x**2 + y**2 + z**2)
            ahead = np.where(z > _MIN_DEPTH * length, z, np.nan)
            flat = np.stack((x / ahead, y / ahead), axis=-1)
        else:
            flat = np.stack((np.arctan2(x, z), y / np.maximum(np.hypot(x, z), 1e-12)), axis=-1)
        return np.asarray(self.focal * flat - self.corner)

    def rays(self, pixels: Float64) -> Float64:
        """(..., 2) pixels to (..., 3) directions in the part's axes."""
        x, y = np.moveaxis((np.asarray(pixels) + self.corner) / self.focal, -1, 0)
        if self.shape == "plane":
            rays = np.stack((x, y, np.ones_like(x)), axis=-1)
        else:
            rays = np.stack((np.sin(x), y, np.cos(x)), axis=-1)
        return np.asarray(rays @ self.surface_from_part)

    def homography(self, rays_from_frame: Float64) -> Float64:
        """(3, 3) from a frame's pixels to the plate's; only a plane has one."""
        if self.shape != "plane":
            raise ValueError("a cylinder has no homography")
        x, y = self.corner
        intrinsics = np.array([[self.focal, 0, -x], [0, self.focal, -y], [0, 0, 1]])
        matrix = intrinsics @ self.surface_from_part @ rays_from_frame
        return np.asarray(matrix / matrix[2, 2])

    @staticmethod
    def of_frame(size: tuple[int, int], focal: float) -> "Surface":
        """The surface of a fixed camera: its frame."""
        return Surface("plane", focal, (-size[0] / 2, -size[1] / 2), size, np.eye(3))

    @staticmethod
    def around(path: CameraPath, part: int) -> "Surface":
        """Fit a level surface around a part's known frames, at the resolution of the finest."""
        frames = np.flatnonzero((path.part == part) & path.known)
        if path.kind[part] == "fixed":
            return Surface.of_frame(path.size, float(path.focal[frames[0]]))
        rays = path.rays_from_frame[frames]
        rim = np.concatenate([_rim(path.size) @ matrix.T for matrix in rays])
        axes = _mean_axes(path, frames)
        shape: SurfaceShape = "plane" if _fits_plane(rim @ axes.T) else "cylinder"
        if shape == "cylinder":
            middle = np.array([path.size[0] / 2, path.size[1] / 2, 1.0])
            axes = _pan_axes(rays @ middle, axes)
        focal = float(np.percentile(path.focal[frames], 75))
        return _bounded(Surface(shape, focal, (0.0, 0.0), (1, 1), axes), rim)


def dense_map(
    places: Callable[[Float64], Float64], corner: tuple[int, int], size: tuple[int, int]
) -> Float32:
    """(H, W, 2) `places` at every pixel's middle in a box, interpolated from a coarse grid."""
    # One cell more on each side, since nothing is between the last grid point and the rim.
    x, y = (
        first + (np.arange(-(-length // _GRID) + 2) - 0.5) * _GRID
        for first, length in zip(corner, size, strict=True)
    )
    coarse = places(np.stack(np.meshgrid(x, y), axis=-1)).astype(np.float32)
    fine = cv2.resize(coarse, None, fx=_GRID, fy=_GRID, interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine[_GRID : _GRID + size[1], _GRID : _GRID + size[0]])


def _rim(size: tuple[int, int]) -> Float64:
    """(N, 3) homogeneous pixels along the edges of a frame."""
    steps = np.linspace(0, 1, _STEPS)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    edge = grid[((grid == 0) | (grid == 1)).any(axis=1)]
    return np.column_stack((edge * np.array(size), np.ones(len(edge))))


def _mean_axes(path: CameraPath, frames: Int64) -> Float64:
    """(3, 3) the mean of the frames' camera axes, as rows X, Y and Z."""
    rotations = path.rays_from_frame[frames] @ intrinsic_matrices(path.focal[frames], path.size)
    return np.asarray(Rotation.from_matrix(rotations).mean().as_matrix().T)


def _fits_plane(rim: Float64) -> bool:
    ahead = rim[:, 2] > 0
    return bool(ahead.all() and np.abs(rim[:, :2] / rim[:, 2:]).max() < _WIDEST_PLANE)


def _pan_axes(ahead: Float64, mean: Float64) -> Float64:
    """Axes whose Y is the axis of the pan: view directions (N, 3) vary least along it."""
    ahead = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
    along, _, axis = np.linalg.svd(ahead - ahead.mean(axis=0), full_matrices=False)[2]
    if abs(axis @ mean[1]) > _LARGEST_TILT:
        down = axis * np.sign(axis @ mean[1])
    else:  # it hardly panned, or tilted as much as it panned
        down = mean[1] - (mean[1] @ along) * along
        down /= np.linalg.norm(down)
    right = np.cross(down, mean[2])
    right /= np.linalg.norm(right)
    return np.stack((right, down, np.cross(right, down)))


def _bounded(surface: Surface, rim: Float64) -> Surface:
    """The surface with room for the rim (N, 3), coarser if that is too many pixels."""
    places = surface.pixels(rim)
    inside = np.asarray(np.isfinite(places).all(axis=1))
    widest = 4.0 if surface.shape == "plane" else np.pi
    limit = surface.focal * np.array([widest, _TALLEST_CYLINDER])
    low = np.maximum(places[inside].min(axis=0), -limit)
    high = np.minimum(places[inside].max(axis=0), limit)
    shrink = min(1.0, float(np.sqrt(_MAX_PIXELS / max(np.prod(high - low), 1.0))))
    low, high = np.floor(low * shrink), np.ceil(high * shrink)
    width, height = (int(length) for length in np.maximum(high - low, 1))
    corner = (float(low[0]), float(low[1]))
    focal = surface.focal * shrink
    return Surface(surface.shape, focal, corner, (width, height), surface.surface_from_part)
