"""Plots: curves over time on a canvas, with axes, uncertain spans and marks."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.export.views.canvas import DIM, FAINT, INK, PALE, Box, Canvas, Colour, text_width
from mocap_cli.export.views.figure import Side
from mocap_cli.quality.plausibility import PLANTED
from mocap_cli.quality.summary import UncertainSpan
from mocap_cli.tracking.frame_runs import true_runs
from mocap_cli.types import Bool, Float64

_INKS: dict[Side, Colour] = {  # darker than SIDE_COLOURS, for white paper
    "left": (224, 118, 0),
    "right": (10, 120, 209),
    "middle": (110, 119, 132),
}
_UNCERTAIN: Colour = (252, 244, 224)
_UNCERTAIN_INK: Colour = (190, 132, 10)
_FILLED: Colour = (180, 186, 195)
_MARK: Colour = (196, 203, 212)
_ROWS = ("detected", "left foot down", "right foot down", "uncertain")
_TIME_LABELS = 22  # pixels below a plot, for its times
_VALUE_LABELS = 48  # pixels left of it


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot."""

    label: str
    values: Float64  # (T,) NaN where unknown
    side: Side


class _Axes:
    """Seconds and values to pixels of a box."""

    def __init__(self, motion: Motion, box: Box, low: float = 0.0, high: float = 1.0) -> None:
        self.box = box
        self.first = float(motion.times[0])
        self.last = float(max(motion.times[-1], self.first + 1e-3))
        self.low, self.high = low, high

    def x(self, time: Float64 | float) -> Float64:
        """The pixel columns of these seconds."""
        fraction = (np.asarray(time) - self.first) / (self.last - self.first)
        return np.asarray(self.box[0] + fraction * (self.box[2] - self.box[0]))

    def y(self, value: Float64 | float) -> Float64:
        """The pixel rows of these values."""
        fraction = (np.asarray(value) - self.low) / (self.high - self.low)
        return np.asarray(self.box[3] + fraction * (self.box[1] - self.box[3]))

    def bar(self, start: float, end: float, min_width: int = 1) -> Box:
        """The box between two times, from top to bottom."""
        left = round(float(self.x(start)))
        return left, self.box[1], max(round(float(self.x(end))), left + min_width), self.box[3]


@dataclass(frozen=True, slots=True)
class TimePlots:
    """Draws plots along the time of a motion, with what all of them share."""

    motion: Motion
    uncertain: Sequence[UncertainSpan]  # shaded
    marks: Sequence[float]  # seconds of the key poses

    def draw_plot(
        self,
        canvas: Canvas,
        box: Box,
        title: str,
        curves: Sequence[Curve],
        min_range: float,
    ) -> None:
        """A plot with its title and legend above, and an axis of values of at least `min_range`."""
        left, top, right, bottom = box
        _draw_legend(canvas, (left, top + 16), right, title, curves)
        inside = (left + _VALUE_LABELS, top + 30, right, bottom - _TIME_LABELS)
        axes = _Axes(self.motion, inside, *_range(curves, min_range))
        canvas.fill(inside, PALE)
        for span in self.uncertain:
            canvas.fill(axes.bar(span.start, span.end), _UNCERTAIN)
        _draw_axes(canvas, axes)
        for mark in self.marks:
            x = float(axes.x(mark))
            canvas.line([(x, inside[1]), (x, inside[3])], _MARK)
        for curve in curves:
            for run in _pieces(curve.values):
                times = self.motion.times[run]
                canvas.line(
                    np.stack((axes.x(times), axes.y(curve.values[run])), -1), _INKS[curve.side], 2
                )

    def draw_timeline(self, canvas: Canvas, box: Box) -> None:
        """Detections, foot contacts, uncertain spans and key poses over time."""
        left, top, right, bottom = box
        motion, height = self.motion, (bottom - top - 18) // len(_ROWS)
        for number, label in enumerate(_ROWS):
            y = top + 18 + number * height
            axes = _Axes(motion, (left + 118, y + 3, right, y + height - 5))
            canvas.text((left, y + 14), label, 14, DIM)
            canvas.fill(axes.box, PALE)
            if label == "uncertain":
                for span in self.uncertain:
                    canvas.fill(axes.bar(span.start, span.end, 2), _UNCERTAIN_INK)
            for mask, colour in _bands(label, motion):
                _draw_runs(canvas, axes, motion, mask, colour)
        for number, mark in enumerate(self.marks, 1):
            x = float(axes.x(mark))
            canvas.text((x, top + 13), str(number), 13, INK, "middle")
            canvas.line([(x, top + 17), (x, bottom)], _MARK)


def _draw_axes(canvas: Canvas, axes: _Axes) -> None:
    left, _, right, bottom = axes.box
    for value, label in _ticks(axes.low, axes.high, 4):
        y = float(axes.y(value))
        canvas.line([(left, y), (right, y)], FAINT)
        canvas.text((left - 8, y + 5), label, 13, DIM, "right")
    for value, label in _ticks(axes.first, axes.last, 6):
        x = float(axes.x(value))
        canvas.text(
            (min(x, right - 12), bottom + _TIME_LABELS - 5), f"{label} s", 13, DIM, "middle"
        )


def _draw_legend(
    canvas: Canvas, at: tuple[int, int], right: int, title: str, curves: Sequence[Curve]
) -> None:
    canvas.text(at, title, 16)
    for curve in reversed(curves):
        if curve.label:
            canvas.text((right, at[1]), curve.label, 14, DIM, "right")
            right -= round(text_width(curve.label, 14)) + 26
            canvas.fill((right + 2, at[1] - 6, right + 20, at[1] - 3), _INKS[curve.side])
            right -= 16


def _range(curves: Sequence[Curve], min_range: float) -> tuple[float, float]:
    values = np.concatenate([curve.values for curve in curves])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = max(0.06 * (high - low), (min_range - (high - low)) / 2)
    return low - margin, high + margin


def _pieces(values: Float64) -> list[slice]:
    """Runs of known values, split where an angle wraps around."""
    jumps = np.abs(np.diff(values, prepend=values[:1])) > 180
    return [
        slice(run.start + part.start, run.start + part.stop)
        for run in true_runs(np.isfinite(values))
        for part in _split(jumps[run])
    ]


def _split(jumps: Bool) -> list[slice]:
    edges = [0, *(int(j) for j in np.flatnonzero(jumps) if j > 0), len(jumps)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def _ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """About `count` round values between two bounds, and their labels."""
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = power * next(f for f in (1, 2, 5, 10) if f * power >= 0.999 * raw)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(k * step, f"{k * step + 0.0:.{digits}f}") for k in range(first, last + 1)]


def _bands(label: str, motion: Motion) -> list[tuple[Bool, Colour]]:
    """The layers of a row of the timeline: where they are drawn, and their colours."""
    return {
        "detected": [(motion.tracked, _FILLED), (motion.tracked & motion.detected, INK)],
        "left foot down": [(motion.contacts[:, 0] > PLANTED, _INKS["left"])],
        "right foot down": [(motion.contacts[:, 1] > PLANTED, _INKS["right"])],
    }.get(label, [])


def _draw_runs(canvas: Canvas, axes: _Axes, motion: Motion, mask: Bool, colour: Colour) -> None:
    times = motion.times
    for run in true_runs(mask):
        end = float(times[min(run.stop, len(times) - 1)])
        canvas.fill(axes.bar(float(times[run.start]), end), colour)
