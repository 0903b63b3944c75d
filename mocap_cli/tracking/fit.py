"""Fit: joints drawn across the view towards where the picture shows them; depth is left alone."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.anatomy import centre_of_mass
from mocap_cli.tracking.bones import with_lengths
from mocap_cli.tracking.scene import Scene
from mocap_cli.tracking.sight import JOINTS, NAMES, Sight
from mocap_cli.tracking.smooth import penalised

Float64 = NDArray[np.float64]

TRUST = 0.75  # of the way that a joint is drawn to its keypoint
ON_SKIN = 0.75  # of that for hips and shoulders, which pictures show beside the joints
FAR = 0.12  # metres beyond which a keypoint is more likely wrong than the pose
CUTOFF = 6.0  # hertz; keypoints jitter, poses do not
SHARE = np.array([ON_SKIN if n.endswith(("hip", "shoulder")) else 1.0 for n in NAMES]) * TRUST


def fitted(scene: Scene, sight: Sight, path: Float64, lengths: Float64) -> Scene:
    """The scene with a body that looks more like the picture when it is at `path` (T, 3)."""
    joints = scene.joints(path)
    off = sight.offsets(joints[:, JOINTS])  # (T, K, 2)
    sure = (1 / sight.spread) / (1 / sight.spread).max(initial=1e-9)  # 0 where nothing was seen
    trust = SHARE * sure / (1 + (np.linalg.norm(off, axis=-1) / FAR) ** 2)
    across = scene.rotation[:, :, :2]  # (T, 3, 2) the picture's right and up
    steps = -np.einsum("tk,tkr,tir->tki", trust, off, across)
    for piece in scene.neighbours:
        flat = steps[piece].reshape(piece.stop - piece.start, -1)
        even = np.ones(len(flat))
        smooth = penalised(flat, scene.times[piece], even, CUTOFF)
        steps[piece] = smooth.reshape(steps[piece].shape)
    joints[:, JOINTS] += steps
    body = with_lengths(joints - joints[:, :1], lengths)
    return replace(scene, body=body - centre_of_mass(body)[:, None])
