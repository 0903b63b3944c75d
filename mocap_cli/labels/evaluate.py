"""Evaluate: how far answers are from labels, by the measures of the pose literature."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from mocap_cli.body.skeleton import BODY
from mocap_cli.lifting.metrics import mpjpe, n_mpjpe, p_mpjpe
from mocap_cli.types import Float64

_PCK_RADIUS = 0.150  # metres
_MEASURES = ("mpjpe", "n_mpjpe", "p_mpjpe", "pck", "auc", "acceleration")
_TITLES = ("MPJPE", "N-MPJPE", "P-MPJPE", "PCK@150", "AUC", "accel")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseScores:
    """Errors in millimetres, shares in percent, acceleration in metres a second squared."""

    frames: int
    mpjpe: float  # both about the pelvis
    n_mpjpe: float  # the answer scaled to fit, frame by frame
    p_mpjpe: float  # after the best turn, scale and shift of each frame
    pck: float  # joints within 150 mm
    auc: float  # the mean of PCK over 0 to 150 mm
    acceleration: float | None  # error of it; None where no three neighbours are labelled
    joints: dict[str, float] = field(default_factory=dict)  # MPJPE of each

    def row(self) -> tuple[str, ...]:
        """The numbers as texts, in the order of TITLES."""
        return tuple("-" if v is None else f"{v:.1f}" for v in map(asdict(self).get, _MEASURES))


def score_poses(
    answer: Float64, truth: Float64, times: Float64, clips: NDArray[np.int64]
) -> PoseScores:
    """Answers and labels (N, 19, 3); joints that are NaN in either do not count."""
    known = np.asarray(np.isfinite(answer + truth).all(axis=-1))
    known[:, 0] = False
    used = np.any(known, axis=1)
    p, g, seen = answer[used], truth[used], known[used]
    p, g = p - p[:, :1], g - g[:, :1]
    tensors = (torch.from_numpy(p), torch.from_numpy(g), torch.from_numpy(seen))
    off, scaled, aligned = (f(*tensors).numpy() for f in (mpjpe, n_mpjpe, p_mpjpe))  # (N, 19)
    near = np.linspace(0, _PCK_RADIUS, 31)
    joints = {
        name: 1000 * float(np.nanmean(column))
        for name, column in zip(BODY.names, off.T, strict=True)
        if np.isfinite(column).any()
    }
    return PoseScores(
        frames=int(used.sum()),
        mpjpe=1000 * float(np.nanmean(off)),
        n_mpjpe=1000 * float(np.mean(scaled[seen])),
        p_mpjpe=1000 * float(np.mean(aligned[seen])),
        pck=100 * float((off[seen] < _PCK_RADIUS).mean()),
        auc=100 * float(np.mean([(off[seen] <= limit).mean() for limit in near])),
        acceleration=_acceleration(p, g, seen, times[used], clips[used]),
        joints=joints,
    )


def _acceleration(
    p: Float64, g: Float64, seen: NDArray[np.bool_], times: Float64, clips: NDArray[np.int64]
) -> float | None:
    """Mean error over frames whose neighbours are labelled too, at an even beat."""
    if len(times) < 3:
        return None
    before, after = np.diff(times)[:-1], np.diff(times)[1:]
    usual = np.median(np.diff(times)[np.diff(times) > 0]) if (np.diff(times) > 0).any() else 1.0
    even = (np.abs(before - after) < 0.1 * usual) & (np.abs(before - usual) < 0.1 * usual)
    even &= (clips[2:] == clips[:-2]) & (before > 0)
    good = even[:, None] & seen[2:] & seen[1:-1] & seen[:-2]
    if not good.any():
        return None
    off = p - g
    bend = np.linalg.norm(off[2:] - 2 * off[1:-1] + off[:-2], axis=-1) / (before**2)[:, None]
    return float(bend[good].mean())


def score_table(rows: Sequence[tuple[str, PoseScores]]) -> str:
    """Scores for people: one a row, numbers under their measures."""
    lines = [(name, str(scores.frames), *scores.row()) for name, scores in rows]
    return text_columns([("", "frames", *_TITLES), *lines])


def text_columns(lines: Sequence[Sequence[str]]) -> str:
    """Cells under each other: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
