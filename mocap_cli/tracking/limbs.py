"""Limbs: two-bone inverse kinematics of arms and legs, and corrections faded in and out."""

import numpy as np

from mocap_cli.body.rotation import unit
from mocap_cli.body.skeleton import BODY
from mocap_cli.tracking.frame_runs import true_runs
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.types import Float64

BLEND = 0.1
"""Seconds of the transition between a moving and a held limb."""

_NECK = BODY.index("neck")
_ARMS = tuple(
    tuple(BODY.index(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
    for side in ("left", "right")
)


def move_arm(joints: Float64, places: Float64, body: PosedBody, side: int) -> None:
    """Move one arm so that its wrist is at `places` (T, 3); changes `joints`."""
    shoulder, elbow, wrist = _ARMS[side]
    pull, _ = blended(places - joints[:, wrist], body)
    if not pull.any():
        return
    across = joints[:, _ARMS[0][0]] - joints[:, _ARMS[1][0]]
    back = np.cross(joints[:, _NECK] - joints[:, 0], across)  # where a straight arm's elbow bends
    joints[:, wrist], joints[:, elbow] = two_bone_ik(
        joints[:, shoulder], joints[:, elbow], joints[:, wrist], joints[:, wrist] + pull, unit(back)
    )


def blended(correction: Float64, body: PosedBody) -> tuple[Float64, Float64]:
    """Corrections (T, 3) faded in and out around their runs, and their weights (T, 1)."""
    total, strength = np.zeros(correction.shape), np.zeros((len(correction), 1))
    for segment in body.segments:
        wanted, times = correction[segment], body.times[segment]
        sums, weights = np.zeros(wanted.shape), np.zeros((len(wanted), 1))
        for run in true_runs(np.isfinite(wanted[:, 0])):
            first = int(np.searchsorted(times, times[run.start] - BLEND))
            last = int(np.searchsorted(times, times[run.stop - 1] + BLEND, side="right"))
            nearest = np.clip(np.arange(first, last), run.start, run.stop - 1)
            fade = np.clip(1 - np.abs(times[first:last] - times[nearest]) / BLEND, 0, 1)
            weight = (fade**2 * (3 - 2 * fade))[:, None]
            sums[first:last] += weight * wanted[nearest]
            weights[first:last] += weight
        rests = np.isfinite(wanted[:, :1])
        total[segment] = np.where(rests, np.nan_to_num(wanted), sums / np.maximum(weights, 1))
        strength[segment] = np.where(rests, 1.0, np.minimum(weights, 1))
    return total, strength


def two_bone_ik(
    hip: Float64, knee: Float64, ankle: Float64, target: Float64, ahead: Float64
) -> tuple[Float64, Float64]:
    """Ankle and knee (T, 3) of a leg that reaches for `target` in its own plane of bending.

    Bones keep their lengths; a target out of reach is approached. `ahead` is where the knee of a
    straight leg bends to.
    """
    thigh, shank = _size(knee - hip)[:, None], _size(ankle - knee)[:, None]
    axis, away = unit(target - hip), _size(target - hip)[:, None]
    reach = np.clip(away, np.abs(thigh - shank) + 1e-4, thigh + shank - 1e-5)
    old = unit(ankle - hip)
    out = (knee - hip) - np.sum((knee - hip) * old, axis=1, keepdims=True) * old
    out = np.where(_size(out)[:, None] > 0.005, out, ahead)
    out = unit(out - np.sum(out * axis, axis=1, keepdims=True) * axis)
    forward = (thigh**2 - shank**2 + reach**2) / (2 * reach)
    height = np.sqrt(np.maximum(thigh**2 - forward**2, 0))
    return hip + reach * axis, hip + forward * axis + height * out


def _size(vectors: Float64) -> Float64:
    return np.asarray(np.linalg.norm(vectors, axis=-1))
