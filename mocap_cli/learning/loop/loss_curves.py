"""Loss curves: the losses of a run over its steps, as one image."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from mocap_cli.types import Float64, UInt8

_WIDTH, _HEIGHT = 420, 240  # pixels of one plot
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 30, 26
_POINTS = 200  # of a curve, each the mean over a stretch of steps
_BACKGROUND, _TEXT, _GRID = (255, 255, 255), (60, 60, 60), (225, 225, 225)
_CURVE, _STEP = (31, 98, 179), (200, 215, 235)
_NOT_LOSSES = ("step", "seconds", "waited")


def draw_curves(rows: Sequence[Mapping[str, float]], columns: int = 3) -> UInt8:
    """A plot of every loss in the lines of metrics.jsonl."""
    names = list(dict.fromkeys(n for row in rows for n in row if n not in _NOT_LOSSES))
    plots = []
    for name in names:
        points = [(row["step"], row[name]) for row in rows if name in row]
        plots.append(_plot(name, np.array(points, np.float64)))
    plots += [np.full((_HEIGHT, _WIDTH, 3), _BACKGROUND, np.uint8)] * (-len(plots) % columns)
    if not plots:
        return np.full((_HEIGHT, _WIDTH, 3), _BACKGROUND, np.uint8)
    lines = [np.concatenate(plots[i : i + columns], 1) for i in range(0, len(plots), columns)]
    return np.concatenate(lines, 0)


def _plot(name: str, points: Float64) -> UInt8:
    canvas = np.full((_HEIGHT, _WIDTH, 3), _BACKGROUND, np.uint8)
    steps, values = points.T
    means = _means(points)
    low, high = _range(means[:, 1], values)
    first, last = float(steps[0]), float(max(steps[-1], steps[0] + 1))

    def at(step: float, value: float) -> tuple[int, int]:
        x = _LEFT + (step - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)
        y = _TOP + (high - np.clip(value, low, high)) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return round(x), round(float(y))

    for tick in np.linspace(low, high, 4):
        cv2.line(canvas, at(first, tick), at(last, tick), _GRID, 1)
        _write(canvas, f"{tick:.3g}", (6, at(first, tick)[1] + 4))
    for step, value in points[:: max(1, len(points) // 2000)]:
        cv2.circle(canvas, at(step, value), 1, _STEP, -1)
    line = np.array([at(step, value) for step, value in means], np.int32)
    cv2.polylines(canvas, [line], False, _CURVE, 2, cv2.LINE_AA)
    _write(canvas, f"{name}  {means[-1, 1]:.4g}", (_LEFT, 20))
    _write(canvas, f"{first:.0f}", (_LEFT, _HEIGHT - 8))
    _write(canvas, f"{steps[-1]:.0f} steps", (_WIDTH - 90, _HEIGHT - 8))
    return canvas


def _means(points: Float64) -> Float64:
    """At most _POINTS means of neighbouring steps."""
    parts = np.array_split(points, min(len(points), _POINTS))
    return np.array([part.mean(axis=0) for part in parts])


def _range(means: Float64, values: Float64) -> tuple[float, float]:
    """The range of the plot: all of the curve, and most of the single steps."""
    low = float(min(means.min(), np.quantile(values, 0.02)))
    high = float(max(means.max(), np.quantile(values, 0.98)))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _write(canvas: UInt8, text: str, at: tuple[int, int]) -> None:
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, _TEXT, 1, cv2.LINE_AA)
