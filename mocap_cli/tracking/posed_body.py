"""Scene: a body of metric size whose poses are known and whose path is not yet."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.tracking.frame_runs import frame_durations
from mocap_cli.types import Float64


@dataclass(frozen=True, slots=True)
class PosedBody:
    """Frames in which the person was seen; axes are those of the first frame's camera."""

    pose: Float64  # (T, 19, 3) metres about the centre of mass
    times: Float64  # (T,) seconds
    segments: tuple[slice, ...]  # stretches without gaps
    first_from_camera: Float64  # (T, 3, 3) from each frame's camera axes to the first frame's
    height: float  # metres, standing

    def joints_at(self, path: Float64) -> Float64:
        """(T, 19, 3) the joints when the centre of mass goes along `path` (T, 3)."""
        return np.asarray(path[:, None] + self.pose)

    def independence(self, memory: float) -> Float64:
        """(T,) 0..1 how much of a frame is new, when errors stay alike for `memory` seconds."""
        return np.minimum(frame_durations(self.times) / memory, 1)

    def consecutive(self, count: int) -> NDArray[np.intp]:
        """First frames of all `count` frames that follow each other without a gap."""
        found = [np.arange(p.start, p.stop - count + 1) for p in self.segments]
        return np.concatenate([*found, np.zeros(0, np.intp)]).astype(np.intp)
