"""Layout: the surface that holds everything a part's camera saw."""

import numpy as np
from scipy.spatial.transform import Rotation

from mocap_cli.camera.camera_path import CameraPath, intrinsic_matrices
from mocap_cli.plates.surface import Surface, SurfaceShape
from mocap_cli.types import Float64, Int64

_MAX_PIXELS = 24e6  # of a plate: 100 MB
_WIDEST_PLANE = np.tan(np.radians(52))  # from straight ahead; further out a plane is all rim
_HIGHEST = np.tan(np.radians(65))  # above the horizon of a cylinder
_UPRIGHT = np.cos(np.radians(40))  # cameras are held like that to what they turn about
_EDGE = 9  # places along each edge of a frame


def frame_surface(size: tuple[int, int], focal: float) -> Surface:
    """A plate that is just the frame of a camera that stands."""
    return Surface("plane", focal, (-size[0] / 2, -size[1] / 2), size, np.eye(3))


def fit_surface(path: CameraPath, part: int) -> Surface:
    """Find the plate that a part's known frames fit on, level and as fine as the finest frames."""
    frames = np.flatnonzero((path.part == part) & path.known)
    if path.kind[part] == "fixed":
        return frame_surface(path.size, float(path.focal[frames[0]]))
    rays = path.rays_from_frame[frames]
    rim = np.concatenate([_rim(path.size) @ matrix.T for matrix in rays])
    turn = _level(path, frames)
    shape: SurfaceShape = "plane" if _fits_plane(rim @ turn.T) else "cylinder"
    if shape == "cylinder":
        turn = _about_axis(rays @ _middle(path.size), turn)
    focal = float(np.percentile(path.focal[frames], 75))
    return _bounded(Surface(shape, focal, (0.0, 0.0), (1, 1), turn), rim)


def _rim(size: tuple[int, int]) -> Float64:
    """(N, 3) places along the edges of a frame."""
    steps = np.linspace(0, 1, _EDGE)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    edge = grid[((grid == 0) | (grid == 1)).any(axis=1)]
    return np.column_stack((edge * np.array(size), np.ones(len(edge))))


def _middle(size: tuple[int, int]) -> Float64:
    return np.array([size[0] / 2, size[1] / 2, 1.0])


def _level(path: CameraPath, frames: Int64) -> Float64:
    """(3, 3) the way cameras look on average, as rows X, Y and Z."""
    turns = path.rays_from_frame[frames] @ intrinsic_matrices(path.focal[frames], path.size)
    return np.asarray(Rotation.from_matrix(turns).mean().as_matrix().T)


def _fits_plane(rim: Float64) -> bool:
    ahead = rim[:, 2] > 0
    return bool(ahead.all() and np.abs(rim[:, :2] / rim[:, 2:]).max() < _WIDEST_PLANE)


def _about_axis(ahead: Float64, level: Float64) -> Float64:
    """Axes whose Y is what the camera turned about: its views (N, 3) are alike along it."""
    ahead = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
    along, _, axis = np.linalg.svd(ahead - ahead.mean(axis=0), full_matrices=False)[2]
    if abs(axis @ level[1]) > _UPRIGHT:
        down = axis * np.sign(axis @ level[1])
    else:  # it hardly turned, or swayed as much as it turned
        down = level[1] - (level[1] @ along) * along
        down /= np.linalg.norm(down)
    right = np.cross(down, level[2])
    right /= np.linalg.norm(right)
    return np.stack((right, down, np.cross(right, down)))


def _bounded(surface: Surface, rim: Float64) -> Surface:
    """The same surface with room for the rim (N, 3), coarser if that is too much."""
    places = surface.pixels(rim)
    seen = np.asarray(np.isfinite(places).all(axis=1))
    limit = surface.focal * np.array([4.0 if surface.shape == "plane" else np.pi, _HIGHEST])
    low = np.maximum(places[seen].min(axis=0), -limit)
    high = np.minimum(places[seen].max(axis=0), limit)
    shrink = min(1.0, float(np.sqrt(_MAX_PIXELS / max(np.prod(high - low), 1.0))))
    low, high = np.floor(low * shrink), np.ceil(high * shrink)
    width, height = (int(length) for length in np.maximum(high - low, 1))
    return Surface(
        surface.shape,
        surface.focal * shrink,
        (float(low[0]), float(low[1])),
        (width, height),
        surface.surface_from_part,
    )
