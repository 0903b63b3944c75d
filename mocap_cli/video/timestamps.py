"""Clock: when each frame is shown, from the stamps that a file gives, good or bad."""

from fractions import Fraction

_JUMP_SECONDS = 0.5
"""Stamps that fall back further than this begin a new count, as in recordings glued together."""


class FrameClock:
    """Turns presentation stamps into seconds since the stream's start that rise strictly."""

    def __init__(self, start: Fraction, fps: float) -> None:
        self.start = start  # seconds: what the file's stamps count from
        self.interval = 1 / fps
        self._last: float | None = None
        self._shift = 0.0  # seconds added since stamps last fell back

    def seconds(self, stamp: int | None, time_base: Fraction | None) -> float:
        """Seconds of the next frame; a missing stamp follows the last one at the mean rate."""
        if stamp is None or time_base is None:
            seconds = 0.0 if self._last is None else self._last + self.interval
        else:
            seconds = self._risen(float(stamp * time_base - self.start) + self._shift)
        self._last = seconds
        return seconds

    def _risen(self, seconds: float) -> float:
        """The same moment, or one shortly after the last frame when it does not come later."""
        if self._last is None or seconds > self._last:
            return seconds
        if self._last - seconds <= _JUMP_SECONDS:
            # Half an interval, so that a doubled stamp does not push every later frame aside.
            return self._last + self.interval / 2
        risen = self._last + self.interval
        self._shift += risen - seconds
        return risen
