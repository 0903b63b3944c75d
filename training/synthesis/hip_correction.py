"""Hips of the CMU recordings, put back where walking people have them.

The skeletons that CMU's markers were solved with have their hips too low and too far back, so that
thighs point 12 degrees too far forward and knees are bent: by 30 degrees in the middle of a step
where people's are by 18, and by 20 to 35 degrees in standing, where people's are by 5.
"""

from dataclasses import replace

import numpy as np

from mocap_cli.body.rotation import rotation_between
from mocap_cli.types import Float64
from training.synthesis.mocap_clip import LEG_LENGTH, PART_NAMES, MocapClip

HIGHER, FURTHER_AHEAD = 0.28, 0.15
"""Of the thigh's length, in the pelvis' axes: the mean of five subjects' walks (02, 05, 06, 07,
10), each fitted to the knee and thigh angles of normal gait (Winter 1991)."""
THIGH = 0.47
"""Of the leg's length, in those skeletons."""


def with_hips_raised(clip: MocapClip) -> MocapClip:
    """The clip with thighs that point from the right hips to where its knees are.

    Shanks and feet stay as they are; no knee is bent the wrong way for it.
    """
    turns = clip.turns.astype(np.float64)
    shift = turns[:, 0] @ np.array([0.0, HIGHER, FURTHER_AHEAD])
    for side in ("left", "right"):
        thigh, shank = (PART_NAMES.index(f"{side}_{part}") for part in ("thigh", "shank"))
        before, below = turns[:, thigh] @ clip.rest[thigh], turns[:, shank] @ clip.rest[shank]
        after = _unit(before - shift)
        hinge = turns[:, shank, :, 0]
        bend = np.sum(np.cross(after, below) * hinge, axis=1)  # below 0: the wrong way
        straight = _unit(below - np.sum(below * hinge, 1, keepdims=True) * hinge)
        across = np.sum(after * hinge, axis=1, keepdims=True)
        after = np.where(bend[:, None] < 0, _unit(straight + across * hinge), after)
        turns[:, thigh] = rotation_between(before, after) @ turns[:, thigh]
    thigh_length = THIGH * LEG_LENGTH
    leg = LEG_LENGTH + thigh_length * (np.hypot(1 + HIGHER, FURTHER_AHEAD) - 1)
    root = (clip.root + shift * thigh_length) * (LEG_LENGTH / leg)
    return replace(clip, turns=turns.astype(np.float32), root=root.astype(np.float32))


def _unit(vectors: Float64) -> Float64:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
