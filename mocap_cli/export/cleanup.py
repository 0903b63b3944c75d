"""Clean-up on the way out: less jitter, another height, feet that stand still on the ground.

Bones keep the lengths they have; what feet are made to do the legs make up for.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.anatomy import centre_of_mass, standing_height
from mocap_cli.body.motion import Motion
from mocap_cli.body.rig import bone_lengths
from mocap_cli.errors import MocapError
from mocap_cli.tracking.bone_lengths import with_bone_lengths
from mocap_cli.tracking.flight import find_flights
from mocap_cli.tracking.foot_locking import lock_planted_feet
from mocap_cli.tracking.frame_runs import unbroken_runs
from mocap_cli.tracking.ground import CLEARANCE, FEET
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.tracking.smoothing import SmoothingCutoffs, low_pass, smooth_pose
from mocap_cli.types import Float64

UP = np.array((0.0, 1.0, 0.0))
PLANTED = 0.5
_STIFFEST = 1000  # frames in a period of the cutoff


def smooth(motion: Motion, hertz: float) -> Motion:
    """The motion without what is faster than `hertz`; spikes of single frames go altogether."""
    joints, sigma = motion.joints.astype(np.float64), motion.sigma.astype(np.float64)
    if not motion.tracked.any():
        return motion
    rate = 1 / float(np.median(np.diff(motion.times))) if len(motion.times) > 1 else 0.0
    if hertz * _STIFFEST < rate:  # the equations are no longer solvable in double precision
        raise MocapError(
            f"{hertz:g} Hz is too low a cutoff at {rate:.0f} frames a second",
            f"give --smooth {rate / _STIFFEST:.2g} or more",
        )
    pose = joints - joints[:, :1]
    how = SmoothingCutoffs(turn=hertz, still=hertz, speed=0.0, most=hertz)
    lengths = bone_lengths(pose, sigma)
    pose = with_bone_lengths(smooth_pose(pose, sigma, motion.times, how=how), lengths)
    path = centre_of_mass(joints)
    for piece in unbroken_runs(motion.tracked, motion.times):
        even = np.ones(piece.stop - piece.start)
        path[piece] = low_pass(path[piece], motion.times[piece], even, hertz)
    return _with_joints(motion, pose + (path - centre_of_mass(pose))[:, None])


def scale_to(motion: Motion, height: float) -> Motion:
    """The person that tall, and everything about them as much larger; the camera sees the same."""
    if not motion.tracked.any():
        return motion
    size = np.float32(height / _standing(motion))
    pose = motion.camera.world_from_camera.copy()
    pose[..., 3] *= size
    return replace(
        motion,
        joints=motion.joints * size,
        sigma=motion.sigma * size,
        camera=replace(motion.camera, world_from_camera=pose),
    )


def put_on_floor(motion: Motion) -> Motion:
    """The ground at 0 where feet are planted, and no foot in it; the camera goes along.

    Where no foot is planted the lowest joint touches the ground.
    """
    _demand_ground(motion)
    if not motion.tracked.any():
        return motion
    over = motion.joints[:, FEET, 1] - np.array(CLEARANCE) * _standing(motion)  # (T, 2, 2)
    planted = (motion.contacts > PLANTED) & motion.tracked[:, None]
    lowest = over.min(axis=-1)[planted] if planted.any() else np.nanmin(motion.joints[..., 1])
    level = np.float32(np.median(lowest))
    pose = motion.camera.world_from_camera.copy()
    pose[:, 1, 3] -= level
    motion = replace(motion, camera=replace(motion.camera, world_from_camera=pose))
    joints = motion.joints - level * UP.astype(np.float32)
    return _held(_with_joints(motion, joints), np.zeros(planted.shape))


def lock_feet(motion: Motion) -> Motion:
    """Planted feet stay exactly where they were put down, by two-bone inverse kinematics."""
    _demand_ground(motion)
    return _held(motion, motion.contacts.astype(np.float64)) if motion.tracked.any() else motion


def _held(motion: Motion, planted: Float64) -> Motion:
    tracked = motion.tracked
    joints = motion.joints[tracked].astype(np.float64)
    path, planted = centre_of_mass(joints), np.nan_to_num(planted[tracked])
    rank: NDArray[np.int64] = np.cumsum(tracked) - tracked  # of each frame among those with joints
    stretches = unbroken_runs(tracked, motion.times)
    scene = PosedBody(
        pose=joints - path[:, None],
        times=motion.times[tracked],
        segments=tuple(
            slice(int(rank[p.start]), int(rank[p.start]) + p.stop - p.start) for p in stretches
        ),
        first_from_camera=np.tile(np.eye(3), (len(joints), 1, 1)),
        height=_standing(motion),
    )
    airborne = tuple(find_flights(scene, path, UP, planted > PLANTED))
    made = np.full(motion.joints.shape, np.nan)
    made[tracked] = lock_planted_feet(joints, scene, planted, airborne)
    return _with_joints(motion, made)


def _standing(motion: Motion) -> float:
    """How tall the person is, metres."""
    joints, sigma = motion.joints.astype(np.float64), motion.sigma.astype(np.float64)
    return standing_height(bone_lengths(joints - joints[:, :1], sigma))


def _with_joints(motion: Motion, joints: NDArray[np.floating]) -> Motion:
    return replace(motion, joints=joints.astype(np.float32))


def _demand_ground(motion: Motion) -> None:
    if motion.space != "world":
        raise MocapError(
            f"{motion.source.file} was tracked without finding the ground, so feet cannot be put"
            " on it",
            "leave out --floor and --foot-lock, or track a part in which the person stands",
        )
