"""Verdict: the limits of the quality measures, and what a motion needs review for.

`mocap track`, `mocap export`, the page and the report all say what is said here.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial

from mocap_cli.quality.measures import Quality
from mocap_cli.quality.summary import FILLED, NOBODY, UNCERTAIN


@dataclass(frozen=True, slots=True)
class _Limit:
    """The bound of one measure for use without review."""

    label: str
    read: Callable[[Quality], float | None]
    format_value: Callable[[float], str]  # with its unit
    bound: float
    at_least: bool = False  # else at most
    detail: Callable[[Quality], str] = lambda _: ""  # where or what, in brackets
    times: Callable[[Quality], Iterable[float]] = lambda _: ()  # seconds at which it shows

    def passes(self, value: float | None) -> bool:
        """Whether the value is within the bound; an unknown value is."""
        if value is None:
            return True
        return value >= self.bound if self.at_least else value <= self.bound

    def reason(self, value: float, quality: Quality) -> str:
        """The fault in one line."""
        relation = "at least" if self.at_least else "at most"
        value_text, bound_text = self.format_value(value), self.format_value(self.bound)
        where = f" ({detail})" if (detail := self.detail(quality)) else ""
        return f"{self.label}: {value_text}{where}, should be {relation} {bound_text}"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _millimetres(value: float) -> str:
    return f"{1000 * value:.0f} mm"


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _unseen(quality: Quality) -> str:
    """The limbs that were seen too little."""
    return ", ".join(limb for limb, share in quality.limbs.items() if share < _LEAST_SEEN)


def _switch_times(quality: Quality) -> str:
    return "at " + ", ".join(f"{time:.2f} s" for time in quality.switches)


def _starts(quality: Quality, reasons: Collection[str]) -> list[float]:
    """When the longest stretches to review for these reasons begin."""
    return [span.start for span in quality.doubtful if span.reason in reasons][:_MOST_TIMES]


_MOST_TIMES = 5
_LEAST_SEEN = 0.25
_LIMITS = (
    _Limit(
        "coverage",
        lambda q: q.coverage,
        _share,
        0.70,
        at_least=True,
        times=partial(_starts, reasons=(NOBODY,)),
    ),
    _Limit(
        "filled in", lambda q: q.filled, _share, 0.25, times=partial(_starts, reasons=(FILLED,))
    ),
    _Limit(
        "longest gap",
        lambda q: q.longest_gap,
        _seconds,
        1.0,
        times=lambda q: _starts(q, (NOBODY, FILLED))[:1],
    ),
    _Limit(
        "unsure", lambda q: q.unsure, _share, 0.60, times=partial(_starts, reasons=(UNCERTAIN,))
    ),
    _Limit(
        "limbs seen",
        lambda q: min(q.limbs.values(), default=None),
        _share,
        _LEAST_SEEN,
        at_least=True,
        detail=_unseen,
    ),
    _Limit(
        "switches of person",
        lambda q: len(q.switches),
        lambda v: f"{v:.0f}",
        0,
        detail=_switch_times,
        times=lambda q: q.switches,
    ),
    _Limit(
        "top speed",
        lambda q: q.top_speed,
        lambda v: f"{v:.0f} m/s",
        25.0,
        times=lambda q: [q.worst["top_speed"]],
    ),
    _Limit("jitter", lambda q: q.jitter, _millimetres, 0.015),
    _Limit("crouch", lambda q: q.crouch, lambda v: f"{v:.0f} degrees", 25.0),
    _Limit("foot slide", lambda q: q.foot_slide, lambda v: f"{100 * v:.0f} cm/s", 0.15),
    _Limit("bone drift", lambda q: q.bone_drift, _millimetres, 0.030),
    _Limit("below floor", lambda q: q.below_floor, _millimetres, 0.050),
    _Limit("ground drift", lambda q: q.ground_drift, lambda v: f"{v:.1f} m", 1.5),
    _Limit(
        "off ground", lambda q: q.off_ground, _seconds, 1.5, times=lambda q: [q.worst["off_ground"]]
    ),
)
"""The limits of `mocap export --check`; docs/formats.md explains them."""


def quality_readings(quality: Quality) -> list[tuple[str, str, bool]]:
    """(label, value with its unit, whether it is within its limit) of all measures with a limit."""
    made = []
    for limit in _LIMITS:
        value = limit.read(quality)
        text = "" if value is None else limit.format_value(value)
        made.append((limit.label, text, limit.passes(value)))
    return made


def quality_faults(quality: Quality) -> tuple[str, ...]:
    """One line for each limit that the motion exceeds; none for a good motion."""
    return tuple(fault_times(quality))


def fault_times(quality: Quality) -> dict[str, list[float]]:
    """The same lines with the times, in seconds, at which each shows; none if it shows always."""
    found = [(limit, limit.read(quality)) for limit in _LIMITS]
    return {
        limit.reason(value, quality): list(limit.times(quality))
        for limit, value in found
        if value is not None and not limit.passes(value)
    }


def verdict(quality: Quality) -> str:
    """The one line of all summaries: good, or what needs review."""
    faults = quality_faults(quality)
    return f"needs review ({'; '.join(faults)})" if faults else "good"
