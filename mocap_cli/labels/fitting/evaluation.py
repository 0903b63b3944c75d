"""Evaluation of a fitted model and of the default tracker on the same labelled frames."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mocap_cli.body.skeleton import BODY
from mocap_cli.io.atomic import write_atomically
from mocap_cli.labels.fitting.ensemble import fuse_poses
from mocap_cli.labels.fitting.fitted_model import FittedModel
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip
from mocap_cli.lifting.metrics import mpjpe, n_mpjpe, p_mpjpe
from mocap_cli.tracking.estimate import PoseModel
from mocap_cli.types import Bool, Float64, Int64

# Keys of the JSON that --scores writes, and names in the tables.
_FUSED, _FULL, _IMAGE, _DEFAULT = "model", "code and 2D", "code alone", "default"
_ALL, _WITHIN = "all", "within"
_PCK_RADIUS = 0.150  # metres
_MEASURES = ("mpjpe", "n_mpjpe", "p_mpjpe", "pck", "auc", "acceleration")
_TITLES = ("MPJPE", "N-MPJPE", "P-MPJPE", "PCK@150", "AUC", "accel")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseScores:
    """Errors in millimetres, shares in percent, acceleration in metres a second squared."""

    frames: int
    mpjpe: float  # both about the pelvis
    n_mpjpe: float  # with the best scale in each frame
    p_mpjpe: float  # after the best similarity transform in each frame
    pck: float  # joints within 150 mm
    auc: float  # mean of PCK over 0 to 150 mm
    acceleration: float | None  # None where no three consecutive frames are labelled
    joints: dict[str, float] = field(default_factory=dict)  # MPJPE of each

    @staticmethod
    def table(rows: Sequence[tuple[str, "PoseScores"]]) -> str:
        """Scores as text, one a line, numbers under their measures."""
        lines = [
            (name, str(one.frames), *(_decimal(getattr(one, m)) for m in _MEASURES))
            for name, one in rows
        ]
        return _columns([("", "frames", *_TITLES), *lines])

    @staticmethod
    def of(predicted: Float64, truth: Float64, times: Float64, clips: Int64) -> "PoseScores":
        """Compare predictions and labels (N, 19, 3); joints that are NaN in either do not count."""
        known = np.asarray(np.isfinite(predicted + truth).all(axis=-1))
        known[:, 0] = False
        used = np.any(known, axis=1)
        p, g, known = predicted[used], truth[used], known[used]
        p, g = p - p[:, :1], g - g[:, :1]
        tensors = (torch.from_numpy(p), torch.from_numpy(g), torch.from_numpy(known))
        # (N, 19) each
        errors, scaled, aligned = (f(*tensors).numpy() for f in (mpjpe, n_mpjpe, p_mpjpe))
        joints = {
            name: 1000 * float(np.nanmean(column))
            for name, column in zip(BODY.names, errors.T, strict=True)
            if np.isfinite(column).any()
        }
        limits = np.linspace(0, _PCK_RADIUS, 31)
        return PoseScores(
            frames=int(used.sum()),
            mpjpe=1000 * float(np.nanmean(errors)),
            n_mpjpe=1000 * float(np.mean(scaled[known])),
            p_mpjpe=1000 * float(np.mean(aligned[known])),
            pck=100 * float((errors[known] < _PCK_RADIUS).mean()),
            auc=100 * float(np.mean([(errors[known] <= limit).mean() for limit in limits])),
            acceleration=_acceleration_error(p, g, known, times[used], clips[used]),
            joints=joints,
        )


def _acceleration_error(
    p: Float64, g: Float64, known: Bool, times: Float64, clips: Int64
) -> float | None:
    """Mean error over frames whose neighbours are labelled too, at a uniform rate."""
    if len(times) < 3:
        return None
    before, after = np.diff(times)[:-1], np.diff(times)[1:]
    usual = np.median(np.diff(times)[np.diff(times) > 0]) if (np.diff(times) > 0).any() else 1.0
    even = (np.abs(before - after) < 0.1 * usual) & (np.abs(before - usual) < 0.1 * usual)
    even &= (clips[2:] == clips[:-2]) & (before > 0)
    good = even[:, None] & known[2:] & known[1:-1] & known[:-2]
    if not good.any():
        return None
    error = p - g
    second = np.linalg.norm(error[2:] - 2 * error[1:-1] + error[:-2], axis=-1)
    return float((second / (before**2)[:, None])[good].mean())


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores by predictor and, below that, by clip; "all" is of all clips together."""

    scores: Mapping[str, Mapping[str, PoseScores]]
    within: float  # percent of the model's errors that are within its sigma

    def text(self) -> str:
        """Tables: every predictor on all clips, model and default on each clip, and by joint."""
        rows = [(name, clips[_ALL]) for name, clips in self.scores.items()]
        clips = [clip for clip in self.scores[_FUSED] if clip != _ALL]
        if len(clips) > 1:
            rows += [(f"{clip}: {name}", self.scores[name][clip]) for clip in clips
                     for name in (_FUSED, _DEFAULT) if clip in self.scores[name]]  # fmt: skip
        both = [self.scores[name][_ALL].joints if name in self.scores else {}
                for name in (_FUSED, _DEFAULT)]  # fmt: skip
        joints = [
            (name, *(_decimal(errors.get(name)) for errors in both))
            for name in BODY.names
            if name in both[0]
        ]
        return f"{PoseScores.table(rows)}\n\n{_columns([('mm', 'model', 'default'), *joints])}"

    def data(self) -> dict[str, Any]:
        """All numbers as plain data: millimetres, percent, metres a second squared."""
        scores = {name: {clip: asdict(found) for clip, found in clips.items()}
                  for name, clips in self.scores.items()}  # fmt: skip
        return {"scores": scores, _WITHIN: self.within}

    def write(self, path: Path, more: Mapping[str, Any]) -> None:
        """The same, and `more`, as a JSON file."""
        with write_atomically(path) as aside:
            aside.write_text(json.dumps({**self.data(), **more}, indent=1))


@dataclass(frozen=True, slots=True, eq=False)
class _Predictions:
    clip: str
    truth: Float64  # (N, 19, 3)
    times: Float64
    joints: Mapping[str, Float64]  # (N, 19, 3) by predictor
    sigma: Float64  # (N, 19)


def evaluate(model: FittedModel, clips: Sequence[LabelledClip], how: GatherOptions) -> Evaluation:
    """Compare the model, its two ensembles and the default tracker with the labels of clips."""
    return _compared([_predictions_for(model, clip, how) for clip in clips])


def evaluate_tracker(
    model: PoseModel, clips: Sequence[LabelledClip], how: GatherOptions
) -> Evaluation:
    """Compare the tracker with a model and the default tracker with the labels of clips."""
    found = []
    for clip in clips:
        at, pose = clip.labels.frames, how.estimate(clip.video, model).pose
        found.append(
            _Predictions(
                clip=clip.video.name,
                truth=clip.labels.joints - clip.labels.joints[:, :1],
                times=clip.labels.times,
                joints={_FUSED: pose.joints[at], _DEFAULT: clip.estimate.pose.joints[at]},
                sigma=pose.sigma[at],
            )
        )
    return _compared(found)


def _compared(found: Sequence[_Predictions]) -> Evaluation:
    """The scores of every predictor."""
    scores = {}
    for name in found[0].joints:
        own = {one.clip: s for one in found if (s := _scores([one], name)) is not None}
        whole = _scores(found, name)
        if whole is not None:
            scores[name] = {_ALL: whole, **own}
    errors = np.concatenate([np.linalg.norm(p.joints[_FUSED] - p.truth, axis=-1) for p in found])
    sigma = np.concatenate([one.sigma for one in found])
    known = np.isfinite(errors + sigma)
    known[:, 0] = False
    return Evaluation(scores, 100 * float((errors <= sigma)[known].mean()))


def _predictions_for(model: FittedModel, clip: LabelledClip, how: GatherOptions) -> _Predictions:
    encoded = how.encode(clip.video, model.encoder, clip.estimate)
    parts = model.predict_separately(encoded, clip.estimate.steady_keypoints, clip.estimate.pose)
    joints, sigma = fuse_poses(parts)
    at = clip.labels.frames
    names = (_FULL, _IMAGE, _DEFAULT)
    separate = {name: part[0][at] for name, part in zip(names, parts, strict=True)}
    return _Predictions(
        clip=clip.video.name,
        truth=clip.labels.joints - clip.labels.joints[:, :1],
        times=clip.labels.times,
        joints={_FUSED: joints[at], **separate},
        sigma=sigma[at],
    )


def _scores(found: Sequence[_Predictions], name: str) -> PoseScores | None:
    predicted = np.concatenate([one.joints[name] for one in found])
    truth = np.concatenate([one.truth for one in found])
    if not np.isfinite(predicted[:, 1:] + truth[:, 1:]).all(axis=-1).any():
        return None
    clips = np.repeat(np.arange(len(found)), [len(one.truth) for one in found])
    return PoseScores.of(predicted, truth, np.concatenate([one.times for one in found]), clips)


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _columns(lines: Sequence[Sequence[str]]) -> str:
    """Cells under each other: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
