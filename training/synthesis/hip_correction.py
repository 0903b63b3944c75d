"""Correction of the hips in the CMU recordings, which are too low and too far back.

Because of this error of CMU's skeletons, thighs point 12 degrees too far forward and knees are too
bent: 30 degrees instead of 18 in mid-stance, and 20 to 35 degrees instead of 5 in standing.
"""

from dataclasses import replace

import numpy as np

from mocap_cli.body.rotation import rotation_between
from mocap_cli.types import Float64
from training.synthesis.mocap_clip import LEG_LENGTH, PART_NAMES, MocapClip

HIGHER, FURTHER_AHEAD = 0.28, 0.15
"""Shares of the thigh's length, in pelvis axes: the mean of five subjects' walks (02, 05, 06, 07,
10), each fitted to the knee and thigh angles of normal gait (Winter 1991)."""
THIGH = 0.47
"""Share of the leg's length, in those skeletons."""


def with_hips_raised(clip: MocapClip) -> MocapClip:
    """The clip with thighs that point from the corrected hips to its knees.

    Shanks and feet stay as they are; no knee is bent the wrong way for it.
    """
    rotations = clip.rotations.astype(np.float64)
    shift = rotations[:, 0] @ np.array([0.0, HIGHER, FURTHER_AHEAD])
    for side in ("left", "right"):
        thigh, shank = (PART_NAMES.index(f"{side}_{part}") for part in ("thigh", "shank"))
        before, below = (
            rotations[:, thigh] @ clip.rest[thigh],
            rotations[:, shank] @ clip.rest[shank],
        )
        after = _unit(before - shift)
        hinge = rotations[:, shank, :, 0]
        bend = np.sum(np.cross(after, below) * hinge, axis=1)  # below 0: hyperextended
        straight = _unit(below - np.sum(below * hinge, 1, keepdims=True) * hinge)
        across = np.sum(after * hinge, axis=1, keepdims=True)
        after = np.where(bend[:, None] < 0, _unit(straight + across * hinge), after)
        rotations[:, thigh] = rotation_between(before, after) @ rotations[:, thigh]
    thigh_length = THIGH * LEG_LENGTH
    leg = LEG_LENGTH + thigh_length * (np.hypot(1 + HIGHER, FURTHER_AHEAD) - 1)
    root = (clip.root + shift * thigh_length) * (LEG_LENGTH / leg)
    return replace(clip, rotations=rotations.astype(np.float32), root=root.astype(np.float32))


def _unit(vectors: Float64) -> Float64:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
