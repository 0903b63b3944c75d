"""Footage that the default tracker fails on: python benchmarks/hard_footage.py MOTION -o OUT.

Divers from several heights, flips and cartwheels, floor work, spins on ice, and skiers followed by
a turning camera: several persons with several clips each, before crowds. Beside every CLIP.mp4
lies CLIP.truth.json, in the form of `mocap track`; splits.json lists the clips to learn from and
those held out, by clip and by person. `--track` adds what the default tracker says of each,
CLIP.default.json. The same seed draws the same footage; clips that are there are not drawn again.
The recordings are of subjects that no bundled network was trained on.
"""

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from hard_scores import keep_motion
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from mocap_cli.body.motion_json import write_motion
from mocap_cli.body.skeleton import BODY
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.tracking.track import TrackOptions
from mocap_cli.types import Float32, Float64
from training.synthesis.body_appearance import OUTFITS, Appearance, Garment, random_appearance
from training.synthesis.body_model import Body, make_body, transform_anchors
from training.synthesis.camera_effects import random_camera_effects
from training.synthesis.camera_view import CameraView, look_at_pose
from training.synthesis.clip_sampling import sample_clip
from training.synthesis.cloth_patterns import pattern
from training.synthesis.crowd import make_crowd
from training.synthesis.environments import gym, meadow, rink, stage, street, tower
from training.synthesis.filmed_take import FilmedTake
from training.synthesis.hip_correction import with_hips_raised
from training.synthesis.mocap_clip import MocapClip
from training.synthesis.mocap_dataset import ACCLAIM_FPS, ACCLAIM_RIG
from training.synthesis.mocap_readers import read_amc, read_deepmimic
from training.synthesis.mp4 import write_mp4
from training.synthesis.skiing import ski_slope
from training.synthesis.splash import Splash
from training.synthesis.sport_moves import (
    dive_moves,
    floor_moves,
    on_level_ground,
    ski_moves,
    spin_moves,
)
from training.synthesis.virtual_scene import VirtualScene

Random = np.random.Generator

WIDE, TALL, FPS = (640, 512), (512, 768), 20
TAKES = "abcd"
HELD_OUT = "bd"
"""Takes that are held out of the persons to learn from."""
FLIPS = {"a": "90_02", "b": "90_08", "c": "humanoid3d_cartwheel", "d": "90_11"}
DIVES = {  # platform in metres, half somersaults forwards, twists, shape
    "a": (5.0, -3, 0.0, "tuck"), "b": (3.0, 3, 0.0, "pike"),
    "c": (7.5, 3, 1.0, "layout"), "d": (10.0, -5, 0.0, "tuck"),
}  # fmt: skip
SECONDS = {"floor": 7.0, "ice": 7.0, "ski": 6.0}
Spots = Sequence[tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is in several clips, with the same face and shape."""

    name: str
    body: Body
    look: Appearance

    def dressed(self, outfit: str, rng: Random) -> Appearance:
        """The person in other clothes."""
        return replace(self.look, clothes=_suit(rng) if outfit == "ski" else OUTFITS[outfit](rng))


@dataclass(frozen=True, slots=True)
class Job:
    """A clip to draw: its person, what is done and which take, and where the randomness is from."""

    person: Person
    take: str
    motion: Path
    rng: Random


def main() -> None:
    """Render what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("motion", type=Path, help="folder with the recordings")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--persons", type=int, default=4, help="the last is held out")
    parser.add_argument("--takes", type=int, default=2, help="of each person and sport, up to 4")
    parser.add_argument("--sports", nargs="+", choices=tuple(SPORTS), default=list(SPORTS))
    parser.add_argument("--seed", type=int, default=16)
    parser.add_argument("--track", action="store_true", help="run the default tracker as well")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    people = [make_person(i, options.seed) for i in range(options.persons)]
    names = []
    for take in TAKES[: options.takes]:
        for number, person in enumerate(people):
            for sport in options.sports:
                seed = [options.seed, number, list(SPORTS).index(sport), TAKES.index(take)]
                job = Job(person, take, options.motion, np.random.default_rng(seed))
                names.append(f"{person.name}-{sport}-{take}")
                film(names[-1], SPORTS[sport], job, options.output, tracked=options.track)
    write_splits(options.output, names, people[-1].name)


def write_splits(folder: Path, names: Sequence[str], person: str) -> None:
    """Which clips to learn from, and which not to."""
    own = [name for name in names if name.startswith(person)]
    rest = [name for name in names if name not in own]
    splits = {
        "learn": [name for name in rest if name[-1] not in HELD_OUT],
        "clips": [name for name in rest if name[-1] in HELD_OUT],
        "person": own,
    }
    with write_atomically(folder / "splits.json") as aside:
        aside.write_text(json.dumps(splits, indent=1))


def film(
    name: str, sport: Callable[[str, Job], FilmedTake], job: Job, folder: Path, *, tracked: bool
) -> None:
    """Draw a clip that is not there, and write its truth."""
    movie = folder / f"{name}.mp4"
    truth, default = movie.with_suffix(".truth.json"), movie.with_suffix(".default.json")
    if not truth.exists():
        take, visible = sport(name, job), list[NDArray[np.bool_]]()
        size = (take.views[0].width, take.views[0].height)
        write_mp4(take.pictures(visible), movie, take.fps, size, crf=19)
        write_motion(take.truth(np.stack(visible)), truth)
        print(movie, len(visible), "frames", flush=True)
    if tracked and not default.exists():
        keep_motion(movie, TrackOptions(), default)


def make_person(number: int, seed: int) -> Person:
    """The person of that number."""
    rng = np.random.default_rng([seed, number])
    shape = dict(
        gender=float(number % 2), age=float(rng.uniform(0.55, 0.75)), muscle=rng.uniform(0.4, 0.85),
        weight=rng.uniform(0.3, 0.6), height=rng.uniform(0.25, 0.75), proportions=0.6,
    )  # fmt: skip
    return Person(f"p{number}", make_body(shape, mesh=True), random_appearance(rng))


def dive(name: str, job: Job) -> FilmedTake:
    """A dive; the camera stands, or follows from high platforms."""
    rng, body = job.rng, job.person.body
    platform, turns, twists, shape = DIVES[job.take]
    fps = 25
    fall = dive_moves(body, platform, turns, twists, shape, fps, rng)
    joints = transform_anchors(body.joints, fall.moves)
    hands = joints[min(int(fall.enters * fps), len(joints) - 1), BODY.index("left_wrist")]
    around, scene = rng.uniform(-0.5, 0.6), tower(rng, platform)
    away = np.array([math.sin(around), 0, math.cos(around)])
    if platform > 5:
        place = joints.mean(axis=(0, 1)) * (1, 0, 1) + 9.5 * away + (0, rng.uniform(3, 6), 0)
        views = following(joints, place, 190, body, rng, WIDE)
    else:
        far = 665 * (platform + 3.2) / TALL[1] * rng.uniform(1.0, 1.1)
        aim = np.array([1.1, (platform + 2.2) / 2, 0.0])
        views = [standing(aim + far * away + (0, 0.4, 0), aim, 665.0, TALL)] * len(joints)
    spots = [(x, 0.3, -7.4 - 0.5 * (i % 2)) for i, x in enumerate(np.arange(-6, 8, 0.9))]
    return take_of(
        name, job, fall.moves, "swimming", scene, views, spots, fps,
        splash=Splash.at(hands.astype(np.float64), fall.enters, rng),
        made_from=f"{abs(turns)} half somersaults, {twists:g} twists, {platform:g} m",
    )  # fmt: skip


def flips(name: str, job: Job) -> FilmedTake:
    """A recorded cartwheel or flip."""
    rng, body = job.rng, job.person.body
    clip = recording(job.motion, FLIPS[job.take])
    pace, lasts = rng.uniform(0.9, 1.3), len(clip.root) / clip.fps
    upside_down = clip.rotations[:, 0, 1, 1] < 0
    middle = float(np.median(np.flatnonzero(upside_down))) / clip.fps
    first, last = max(middle - 2.5 * pace, 0.1), min(middle + 2.5 * pace, lasts - 0.1)
    moves = body.transforms(sample_clip(clip, np.arange(first, last, pace / FPS), FPS))
    turn = Rotation.from_euler("y", rng.uniform(0, 2 * math.pi)).as_matrix().astype(np.float32)
    moves = centred(on_level_ground(turn @ moves, body, FPS), body)
    return indoors(name, job, moves, str(rng.choice(["gymnastics", "sports"])), clip.name)


def floor(name: str, job: Job) -> FilmedTake:
    """Floor exercises with hands."""
    moves = floor_moves(job.person.body, SECONDS["floor"], FPS, job.rng)
    return indoors(name, job, centred(moves, job.person.body), "gymnastics", "key poses")


def indoors(name: str, job: Job, moves: Float32, outfit: str, made_from: str) -> FilmedTake:
    """Moves about the origin in a hall, on a stage or outside, the camera following loosely."""
    rng, body = job.rng, job.person.body
    scene = (gym, stage, street, meadow)[rng.integers(4)](rng)
    around, tall = rng.uniform(-0.6, 0.6), float(np.exp(rng.uniform(np.log(140), np.log(260))))
    far = rng.uniform(4.8, 7.5)
    place = np.array([far * math.sin(around), rng.uniform(0.8, 2.2), far * math.cos(around)])
    views = following(transform_anchors(body.joints, moves), place, tall, body, rng, WIDE)
    spots = [(float(x), 0.0, float(rng.uniform(-4.2, -3.2))) for x in np.arange(-4, 4.5, 0.8)]
    return take_of(name, job, moves, outfit, scene, views, spots, FPS, made_from=made_from)


def ice(name: str, job: Job) -> FilmedTake:
    """Spins on ice."""
    rng, body = job.rng, job.person.body
    moves = spin_moves(body, SECONDS["ice"], FPS, rng)
    place = np.array([rng.uniform(-4, 4), rng.uniform(1.5, 3.5), rng.uniform(8, 11)])
    joints = transform_anchors(body.joints, moves)
    views = following(joints, place, rng.uniform(130, 260), body, rng, WIDE)
    scene = rink(rng)
    far = -scene.boxes[1].high[2]
    spots = [(float(x), 0.3, -far - rng.uniform(0.6, 2.4)) for x in np.arange(-8, 8, 0.7)]
    return take_of(name, job, moves, "gymnastics", scene, views, spots, FPS)


def ski(name: str, job: Job) -> FilmedTake:
    """A slalom followed by a turning camera."""
    rng, body = job.rng, job.person.body
    moves = ski_moves(body, SECONDS["ski"], FPS, rng)
    joints = transform_anchors(body.joints, moves)
    place = np.array([rng.uniform(-3, 3), rng.uniform(1.2, 3), rng.uniform(13, 17)])
    views = following(joints, place, rng.uniform(120, 220), body, rng, WIDE)
    spots = [(float(x), 0.0, float(rng.uniform(-9, -7.6))) for x in np.arange(-11, 11, 0.9)]
    return take_of(name, job, moves, "ski", ski_slope(rng), views, spots, FPS, on_skis=True)


SPORTS: dict[str, Callable[[str, Job], FilmedTake]] = {
    "dive": dive, "flips": flips, "floor": floor, "ice": ice, "ski": ski,
}  # fmt: skip


def take_of(
    name: str, job: Job, moves: Float32, outfit: str, scene: VirtualScene,
    views: Sequence[CameraView], spots: Spots, fps: int, **more: Any,
) -> FilmedTake:  # fmt: skip
    """The take, with a crowd in the same clothes at half of the spots."""
    look = job.person.dressed(outfit, job.rng)
    chosen = [spot for spot in spots if job.rng.random() < 0.55]
    return FilmedTake(
        name=name, fps=fps, moves=moves, body=job.person.body, surface=look.dress(job.person.body),
        scene=scene, views=views, lens=random_camera_effects(job.rng),
        crowd=make_crowd(chosen, job.rng, look.clothes), **more,
    )  # fmt: skip


def _suit(rng: Random) -> tuple[Garment, ...]:
    return (
        Garment(paint=pattern(rng), thickness=0.012, trunk=(0, 1.2), sleeve=2.9, leg=2.5, wrist=2.6,
                ankle=2.2),
    )  # fmt: skip


def recording(folder: Path, name: str) -> MocapClip:
    """A recording of a held-out subject."""
    suffix = ".txt" if name.startswith("humanoid3d") else ".amc"
    found = sorted(folder.rglob(name + suffix))
    if not found:
        raise MocapError(f"no {name}{suffix} below {folder}", "unpack the recordings there")
    if suffix == ".txt":
        return read_deepmimic(found[0], name)
    subject = name.split("_")[0]
    rig = found[0].with_name(ACCLAIM_RIG[subject])
    return with_hips_raised(read_amc(rig, found[0], name, ACCLAIM_FPS[subject]))


def centred(moves: Float32, body: Body) -> Float32:
    """The moves about the world's origin."""
    path = transform_anchors(body.joints, moves)[:, 0]
    middle = (path.min(axis=0) + path.max(axis=0)) / 2
    result = moves.copy()
    result[..., 3] -= middle * np.array([1, 0, 1], np.float32)
    return result


def standing(
    place: Float64, aim: Float64, focal: float, size: tuple[int, int], roll: float = 0.0
) -> CameraView:
    """A view towards a point."""
    width, height = size
    pinhole = Pinhole(focal, (width / 2, height / 2))
    return CameraView(pinhole, look_at_pose(place, aim, roll), width, height)


def following(
    joints: Float32, place: Float64, tall: float, body: Body, rng: Random, size: tuple[int, int]
) -> list[CameraView]:
    """A hand-held camera that follows late; the person is about `tall` pixels tall upright."""
    pelvis = joints[:, 0].astype(np.float64)
    far = float(np.median(np.linalg.norm(pelvis - place, axis=1)))
    focal = tall * far / body.height
    loose = 0.12 * size[1] / focal * far  # metres by which the aim is off
    times = np.arange(len(pelvis)) / FPS
    aims = gaussian_filter1d(pelvis, 0.2 * FPS, axis=0, mode="nearest")
    for axis in range(2):
        for _ in range(2):
            wave = np.sin(2 * np.pi * (times * rng.uniform(0.15, 0.9) + rng.random()))
            aims[:, axis] += 0.5 * loose * rng.random() * wave
    tilt = rng.normal(0, 0.03)
    return [standing(place, aim, focal, size, tilt) for aim in aims]


if __name__ == "__main__":
    main()
