"""Camera motion while a person is tracked: rotation, zoom and lens, from some of the frames.

Ten frames a second are enough, since people pan smoothly, and three while the camera stands.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from mocap_cli.camera.camera_path import CameraPath
from mocap_cli.camera.key_frames import KeyFrameMatcher
from mocap_cli.camera.path_estimation import solve_camera_path
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.types import Bool, Float64, Image

_INTERVAL = 0.1  # seconds between registered frames
_STILL_INTERVAL = 0.3  # the same while the camera stands
_ROUNDING = 1e-3  # seconds
_LEAST_ROTATION = np.radians(3.0)  # less is a hand that shakes, or noise: the camera stands
_LENS_ROTATION = np.radians(15.0)  # from which a pan determines the focal length
_LEAST_ZOOM = 1.06


@dataclass(frozen=True, slots=True)
class _CameraMotion:
    """How the camera moved through a video."""

    path: CameraPath  # of the registered frames
    largest_angle: float  # radians between the first view of a part and any other
    cuts: tuple[float, ...]  # seconds at which a part begins with a cut
    losses: tuple[float, ...]  # seconds at which one begins since nothing matched before

    @property
    def rotates(self) -> bool:
        """Whether the camera rotates by more than noise."""
        return self.largest_angle > _LEAST_ROTATION

    @property
    def zooms(self) -> bool:
        """Whether the focal length changes by more than noise during a pan."""
        low, high = np.percentile(self.path.focal, (2, 98))
        return self.focal is not None and bool(high > _LEAST_ZOOM * low)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the camera, one sentence each."""
        zooms = ("the lens zooms: overlays on the video will be off",) if self.zooms else ()
        if not self.rotates or not self.losses:
            return zooms
        times = ", ".join(f"{time:.1f}" for time in self.losses)
        lost = f"lost the background before {times} s: there the camera and the world are unknown"
        return (*zooms, lost)

    @property
    def focal(self) -> float | None:
        """Focal length in pixels, None where the camera rotated too little to determine it."""
        return float(np.median(self.path.focal)) if self.largest_angle > _LENS_ROTATION else None

    def rotations(self, times: Float64, pinhole: Pinhole) -> Float64:
        """(T, 3, 3) from each frame's camera axes to those of its shot's first frame.

        Where the view was lost without a cut, the camera goes on from its last rotation.
        """
        found = _rotations_through(self.path, pinhole)
        result, last = np.tile(np.eye(3), (len(times), 1, 1)), np.eye(3)
        part_of = self._parts(times)
        for part, begin in enumerate(self._begins):
            mine, known = part_of == part, self.path.part == part
            if known.sum() > 1 and mine.any():
                start = np.eye(3) if float(begin) in self.cuts else last
                between = Slerp(self.path.times[known], Rotation.from_matrix(start @ found[known]))
                moments = np.clip(times[mine], *self.path.times[known][[0, -1]])
                result[mine] = between(moments).as_matrix()
                last = result[mine][-1]
        return result

    def walks(self, times: Float64) -> Bool:
        """(T,) frames in which the camera moves in a way that rotation does not explain."""
        walking = np.array([kind == "walking" for kind in self.path.kind])
        return np.asarray(walking[self._parts(times)])

    @property
    def _begins(self) -> Float64:
        """(P,) seconds at which the parts begin."""
        return np.asarray(
            self.path.times[np.searchsorted(self.path.part, range(len(self.path.kind)))]
        )

    def _parts(self, times: Float64) -> NDArray[np.intp]:
        """(T,) the part that each frame belongs to."""
        part = np.searchsorted(self._begins, times + _ROUNDING, side="right") - 1
        return np.asarray(np.maximum(part, 0))

    def zoom_factors(self, times: Float64) -> Float64:
        """(T,) focal length over the median focal length."""
        focal = np.exp(np.interp(times, self.path.times, np.log(self.path.focal)))
        return np.asarray(focal / np.median(self.path.focal))


class CameraMotionEstimator:
    """Registers some of the frames of a video as they are decoded; half as many if `sparing`."""

    def __init__(self, *, sparing: bool = False) -> None:
        self._matcher = KeyFrameMatcher()
        self._interval = 2 * _INTERVAL if sparing else _INTERVAL
        self._due = -np.inf

    def add(self, image: Image, time: float, cut: bool) -> None:
        """Register the frame if it is due, or begins another shot."""
        if cut or time >= self._due - _ROUNDING:
            self._matcher.add(image, time, cut)
            self._due = time + (_STILL_INTERVAL if self._matcher.is_still else self._interval)

    def estimate(self, focal: float | None) -> _CameraMotion:
        """Solve for the camera motion; `focal` in pixels, where it is known."""
        matches = self._matcher.matches
        path = solve_camera_path(matches, focal)
        angles = Rotation.from_matrix(path.rotations()).magnitude()
        cuts, losses = (
            tuple(time for time, reason in matches.breaks if reason == why)
            for why in ("cut", "lost")
        )
        return _CameraMotion(path, float(angles.max()), cuts, losses)


def _rotations_through(path: CameraPath, pinhole: Pinhole) -> Float64:
    """(N, 3, 3) rotations of a path as seen through `pinhole`.

    A focal length that is assumed too short makes rotations larger.
    """
    factor = float(np.median(path.focal)) / pinhole.focal
    vectors = Rotation.from_matrix(path.rotations()).as_rotvec()
    return np.asarray(Rotation.from_rotvec(vectors * factor).as_matrix())
