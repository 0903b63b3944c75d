"""Person: size, pose and path of somebody, as far as one camera tells, before there is a world."""

from dataclasses import dataclass

import numpy as np

from mocap_cli.body.anatomy import centre_of_mass, standing_height
from mocap_cli.body.rig import bone_lengths
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.tracking.bone_lengths import with_bone_lengths
from mocap_cli.tracking.flight import measured_gravity
from mocap_cli.tracking.frame_runs import unbroken_runs
from mocap_cli.tracking.ground import GRAVITY, Ground
from mocap_cli.tracking.joined_hands import join_hands
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.tracking.reprojection import KeypointPlanes
from mocap_cli.tracking.smoothing import smooth_pose
from mocap_cli.tracking.steps import path_from_steps
from mocap_cli.tracking.trajectory import Trajectory
from mocap_cli.types import Bool, Float64

DEFAULT_HEIGHT = 1.70  # metres
_LONG_FALL = 0.10
"""Relative sigma of measured gravity below which it determines the person's height."""


@dataclass(frozen=True, slots=True)
class SolvedPerson:
    """The tracked frames of a person of one height, in the axes of the first frame's camera."""

    body: PosedBody
    path: Trajectory
    seen: Float64  # (N, 3) the centre of mass relative to each frame's camera
    walks: Bool  # (N,) the camera moves through the scene, along a path that is not known
    sigma: Float64  # (T, 19) metres, of all frames
    tracked: Bool  # (T,) which frames these are

    def camera_path(self) -> Float64:
        """(T, 3) the position of each frame's camera; between tracked frames the next known one."""
        known = np.where(self.walks[:, None], self.path.centre - self.seen, 0.0)
        frames = np.flatnonzero(self.tracked)
        nearest = np.searchsorted(frames, np.arange(len(self.tracked)))
        return known[np.clip(nearest, 0, len(frames) - 1)]


@dataclass(frozen=True, slots=True)
class Person:
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

    @staticmethod
    def of(
        pose: Float64,
        sigma: Float64,
        contacts: Float64,
        xy: Float64,
        score: Float64,
        times: Float64,
        camera: Pinhole,
        rotation: Float64 | None = None,
        cut: Bool | None = None,
        walks: Bool | None = None,
    ) -> "Person":
        """From a pose (T, 19, 3) in each frame's camera axes; NaN in frames without the person."""
        if rotation is None:
            rotation = np.tile(np.eye(3), (len(times), 1, 1))
        return Person(
            np.einsum("tij,tkj->tki", rotation, np.asarray(pose, np.float64)),
            sigma, contacts, xy, score, times, camera, rotation,
            np.zeros(len(times), np.bool_) if walks is None else walks,
            np.asarray(np.isfinite(pose).all(axis=(1, 2))),
            cut,
        )  # fmt: skip

    def solve(
        self,
        height: float | None,
        ground: Ground | None = None,
        camera: Float64 | None = None,
    ) -> SolvedPerson:
        """Body and path at that height, or at one measured by a long fall, else DEFAULT_HEIGHT.

        They stand on `ground`, and the camera moves along `camera` (T, 3), where these are known.
        """
        if height is not None:
            return self._solve(height, ground, camera)
        solved = self._solve(DEFAULT_HEIGHT, ground, camera)
        measured = None if self.walks.any() else _height_from_gravity(solved.path.ground)
        # Noise, speeds of feet and gravity are in metres: another height wants another solution.
        return solved if measured is None else self._solve(measured, ground, camera)

    def _solve(self, height: float, ground: Ground | None, camera: Float64 | None) -> SolvedPerson:
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
        seen = Trajectory.solve(body, planes, still, 1, ground=ground).centre
        body = join_hands(planes.fit_pose(body, seen, lengths), seen)
        start = None
        if camera is not None:
            eye = camera[tracked]
            start, planes, walks = seen + eye, planes.seen_from(eye), np.zeros_like(walks)
        elif walks.any():
            start = path_from_steps(body, seen, contacts, walks)
        path = Trajectory.solve(body, planes.loosened(walks), contacts, 3, start, ground)
        return SolvedPerson(body, path, seen, walks, sigma, tracked)


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
