"""Lift: keypoints over time to 3D joints about the pelvis, with the bundled lifter or another."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.lifting.network import Lifter, LifterOutput
from mocap_cli.lifting.windows import KeypointWindows
from mocap_cli.types import Bool, Float32

LIFTER_FILE = "lifter.safetensors"
"""The bundled one, in weights/."""
_RATE = 20.0
"""Frames per second of the lifter's input; faster videos are split into interleaved slower ones."""
_WINDOW = 32
_HOP = 12
_BATCH = 64
_ANKLE_OF_FOOT = [
    (KEYPOINTS.index(f"{side}_{part}"), KEYPOINTS.index(f"{side}_ankle"))
    for side in ("left", "right")
    for part in ("heel", "toe")
]
_FOOT_SCORE = 0.35  # of a foot that was not detected, by its ankle's
_JOINT_SIDE, _POINT_SIDE = list(mirror_indices(BODY.names)), list(mirror_indices(KEYPOINTS))


@dataclass(frozen=True, slots=True)
class LiftedPose:
    """The body's pose in every frame; NaN without keypoints."""

    joints: NDArray[np.float64]  # (T, J, 3) metres about the pelvis, camera axes, HEIGHT tall
    sigma: NDArray[np.float64]  # (T, J) metres
    contacts: NDArray[np.float64]  # (T, 2) probability, left and right foot


def lift(keypoints: Keypoints, camera: Pinhole, model: Lifter) -> LiftedPose:
    """Lift every shot of the clip, in overlapping windows of about two seconds."""
    keypoints = _with_guessed_feet(keypoints)
    T, J = len(keypoints), len(BODY)
    total = np.zeros((T, J, 3))
    sigma, planted, weight = np.zeros((T, J)), np.zeros((T, 2)), np.zeros((T, 1))
    windows = [rows for rows in _windows(keypoints) if keypoints.tracked[rows].any()]
    for start in range(0, len(windows), _BATCH):
        rows = windows[start : start + _BATCH]
        lifted, turn, valid = _run(model, _observe(keypoints, camera, rows))
        for i, row in enumerate(rows):
            good = valid[i, : len(row)]
            at, share = row[good], _taper(len(row))[good, None]
            local = lifted.joints[i] @ turn[i].swapaxes(-1, -2)
            total[at] += share[..., None] * local[: len(row)][good]
            sigma[at] += share * np.exp(lifted.log_sigma[i, : len(row)][good])
            planted[at] += share * expit(lifted.contact_logits[i, : len(row)][good])
            weight[at] += share
    with np.errstate(invalid="ignore"):
        return LiftedPose(total / weight[..., None], sigma / weight, planted / weight)


def _with_guessed_feet(keypoints: Keypoints) -> Keypoints:
    """Heels and toes that were not detected, put at the ankle with a low score.

    Other detectors have no feet. The lifter was not trained without: it would bend the legs.
    """
    xy, score = keypoints.xy.copy(), keypoints.score.copy()
    for foot, ankle in _ANKLE_OF_FOOT:
        unknown = score[:, foot] == 0
        xy[unknown, foot] = xy[unknown, ankle]
        score[unknown, foot] = _FOOT_SCORE * score[unknown, ankle]
    return replace(keypoints, xy=xy, score=score)


def _windows(keypoints: Keypoints) -> Iterator[NDArray[np.int64]]:
    """Overlapping windows of frame indices about 1 / _RATE apart, shot by shot."""
    first = np.flatnonzero(keypoints.cut | (np.arange(len(keypoints)) == 0))
    for begin, end in zip(first, [*first[1:], len(keypoints)], strict=True):
        gaps = np.diff(keypoints.times[begin:end])
        stride = max(1, round(1 / (_RATE * float(np.median(gaps))))) if len(gaps) else 1
        for phase in range(min(stride, end - begin)):
            rows = np.arange(begin + phase, end, stride)
            last = max(0, len(rows) - _WINDOW)
            for start in sorted({*range(0, last, _HOP), last}):
                yield rows[start : start + _WINDOW]


def _taper(count: int) -> NDArray[np.float64]:
    """Weights of a window's frames: those in the middle have the most context."""
    return 0.05 + np.sin(np.pi * (np.arange(count) + 0.5) / count)


def _observe(
    keypoints: Keypoints, camera: Pinhole, windows: list[NDArray[np.int64]]
) -> KeypointWindows:
    """Windows as rays, padded with invalid frames."""
    rows = np.stack([np.pad(row, (0, _WINDOW - len(row)), mode="edge") for row in windows])
    count = np.array([len(row) for row in windows])
    valid = keypoints.tracked[rows] & (np.arange(_WINDOW) < count[:, None])
    rays = camera.rays(keypoints.xy[rows])[..., :2].astype(np.float32)
    times = keypoints.times[rows] - keypoints.times[rows[:, :1]]
    return KeypointWindows(rays, keypoints.score[rows], times.astype(np.float32), np.asarray(valid))


def _run(model: Lifter, windows: KeypointWindows) -> tuple[LifterOutput, Float32, Bool]:
    """The network's output, averaged with that for the mirrored input."""
    features, turn = windows.features()
    flipped, _ = _mirror(windows).features()
    both = model(
        np.concatenate((features, flipped)),
        np.concatenate((windows.times, windows.times)),
        np.concatenate((windows.valid, windows.valid)),
    )
    joints, mirrored = np.split(both.joints, 2)
    sigma, mirrored_sigma = np.split(both.log_sigma, 2)
    planted, mirrored_planted = np.split(both.contact_logits, 2)
    output = LifterOutput(
        _mean(joints, mirrored[:, :, _JOINT_SIDE] * np.array([-1, 1, 1], np.float32)),
        _mean(sigma, mirrored_sigma[:, :, _JOINT_SIDE]),
        _mean(planted, mirrored_planted[..., ::-1]),
    )
    return output, turn, windows.valid


def _mean(a: Float32, b: Float32) -> Float32:
    return np.asarray((a + b) / 2, np.float32)


def _mirror(windows: KeypointWindows) -> KeypointWindows:
    """The mirror image."""
    return KeypointWindows(
        windows.rays[:, :, _POINT_SIDE] * np.array([-1, 1], np.float32),
        windows.score[:, :, _POINT_SIDE],
        windows.times,
        windows.valid,
    )
