"""Training examples: the inputs of the pose heads in labelled frames, and the labelled poses."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo
from mocap_cli.labels.labels import Labels, bone_scale
from mocap_cli.lifting.lift import LiftedPose
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float32, Float64, Int64

_SMOOTHING = 0.05  # seconds: features of frames this close belong to one pose
_MIRRORED_JOINTS = list(mirror_indices(BODY.names))
_MIRRORED_POINTS = list(mirror_indices(KEYPOINTS))
_HIPS = [KEYPOINTS.index(f"{side}_hip") for side in ("left", "right")]
_MAX_SIGMA = 0.3  # metres: uncertainty of the lifter beyond which its pose is no help


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """N labelled frames, of one clip or of many."""

    LIFTED_SIZE: ClassVar[int] = 3 * (len(BODY) - 1) + len(BODY)
    """Inputs at the end: the lifted pose without its pelvis, and its uncertainty."""
    KEYPOINT_SIZE: ClassVar[int] = 3 * len(KEYPOINTS) + LIFTED_SIZE
    """Inputs that 2D keypoints and the lifter add to the image features."""

    inputs: Float32  # (N, D) inputs of the heads
    flipped: Float32  # (N, D) inputs of the mirrored frame
    joints: Float32  # (N, 19, 3) metres about the pelvis, camera axes; NaN where unlabelled
    sigma: Float32  # (N, 19) metres, uncertainty of the labels
    lifted: Float32  # (N, 19, 3) the lifter's pose, as tall as the person; NaN where it has none
    lifted_sigma: Float32  # (N, 19)
    uncertainty: Float32  # (N, 2) see `tracker_uncertainty`
    clips: Int64  # (N,) number of the clip
    frames: Int64  # (N,) number of the frame in the clip

    def __len__(self) -> int:
        return len(self.inputs)

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Examples":
        """Only those frames."""
        return Examples(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    @staticmethod
    def join(parts: Sequence["Examples"]) -> "Examples":
        """The examples of all clips as one."""
        names = [f.name for f in fields(Examples)]
        return Examples(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})

    @staticmethod
    def of_clip(
        labels: Labels, encoded: EncodedVideo, estimate: Estimate, clip: int, *, points: bool
    ) -> "Examples":
        """The labelled frames of one clip; labels must know their frames and be in camera axes.

        With `points` the inputs end with the 2D keypoints and the lifted pose.
        """
        keypoints, pose = estimate.steady_keypoints, estimate.pose
        inputs, flipped = head_inputs(encoded, keypoints, pose if points else None)
        at = labels.frames
        joints = (labels.joints - labels.joints[:, :1]).astype(np.float32)
        lifted, lifted_sigma = (v[at].astype(np.float32) for v in (pose.joints, pose.sigma))
        size = bone_scale(joints, lifted)
        return Examples(
            inputs=inputs[at],
            flipped=flipped[at],
            joints=joints,
            sigma=labels.sigma.astype(np.float32),
            lifted=lifted * size,
            lifted_sigma=lifted_sigma * size,
            uncertainty=tracker_uncertainty(keypoints, pose)[at],
            clips=np.full(len(at), clip),
            frames=at.copy(),
        )


def head_inputs(
    encoded: EncodedVideo, keypoints: Keypoints, pose: LiftedPose | None
) -> tuple[Float32, Float32]:
    """(T, D) inputs of the heads for every frame and for its mirror image.

    Image features alone, or with keypoints and the lifted pose where that is given.
    """
    plain, mirrored = (
        _smoothed(values, encoded.times)
        for values in (encoded.time_variant, encoded.time_variant_mirrored)
    )
    if pose is None:
        return plain, mirrored
    points, mirrored_points = (
        _keypoint_features(keypoints, pose, mirrored=flip) for flip in (False, True)
    )
    return (
        np.concatenate((plain, points), axis=1),
        np.concatenate((mirrored, mirrored_points), axis=1),
    )


def tracker_uncertainty(keypoints: Keypoints, pose: LiftedPose) -> Float32:
    """(T, 2) the logarithm of the lifter's mean sigma, and 1 minus the mean keypoint score.

    At their largest where no person was detected.
    """
    sigma = np.nan_to_num(pose.sigma.mean(axis=1), nan=_MAX_SIGMA).clip(0.01, _MAX_SIGMA)
    missing = 1 - np.nan_to_num(keypoints.score.mean(axis=1))
    return np.column_stack((np.log(sigma), missing)).astype(np.float32)


def _smoothed(values: Float32, times: Float64, seconds: float = _SMOOTHING) -> Float32:
    """(T, F) averaged over neighbours in time with Gaussian weights."""
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


def _keypoint_features(keypoints: Keypoints, pose: LiftedPose, *, mirrored: bool) -> Float32:
    """(T, P) keypoints about the hips in units of the body's size, scores, and the lifted pose."""
    xy, score = keypoints.xy.astype(np.float64), keypoints.score.astype(np.float64)
    joints, sigma = pose.joints, pose.sigma
    if mirrored:
        xy, score = xy[:, _MIRRORED_POINTS] * (-1, 1), score[:, _MIRRORED_POINTS]
        joints, sigma = joints[:, _MIRRORED_JOINTS] * (-1, 1, 1), sigma[:, _MIRRORED_JOINTS]
    about = xy - xy[:, _HIPS].mean(axis=1, keepdims=True)
    size = np.sqrt(np.square(about).mean(axis=(1, 2), keepdims=True)) + 1e-6
    flat = [
        (about / size).reshape(len(xy), -1),
        score,
        joints[:, 1:].reshape(len(xy), -1),
        np.minimum(sigma, _MAX_SIGMA),
    ]
    return np.nan_to_num(np.concatenate(flat, axis=1)).astype(np.float32)


def mirror_pose(joints: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N, 19, 3) the mirror image of a pose, in camera axes."""
    return joints[:, _MIRRORED_JOINTS] * np.array([-1, 1, 1], joints.dtype)
