"""The label-efficiency curve: error against the number of labels, for several encoders."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from mocap_cli.export.views.canvas import DIM, FAINT, INK, Canvas, Colour
from mocap_cli.io.atomic import write_atomically
from mocap_cli.labels.fitting.evaluation import PoseScores
from mocap_cli.labels.fitting.examples import Examples
from mocap_cli.labels.fitting.fit_heads import FitOptions, fit_heads
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip, clip_examples
from mocap_cli.progress import Count, no_progress

_Points = Sequence[tuple[int, float]]  # labels, N-MPJPE in mm

_COUNTS = (10, 30, 100, 300)
_WIDE, _TALL, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 460, 70, 190, 46, 50
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000)  # mm between lines
_COLOURS: tuple[Colour, ...] = ((214, 106, 16), (31, 98, 179), (34, 139, 84), (120, 94, 160),
                                (96, 105, 118))  # fmt: skip


def label_efficiency(
    labelled: Examples,
    held_out: Examples,
    options: FitOptions,
    counts: Sequence[int] = _COUNTS,
    on_point: Count = no_progress,
) -> list[tuple[int, float]]:
    """N-MPJPE on held-out examples after fitting to more and more labels, evenly chosen."""
    points = []
    total = len(labelled)
    for done, count in enumerate((*[c for c in counts if c < total], total), start=1):
        at = np.unique(np.linspace(0, total - 1, count).round().astype(int))
        heads = fit_heads(labelled.select(at), replace(options, folds=min(options.folds, count)))
        joints, _ = heads.predict(held_out.inputs, held_out.flipped)
        times = held_out.frames.astype(np.float64)
        scores = PoseScores.of(joints, held_out.joints.astype(np.float64), times, held_out.clips)
        points.append((count, scores.n_mpjpe))
        on_point(done)
    return points


def compare_encoders(
    encoder: FrozenEncoder,
    labelled: Sequence[LabelledClip],
    held_out: Sequence[LabelledClip],
    how: GatherOptions,
    options: FitOptions,
    on_point: Count = no_progress,
) -> dict[str, list[tuple[int, float]]]:
    """Curves of an encoder, of ImageNet features, and of the encoder with 2D keypoints."""
    baseline = FrozenEncoder.open(FrozenEncoder.IMAGENET, how.device)
    rows = {encoder.method: (encoder, False), FrozenEncoder.IMAGENET: (baseline, False)}
    rows[f"{encoder.method} + 2D"] = (encoder, True)
    curves: dict[str, list[tuple[int, float]]] = {}
    for name, (own, points) in rows.items():
        before = sum(len(curve) for curve in curves.values())
        examples = [clip_examples(clips, own, how, points=points) for clips in (labelled, held_out)]
        chosen = replace(options, points=points)
        curves[name] = label_efficiency(
            examples[0], examples[1], chosen, on_point=partial(_offset, on_point, before)
        )
    return curves


def _offset(on_point: Count, before: int, done: int) -> None:
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
    """Move heights apart so that text does not overlap."""
    placed = list(heights)
    order = np.argsort(heights, kind="stable").tolist()
    for above, below in pairwise(order):
        placed[below] = max(placed[below], placed[above] + least)
    limit = lowest
    for at in reversed(order):
        placed[at] = min(placed[at], limit)
        limit = placed[at] - least
    return placed
