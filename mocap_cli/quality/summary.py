"""Summary: the coverage of a motion, and the spans whose result is uncertain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion

_UNCERTAIN_SIGMA = 0.14
"""Metres, the median of the joints: above it half of them may be off by 10 cm."""

_SHORTEST_SPAN = 0.1
"""Seconds; shorter spans are smoothed over and not reported."""

NOBODY, FILLED, UNCERTAIN = "nobody found", "filled in", "unsure"


@dataclass(frozen=True, slots=True)
class UncertainSpan:
    """A span of the video whose result is uncertain."""

    start: float  # seconds of the video, first and last frame
    end: float
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The main numbers of a result."""

    frames: int
    seconds: float
    fps: float
    detected: int  # frames in which the person was detected
    filled: int  # frames interpolated from their neighbours
    uncertain: tuple[UncertainSpan, ...]  # longest first

    @property
    def coverage(self) -> float:
        """The share of frames that have joints."""
        return (self.detected + self.filled) / self.frames

    @staticmethod
    def of(motion: Motion) -> "Summary":
        """Count detected and filled frames, and find the uncertain spans."""
        tracked, frames = motion.tracked, len(motion.times)
        detected = tracked & motion.detected
        span = float(motion.times[-1] - motion.times[0])
        fps = (frames - 1) / span if frames > 1 else motion.source.fps
        return Summary(
            frames=frames,
            seconds=span + 1 / fps,
            fps=fps,
            detected=int(detected.sum()),
            filled=int((tracked & ~detected).sum()),
            uncertain=_uncertain_spans(motion, 1 / fps),
        )


def _uncertain_spans(motion: Motion, interval: float) -> tuple[UncertainSpan, ...]:
    reasons = np.full(len(motion.times), "", dtype="U16")
    tracked = motion.tracked
    median = np.full(len(motion.times), np.inf)
    median[tracked] = np.median(motion.sigma[tracked], axis=1)
    reasons[median > _UNCERTAIN_SIGMA] = UNCERTAIN
    reasons[tracked & ~motion.detected] = FILLED
    reasons[~tracked] = NOBODY
    spans = [
        UncertainSpan(float(motion.times[first]), float(motion.times[last]), str(reasons[first]))
        for first, last in _runs(reasons)
        if reasons[first]
    ]
    long = [s for s in spans if s.end - s.start + interval >= _SHORTEST_SPAN]
    return tuple(sorted(long, key=lambda s: s.start - s.end))


def _runs(values: NDArray[np.str_]) -> list[tuple[int, int]]:
    """(first, last) of every run of equal values."""
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    firsts = [0, *changes.tolist()]
    return list(zip(firsts, [*(c - 1 for c in firsts[1:]), len(values) - 1], strict=True))
