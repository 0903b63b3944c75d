"""Evaluation: a fit and the default tracker on the same labelled frames, clip by clip."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mocap_cli.body.skeleton import BODY
from mocap_cli.io.atomic import write_atomically
from mocap_cli.labels.evaluate import PoseScores, score_poses
from mocap_cli.labels.fitting.ensemble import fuse_poses
from mocap_cli.labels.fitting.fitted_model import FittedModel
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip, encode_clip
from mocap_cli.labels.poses import separate_predictions
from mocap_cli.types import Float64

_FUSED, _BOTH, _CODE, _DEFAULT = "model", "code and 2D", "code alone", "default"
_ALL = "all"
_WITHIN = "within"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores by who answered and, below that, by clip; `ALL` is of all clips together."""

    scores: Mapping[str, Mapping[str, PoseScores]]
    within: float  # percent of the model's errors that lie within the expected ones

    @property
    def rows(self) -> list[tuple[str, PoseScores]]:
        """For a table: everybody on all clips, then the model and the default on each."""
        rows = [(name, clips[_ALL]) for name, clips in self.scores.items()]
        clips = [clip for clip in self.scores[_FUSED] if clip != _ALL]
        if len(clips) > 1:
            both = (_FUSED, _DEFAULT)
            rows += [(f"{clip}: {who}", self.scores[who][clip]) for clip in clips for who in both
                     if clip in self.scores[who]]  # fmt: skip
        return rows

    def joint_rows(self) -> list[tuple[str, ...]]:
        """Millimetres of each joint, by the model and by the default."""
        ours, theirs = (
            self.scores[who][_ALL].joints if who in self.scores else {}
            for who in (_FUSED, _DEFAULT)
        )
        return [
            (name, *(f"{who[name]:.1f}" if name in who else "-" for who in (ours, theirs)))
            for name in BODY.names
            if name in ours
        ]


@dataclass(frozen=True, slots=True, eq=False)
class _Predictions:
    clip: str
    truth: Float64  # (N, 19, 3)
    times: Float64
    said: Mapping[str, Float64]  # (N, 19, 3) each
    sigma: Float64  # (N, 19)


def evaluate(fitted: FittedModel, clips: Sequence[LabelledClip], how: GatherOptions) -> Evaluation:
    """Ask about every labelled frame."""
    answers = [_predictions_for(fitted, clip, how) for clip in clips]
    scores = {}
    for who in (_FUSED, _BOTH, _CODE, _DEFAULT):
        own = {a.clip: found for a in answers if (found := _score([a], who)) is not None}
        whole = _score(answers, who)
        if whole is not None:
            scores[who] = {_ALL: whole, **own}
    off = np.concatenate([np.linalg.norm(a.said[_FUSED] - a.truth, axis=-1) for a in answers])
    sigma = np.concatenate([a.sigma for a in answers])
    known = np.isfinite(off + sigma)
    known[:, 0] = False
    return Evaluation(scores, 100 * float((off <= sigma)[known].mean()))


def _predictions_for(fitted: FittedModel, clip: LabelledClip, how: GatherOptions) -> _Predictions:
    codes = encode_clip(clip.video, fitted.eye, clip.estimate, how)
    parts = separate_predictions(fitted, codes, clip.estimate)
    joints, sigma = fuse_poses(parts)
    at = clip.labels.frames
    names = (_BOTH, _CODE, _DEFAULT)
    said = {name: part[0][at] for name, part in zip(names, parts, strict=True)}
    return _Predictions(
        clip=clip.video.name,
        truth=clip.labels.joints - clip.labels.joints[:, :1],
        times=clip.labels.times,
        said={_FUSED: joints[at], **said},
        sigma=sigma[at],
    )


def _score(answers: Sequence[_Predictions], who: str) -> PoseScores | None:
    said, truth = (np.concatenate(x) for x in zip(*[(a.said[who], a.truth) for a in answers],
                                                 strict=True))  # fmt: skip
    if not np.isfinite(said[:, 1:] + truth[:, 1:]).all(axis=-1).any():
        return None
    clips = np.repeat(np.arange(len(answers)), [len(a.truth) for a in answers])
    return score_poses(said, truth, np.concatenate([a.times for a in answers]), clips)


def write_scores(evaluation: Evaluation, path: Path, more: Mapping[str, Any]) -> None:
    """All numbers as JSON: millimetres, percent, metres a second squared."""
    scores = {who: {clip: asdict(found) for clip, found in clips.items()}
              for who, clips in evaluation.scores.items()}  # fmt: skip
    document = {"scores": scores, _WITHIN: evaluation.within, **more}
    with write_atomically(path) as aside:
        aside.write_text(json.dumps(document, indent=1))
