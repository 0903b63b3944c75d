"""Place: from poses about the pelvis to a person of metric size who walks through the world."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.anatomy import centre_of_mass, standing_height
from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.rotation import unit
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.tracking.bone_lengths import with_bone_lengths
from mocap_cli.tracking.fit import fit_pose_to_keypoints
from mocap_cli.tracking.flight import measured_gravity
from mocap_cli.tracking.foot_locking import lock_planted_feet
from mocap_cli.tracking.frame_runs import unbroken_runs
from mocap_cli.tracking.ground import GRAVITY, Ground
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.tracking.reprojection import keypoint_planes
from mocap_cli.tracking.smoothing import smooth_pose
from mocap_cli.tracking.trajectory import Trajectory, solve_trajectory
from mocap_cli.types import Float64

DEFAULT_HEIGHT = 1.70  # metres, when the user does not tell
_LARGEST_UP_SIGMA = math.radians(15)  # doubt about up beyond which there is no world
_WARNING_UP_SIGMA = math.radians(7)
_LONG_FALL = 0.10  # doubt about how fast the person falls, of it, below which it tells their size
_ASSUMED = f"the person is taken to be {DEFAULT_HEIGHT:.2f} m tall; --height sets it"


@dataclass(frozen=True, slots=True)
class Placement:
    """A person's joints in the world, or before the camera when up could not be told."""

    joints: Float64  # (T, 19, 3) metres; NaN where nobody was seen
    sigma: Float64  # (T, 19) metres
    space: Literal["world", "camera"]
    contacts: Float64  # (T, 2) how likely the left and the right foot is planted
    world_from_camera: Float64  # (T, 3, 4); the first frame's axes in camera space
    flights: tuple[slice, ...]  # frames in free fall
    up_sigma: float  # radians that up may be off
    warnings: tuple[str, ...]


def place_in_world(
    pose: Float64,  # (T, 19, 3) about the pelvis, in each frame's camera axes, of any size
    sigma: Float64,  # (T, 19) expected errors, in the pose's unit
    contacts: Float64,  # (T, 2) how likely the left and the right foot is planted
    xy: Float64,  # (T, 21, 2) displayed pixels
    score: Float64,  # (T, 21)
    times: Float64,  # (T,) seconds
    camera: Pinhole,
    height: float | None = None,  # metres; None: by a long fall, or usual
    camera_rotation: Float64 | None = None,  # (T, 3, 3) to the first frame's camera axes
    cut: NDArray[np.bool_] | None = None,  # (T,) frames before which nothing moves on
) -> Placement:
    """Smooth, scale and place a person; frames with NaN in `pose` stay NaN."""
    T = len(times)
    rotation = np.tile(np.eye(3), (T, 1, 1)) if camera_rotation is None else camera_rotation
    seen = np.asarray(np.isfinite(pose).all(axis=(1, 2)))
    if not seen.any():
        return _nowhere(pose, sigma, contacts, rotation)
    turned = np.einsum("tij,tkj->tki", rotation, np.asarray(pose, np.float64))
    tall = height or DEFAULT_HEIGHT
    size = tall / standing_height(bone_lengths(turned, sigma))  # metres a unit
    smooth = smooth_pose(turned * size, sigma * size, times, cut)
    lengths = bone_lengths(smooth, sigma * size)
    lengths *= tall / standing_height(lengths)
    body = with_bone_lengths(smooth[seen], lengths)
    scene = PosedBody(
        pose=body - centre_of_mass(body)[:, None],
        times=times[seen],
        segments=_closed_up(unbroken_runs(seen, times, cut), seen),
        first_from_camera=rotation[seen],
        height=tall,
    )
    sight = keypoint_planes(scene, xy[seen], score[seen], sigma[seen] * size, camera)
    guess = np.nan_to_num(contacts[seen])
    rough = solve_trajectory(scene, sight, guess, attempts=1)
    scene = fit_pose_to_keypoints(scene, sight, rough.centre, lengths)
    path = solve_trajectory(scene, sight, guess, attempts=3)
    if height is None and (told := _height_from_gravity(path.ground)):
        placed = place_in_world(
            pose, sigma, contacts, xy, score, times, camera, told, camera_rotation, cut
        )
        said = f"the person is taken to be {told:.2f} m tall, by how they fall; --height sets it"
        return replace(placed, warnings=(said, *placed.warnings))
    placed = _spread_out(_stand(scene, path), seen, sigma * size, rotation)
    return placed if height else replace(placed, warnings=(_ASSUMED, *placed.warnings))


def _closed_up(parts: list[slice], seen: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The same stretches, counted in seen frames."""
    rank = np.concatenate(([0], np.cumsum(seen)))
    return tuple(slice(int(rank[p.start]), int(rank[p.stop])) for p in parts)


@dataclass(frozen=True, slots=True)
class _Standing:
    """The seen frames, placed."""

    joints: Float64  # (N, 19, 3)
    planted: Float64  # (N, 2)
    flights: tuple[slice, ...]
    world_from_first: Float64  # (3, 4)
    space: Literal["world", "camera"]
    up_doubt: float
    warnings: tuple[str, ...]


def _stand(scene: PosedBody, path: Trajectory) -> _Standing:
    """Turn the path upright and put the feet down, if up is known."""
    joints = scene.joints_at(path.centre)
    held = bool((path.planted > 0.5).any())
    warnings: tuple[str, ...] = ()
    if path.ground.up_sigma > _LARGEST_UP_SIGMA or not (held or path.flights):
        told = "up and the ground could not be told: nobody stands or falls long enough"
        return _Standing(
            joints, path.planted, path.flights, np.eye(3, 4), "camera", path.ground.up_sigma,
            (f"{told}; joints are in the camera's axes",),
        )  # fmt: skip
    world = _world_from_first(path.ground, joints[0, 0])
    joints = joints @ world[:, :3].T + world[:, 3]
    if held:
        joints = lock_planted_feet(joints, scene, path.planted, path.flights)
    rise = 0.0 if held else -float(joints[..., 1].min())
    shift = np.array([-joints[0, 0, 0], rise, -joints[0, 0, 2]])
    world[:, 3] += shift
    if not held:
        warnings += ("no foot was seen planted: the ground is put at the lowest point reached",)
    if path.ground.up_sigma > _WARNING_UP_SIGMA:
        degrees = math.degrees(path.ground.up_sigma)
        warnings += (f"which way is up is known to about {degrees:.0f} degrees only",)
    return _Standing(
        joints + shift, path.planted, path.flights, world, "world", path.ground.up_sigma, warnings
    )


def _world_from_first(ground: Ground, start: Float64) -> Float64:
    """(3, 4) from the first camera's axes: Y up from the floor below `start`, view towards -Z."""
    ahead = np.array([0.0, 0.0, -1.0])
    if abs(ahead @ ground.up) > 0.99:  # looking straight down: the picture's top is ahead
        ahead = np.array([0.0, 1.0, 0.0])
    back = -unit(ahead - (ahead @ ground.up) * ground.up)
    turn = np.stack((np.cross(ground.up, back), ground.up, back))
    below = start - ground.heights(start) * ground.up
    return np.concatenate((turn, -(turn @ below)[:, None]), axis=1)


def _height_from_gravity(ground: Ground) -> float | None:
    """How tall somebody is who falls like that, if the fall was long; it was solved at 1.70 m.

    What is usual still counts: `fall` is drawn to g by as much as heights differ.
    """
    measured = measured_gravity(ground)
    if measured is None or measured[1] > _LONG_FALL * measured[0]:
        return None
    return DEFAULT_HEIGHT * GRAVITY / ground.gravity


def _spread_out(
    standing: _Standing, seen: NDArray[np.bool_], sigma: Float64, rotation: Float64
) -> Placement:
    """Back to all frames, with NaN where nobody was seen."""
    joints = np.full((len(seen), *standing.joints.shape[1:]), np.nan)
    joints[seen] = standing.joints
    contacts = np.full((len(seen), 2), np.nan)
    contacts[seen] = standing.planted
    frames = np.flatnonzero(seen)
    turn, shift = standing.world_from_first[:, :3], standing.world_from_first[:, 3]
    shifts = np.broadcast_to(shift[:, None], (len(seen), 3, 1))
    return Placement(
        joints=joints,
        sigma=np.where(seen[:, None], sigma, np.nan),
        space=standing.space,
        contacts=contacts,
        world_from_camera=np.concatenate((turn @ rotation, shifts), axis=-1),
        flights=tuple(
            slice(int(frames[f.start]), int(frames[f.stop - 1]) + 1) for f in standing.flights
        ),
        up_sigma=standing.up_doubt,
        warnings=standing.warnings,
    )


def _nowhere(pose: Float64, sigma: Float64, contacts: Float64, rotation: Float64) -> Placement:
    """Nobody was ever seen."""
    return Placement(
        joints=np.full(pose.shape, np.nan),
        sigma=np.full(sigma.shape, np.nan),
        space="camera",
        contacts=np.full(contacts.shape, np.nan),
        world_from_camera=np.pad(rotation, ((0, 0), (0, 0), (0, 1))),
        flights=(),
        up_sigma=math.inf,
        warnings=("nobody was seen in any frame",),
    )
