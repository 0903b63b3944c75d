"""Poses: teach a model by labelled clips, and ask it, with the default tracker, about others."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mocap_cli import __version__
from mocap_cli.labels.fitting.ensemble import fuse_poses
from mocap_cli.labels.fitting.examples import bone_scale, head_inputs, tracker_uncertainty
from mocap_cli.labels.fitting.fit_heads import DEFAULT_FIT, FitOptions, fit_heads
from mocap_cli.labels.fitting.fitted_model import FittedModel
from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo, FrozenEncoder
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip, clip_examples
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float64

_Poses = tuple[Float64, Float64]
"""Joints (T, 19, 3) in metres about the pelvis and expected errors (T, 19); NaN where unknown."""


def fit_clips(
    clips: Sequence[LabelledClip],
    eye: FrozenEncoder,
    how: GatherOptions,
    options: FitOptions = DEFAULT_FIT,
    on_step: Callable[[int], None] = lambda done: None,
) -> FittedModel:
    """Teach both experts, of the code alone and of all that is seen."""
    first = max_steps(options) // 2
    examples = [
        clip_examples(clips, eye, how, points=points, copies=options.copies)
        for points in (False, True)
    ]
    plain, joined = replace(options, points=False), replace(options, points=True)
    code = fit_heads(examples[0], plain, on_step, tuned=eye.tuned)
    both = fit_heads(examples[1], joined, lambda done: on_step(first + done), tuned=eye.tuned)
    about = {
        "mocap": __version__,
        "model": eye.method(),
        "head": options.kind,
        "tuned": eye.tuned,
        "frames": sum(len(clip.labels) for clip in clips),
        "videos": sorted({clip.video.name for clip in clips}),
    }
    return FittedModel(eye, code, both, about)


def max_steps(options: FitOptions) -> int:
    """How many steps `fit_clips` does at most."""
    return 2 * options.folds * options.steps


def fused_prediction(fitted: FittedModel, codes: EncodedVideo, estimate: Estimate) -> _Poses:
    """All that is said about every frame, as one."""
    return fuse_poses(separate_predictions(fitted, codes, estimate))


def separate_predictions(
    fitted: FittedModel, codes: EncodedVideo, estimate: Estimate
) -> list[_Poses]:
    """By all that is seen, by the code alone, and by the lifter in the same person's size."""
    known = np.isfinite(estimate.pose.joints).all(axis=(1, 2)) & estimate.keypoints.tracked
    doubt = tracker_uncertainty(estimate)
    joints, sigma = fitted.both.ask(*head_inputs(codes, estimate), doubt)
    joints[~known], sigma[~known] = np.nan, np.nan
    size = bone_scale(joints, estimate.pose.joints)
    calibration = fitted.both.calibration
    lifted_sigma = size * calibration.lifter * estimate.pose.sigma
    # who was told the lifted pose is as lost as the lifter where that is lost
    sigma = np.maximum(sigma, calibration.beside * lifted_sigma)
    return [
        (joints, sigma),
        fitted.code.ask(*head_inputs(codes, None), doubt),
        (size * estimate.pose.joints, lifted_sigma),
    ]
