"""Changes on the way out: a part of a motion, another rate, cleaned up, the other side."""

from dataclasses import dataclass, replace

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import resample_motion
from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from mocap_cli.errors import MocapError
from mocap_cli.export.cleanup import lock_feet, put_on_floor, scale_to, smooth
from mocap_cli.export.looping import make_loop

_HAIR = 1e-6  # seconds: keeps rounding from dropping the first or the last frame
_MIRROR = np.diag((-1.0, 1.0, 1.0)).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What to change before a motion is written; by default nothing."""

    start: float | None = None  # seconds of the video
    end: float | None = None
    fps: float | None = None
    smooth: float | None = None  # hertz; what is faster is jitter
    height: float | None = None  # metres
    floor: bool = False
    foot_lock: bool = False
    loop: bool = False
    mirror: bool = False
    in_place: bool = False


def apply_edits(motion: Motion, changes: Edits) -> Motion:
    """The motion with those changes, in the order of the fields."""
    if changes.start is not None or changes.end is not None:
        motion = _between(motion, changes.start, changes.end)
    if changes.fps is not None:
        motion = resample_motion(motion, changes.fps)
    if changes.smooth is not None:
        motion = smooth(motion, changes.smooth)
    if changes.height is not None:
        motion = scale_to(motion, changes.height)
    for wanted, change in (
        (changes.floor, put_on_floor),
        (changes.foot_lock, lock_feet),
        (changes.loop, make_loop),
        (changes.mirror, _mirror),
        (changes.in_place, _keep_in_place),
    ):
        motion = change(motion) if wanted else motion
    return motion


def _between(motion: Motion, start: float | None, end: float | None) -> Motion:
    """The frames between two seconds of the video, both included."""
    first = 0 if start is None else int(np.searchsorted(motion.times, start - _HAIR))
    stop = None if end is None else int(np.searchsorted(motion.times, end + _HAIR, side="right"))
    if len(motion.times[first:stop]) == 0:
        raise MocapError(
            f"{motion.source.file} has no frame between these seconds",
            f"it was tracked from {motion.times[0]:.2f} s to {motion.times[-1]:.2f} s",
        )
    part = motion.frames(slice(first, stop))
    return replace(part, source=replace(part.source, frames=len(part.times)))


def _mirror(motion: Motion) -> Motion:
    """The motion that a mirror shows: what the left did the right does, and X is turned round.

    The camera and the keypoints are those of the mirrored video.
    """
    joints, points = list(mirror_indices(BODY.names)), list(mirror_indices(KEYPOINTS))
    width, (x, y) = motion.source.width, motion.camera.centre
    pose = motion.camera.world_from_camera
    turned = np.concatenate((_MIRROR @ pose[..., :3] @ _MIRROR, _MIRROR @ pose[..., 3:]), axis=-1)
    xy = motion.xy[:, points].copy()
    xy[..., 0] = width - xy[..., 0]
    return replace(
        motion,
        joints=motion.joints[:, joints] @ _MIRROR,
        sigma=motion.sigma[:, joints],
        contacts=motion.contacts[:, ::-1],
        xy=xy,
        score=motion.score[:, points],
        camera=replace(motion.camera, centre=(width - x, y), world_from_camera=turned),
    )


def _keep_in_place(motion: Motion) -> Motion:
    """The pelvis stays above the origin; heights are kept, and the camera goes along."""
    tracked = motion.tracked
    if not tracked.any():
        return motion
    pelvis = motion.joints[tracked, BODY.index("pelvis")]
    away = np.zeros((len(tracked), 3), np.float32)
    for axis in (0, 2):
        away[:, axis] = np.interp(motion.times, motion.times[tracked], pelvis[:, axis])
    pose = motion.camera.world_from_camera.copy()
    pose[..., 3] -= away
    camera = replace(motion.camera, world_from_camera=pose)
    return replace(motion, joints=motion.joints - away[:, None], camera=camera)
