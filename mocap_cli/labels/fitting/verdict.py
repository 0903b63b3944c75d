"""Verdict: whether a model is better than the default tracker, on footage held out from it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mocap_cli.labels.fitting.degraded_copies import degrade_clip
from mocap_cli.labels.fitting.fitted_model import FittedModel
from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip
from mocap_cli.labels.frame_kinds import FRAME_KINDS, frame_kinds, with_nearest_poses
from mocap_cli.lifting.metrics import p_mpjpe
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Bool, Float64, Int64

_EVERY = 4  # of so many clips one is held out; of a single clip, the last such part
_FEWEST = 20  # frames to fit to and held out, below which nothing is said
_MOST = 300  # frames of a clip of which degraded copies are tracked
_SEED = 1000  # of those copies: no model is fitted to them
_RESAMPLES, _CERTAIN = 1000, 0.95  # the share of resamples that must agree
_BLOCK = 1.0  # seconds of a clip that are resampled together
_GAIN, _LOSS = 0.03, 0.002  # share of the error; metres by which sure frames may be worse

Fit = Callable[[Sequence[LabelledClip]], FittedModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindErrors:
    """Mean P-MPJPE in millimetres on one kind of frames."""

    frames: int
    default: float
    model: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a model that was fitted without some clips does on them."""

    held_out: tuple[str, ...]  # names of the clips
    degraded: bool  # measured on degraded copies, since nobody labelled those clips
    kinds: Mapping[str, KindErrors]  # by FRAME_KINDS
    better: bool  # where the default tracker is not sure, and not worse where it is

    def lines(self) -> list[str]:
        """For people: errors by kind of frame, and what follows."""
        where = "degraded copies of " if self.degraded else ""
        lines = [f"held out: {where}{', '.join(self.held_out)}"]
        lines += [
            f"{kind} frames: {one.model:.0f} mm, the default tracker {one.default:.0f} mm"
            f" ({one.frames} frames)"
            for kind, one in self.kinds.items()
        ]
        return [*lines, f"{'better' if self.better else 'NO better'} than the default tracker"]

    def data(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self)


def judge(clips: Sequence[LabelledClip], fit: Fit, how: GatherOptions) -> Verdict | None:
    """Fit a model without some of the clips and measure it on those; None: too few frames to."""
    fitted_to, held_out = _split(clips)
    if any(sum(len(clip.labels) for clip in part) < _FEWEST for part in (fitted_to, held_out)):
        return None
    degraded = not any(map(_by_hand, held_out))
    model = fit(fitted_to)
    parts = [_errors(clip, model, how, degraded=degraded) for clip in held_out]
    names = tuple(dict.fromkeys(clip.video.name for clip in held_out))
    return _verdict(_Errors.join(parts), names, degraded=degraded)


@dataclass(frozen=True, slots=True, eq=False)
class _Errors:
    """Frames of held-out clips: their kinds and the errors in millimetres."""

    kind: np.ndarray[Any, np.dtype[np.str_]]  # (N,)
    default: Float64  # (N,)
    model: Float64
    block: Int64  # frames of one block are resampled together

    @staticmethod
    def join(parts: Sequence["_Errors"]) -> "_Errors":
        blocks, first = [], 0
        for part in parts:
            blocks.append(part.block + first)
            first = int(blocks[-1].max(initial=-1)) + 1
        return _Errors(
            np.concatenate([part.kind for part in parts]),
            np.concatenate([part.default for part in parts]),
            np.concatenate([part.model for part in parts]),
            np.concatenate(blocks),
        )


def _by_hand(clip: LabelledClip) -> bool:
    """Pseudo-labels name the video itself as the file that they are from."""
    return clip.labels.path != clip.video


def _split(clips: Sequence[LabelledClip]) -> tuple[list[LabelledClip], list[LabelledClip]]:
    """Clips to fit to and held-out ones: labelled by hand, if any are."""
    labelled = [clip for clip in clips if _by_hand(clip)] or list(clips)
    videos = list(dict.fromkeys(clip.video for clip in labelled))
    if len(videos) > 1:
        count = Counter[Path]()
        for clip in labelled:
            count[clip.video] += len(clip.labels)
        many = [video for video in videos if count[video] >= _FEWEST]
        among = many if len(many) > 1 else videos
        out = set(among[_EVERY - 1 :: _EVERY] or among[-1:])
        return [c for c in clips if c.video not in out], [c for c in labelled if c.video in out]
    rest = [clip for clip in clips if clip not in labelled]
    late = [
        clip.labels.frames >= np.quantile(clip.labels.frames, 1 - 1 / _EVERY) for clip in labelled
    ]
    both = list(zip(labelled, late, strict=True))
    return (
        rest + [replace(clip, labels=clip.labels.select(~part)) for clip, part in both],
        [replace(clip, labels=clip.labels.select(part)) for clip, part in both],
    )


def _errors(
    clip: LabelledClip, model: FittedModel, how: GatherOptions, *, degraded: bool
) -> _Errors:
    """Both trackers' errors on the labelled frames of a clip, or on their degraded copies."""
    if not degraded:
        encoded = how.encode(clip.video, model.encoder, clip.estimate)
        return _compared(clip, clip.estimate, encoded, model, np.ones(len(clip.labels), bool))
    chosen = replace(clip, labels=clip.labels.select(_near_failures(clip)))
    with how.bar(f"degrading {clip.video.name}", len(clip.estimate.times)) as bar:
        copy = degrade_clip(
            clip.video, clip.estimate, chosen.labels.frames, model.encoder, _SEED,
            cache=how.cache, device=how.device, on_frame=bar,
        )  # fmt: skip
    used = copy.degraded[chosen.labels.frames]
    return _compared(chosen, copy.estimate, copy.encoded, model, used)


def _near_failures(clip: LabelledClip) -> Int64:
    """Indices of the labelled frames that are nearest in time to frames that are not sure."""
    found = clip.estimate
    kinds = frame_kinds(found.keypoints.detected, found.keypoints.score, found.pose.sigma)
    failed = found.times[kinds != "sure"]
    times = found.times[clip.labels.frames]
    away = np.abs(np.subtract.outer(times, failed)).min(axis=1) if len(failed) else times
    return np.sort(np.argsort(away, kind="stable")[:_MOST])


def _compared(
    clip: LabelledClip, found: Estimate, encoded: EncodedVideo, model: FittedModel, used: Bool
) -> _Errors:
    """Errors in the labelled frames that are used; a pose that is missing is the nearest one."""
    at = clip.labels.frames
    joints, _ = model.predict(encoded, found.steady_keypoints, found.pose)
    default = with_nearest_poses(found.pose.joints.astype(np.float64))
    model_joints = np.where(np.isfinite(joints), joints, default)
    kind = frame_kinds(found.keypoints.detected, found.keypoints.score, found.pose.sigma)[at]
    errors = [frame_errors(poses[at], clip.labels.joints) for poses in (default, model_joints)]
    used = used & np.isfinite(errors[0] + errors[1])
    block = (found.times[at] // _BLOCK).astype(np.int64)
    return _Errors(kind[used], errors[0][used], errors[1][used], block[used])


def frame_errors(predicted: Float64, truth: Float64) -> Float64:
    """(N,) millimetres, over the labelled joints of each frame; NaN where none is."""
    known = np.asarray(np.isfinite(truth).all(axis=-1))
    known[:, 0] = False
    errors = p_mpjpe(*(torch.from_numpy(v) for v in (predicted, np.nan_to_num(truth), known)))
    count = known.sum(axis=1)
    total = np.nansum(np.where(known, errors.numpy(), 0), axis=1)
    return np.asarray(np.where(count > 0, 1000 * total / np.maximum(count, 1), np.nan))


def _verdict(found: _Errors, names: tuple[str, ...], *, degraded: bool) -> Verdict | None:
    if len(found.kind) < _FEWEST:
        return None
    kinds = {}
    for kind in FRAME_KINDS:
        own = found.kind == kind
        if own.any():
            default, model = float(found.default[own].mean()), float(found.model[own].mean())
            kinds[kind] = KindErrors(frames=int(own.sum()), default=default, model=model)
    sure = kinds.get("sure")
    harmless = sure is None or sure.model < sure.default + 1000 * _LOSS
    better = harmless and _certainly_better(found)
    return Verdict(held_out=names, degraded=degraded, kinds=kinds, better=better)


def _certainly_better(found: _Errors) -> bool:
    """Whether the gain where the default tracker is not sure holds in nearly all resamples."""
    unsure = found.kind != "sure"
    if not unsure.any():
        return False
    blocks, inverse = np.unique(found.block[unsure], return_inverse=True)
    gain = (1 - _GAIN) * found.default[unsure] - found.model[unsure]
    total = np.bincount(inverse, gain, len(blocks))
    drawn = np.random.default_rng(0).integers(len(blocks), size=(_RESAMPLES, len(blocks)))
    return bool((total[drawn].sum(axis=1) > 0).mean() >= _CERTAIN)
