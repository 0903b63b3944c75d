"""Place: from poses about the pelvis to a person of metric size in world coordinates."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mocap_cli.body.anatomy import centre_of_mass, standing_height
from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.rotation import unit
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.tracking.bone_lengths import with_bone_lengths
from mocap_cli.tracking.contact_locking import lock_contacts
from mocap_cli.tracking.flight import measured_gravity
from mocap_cli.tracking.frame_runs import true_runs, unbroken_runs
from mocap_cli.tracking.ground import GRAVITY, Ground
from mocap_cli.tracking.joined_hands import join_hands
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.tracking.reprojection import KeypointPlanes
from mocap_cli.tracking.smoothing import smooth_pose
from mocap_cli.tracking.steps import path_from_steps
from mocap_cli.tracking.trajectory import Trajectory
from mocap_cli.types import Bool, Float64

DEFAULT_HEIGHT = 1.70  # metres
_LARGEST_UP_SIGMA = math.radians(15)  # beyond it the result stays in camera space
_WARNING_UP_SIGMA = math.radians(7)
_STEPPING = 0.6  # least share of the time with a planted foot for a path from steps
_LONGEST_HOP = 0.6  # seconds without one, at most
_LONG_FALL = (
    0.10  # relative sigma of measured gravity below which it determines the person's height
)


@dataclass(frozen=True, slots=True)
class Placement:
    """A person's joints in the world, or in camera axes when the vertical is not known."""

    joints: Float64  # (T, 19, 3) metres; NaN in frames without the person
    sigma: Float64  # (T, 19) metres
    space: Literal["world", "camera"]
    contacts: Float64  # (T, 2) probability that the left and the right foot is planted
    world_from_camera: Float64  # (T, 3, 4); the first frame's axes in camera space
    flights: tuple[slice, ...]  # frames in free fall
    up_sigma: float  # radians, of the vertical
    warnings: tuple[str, ...]
    notes: tuple[str, ...]  # what was assumed, and the option that sets it


def place_in_world(
    pose: Float64,  # (T, 19, 3) about the pelvis, in each frame's camera axes, of any size
    sigma: Float64,  # (T, 19) in the pose's unit
    contacts: Float64,  # (T, 2) probability that the left and the right foot is planted
    xy: Float64,  # (T, 21, 2) displayed pixels
    score: Float64,  # (T, 21)
    times: Float64,  # (T,) seconds
    camera: Pinhole,
    height: float | None = None,  # metres; None: by a long fall, or DEFAULT_HEIGHT
    camera_rotation: Float64 | None = None,  # (T, 3, 3) to the first frame's camera axes
    cut: Bool | None = None,  # (T,) frames that begin a shot
    walks: Bool | None = None,  # (T,) frames in which the camera moves through the scene
) -> Placement:
    """Smooth, scale and place a person; frames with NaN in `pose` stay NaN."""
    if camera_rotation is None:
        camera_rotation = np.tile(np.eye(3), (len(times), 1, 1))
    tracked = np.asarray(np.isfinite(pose).all(axis=(1, 2)))
    if not tracked.any():
        return _nowhere(pose, sigma, contacts, camera_rotation)
    turned = np.einsum("tij,tkj->tki", camera_rotation, np.asarray(pose, np.float64))
    walks = np.zeros(len(times), np.bool_) if walks is None else walks
    person = _Person(
        turned, sigma, contacts, xy, score, times, camera, camera_rotation, walks, tracked, cut
    )
    solved = person.solve(height or DEFAULT_HEIGHT)
    notes: tuple[str, ...] = ()
    if height is None:
        measured = None if walks.any() else _height_from_gravity(solved.path.ground)
        # Noise, speeds of feet and gravity are in metres: another height wants another solution.
        if measured is not None:
            solved = person.solve(measured)
        how = "assumed" if measured is None else "estimated from free fall"
        notes = (f"height {how}: {measured or DEFAULT_HEIGHT:.2f} m; --height sets it",)
    return _standing(solved).spread(tracked, solved.sigma, camera_rotation, notes)


@dataclass(frozen=True, slots=True)
class _Solved:
    """The tracked frames of a person of one height, in the axes of the first frame's camera."""

    body: PosedBody
    path: Trajectory
    seen: Float64  # (N, 3) the centre of mass relative to each frame's camera
    walks: Bool  # (N,) the camera moves through the scene
    sigma: Float64  # (T, 19) metres, of all frames

    @property
    def camera(self) -> Float64:
        """(N, 3) the position of each frame's camera."""
        return np.where(self.walks[:, None], self.path.centre - self.seen, 0.0)


@dataclass(frozen=True, slots=True)
class _Person:
    """What is known of a person before their height, for all frames."""

    pose: Float64  # (T, 19, 3) about the pelvis, in the first frame's camera axes, of any size
    sigma: Float64  # (T, 19) in the pose's unit
    contacts: Float64  # (T, 2)
    xy: Float64  # (T, 21, 2) displayed pixels
    score: Float64  # (T, 21)
    times: Float64  # (T,) seconds
    camera: Pinhole
    rotation: Float64  # (T, 3, 3) to the first frame's camera axes
    walks: Bool  # (T,)
    tracked: Bool  # (T,)
    cut: Bool | None  # (T,)

    def solve(self, height: float) -> _Solved:
        """Body and path at that height."""
        tracked, times = self.tracked, self.times
        size = height / standing_height(bone_lengths(self.pose, self.sigma))  # metres a unit
        sigma = self.sigma * size
        smooth = smooth_pose(self.pose * size, sigma, times, self.cut)
        lengths = bone_lengths(smooth, sigma)
        lengths *= height / standing_height(lengths)
        pose = with_bone_lengths(smooth[tracked], lengths)
        body = PosedBody(
            pose=pose - centre_of_mass(pose)[:, None],
            times=times[tracked],
            segments=_among_tracked(unbroken_runs(tracked, times, self.cut), tracked),
            first_from_camera=self.rotation[tracked],
            height=height,
        )
        planes = KeypointPlanes.of(
            body, self.xy[tracked], self.score[tracked], sigma[tracked], self.camera
        )
        contacts, walks = np.nan_to_num(self.contacts[tracked]), self.walks[tracked]
        # What a moving camera shows of a planted foot is its own motion.
        still = np.where(walks[:, None], 0.0, contacts)
        seen = Trajectory.solve(body, planes, still, attempts=1).centre
        body = join_hands(planes.fit_pose(body, seen, lengths), seen)
        start = path_from_steps(body, seen, contacts, walks) if walks.any() else None
        path = Trajectory.solve(body, planes.loosened(walks), contacts, attempts=3, start=start)
        return _Solved(body, path, seen, walks, sigma)


def _among_tracked(runs: list[slice], tracked: Bool) -> tuple[slice, ...]:
    """The same runs, counted in tracked frames."""
    rank = np.concatenate(([0], np.cumsum(tracked)))
    return tuple(slice(int(rank[run.start]), int(rank[run.stop])) for run in runs)


def _height_from_gravity(ground: Ground) -> float | None:
    """The height at which the person falls with g, if they fall for long; solved at 1.70 m.

    `gravity` is drawn to g by a prior: heights near the usual one are more likely.
    """
    measured = measured_gravity(ground)
    if measured is None or measured[1] > _LONG_FALL * measured[0]:
        return None
    return DEFAULT_HEIGHT * GRAVITY / ground.gravity


@dataclass(frozen=True, slots=True)
class _Standing:
    """The tracked frames, placed."""

    joints: Float64  # (N, 19, 3)
    path: Trajectory
    camera: Float64  # (N, 3) positions, in the axes of the first frame's camera
    world_from_first: Float64  # (3, 4)
    space: Literal["world", "camera"]
    warnings: tuple[str, ...]

    def spread(
        self, tracked: Bool, sigma: Float64, rotation: Float64, notes: tuple[str, ...]
    ) -> Placement:
        """All T frames, with NaN in those that are not tracked."""
        joints = np.full((len(tracked), *self.joints.shape[1:]), np.nan)
        joints[tracked] = self.joints
        contacts = np.full((len(tracked), 2), np.nan)
        contacts[tracked] = self.path.planted[:, :2]
        frames = np.flatnonzero(tracked)
        turn, shift = self.world_from_first[:, :3], self.world_from_first[:, 3]
        frame = np.clip(np.searchsorted(frames, np.arange(len(tracked))), 0, len(frames) - 1)
        shifts = (self.camera[frame] @ turn.T + shift)[..., None]
        return Placement(
            joints=joints,
            sigma=np.where(tracked[:, None], sigma, np.nan),
            space=self.space,
            contacts=contacts,
            world_from_camera=np.concatenate((turn @ rotation, shifts), axis=-1),
            flights=tuple(
                slice(int(frames[f.start]), int(frames[f.stop - 1]) + 1) for f in self.path.flights
            ),
            up_sigma=self.path.ground.up_sigma,
            warnings=self.warnings,
            notes=notes,
        )


def _standing(solved: _Solved) -> _Standing:
    """Turn the path upright and lock the planted feet, if the vertical is known."""
    body, path = solved.body, solved.path
    planted = bool((path.planted > 0.5).any())
    if text := _unknown_world(solved):
        joints = body.joints_at(np.where(solved.walks[:, None], solved.seen, path.centre))
        still = np.zeros_like(solved.camera)
        return _Standing(joints, path, still, np.eye(3, 4), "camera", (text,))
    joints = body.joints_at(path.centre)
    world = _world_from_first(path.ground, joints[0, 0])
    joints = joints @ world[:, :3].T + world[:, 3]
    warnings: tuple[str, ...] = ()
    if solved.walks.any():
        text = "the camera moves through the scene: the path is estimated from the steps and drifts"
        warnings = (text,)
    if planted:
        joints = lock_contacts(joints, body, path.planted, path.flights)
    else:
        text = "no foot contact was found: the ground is at the lowest point of the person"
        warnings = (*warnings, text)
    rise = 0.0 if planted else -float(joints[..., 1].min())
    shift = np.array([-joints[0, 0, 0], rise, -joints[0, 0, 2]])
    world[:, 3] += shift
    if path.ground.up_sigma > _WARNING_UP_SIGMA:
        degrees = math.degrees(path.ground.up_sigma)
        warnings = (*warnings, f"the vertical is uncertain by about {degrees:.0f} degrees")
    return _Standing(joints + shift, path, solved.camera, world, "world", warnings)


def _unknown_world(solved: _Solved) -> str:
    """Why the result stays in camera axes; empty if the world is known."""
    path = solved.path
    if solved.walks.any() and not _steps(solved):
        return (
            "the camera moves through the scene, and the person does not step steadily: the world"
            " is unknown; output is in camera axes"
        )
    planted = bool((path.planted > 0.5).any())
    if path.ground.up_sigma > _LARGEST_UP_SIGMA or not (planted or path.flights):
        return (
            "could not determine the vertical or the ground: the person does not stand or fall"
            " long enough; output is in camera axes"
        )
    return ""


def _steps(solved: _Solved) -> bool:
    """Whether a foot is on the ground most of the time that the camera walks."""
    planted: Bool = np.asarray((solved.path.planted > 0.5).any(axis=1))
    times = solved.body.times
    gaps = [times[run][-1] - times[run][0] for run in true_runs(solved.walks & ~planted)]
    return bool(planted[solved.walks].mean() > _STEPPING and max(gaps, default=0.0) < _LONGEST_HOP)


def _world_from_first(ground: Ground, start: Float64) -> Float64:
    """(3, 4) from the first camera's axes: Y up from the floor below `start`, view towards -Z."""
    ahead = np.array([0.0, 0.0, -1.0])
    if abs(ahead @ ground.up) > 0.99:  # looking straight down: the top of the image is ahead
        ahead = np.array([0.0, 1.0, 0.0])
    back = -unit(ahead - (ahead @ ground.up) * ground.up)
    turn = np.stack((np.cross(ground.up, back), ground.up, back))
    below = start - ground.heights(start) * ground.up
    return np.concatenate((turn, -(turn @ below)[:, None]), axis=1)


def _nowhere(pose: Float64, sigma: Float64, contacts: Float64, rotation: Float64) -> Placement:
    """The placement of a video without the person."""
    return Placement(
        joints=np.full(pose.shape, np.nan),
        sigma=np.full(sigma.shape, np.nan),
        space="camera",
        contacts=np.full(contacts.shape, np.nan),
        world_from_camera=np.pad(rotation, ((0, 0), (0, 0), (0, 1))),
        flights=(),
        up_sigma=math.inf,
        warnings=("no person was found in any frame",),
        notes=(),
    )
