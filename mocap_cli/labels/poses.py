"""Poses: teach a model by labelled clips, and ask it, with the default tracker, about others."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mocap_cli import __version__
from mocap_cli.labels.examples import doubt_of, known_of, size_ratio
from mocap_cli.labels.expert import fused
from mocap_cli.labels.eye import Codes, Eye
from mocap_cli.labels.fit import DEFAULT, FitOptions, fit
from mocap_cli.labels.fitted import Fitted
from mocap_cli.labels.gather import Clip, Gathering, examples_of
from mocap_cli.labels.witness import Witness

Float64 = NDArray[np.float64]
Poses = tuple[Float64, Float64]
"""Joints (T, 19, 3) in metres about the pelvis and expected errors (T, 19); NaN where unknown."""


def fit_clips(
    clips: Sequence[Clip],
    eye: Eye,
    how: Gathering,
    options: FitOptions = DEFAULT,
    on_step: Callable[[int], None] = lambda done: None,
) -> Fitted:
    """Teach both experts, of the code alone and of all that is seen."""
    first = steps_of(options) // 2
    examples = [
        examples_of(clips, eye, how, points=points, copies=options.copies)
        for points in (False, True)
    ]
    plain, joined = replace(options, points=False), replace(options, points=True)
    code = fit(examples[0], plain, on_step, tuned=eye.tuned)
    both = fit(examples[1], joined, lambda done: on_step(first + done), tuned=eye.tuned)
    about = {
        "mocap": __version__,
        "model": eye.of_model(),
        "head": options.kind,
        "tuned": eye.tuned,
        "frames": sum(len(clip.labels) for clip in clips),
        "videos": sorted({clip.video.name for clip in clips}),
    }
    return Fitted(eye, code, both, about)


def steps_of(options: FitOptions) -> int:
    """How many steps `fit_clips` does at most."""
    return 2 * options.folds * options.steps


def poses_of(fitted: Fitted, codes: Codes, witness: Witness) -> Poses:
    """All that is said about every frame, as one."""
    return fused(testimonies(fitted, codes, witness))


def testimonies(fitted: Fitted, codes: Codes, witness: Witness) -> list[Poses]:
    """By all that is seen, by the code alone, and by the lifter in the same person's size."""
    known = np.isfinite(witness.pose.joints).all(axis=(1, 2)) & witness.seen.known
    doubt = doubt_of(witness)
    joints, sigma = fitted.both.ask(*known_of(codes, witness), doubt)
    joints[~known], sigma[~known] = np.nan, np.nan
    size = size_ratio(joints, witness.pose.joints)
    calibration = fitted.both.calibration
    lifted_sigma = size * calibration.lifter * witness.pose.sigma
    # who was told the lifted pose is as lost as the lifter where that is lost
    sigma = np.maximum(sigma, calibration.beside * lifted_sigma)
    return [
        (joints, sigma),
        fitted.code.ask(*known_of(codes, None), doubt),
        (size * witness.pose.joints, lifted_sigma),
    ]
