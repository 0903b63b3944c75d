"""Fit: joints drawn across the view towards where the picture shows them; depth is left alone."""

from dataclasses import replace

import numpy as np

from mocap_cli.body.anatomy import centre_of_mass
from mocap_cli.tracking.bone_lengths import with_bone_lengths
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.tracking.reprojection import MATCHED_JOINTS, MATCHED_NAMES, KeypointPlanes
from mocap_cli.tracking.smoothing import low_pass
from mocap_cli.types import Float64

_TRUST = 0.75  # of the way that a joint is drawn to its keypoint
_ON_SKIN = 0.75  # of that for hips and shoulders, which pictures show beside the joints
_FAR = 0.12  # metres beyond which a keypoint is more likely wrong than the pose
_CUTOFF = 6.0  # hertz; keypoints jitter, poses do not
_SHARE = (
    np.array([_ON_SKIN if n.endswith(("hip", "shoulder")) else 1.0 for n in MATCHED_NAMES]) * _TRUST
)


def fit_pose_to_keypoints(
    scene: PosedBody, sight: KeypointPlanes, path: Float64, lengths: Float64
) -> PosedBody:
    """The scene with a body that looks more like the picture when it is at `path` (T, 3)."""
    joints = scene.joints_at(path)
    off = sight.offsets(joints[:, MATCHED_JOINTS])  # (T, K, 2)
    sure = (1 / sight.sigma) / (1 / sight.sigma).max(initial=1e-9)  # 0 where nothing was seen
    trust = _SHARE * sure / (1 + (np.linalg.norm(off, axis=-1) / _FAR) ** 2)
    across = scene.first_from_camera[:, :, :2]  # (T, 3, 2) the picture's right and up
    steps = -np.einsum("tk,tkr,tir->tki", trust, off, across)
    for piece in scene.segments:
        flat = steps[piece].reshape(piece.stop - piece.start, -1)
        even = np.ones(len(flat))
        smooth = low_pass(flat, scene.times[piece], even, _CUTOFF)
        steps[piece] = smooth.reshape(steps[piece].shape)
    joints[:, MATCHED_JOINTS] += steps
    body = with_bone_lengths(joints - joints[:, :1], lengths)
    return replace(scene, pose=body - centre_of_mass(body)[:, None])
