"""Free fall: whether clips show people who fall, so that a run begins with the free-fall losses."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mocap_cli.tracking.estimate import Estimate
from mocap_cli.tracking.frame_runs import frames_in
from mocap_cli.tracking.track import person_of
from mocap_cli.types import Bool
from mocap_cli.video.probe import VideoInfo

_SHORT = 3.0  # seconds: clips cut to a dive are no longer
_MOSTLY = 0.5  # of the tracked frames, from which clips are cut to a fall
_SHARE, _MOST = 10, 5000  # one of so many steps, and the paper's number at most


@dataclass(frozen=True, slots=True)
class FreeFall:
    """How many of a run's steps begin it with the free-fall losses, and why."""

    steps: int
    reason: str

    @staticmethod
    def choose(
        infos: Iterable[VideoInfo], steps: int, track: Callable[[], Sequence[Estimate]]
    ) -> "FreeFall":
        """By the length of the clips and, if they are short, by what the tracker finds in some."""
        length = float(np.median([info.duration or 0.0 for info in infos]))
        if length > _SHORT:
            return FreeFall(0, f"the median clip lasts {length:.1f} s, longer than a fall")
        falling = np.concatenate([np.zeros(0), *map(_falling, track())])
        if not len(falling):
            return FreeFall(0, "nobody is tracked in the clips")
        share = float(falling.mean())
        falls = min(steps // _SHARE, _MOST) if share >= _MOSTLY else 0
        return FreeFall(falls, f"the person falls freely in {share:.0%} of the tracked frames")

    def line(self) -> str:
        """For people: the number and the reason."""
        return f"{self.steps or 'no'} steps with the free-fall losses: {self.reason}"


def _falling(found: Estimate) -> Bool:
    """Of every tracked frame whether the person is in free fall."""
    person = person_of(found)
    if not person.tracked.any():
        return np.zeros(0, np.bool_)
    return frames_in(person.solve(None).path.flights, int(person.tracked.sum()))
