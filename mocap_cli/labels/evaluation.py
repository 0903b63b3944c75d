"""Evaluation: a fit and the default tracker on the same labelled frames, clip by clip."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import BODY
from mocap_cli.files import written_whole
from mocap_cli.labels.evaluate import Scores, score
from mocap_cli.labels.expert import fused
from mocap_cli.labels.fitted import Fitted
from mocap_cli.labels.gather import Clip, Gathering, codes_of
from mocap_cli.labels.poses import testimonies

Float64 = NDArray[np.float64]

FUSED, BOTH, CODE, DEFAULT = "model", "code and 2D", "code alone", "default"
ALL = "all"
WITHIN = "within"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores by who answered and, below that, by clip; `ALL` is of all clips together."""

    scores: Mapping[str, Mapping[str, Scores]]
    within: float  # percent of the model's errors that lie within the expected ones

    @property
    def rows(self) -> list[tuple[str, Scores]]:
        """For a table: everybody on all clips, then the model and the default on each."""
        rows = [(name, clips[ALL]) for name, clips in self.scores.items()]
        clips = [clip for clip in self.scores[FUSED] if clip != ALL]
        if len(clips) > 1:
            both = (FUSED, DEFAULT)
            rows += [(f"{clip}: {who}", self.scores[who][clip]) for clip in clips for who in both
                     if clip in self.scores[who]]  # fmt: skip
        return rows

    def joint_rows(self) -> list[tuple[str, ...]]:
        """Millimetres of each joint, by the model and by the default."""
        ours, theirs = (
            self.scores[who][ALL].joints if who in self.scores else {} for who in (FUSED, DEFAULT)
        )
        return [
            (name, *(f"{who[name]:.1f}" if name in who else "-" for who in (ours, theirs)))
            for name in BODY.names
            if name in ours
        ]


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    clip: str
    truth: Float64  # (N, 19, 3)
    times: Float64
    said: Mapping[str, Float64]  # (N, 19, 3) each
    sigma: Float64  # (N, 19)


def evaluate(fitted: Fitted, clips: Sequence[Clip], how: Gathering) -> Evaluation:
    """Ask about every labelled frame."""
    answers = [_answers(fitted, clip, how) for clip in clips]
    scores = {}
    for who in (FUSED, BOTH, CODE, DEFAULT):
        own = {a.clip: found for a in answers if (found := _score([a], who)) is not None}
        whole = _score(answers, who)
        if whole is not None:
            scores[who] = {ALL: whole, **own}
    off = np.concatenate([np.linalg.norm(a.said[FUSED] - a.truth, axis=-1) for a in answers])
    sigma = np.concatenate([a.sigma for a in answers])
    known = np.isfinite(off + sigma)
    known[:, 0] = False
    return Evaluation(scores, 100 * float((off <= sigma)[known].mean()))


def _answers(fitted: Fitted, clip: Clip, how: Gathering) -> _Answers:
    codes = codes_of(clip.video, fitted.eye, clip.witness, how)
    parts = testimonies(fitted, codes, clip.witness)
    joints, sigma = fused(parts)
    at = clip.labels.frames
    names = (BOTH, CODE, DEFAULT)
    said = {name: part[0][at] for name, part in zip(names, parts, strict=True)}
    return _Answers(
        clip=clip.video.name,
        truth=clip.labels.joints - clip.labels.joints[:, :1],
        times=clip.labels.times,
        said={FUSED: joints[at], **said},
        sigma=sigma[at],
    )


def _score(answers: Sequence[_Answers], who: str) -> Scores | None:
    said, truth = (np.concatenate(x) for x in zip(*[(a.said[who], a.truth) for a in answers],
                                                 strict=True))  # fmt: skip
    if not np.isfinite(said[:, 1:] + truth[:, 1:]).all(axis=-1).any():
        return None
    clips = np.repeat(np.arange(len(answers)), [len(a.truth) for a in answers])
    return score(said, truth, np.concatenate([a.times for a in answers]), clips)


def write_scores(evaluation: Evaluation, path: Path, more: Mapping[str, Any]) -> None:
    """All numbers as JSON: millimetres, percent, metres a second squared."""
    scores = {who: {clip: asdict(found) for clip, found in clips.items()}
              for who, clips in evaluation.scores.items()}  # fmt: skip
    document = {"scores": scores, WITHIN: evaluation.within, **more}
    with written_whole(path) as aside:
        aside.write_text(json.dumps(document, indent=1))
