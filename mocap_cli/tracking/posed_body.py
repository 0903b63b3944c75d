"""Posed body: a body of metric size whose pose is known in every frame, its path not yet."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.rotation import unit
from mocap_cli.tracking.frame_runs import frame_durations
from mocap_cli.types import Float64

_WINDOW = 0.1  # seconds over which a velocity is taken
_IN_DEPTH = 0.35  # weight of a velocity towards the camera


@dataclass(frozen=True, slots=True)
class PosedBody:
    """The tracked frames, in the axes of the first frame's camera."""

    pose: Float64  # (T, 19, 3) metres about the centre of mass
    times: Float64  # (T,) seconds
    segments: tuple[slice, ...]  # runs of frames without gaps
    first_from_camera: Float64  # (T, 3, 3) from each frame's camera axes to the first frame's
    height: float  # metres, standing

    def joints_at(self, path: Float64) -> Float64:
        """(T, 19, 3) joints for a path (T, 3) of the centre of mass."""
        return np.asarray(path[:, None] + self.pose)

    def independence(self, correlation: float) -> Float64:
        """(T,) 0..1 weight of a frame whose errors are correlated over so many seconds."""
        return np.minimum(frame_durations(self.times) / correlation, 1)

    def consecutive(self, count: int) -> NDArray[np.intp]:
        """First frames of all runs of `count` consecutive frames without a gap."""
        found = [np.arange(p.start, p.stop - count + 1) for p in self.segments]
        return np.concatenate([*found, np.zeros(0, np.intp)]).astype(np.intp)

    def velocities(self, points: Float64) -> Float64:
        """(T, 3) metres a second of a point (T, 3), over a tenth of a second about each frame."""
        velocity = np.zeros(points.shape)
        for segment in self.segments:
            times, path = self.times[segment], points[segment]
            before = np.maximum(times - _WINDOW / 2, times[0])
            after = np.minimum(times + _WINDOW / 2, times[-1])
            step = [np.interp(after, times, x) - np.interp(before, times, x) for x in path.T]
            velocity[segment] = np.stack(step, axis=1) / np.maximum(after - before, 1e-3)[:, None]
        return velocity

    def apparent_speeds(self, points: Float64) -> Float64:
        """(T,) metres a second; depth is uncertain, so motion towards the camera counts less."""
        velocity = self.velocities(points)
        view = unit(points)
        towards = np.sum(velocity * view, axis=1, keepdims=True)
        return np.asarray(np.linalg.norm(velocity - (1 - _IN_DEPTH) * towards * view, axis=1))
