"""Teacher: the default tracker labels the frames that it is sure of, for those that it is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mocap_cli.errors import MocapError
from mocap_cli.labels.labels import Labels, make_labels
from mocap_cli.tracking.estimate import Estimate

_MIN_SCORE = 0.5  # mean score of the keypoints: such frames are nearly always right
_MAX_SIGMA = 0.16  # metres by which the lifter expects to be off, as the mean of its joints


def make_pseudo_labels(video: Path, estimate: Estimate) -> Labels:
    """Poses of the frames in which the default tracker is sure, each with its own errors."""
    score = np.nan_to_num(estimate.keypoints.score.mean(axis=1))
    off = np.nan_to_num(estimate.pose.sigma.mean(axis=1), nan=np.inf)
    sure = np.flatnonzero(estimate.keypoints.detected & (score > _MIN_SCORE) & (off < _MAX_SIGMA))
    if not len(sure):
        raise MocapError(
            f"the default tracker is nowhere sure of {video.name}", "label some frames by hand"
        )
    labels = make_labels(
        video,
        video.name,
        frames=sure,
        joints=estimate.pose.joints[sure],
        sigma=estimate.pose.sigma[sure],
        in_camera=True,
        size=estimate.size,
        notes=(f"{len(sure)} of {len(estimate.times)} frames teach",),
    )
    return replace(labels, times=estimate.times[labels.frames])
