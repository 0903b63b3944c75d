"""Animation: a Motion as rotations of one rig at a constant rate, for BVH, GLB, USD and FBX."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mocap_cli.body.facing import facing_rotations
from mocap_cli.body.kinematics import inverse_kinematics, local_rotations, world_rotations
from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import SINGLE_FRAME_FPS, resample_rotations, uniform_times
from mocap_cli.body.rig import Rig, fit_rig
from mocap_cli.body.rotation import inverse, matrix_from_vector, vector_from_matrix
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.camera_track import CameraTrack, camera_track
from mocap_cli.types import Float32, Float64

_MAX_FPS = 1000.0


@dataclass(frozen=True, slots=True)
class Animation:
    """A rig and its rotations at a constant frame rate."""

    name: str  # of the video, without its suffix
    rig: Rig
    rotations: Float64  # (T, N, 3, 3) from the parent
    path: Float64  # (T, 3) metres, of the rig's mover
    period: float  # seconds from frame to frame
    camera: CameraTrack | None = None

    @property
    def local_rotations(self) -> Float64:
        """(T, N, 3, 3) rotations from the parent in the joints' own axes."""
        return self.rig.local_rotations(self.rotations)

    @property
    def local_path(self) -> Float64:
        """(T, 3) metres, the path in the axes of the mover's parent, which stands at the origin."""
        above = self.rig.parents[self.rig.mover]
        return self.path if above < 0 else self.path @ self.rig.axes[above]


def animate(motion: Motion, fps: float | None = None) -> Animation:
    """Fit a rig of constant bones by inverse kinematics, at the motion's own rate or at `fps`.

    Frames without a person are interpolated; uneven times are resampled.
    """
    if fps is not None and not 0 < fps <= _MAX_FPS:
        raise MocapError(
            f"cannot write {fps:g} frames per second", f"give a rate above 0, up to {_MAX_FPS:g}"
        )
    tracked = motion.tracked
    if not tracked.any():
        raise MocapError(
            f"{motion.source.file}: no frame has a person to animate",
            "check what was tracked with -o .html, or track it again with --subject",
        )
    joints, times = motion.joints[tracked].astype(np.float64), motion.times[tracked]
    rig = fit_rig(joints)
    rotations, root = inverse_kinematics(
        rig, joints, times, motion.sigma[tracked].astype(np.float64)
    )
    if motion.facing is not None:
        rotations = _with_heads_turned(rig, rotations, motion.facing.direction[tracked])
    if fps is None and len(motion.times) == 1:
        fps = motion.source.fps if motion.source.fps > 0 else SINGLE_FRAME_FPS
    uniform, period = uniform_times(motion.times, fps)
    rotations, root = resample_rotations(rotations, root, times, uniform)
    camera = camera_track(motion, uniform)
    return Animation(Path(motion.source.file).stem, rig, rotations, root, period, camera)


def _with_heads_turned(rig: Rig, rotations: Float64, direction: Float32) -> Float64:
    """Heads that face in a direction (T, 3); the neck turns about itself by half as much."""
    turns = world_rotations(rig, rotations)
    neck, head = rig.index("Neck"), rig.index("Head")
    turned = facing_rotations(turns[:, head], direction)
    half = vector_from_matrix(inverse(turns[:, head]) @ turned)[:, 1:2] / 2
    bone = rig.offsets[head] / np.linalg.norm(rig.offsets[head])
    turns[:, neck] = turns[:, neck] @ matrix_from_vector(half * bone)
    turns[:, head] = turned
    return local_rotations(rig, turns)
