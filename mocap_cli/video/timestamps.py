"""Timestamps: strictly rising frame times from a file's timestamps, sound or broken."""

from fractions import Fraction

_JUMP_SECONDS = 0.5
"""Timestamps that fall back further start anew, as in concatenated recordings."""


class FrameClock:
    """Converts presentation timestamps to strictly rising seconds since the stream's start."""

    def __init__(self, start: Fraction, fps: float) -> None:
        self.start = start  # seconds: zero of the file's timestamps
        self.interval = 1 / fps
        self._last: float | None = None
        self._shift = 0.0  # seconds added since timestamps last fell back

    def seconds(self, stamp: int | None, time_base: Fraction | None) -> float:
        """Seconds of the next frame; a missing timestamp follows the last one at the mean rate."""
        if stamp is None or time_base is None:
            seconds = 0.0 if self._last is None else self._last + self.interval
        else:
            seconds = self._risen(float(stamp * time_base - self.start) + self._shift)
        self._last = seconds
        return seconds

    def _risen(self, seconds: float) -> float:
        """The same time, or one shortly after the last frame where it would not be later."""
        if self._last is None or seconds > self._last:
            return seconds
        if self._last - seconds <= _JUMP_SECONDS:
            # Half an interval, so that a doubled timestamp does not delay every later frame.
            return self._last + self.interval / 2
        risen = self._last + self.interval
        self._shift += risen - seconds
        return risen
