"""Edits: changes to a motion before it is written, such as a span, a rate, a height, locked feet.

Bones keep their lengths in all of them; `height` scales them.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.anatomy import centre_of_mass, standing_height
from mocap_cli.body.facing import Facing
from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import resample_motion
from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.rotation import unit
from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from mocap_cli.errors import MocapError
from mocap_cli.export.looping import make_loop
from mocap_cli.tracking.bone_lengths import with_bone_lengths
from mocap_cli.tracking.contact_locking import lock_contacts
from mocap_cli.tracking.flight import find_flights
from mocap_cli.tracking.frame_runs import unbroken_runs
from mocap_cli.tracking.ground import CLEARANCE, FEET
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.tracking.smoothing import SmoothingCutoffs, low_pass, smooth_pose
from mocap_cli.types import Float64

_ROUNDING = 1e-6  # seconds: keeps the first and the last frame despite rounding
_MIRROR = np.diag((-1.0, 1.0, 1.0)).astype(np.float32)
_UP = np.array((0.0, 1.0, 0.0))
_PLANTED = 0.5
_MAX_CUTOFF_FRAMES = 1000  # frames in a period of the smoothing cutoff


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """Changes to a motion, applied in the order of the fields; none by default."""

    start: float | None = None  # seconds of the video
    end: float | None = None
    fps: float | None = None
    smooth: float | None = None  # hertz; cutoff of a low-pass filter
    height: float | None = None  # metres
    floor: bool = False
    foot_lock: bool = False
    loop: bool = False
    mirror: bool = False
    in_place: bool = False


def apply_edits(motion: Motion, edits: Edits) -> Motion:
    """The motion with these edits; edited it is no longer of this provenance."""
    if edits != Edits():
        motion = replace(motion, provenance=None)
    if edits.start is not None or edits.end is not None:
        motion = _between(motion, edits.start, edits.end)
    if edits.fps is not None:
        motion = resample_motion(motion, edits.fps)
    if edits.smooth is not None:
        motion = _smooth(motion, edits.smooth)
    if edits.height is not None:
        motion = _scale_to(motion, edits.height)
    for requested, edit in (
        (edits.floor, _put_on_floor),
        (edits.foot_lock, _lock_feet),
        (edits.loop, make_loop),
        (edits.mirror, _mirror),
        (edits.in_place, _keep_in_place),
    ):
        motion = edit(motion) if requested else motion
    return motion


def _between(motion: Motion, start: float | None, end: float | None) -> Motion:
    """The frames between two seconds of the video, both included."""
    first = 0 if start is None else int(np.searchsorted(motion.times, start - _ROUNDING))
    stop = (
        None if end is None else int(np.searchsorted(motion.times, end + _ROUNDING, side="right"))
    )
    if len(motion.times[first:stop]) == 0:
        raise MocapError(
            f"{motion.source.file} has no frame in this span",
            f"it was tracked from {motion.times[0]:.2f} s to {motion.times[-1]:.2f} s",
        )
    part = motion.frames(slice(first, stop))
    return replace(part, source=replace(part.source, frames=len(part.times)))


def _smooth(motion: Motion, hertz: float) -> Motion:
    """Low-pass filter with a cutoff of `hertz`; outliers of single frames are removed."""
    joints, sigma = motion.joints.astype(np.float64), motion.sigma.astype(np.float64)
    if not motion.tracked.any():
        return motion
    rate = 1 / float(np.median(np.diff(motion.times))) if len(motion.times) > 1 else 0.0
    if hertz * _MAX_CUTOFF_FRAMES < rate:  # not solvable in double precision
        raise MocapError(
            f"{hertz:g} Hz is too low a cutoff at {rate:.0f} frames per second",
            f"give --smooth {rate / _MAX_CUTOFF_FRAMES:.2g} or more",
        )
    pose = joints - joints[:, :1]
    cutoffs = SmoothingCutoffs(turn=hertz, still=hertz, speed=0.0, most=hertz)
    lengths = bone_lengths(pose, sigma)
    pose = with_bone_lengths(smooth_pose(pose, sigma, motion.times, how=cutoffs), lengths)
    path, facing = centre_of_mass(joints), motion.facing
    for run in unbroken_runs(motion.tracked, motion.times):
        weights = np.ones(run.stop - run.start)
        path[run] = low_pass(path[run], motion.times[run], weights, hertz)
    if facing is not None:
        facing = _smooth_facing(facing, motion, hertz)
    joints = pose + (path - centre_of_mass(pose))[:, None]
    return replace(_with_joints(motion, joints), facing=facing)


def _smooth_facing(facing: Facing, motion: Motion, hertz: float) -> Facing:
    direction = facing.direction.astype(np.float64)
    known = motion.tracked & np.isfinite(direction).all(axis=1)
    for run in unbroken_runs(known, motion.times):
        weights = np.ones(run.stop - run.start)
        direction[run] = unit(low_pass(direction[run], motion.times[run], weights, hertz))
    return replace(facing, direction=direction.astype(np.float32))


def _scale_to(motion: Motion, height: float) -> Motion:
    """Scale the person to this height, and the scene with it; the projection stays the same."""
    if not motion.tracked.any():
        return motion
    scale = np.float32(height / _standing_height(motion))
    pose = motion.camera.world_from_camera.copy()
    pose[..., 3] *= scale
    return replace(
        motion,
        joints=motion.joints * scale,
        sigma=motion.sigma * scale,
        camera=replace(motion.camera, world_from_camera=pose),
    )


def _put_on_floor(motion: Motion) -> Motion:
    """Move the ground to 0 below planted feet, and the camera with it; lift feet out of it.

    Where no foot is planted the lowest joint touches the ground.
    """
    _require_ground(motion)
    if not motion.tracked.any():
        return motion
    heights = motion.joints[:, FEET, 1] - np.array(CLEARANCE) * _standing_height(
        motion
    )  # (T, 2, 2)
    planted = (motion.contacts > _PLANTED) & motion.tracked[:, None]
    lowest = heights.min(axis=-1)[planted] if planted.any() else np.nanmin(motion.joints[..., 1])
    level = np.float32(np.median(lowest))
    pose = motion.camera.world_from_camera.copy()
    pose[:, 1, 3] -= level
    motion = replace(motion, camera=replace(motion.camera, world_from_camera=pose))
    joints = motion.joints - level * _UP.astype(np.float32)
    return _with_feet_held(_with_joints(motion, joints), np.zeros(planted.shape))


def _lock_feet(motion: Motion) -> Motion:
    """Fix planted feet where they were put down, by two-bone inverse kinematics."""
    _require_ground(motion)
    return (
        _with_feet_held(motion, motion.contacts.astype(np.float64))
        if motion.tracked.any()
        else motion
    )


def _mirror(motion: Motion) -> Motion:
    """Mirror the motion: left and right swapped, X negated.

    The camera and the keypoints are those of the mirrored video.
    """
    joints, points = list(mirror_indices(BODY.names)), list(mirror_indices(KEYPOINTS))
    width, (x, y) = motion.source.width, motion.camera.centre
    pose = motion.camera.world_from_camera
    mirrored_pose = np.concatenate(
        (_MIRROR @ pose[..., :3] @ _MIRROR, _MIRROR @ pose[..., 3:]), axis=-1
    )
    xy = motion.xy[:, points].copy()
    xy[..., 0] = width - xy[..., 0]
    facing = motion.facing
    return replace(
        motion,
        joints=motion.joints[:, joints] @ _MIRROR,
        sigma=motion.sigma[:, joints],
        contacts=motion.contacts[:, ::-1],
        facing=facing and replace(facing, direction=facing.direction @ _MIRROR),
        xy=xy,
        score=motion.score[:, points],
        camera=replace(motion.camera, centre=(width - x, y), world_from_camera=mirrored_pose),
    )


def _keep_in_place(motion: Motion) -> Motion:
    """Keep the pelvis above the origin; heights stay, and the camera moves along."""
    tracked = motion.tracked
    if not tracked.any():
        return motion
    pelvis = motion.joints[tracked, BODY.index("pelvis")]
    offset = np.zeros((len(tracked), 3), np.float32)
    for axis in (0, 2):
        offset[:, axis] = np.interp(motion.times, motion.times[tracked], pelvis[:, axis])
    pose = motion.camera.world_from_camera.copy()
    pose[..., 3] -= offset
    camera = replace(motion.camera, world_from_camera=pose)
    return replace(motion, joints=motion.joints - offset[:, None], camera=camera)


def _with_feet_held(motion: Motion, planted: Float64) -> Motion:
    """Feet held where `planted` (T, 2) is high, and above the ground everywhere."""
    tracked = motion.tracked
    joints = motion.joints[tracked].astype(np.float64)
    path, planted = centre_of_mass(joints), np.nan_to_num(planted[tracked])
    index: NDArray[np.int64] = np.cumsum(tracked) - tracked  # of each frame among the tracked
    runs = unbroken_runs(tracked, motion.times)
    body = PosedBody(
        pose=joints - path[:, None],
        times=motion.times[tracked],
        segments=tuple(
            slice(int(index[r.start]), int(index[r.start]) + r.stop - r.start) for r in runs
        ),
        first_from_camera=np.tile(np.eye(3), (len(joints), 1, 1)),
        height=_standing_height(motion),
    )
    airborne = tuple(find_flights(body, path, _UP, planted > _PLANTED))
    locked = np.full(motion.joints.shape, np.nan)
    locked[tracked] = lock_contacts(joints, body, planted, airborne)
    return _with_joints(motion, locked)


def _standing_height(motion: Motion) -> float:
    """Height of the person, metres."""
    joints, sigma = motion.joints.astype(np.float64), motion.sigma.astype(np.float64)
    return standing_height(bone_lengths(joints - joints[:, :1], sigma))


def _with_joints(motion: Motion, joints: NDArray[np.floating]) -> Motion:
    return replace(motion, joints=joints.astype(np.float32))


def _require_ground(motion: Motion) -> None:
    if motion.space != "world":
        raise MocapError(
            f"the ground in {motion.source.file} could not be determined, so there is nothing to"
            " stand on",
            "leave out --floor and --foot-lock, or track a span in which the person stands",
        )
