"""Place: from people of metric size before a camera to people in one world."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mocap_cli.body.rotation import unit
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.tracking.contact_locking import lock_contacts
from mocap_cli.tracking.frame_runs import true_runs
from mocap_cli.tracking.ground import LARGEST_UP_SIGMA, Ground
from mocap_cli.tracking.person import DEFAULT_HEIGHT, Person, SolvedPerson
from mocap_cli.tracking.shared_ground import on_one_ground
from mocap_cli.types import Bool, Float64

_WARNING_UP_SIGMA = math.radians(7)
_STEPPING = 0.6  # least share of the time with a planted foot for a path from steps
_SUNK = (
    0.3  # metres below the shared ground in a tenth of the frames, from which there is a warning
)
_LONGEST_HOP = 0.6  # seconds without one, at most


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
    person = Person.of(
        pose, sigma, contacts, xy, score, times, camera, camera_rotation, cut, walks
    )  # fmt: skip
    return place_people([person], height)[0]


def place_people(people: Sequence[Person], height: float | None = None) -> list[Placement]:
    """Place the people of one video in one world, each of that height or as in `place_in_world`.

    People without a given height who stand on one ground are scaled so that they do. Where the
    camera walks, its path is that of the steps of whoever steps for the longest time.
    """
    there = [person for person in people if person.tracked.any()]
    solved = [person.solve(height) for person in there]
    camera, known = None, [height is not None] * len(there)
    if there and there[0].walks.any() and (lead := _steps_most(solved)) is not None:
        camera, known[lead] = solved[lead].camera_path(), True
        solved = [
            one if number == lead else person.solve(height, camera=camera)
            for number, (person, one) in enumerate(zip(there, solved, strict=True))
        ]
    if len(there) > 1 and (camera is not None or not there[0].walks.any()):
        solved = on_one_ground(there, solved, known, camera)
    placed = iter(_placements(solved, there, height, camera))
    return [next(placed) if person.tracked.any() else _nowhere(person) for person in people]


def _lead(people: Sequence[SolvedPerson]) -> int | None:
    """The first person who shows a world."""
    return next((n for n, person in enumerate(people) if not _unknown_world(person)), None)


def _steps_most(people: Sequence[SolvedPerson]) -> int | None:
    """Whoever shows a world while the camera walks, for the longest time."""
    known = [n for n, person in enumerate(people) if not _unknown_world(person)]
    return max(known, key=lambda n: people[n].walks.sum(), default=None)


def _placements(
    solved: Sequence[SolvedPerson],
    people: Sequence[Person],
    height: float | None,
    camera: Float64 | None,
) -> list[Placement]:
    """The people in one world, seen by a camera that moves along `camera` (T, 3), if it does."""
    if not solved:
        return []
    world = _World.of(solved, camera)
    joints = [world.joints_of(person) for person in solved]
    shift = world.shift(joints)
    return [
        world.spread(one, person, at, shift, () if height else (_height_note(one),))
        for one, person, at in zip(solved, people, joints, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _World:
    """Axes that the people of one video share."""

    space: Literal["world", "camera"]
    from_first: Float64  # (3, 4) from the axes of the first frame's camera
    camera: Float64  # (T, 3) its position in every frame, in those axes
    lead: int  # the person who starts at the origin
    planted: bool  # somebody touches the ground
    warnings: tuple[str, ...]

    @staticmethod
    def of(people: Sequence[SolvedPerson], camera: Float64 | None) -> "_World":
        """The world of the first person who shows one; camera axes if nobody does."""
        planted = any(bool((person.path.planted > 0.5).any()) for person in people)
        still = np.zeros((len(people[0].tracked), 3))
        number = _lead(people)
        if number is None:
            reason = _unknown_world(people[0])
            return _World("camera", np.eye(3, 4), still, 0, planted, (reason,))
        lead = people[number]
        start = lead.body.joints_at(lead.path.centre[:1])[0, 0]
        axes = _world_from_first(lead.path.ground, start)
        warnings = _world_warnings(lead, planted, walks=camera is not None)
        path = still if camera is None else camera
        return _World("world", axes, path, number, planted, warnings)

    def joints_of(self, person: SolvedPerson) -> Float64:
        """(N, 19, 3) joints in this world, with planted feet locked."""
        body, path = person.body, person.path
        joints = body.joints_at(path.centre)
        if self.space == "camera":
            return joints
        joints = joints @ self.from_first[:, :3].T + self.from_first[:, 3]
        if not (path.planted > 0.5).any():
            return joints
        return lock_contacts(joints, body, path.planted, path.flights)

    def shift(self, joints: Sequence[Float64]) -> Float64:
        """(3,) that moves these people to the origin, and to the ground if nobody touches it."""
        if self.space == "camera":
            return np.zeros(3)
        start = joints[self.lead][0, 0]
        rise = 0.0 if self.planted else -min(float(at[..., 1].min()) for at in joints)
        return np.array([-start[0], rise, -start[2]])

    def spread(
        self,
        solved: SolvedPerson,
        person: Person,
        joints: Float64,
        shift: Float64,
        notes: tuple[str, ...],
    ) -> Placement:
        """A person of these joints (N, 19, 3), moved by `shift`, in all T frames."""
        tracked, frames = person.tracked, np.flatnonzero(person.tracked)
        turn = self.from_first[:, :3]
        places = self.camera @ turn.T + self.from_first[:, 3] + shift
        return Placement(
            joints=_in_frames(joints + shift, tracked),
            sigma=np.where(tracked[:, None], solved.sigma, np.nan),
            space=self.space,
            contacts=_in_frames(solved.path.planted[:, :2], tracked),
            world_from_camera=np.concatenate((turn @ person.rotation, places[..., None]), axis=-1),
            flights=tuple(
                slice(int(frames[f.start]), int(frames[f.stop - 1]) + 1)
                for f in solved.path.flights
            ),
            up_sigma=solved.path.ground.up_sigma,
            warnings=(*self.warnings, *_sunk(joints[..., 1] + shift[1], solved.path.ground)),
            notes=notes,
        )


def _in_frames(values: Float64, tracked: Bool) -> Float64:
    """(T, ...) with NaN in frames that are not tracked."""
    every = np.full((len(tracked), *values.shape[1:]), np.nan)
    every[tracked] = values
    return every


def _height_note(solved: SolvedPerson) -> str:
    height = solved.body.height
    how = "estimated from free fall"
    if height == DEFAULT_HEIGHT:
        how = "assumed"
    elif solved.path.ground.fixed:
        how = "estimated from the ground that all share"
    return f"height {how}: {height:.2f} m; --height sets it"


def _world_warnings(lead: SolvedPerson, planted: bool, *, walks: bool) -> tuple[str, ...]:
    warnings: tuple[str, ...] = ()
    if walks:
        text = "the camera moves through the scene: the path is estimated from the steps and drifts"
        warnings = (text,)
    if not planted:
        text = "no foot contact was found: the ground is at the lowest point of the person"
        warnings = (*warnings, text)
    if lead.path.ground.up_sigma > _WARNING_UP_SIGMA:
        degrees = math.degrees(lead.path.ground.up_sigma)
        warnings = (*warnings, f"the vertical is uncertain by about {degrees:.0f} degrees")
    return warnings


def _sunk(heights: Float64, ground: Ground) -> tuple[str, ...]:
    """A warning about a person (N, 19) who is below the ground that all share."""
    depth = -float(np.percentile(heights.min(axis=1), 10))
    if not ground.fixed or depth < _SUNK:
        return ()
    text = f"up to {depth:.1f} m below the ground that all share"
    return (f"{text}: the distance or the camera is not known well, or the floor is another",)


def _unknown_world(solved: SolvedPerson) -> str:
    """Why the result stays in camera axes; empty if the world is known."""
    path = solved.path
    if solved.walks.any() and not _steps(solved):
        return (
            "the camera moves through the scene, and the person does not step steadily: the world"
            " is unknown; output is in camera axes"
        )
    planted = path.ground.fixed or bool((path.planted > 0.5).any())
    if path.ground.up_sigma > LARGEST_UP_SIGMA or not (planted or path.flights):
        return (
            "could not determine the vertical or the ground: the person does not stand or fall"
            " long enough; output is in camera axes"
        )
    return ""


def _steps(solved: SolvedPerson) -> bool:
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


def _nowhere(person: Person) -> Placement:
    """The placement of somebody who is in no frame."""
    return Placement(
        joints=np.full(person.pose.shape, np.nan),
        sigma=np.full(person.sigma.shape, np.nan),
        space="camera",
        contacts=np.full(person.contacts.shape, np.nan),
        world_from_camera=np.pad(person.rotation, ((0, 0), (0, 0), (0, 1))),
        flights=(),
        up_sigma=math.inf,
        warnings=("no person was found in any frame",),
        notes=(),
    )
