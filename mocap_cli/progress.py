"""Progress of long work, reported to a callable of the caller's; the library prints nothing."""

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called with the name of the stage, how much of it is done, and its total where that is known.

Frames are counted in most stages, steps in training ones.
"""


Count = Callable[[int], None]
"""A counter of one stage: called with the frames or steps done so far."""


def no_progress(*_: object) -> None:
    """No-op progress callback, of either kind."""


def count_stage(progress: Progress, stage: str, total: int | None) -> Count:
    """A counter of one stage: called with the amount done, it reports to `progress`."""

    def count(done: int) -> None:
        progress(stage, done, total)

    return count
