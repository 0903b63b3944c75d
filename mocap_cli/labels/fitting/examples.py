"""Examples: what is known of labelled frames, and the poses that heads shall tell of them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo
from mocap_cli.labels.labels import Labels
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float32, Float64

_SMOOTHING = 0.05  # seconds: codes of neighbours within about this belong to one pose
LIFTED_SIZE = 3 * (len(BODY) - 1) + len(BODY)
"""Numbers at the end of the inputs: the lifted pose without its pelvis, and its errors."""
KEYPOINT_SIZE = 3 * len(KEYPOINTS) + LIFTED_SIZE
"""Numbers that 2D keypoints and the lifter add to the inputs."""
_JOINT_SIDE, _POINT_SIDE = list(mirror_indices(BODY.names)), list(mirror_indices(KEYPOINTS))
_HIPS = [KEYPOINTS.index(f"{side}_hip") for side in ("left", "right")]
_MAX_SIGMA = 0.3  # metres: the lifter's expected error beyond which its pose is no help


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """N labelled frames, of one clip or of many."""

    inputs: Float32  # (N, D) what is known of the frame
    flipped: Float32  # (N, D) the same of its mirror image
    joints: Float32  # (N, 19, 3) metres about the pelvis, camera axes; NaN where unknown
    sigma: Float32  # (N, 19) metres by which the labels may be off
    lifted: Float32  # (N, 19, 3) the lifter's pose, as tall as the person; NaN where it has none
    lifted_sigma: Float32  # (N, 19)
    doubt: Float32  # (N, 2) see `doubt_of`
    clips: NDArray[np.int64]  # (N,) which clip the frame is of
    frames: NDArray[np.int64]  # (N,) which of the clip's frames it is

    def __len__(self) -> int:
        return len(self.inputs)

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Examples":
        """Only those frames."""
        return Examples(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


def join_examples(parts: Sequence[Examples]) -> Examples:
    """All clips' examples as one."""
    names = [f.name for f in fields(Examples)]
    return Examples(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})


def make_examples(
    labels: Labels, codes: EncodedVideo, estimate: Estimate | None, clip: int, *, points: bool
) -> Examples:
    """The labelled frames of one clip; labels must know their frames and be in camera axes."""
    inputs, flipped = head_inputs(codes, estimate if points else None)
    at = labels.frames
    joints = (labels.joints - labels.joints[:, :1]).astype(np.float32)
    lifted = np.full(joints.shape, np.nan, np.float32)
    lifted_sigma = np.full(joints.shape[:2], np.nan, np.float32)
    if estimate is not None:
        lifted[:] = estimate.pose.joints[at]
        lifted_sigma[:] = estimate.pose.sigma[at]
        size = bone_scale(joints, lifted)
        lifted, lifted_sigma = lifted * size, lifted_sigma * size
    doubt = (
        np.zeros((len(codes), 2), np.float32) if estimate is None else tracker_uncertainty(estimate)
    )
    return Examples(
        inputs=inputs[at],
        flipped=flipped[at],
        joints=joints,
        sigma=labels.sigma.astype(np.float32),
        lifted=lifted,
        lifted_sigma=lifted_sigma,
        doubt=doubt[at],
        clips=np.full(len(at), clip),
        frames=at.copy(),
    )


def bone_scale(joints: NDArray[np.floating], lifted: NDArray[np.floating]) -> float:
    """How much larger the person of `joints` is than that of `lifted`, by their bones."""
    parents = np.array(BODY.parents)
    child = parents >= 0
    sizes = []
    for body in (joints, lifted):
        bones = np.linalg.norm(body[:, child] - body[:, parents[child]], axis=-1)
        known = np.isfinite(bones)
        sizes.append(
            [np.median(c[k]) if k.any() else np.nan for c, k in zip(bones.T, known.T, strict=True)]
        )
    ratio = np.array(sizes[0]) / np.where(np.array(sizes[1]) > 1e-6, sizes[1], np.nan)
    return float(np.nanmedian(ratio)) if np.isfinite(ratio).any() else 1.0


def head_inputs(codes: EncodedVideo, estimate: Estimate | None) -> tuple[Float32, Float32]:
    """(T, D) what heads are told of every frame, and of its mirror image."""
    tv, flipped = (_smoothed(values, codes.times) for values in (codes.tv, codes.mirrored))
    if estimate is None:
        return tv, flipped
    points = _keypoint_features(estimate)
    mirror = _keypoint_features(estimate, mirrored_too=True)
    return np.concatenate((tv, points), axis=1), np.concatenate((flipped, mirror), axis=1)


def tracker_uncertainty(estimate: Estimate) -> Float32:
    """(T, 2) how lost the default tracker is: the logarithm of what the lifter expects to be off,
    and what the keypoints' scores lack. As much as can be where it knows nobody."""
    off = np.nan_to_num(estimate.pose.sigma.mean(axis=1), nan=_MAX_SIGMA).clip(0.01, _MAX_SIGMA)
    lack = 1 - np.nan_to_num(estimate.keypoints.score.mean(axis=1))
    return np.column_stack((np.log(off), lack)).astype(np.float32)


def _smoothed(values: Float32, times: Float64, seconds: float = _SMOOTHING) -> Float32:
    """(T, F) mixed with their neighbours in time, the nearer the more."""
    total, weight = np.zeros(values.shape), np.zeros((len(values), 1))
    gap = float(np.median(np.diff(times))) if len(times) > 1 else seconds
    reach = min(int(2.5 * seconds / gap), len(times) - 1)
    for step in range(-reach, reach + 1):
        here = slice(max(0, -step), len(times) - max(0, step))
        there = slice(max(0, step), len(times) + min(0, step))
        share = np.exp(-(((times[there] - times[here]) / seconds) ** 2) / 2)[:, None]
        total[here] += share * values[there]
        weight[here] += share
    return np.asarray(total / weight, np.float32)


def _keypoint_features(estimate: Estimate, *, mirrored_too: bool = False) -> Float32:
    """(T, P) keypoints about the hips in the body's size, their scores, and the lifted pose."""
    keypoints = estimate.steady_keypoints
    xy, score = keypoints.xy.astype(np.float64), keypoints.score.astype(np.float64)
    pose, sigma = estimate.pose.joints, estimate.pose.sigma
    if mirrored_too:
        xy, score = xy[:, _POINT_SIDE] * (-1, 1), score[:, _POINT_SIDE]
        pose, sigma = pose[:, _JOINT_SIDE] * (-1, 1, 1), sigma[:, _JOINT_SIDE]
    about = xy - xy[:, _HIPS].mean(axis=1, keepdims=True)
    size = np.sqrt(np.square(about).mean(axis=(1, 2), keepdims=True)) + 1e-6
    flat = [
        (about / size).reshape(len(xy), -1),
        score,
        pose[:, 1:].reshape(len(xy), -1),
        np.minimum(sigma, _MAX_SIGMA),
    ]
    return np.nan_to_num(np.concatenate(flat, axis=1)).astype(np.float32)


def mirror_pose(joints: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N, 19, 3) the pose that a mirror shows, in camera axes."""
    return joints[:, _JOINT_SIDE] * np.array([-1, 1, 1], joints.dtype)
