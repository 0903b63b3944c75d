"""Summary: how much of a motion was really followed, and which stretches to look at again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion

_UNCERTAIN_SIGMA = 0.14
"""Metres of expected error, of the middle one of the joints: half of them may be 10 cm off, and a
person should look."""

_SHORTEST_SPAN = 0.1
"""Seconds; a blink of a few frames is smoothed over and no news."""

_NOBODY, _FILLED, UNCERTAIN = "nobody found", "filled in", "unsure"


@dataclass(frozen=True, slots=True)
class UncertainSpan:
    """A part of the video that should be looked at again."""

    start: float  # seconds of the video, first and last frame
    end: float
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers that a person asks for first."""

    frames: int
    seconds: float
    fps: float
    detected: int  # frames in which the person was seen
    filled: int  # frames filled in from their neighbours
    uncertain: tuple[UncertainSpan, ...]  # longest first

    @property
    def coverage(self) -> float:
        """The share of frames that have joints."""
        return (self.detected + self.filled) / self.frames


def summarise(motion: Motion) -> Summary:
    """Count what was seen, and find where the result is in doubt."""
    tracked, frames = motion.tracked, len(motion.times)
    seen = tracked & motion.detected
    span = float(motion.times[-1] - motion.times[0])
    fps = (frames - 1) / span if frames > 1 else motion.source.fps
    return Summary(
        frames=frames,
        seconds=span + 1 / fps,
        fps=fps,
        detected=int(seen.sum()),
        filled=int((tracked & ~seen).sum()),
        uncertain=_doubtful(motion, 1 / fps),
    )


def _doubtful(motion: Motion, interval: float) -> tuple[UncertainSpan, ...]:
    reasons = np.full(len(motion.times), "", dtype="U16")
    tracked = motion.tracked
    middle = np.full(len(motion.times), np.inf)
    middle[tracked] = np.median(motion.sigma[tracked], axis=1)
    reasons[middle > _UNCERTAIN_SIGMA] = UNCERTAIN
    reasons[tracked & ~motion.detected] = _FILLED
    reasons[~tracked] = _NOBODY
    stretches = [
        UncertainSpan(float(motion.times[first]), float(motion.times[last]), str(reasons[first]))
        for first, last in _runs(reasons)
        if reasons[first]
    ]
    long = [s for s in stretches if s.end - s.start + interval >= _SHORTEST_SPAN]
    return tuple(sorted(long, key=lambda s: s.start - s.end))


def _runs(values: NDArray[np.str_]) -> list[tuple[int, int]]:
    """(first, last) of every stretch of equal values."""
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    firsts = [0, *changes.tolist()]
    return list(zip(firsts, [*(c - 1 for c in firsts[1:]), len(values) - 1], strict=True))
