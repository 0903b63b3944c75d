"""Turning: whether and how the camera turned while somebody was followed, watched on the way.

Ten pictures a second are enough, since people turn cameras smoothly, and three while it stands.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from mocap_cli.camera.camera_path import CameraPath
from mocap_cli.camera.key_frames import KeyFrameMatcher
from mocap_cli.camera.path_estimation import solve_camera_path
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.plates.rotations import path_rotations
from mocap_cli.types import Float64
from mocap_cli.video.probe import Image

_INTERVAL = 0.1  # seconds between looks
_STILL_INTERVAL = 0.3  # the same while the camera stands
_LEAST_ZOOM = 1.06
_ROUNDING = 1e-3
_NEAR = 0.2  # seconds: a cut is noticed at the next look
_LEAST_TURN = np.radians(3.0)  # less is a hand that shakes, or noise: it stands
_LENS_TURN = np.radians(15.0)  # from which a pan tells the lens it was filmed with


@dataclass(frozen=True, slots=True)
class CameraMotion:
    """What the camera did."""

    path: CameraPath  # of the pictures looked at
    largest_angle: float  # radians between the first view of a shot and any other

    @property
    def rotates(self) -> bool:
        """Whether the world is steadier when its turning is taken out."""
        return self.largest_angle > _LEAST_TURN

    @property
    def translates(self) -> bool:
        """Whether it moved in a way that a turn does not explain."""
        return "walking" in self.path.kind

    @property
    def zooms(self) -> bool:
        """Whether the lens was made longer or shorter by more than noise, while it turned."""
        low, high = np.percentile(self.path.focal, (2, 98))
        return self.focal is not None and bool(high > _LEAST_ZOOM * low)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know of it."""
        said = []
        if self.translates:
            said.append("the camera moves in a way that turning does not explain: taken to stand")
        if self.zooms:
            said.append("the lens zooms: what is drawn over the video will be off")
        return tuple(said)

    @property
    def focal(self) -> float | None:
        """Pixels, if the camera turned far enough to tell its lens."""
        return float(np.median(self.path.focal)) if self.largest_angle > _LENS_TURN else None

    def rotations(self, times: Float64, pinhole: Pinhole, cuts: Float64) -> Float64:
        """(T, 3, 3) from each frame's camera axes to its shot's first frame's.

        Where the view was lost without a cut (at those seconds), the camera goes on from there.
        """
        found = path_rotations(self.path, pinhole)
        result, last = np.tile(np.eye(3), (len(times), 1, 1)), np.eye(3)
        begins = self.path.times[np.searchsorted(self.path.part, range(len(self.path.kind)))]
        part_of = np.searchsorted(begins, times + _ROUNDING, side="right") - 1
        for part in range(len(begins)):
            mine, known = part_of == part, self.path.part == part
            if known.sum() > 1 and mine.any():
                start = np.eye(3) if (np.abs(cuts - begins[part]) < _NEAR).any() else last
                between = Slerp(self.path.times[known], Rotation.from_matrix(start @ found[known]))
                moments = np.clip(times[mine], *self.path.times[known][[0, -1]])
                result[mine] = between(moments).as_matrix()
                last = result[mine][-1]
        return result

    def zoom_factors(self, times: Float64) -> Float64:
        """(T,) by how much longer than usual the lens was."""
        length = np.exp(np.interp(times, self.path.times, np.log(self.path.focal)))
        return np.asarray(length / np.median(self.path.focal))


class CameraMotionEstimator:
    """Looks at some of the pictures of a video as they go by."""

    def __init__(self) -> None:
        self._watch = KeyFrameMatcher()
        self._due = -np.inf

    def add(self, image: Image, time: float) -> None:
        """Look at the picture if it is time to."""
        if time >= self._due - _ROUNDING:
            self._watch.add(image, time)
            self._due = time + (_STILL_INTERVAL if self._watch.is_still else _INTERVAL)

    def estimate(self, focal: float | None) -> CameraMotion:
        """What all pictures together tell; `focal` in pixels, where it is known."""
        path = solve_camera_path(self._watch.matches, focal)
        turned = Rotation.from_matrix(path.rotations()).magnitude()
        return CameraMotion(path, float(turned.max()))
