"""The label-efficiency curve: error against the number of labels, one encoder beside another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from mocap_cli.export.views.canvas import DIM, FAINT, INK, Canvas, Colour
from mocap_cli.io.atomic import write_atomically
from mocap_cli.labels.evaluate import score_poses
from mocap_cli.labels.fitting.examples import Examples
from mocap_cli.labels.fitting.fit_heads import DEFAULT_FIT, FitOptions, fit_heads
from mocap_cli.labels.fitting.frozen_encoder import IMAGENET, FrozenEncoder, open_encoder
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip, clip_examples

_Points = Sequence[tuple[int, float]]  # labels, N-MPJPE in mm

_COUNTS = (10, 30, 100, 300)
_WIDE, _TALL, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 460, 70, 190, 46, 50
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000)  # mm between lines
_COLOURS: tuple[Colour, ...] = ((214, 106, 16), (31, 98, 179), (34, 139, 84), (120, 94, 160),
                                (96, 105, 118))  # fmt: skip


def label_efficiency(
    taught: Examples,
    asked: Examples,
    options: FitOptions,
    counts: Sequence[int] = _COUNTS,
    on_point: Callable[[int], None] = lambda done: None,
) -> list[tuple[int, float]]:
    """N-MPJPE on examples that are not taught, for more and more labels, evenly chosen."""
    points = []
    for done, count in enumerate((*[c for c in counts if c < len(taught)], len(taught)), start=1):
        at = np.unique(np.linspace(0, len(taught) - 1, count).round().astype(int))
        expert = fit_heads(taught.only(at), replace(options, folds=min(options.folds, count)))
        joints, _ = expert.ask(asked.inputs, asked.flipped)
        times = asked.frames.astype(np.float64)
        found = score_poses(joints, asked.joints.astype(np.float64), times, asked.clips)
        points.append((count, found.n_mpjpe))
        on_point(done)
    return points


def compare_encoders(
    eye: FrozenEncoder,
    taught: Sequence[LabelledClip],
    held: Sequence[LabelledClip],
    how: GatherOptions,
    options: FitOptions = DEFAULT_FIT,
    on_point: Callable[[int], None] = lambda done: None,
) -> dict[str, list[tuple[int, float]]]:
    """The curves of a model, of ImageNet features, and of the model with 2D keypoints."""
    baseline = open_encoder(IMAGENET)
    rows = {eye.method(): (eye, False), IMAGENET: (baseline, False)}
    rows[f"{eye.method()} + 2D"] = (eye, True)
    curves: dict[str, list[tuple[int, float]]] = {}
    for name, (own, points) in rows.items():
        before = sum(len(curve) for curve in curves.values())
        examples = [clip_examples(clips, own, how, points=points) for clips in (taught, held)]
        told = partial(_told_after, on_point, before)
        chosen = replace(options, points=points)
        curves[name] = label_efficiency(examples[0], examples[1], chosen, on_point=told)
    return curves


def _told_after(on_point: Callable[[int], None], before: int, done: int) -> None:
    on_point(before + done)


def draw_label_efficiency(curves: Mapping[str, _Points], path: Path) -> None:
    """One line for each name; labels on a logarithmic axis."""
    page = Canvas(_WIDE, _TALL)
    counts = sorted({n for points in curves.values() for n, _ in points})
    errors = [e for points in curves.values() for _, e in points]
    step = next(s for s in _STEPS if (max(errors) - 0.9 * min(errors)) / s < 6)
    low, high = (
        float(step * f(e / step)) for f, e in ((np.floor, min(errors) - 1), (np.ceil, max(errors)))
    )
    span = np.log(max(counts[-1] / counts[0], 1.01))

    def at(count: int, error: float) -> tuple[float, float]:
        x = _LEFT + np.log(count / counts[0]) / span * (_WIDE - _LEFT - _RIGHT)
        return float(x), _TOP + (high - error) / (high - low) * (_TALL - _TOP - _BOTTOM)

    page.text((_LEFT, 26), "N-MPJPE in mm against labelled frames", 16)
    for tick in np.arange(low, high + step / 2, step):
        page.line([at(counts[0], tick), at(counts[-1], tick)], FAINT)
        page.text((_LEFT - 10, at(counts[0], tick)[1] + 5), f"{tick:.0f}", 13, DIM, "right")
    for count in counts:
        page.text((at(count, low)[0], _TALL - _BOTTOM + 22), str(count), 13, DIM, "middle")
    ends = _spread_labels([at(*points[-1])[1] for points in curves.values()], _TALL - _BOTTOM)
    for (name, points), colour, end in zip(curves.items(), _COLOURS * 9, ends, strict=False):
        page.line([at(*point) for point in points], colour, 3)
        page.text((_WIDE - _RIGHT + 12, end + 5), f"{name}  {points[-1][1]:.0f}", 14, INK)
        page.line([(_WIDE - _RIGHT + 2, end), (_WIDE - _RIGHT + 9, end)], colour, 3)
    with write_atomically(path) as aside:
        aside.write_bytes(page.png())


def _spread_labels(heights: Sequence[float], lowest: float, least: float = 18.0) -> list[float]:
    """About the same heights, so far from each other that words fit between."""
    placed = list(heights)
    order = np.argsort(heights, kind="stable").tolist()
    for above, below in pairwise(order):
        placed[below] = max(placed[below], placed[above] + least)
    limit = lowest
    for at in reversed(order):
        placed[at] = min(placed[at], limit)
        limit = placed[at] - least
    return placed
