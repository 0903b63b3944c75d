"""Pose distance against time distance (the paper's Fig. 6), and the D of Eq. 5 it suggests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float64

_LAGS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0)  # seconds
_MIN_PAIRS = 30  # of frames, below which a distance in time is left out
_PERCENT = 70  # of the largest distance, at D: where DSL was best (docs/benchmarks.md)


@dataclass(frozen=True, slots=True)
class PoseDistances:
    """How unlike the poses of a clip become over time, by the default tracker."""

    lags: tuple[float, ...]  # seconds between two frames
    distances: tuple[float, ...]  # mm, the mean over joints and over pairs of frames

    @staticmethod
    def measure(found: Sequence[Estimate]) -> "PoseDistances | None":
        """Of tracked clips; None where nobody is seen for long enough."""
        return _over_time([one for one in found if one.reliable.any()])

    @property
    def suggested(self) -> float:
        """D of Eq. 5, seconds: where poses are most of the largest distance apart."""
        wanted = _PERCENT / 100 * max(self.distances)
        first = next(i for i, distance in enumerate(self.distances) if distance >= wanted)
        if first == 0:
            return self.lags[0]
        pair = slice(first - 1, first + 1)
        return float(np.interp(wanted, self.distances[pair], self.lags[pair]))

    def lines(self) -> list[str]:
        """Two lines of a plan."""
        pairs = zip(self.lags, self.distances, strict=True)
        apart = ", ".join(f"{distance:.0f} at {lag:g} s" for lag, distance in pairs)
        return [
            f"poses      mm apart by time: {apart}",
            f"suggested  --dsl-distance {self.suggested:.2g}, at {_PERCENT} % of the largest",
        ]


def _over_time(found: Sequence[Estimate]) -> PoseDistances | None:
    lags, distances = [], []
    for lag in _LAGS:
        apart = np.concatenate([np.zeros(0), *(_distances(one, lag) for one in found)])
        if len(apart) >= _MIN_PAIRS:
            lags.append(lag)
            distances.append(1000 * float(apart.mean()))
    return PoseDistances(tuple(lags), tuple(distances)) if lags else None


def _distances(found: Estimate, lag: float) -> Float64:
    """Mean distance of the joints, metres, of every two reliable frames that far apart."""
    times = found.times
    later = np.clip(np.searchsorted(times, times + lag), 1, len(times) - 1)
    later -= times[later] - (times + lag) > (times + lag) - times[later - 1]
    gap = float(np.median(np.diff(times))) if len(times) > 1 else lag
    good = np.abs(times[later] - times - lag) <= gap / 2 + 1e-9
    good &= found.reliable & found.reliable[later]
    joints = found.pose.joints
    return np.asarray(np.linalg.norm(joints[later] - joints, axis=-1).mean(axis=1)[good])
