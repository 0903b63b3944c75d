"""Summary: how much of a motion was really followed, and which stretches to look at again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion

DOUBTFUL_SIGMA = 0.14
"""Metres of expected error, of the middle one of the joints: half of them may be 10 cm off, and a
person should look."""

SHORTEST_DOUBT = 0.1
"""Seconds; a blink of a few frames is smoothed over and no news."""

NOBODY, FILLED, UNSURE = "nobody found", "filled in", "unsure"


@dataclass(frozen=True, slots=True)
class Stretch:
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
    seen: int  # frames in which the person was seen
    filled: int  # frames filled in from their neighbours
    doubtful: tuple[Stretch, ...]  # longest first

    @property
    def coverage(self) -> float:
        """The share of frames that have joints."""
        return (self.seen + self.filled) / self.frames


def summarise(motion: Motion) -> Summary:
    """Count what was seen, and find where the result is in doubt."""
    tracked, frames = motion.tracked, len(motion.times)
    seen = tracked & motion.seen
    span = float(motion.times[-1] - motion.times[0])
    fps = (frames - 1) / span if frames > 1 else motion.source.fps
    return Summary(
        frames=frames,
        seconds=span + 1 / fps,
        fps=fps,
        seen=int(seen.sum()),
        filled=int((tracked & ~seen).sum()),
        doubtful=_doubtful(motion, 1 / fps),
    )


def _doubtful(motion: Motion, interval: float) -> tuple[Stretch, ...]:
    reasons = np.full(len(motion.times), "", dtype="U16")
    tracked = motion.tracked
    middle = np.full(len(motion.times), np.inf)
    middle[tracked] = np.median(motion.sigma[tracked], axis=1)
    reasons[middle > DOUBTFUL_SIGMA] = UNSURE
    reasons[tracked & ~motion.seen] = FILLED
    reasons[~tracked] = NOBODY
    stretches = [
        Stretch(float(motion.times[first]), float(motion.times[last]), str(reasons[first]))
        for first, last in _runs(reasons)
        if reasons[first]
    ]
    long = [s for s in stretches if s.end - s.start + interval >= SHORTEST_DOUBT]
    return tuple(sorted(long, key=lambda s: s.start - s.end))


def _runs(values: NDArray[np.str_]) -> list[tuple[int, int]]:
    """(first, last) of every stretch of equal values."""
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    firsts = [0, *changes.tolist()]
    return list(zip(firsts, [*(c - 1 for c in firsts[1:]), len(values) - 1], strict=True))
