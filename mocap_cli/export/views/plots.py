"""Curves: numbers over time on a sheet, with axes, stretches in doubt, and marks."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.export.quality import PLANTED
from mocap_cli.export.views.canvas import DIM, FAINT, INK, PALE, Box, Canvas, Colour, text_width
from mocap_cli.tracking.frame_runs import true_runs
from mocap_cli.tracking.summary import UncertainSpan
from mocap_cli.types import Bool, Float64

LEFT_INK: Colour = (224, 118, 0)
RIGHT_INK: Colour = (10, 120, 209)
MIDDLE_INK: Colour = (110, 119, 132)
_UNCERTAIN: Colour = (252, 244, 224)
_UNCERTAIN_INK: Colour = (190, 132, 10)
_FILLED: Colour = (180, 186, 195)
_MARK: Colour = (196, 203, 212)
_ROWS = ("seen", "left foot down", "right foot down", "look again")
_TIMES = 22  # pixels below a plot that its times are written in
_VALUES = 48  # pixels left of it


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot."""

    label: str
    values: Float64  # (T,) NaN where nothing is known
    colour: Colour


@dataclass(frozen=True, slots=True)
class PlotContext:
    """What all that is drawn along time has in common."""

    motion: Motion
    uncertain: Sequence[UncertainSpan]
    marks: Sequence[float]  # seconds of the key poses


class _Axes:
    """Seconds and values as pixels of a box."""

    def __init__(self, motion: Motion, box: Box, low: float = 0.0, high: float = 1.0) -> None:
        self.box = box
        self.first = float(motion.times[0])
        self.last = float(max(motion.times[-1], self.first + 1e-3))
        self.low, self.high = low, high

    def x(self, time: Float64 | float) -> Float64:
        """The columns of these seconds."""
        way = (np.asarray(time) - self.first) / (self.last - self.first)
        return np.asarray(self.box[0] + way * (self.box[2] - self.box[0]))

    def y(self, value: Float64 | float) -> Float64:
        """The rows of these values."""
        way = (np.asarray(value) - self.low) / (self.high - self.low)
        return np.asarray(self.box[3] + way * (self.box[1] - self.box[3]))

    def bar(self, start: float, end: float, least: int = 1) -> Box:
        """The box between two times, from top to bottom."""
        left = round(float(self.x(start)))
        return left, self.box[1], max(round(float(self.x(end))), left + least), self.box[3]


def draw_plot(
    sheet: Canvas, box: Box, title: str, curves: Sequence[Curve], timing: PlotContext, least: float
) -> None:
    """A plot with its title and its key above, at least `least` high in its own units."""
    left, top, right, bottom = box
    _draw_key(sheet, (left, top + 16), right, title, curves)
    inside = (left + _VALUES, top + 30, right, bottom - _TIMES)
    axes = _Axes(timing.motion, inside, *_range(curves, least))
    sheet.fill(inside, PALE)
    for stretch in timing.uncertain:
        sheet.fill(axes.bar(stretch.start, stretch.end), _UNCERTAIN)
    _draw_axes(sheet, axes)
    for mark in timing.marks:
        x = float(axes.x(mark))
        sheet.line([(x, inside[1]), (x, inside[3])], _MARK)
    for curve in curves:
        for run in _pieces(curve.values):
            times = timing.motion.times[run]
            sheet.line(np.stack((axes.x(times), axes.y(curve.values[run])), -1), curve.colour, 2)


def _draw_axes(sheet: Canvas, axes: _Axes) -> None:
    left, _, right, bottom = axes.box
    for value, label in _ticks(axes.low, axes.high, 4):
        y = float(axes.y(value))
        sheet.line([(left, y), (right, y)], FAINT)
        sheet.text((left - 8, y + 5), label, 13, DIM, "right")
    for value, label in _ticks(axes.first, axes.last, 6):
        x = float(axes.x(value))
        sheet.text((min(x, right - 12), bottom + _TIMES - 5), f"{label} s", 13, DIM, "middle")


def _draw_key(
    sheet: Canvas, at: tuple[int, int], right: int, title: str, curves: Sequence[Curve]
) -> None:
    sheet.text(at, title, 16)
    for curve in reversed(curves):
        if curve.label:
            sheet.text((right, at[1]), curve.label, 14, DIM, "right")
            right -= round(text_width(curve.label, 14)) + 26
            sheet.fill((right + 2, at[1] - 6, right + 20, at[1] - 3), curve.colour)
            right -= 16


def _range(curves: Sequence[Curve], least: float) -> tuple[float, float]:
    values = np.concatenate([curve.values for curve in curves])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    room = max(0.06 * (high - low), (least - (high - low)) / 2)
    return low - room, high + room


def _pieces(values: Float64) -> list[slice]:
    """Runs of known values that do not come round from the other side of a circle."""
    jumps = np.abs(np.diff(values, prepend=values[:1])) > 180
    return [
        slice(run.start + part.start, run.start + part.stop)
        for run in true_runs(np.isfinite(values))
        for part in _between(jumps[run])
    ]


def _between(jumps: Bool) -> list[slice]:
    edges = [0, *(int(j) for j in np.flatnonzero(jumps) if j > 0), len(jumps)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def _ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """About so many round values between two bounds, with how they are written."""
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = power * next(f for f in (1, 2, 5, 10) if f * power >= 0.999 * raw)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(k * step, f"{k * step + 0.0:.{digits}f}") for k in range(first, last + 1)]


def draw_timeline(sheet: Canvas, box: Box, timing: PlotContext) -> None:
    """Who was seen when, which foot stood, where to look again, and where the key poses are."""
    left, top, right, bottom = box
    motion, height = timing.motion, (bottom - top - 18) // len(_ROWS)
    for number, label in enumerate(_ROWS):
        y = top + 18 + number * height
        axes = _Axes(motion, (left + 118, y + 3, right, y + height - 5))
        sheet.text((left, y + 14), label, 14, DIM)
        sheet.fill(axes.box, PALE)
        if label == "look again":
            for stretch in timing.uncertain:
                sheet.fill(axes.bar(stretch.start, stretch.end, 2), _UNCERTAIN_INK)
        for yes, colour in _bands(label, motion):
            _draw_runs(sheet, axes, motion, yes, colour)
    for number, mark in enumerate(timing.marks, 1):
        x = float(axes.x(mark))
        sheet.text((x, top + 13), str(number), 13, INK, "middle")
        sheet.line([(x, top + 17), (x, bottom)], _MARK)


def _bands(label: str, motion: Motion) -> list[tuple[Bool, Colour]]:
    """What to lay over each other in a row of the timeline."""
    return {
        "seen": [(motion.tracked, _FILLED), (motion.tracked & motion.detected, INK)],
        "left foot down": [(motion.contacts[:, 0] > PLANTED, LEFT_INK)],
        "right foot down": [(motion.contacts[:, 1] > PLANTED, RIGHT_INK)],
    }.get(label, [])


def _draw_runs(sheet: Canvas, axes: _Axes, motion: Motion, yes: Bool, colour: Colour) -> None:
    times = motion.times
    for run in true_runs(yes):
        end = float(times[min(run.stop, len(times) - 1)])
        sheet.fill(axes.bar(float(times[run.start]), end), colour)
