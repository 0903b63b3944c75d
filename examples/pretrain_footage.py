"""Render footage to learn from, with its truth: python examples/pretrain_footage.py MOTION -o OUT.

OUT/train gets sixteen clips of four persons, twelve before a camera that stands and four before one
that pans. OUT/clips gets eight other motions of the same persons and OUT/persons the same eight of
two other persons, all before one camera, for tests. The motion is of subjects that the shipped
lifter never met, and no recording is both in OUT/train and in the tests. OUT/dives gets eight
dives. With --cameras 2 OUT/train is filmed by two cameras at once, TAKE.cam0.mp4 and TAKE.cam1.mp4,
and cameras.json says how they are turned.

Beside every CLIP.mp4 lies CLIP.truth.npz: times, boxes (left, top, right, bottom), masks, joints in
camera axes, and who it is; commands that take labels read it. None of it is committed.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap_cli.body.skeleton import BODY
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from training.synthesis.body_appearance import random_appearance
from training.synthesis.body_model import Body, make_body, transform_anchors
from training.synthesis.camera_effects import CameraEffects, random_camera_effects
from training.synthesis.camera_view import CameraView, look_at_pose
from training.synthesis.clip_sampling import sample_clip
from training.synthesis.dive import make_dive
from training.synthesis.environments import gym, meadow, room, stage, street, tower
from training.synthesis.mocap_clip import MocapClip
from training.synthesis.mocap_dataset import is_held_out, read_mocap_folder
from training.synthesis.mocap_readers import read_amc
from training.synthesis.mp4 import write_mp4
from training.synthesis.rendered_shots import place_on_ground
from training.synthesis.renderer import BodySurface, render
from training.synthesis.virtual_scene import ScenePlate, VirtualScene

Float32 = NDArray[np.float32]
Floats = NDArray[np.floating]
Random = np.random.Generator
Size = tuple[int, int]  # width and height, pixels

TRAIN = (
    ("135_01", 0.5), ("135_01", 8.5), ("131_01", 0.2), ("90_05", 0.5), ("12_01", 0.1),
    ("135_01", 16.5), ("90_02", 0.2), ("08_04", 0.1), ("135_01", 24.5), ("131_03", 0.2),
    ("12_02", 0.1), ("08_11", 0.1), ("135_01", 32.5), ("90_02", 8.2), ("08_02", 0.1),
    ("135_01", 40.5),
)  # fmt: skip
TEST = (
    ("135_02", 0.5), ("131_02", 0.2), ("135_02", 8.5), ("12_03", 0.1), ("135_02", 16.5),
    ("90_08", 0.2), ("135_02", 24.5), ("08_06", 0.1),
)  # fmt: skip
"""Recordings of held-out subjects of the CMU database, and the seconds that are left out."""
PERSONS, OTHERS = 4, 2
"""People in OUT/train, and those in OUT/persons alone."""
PANNED = 12
"""From this clip on the camera pans."""
SIDE, FPS, SECONDS = 192, 15, 8.0
AROUND, DOWN = (-0.5, 0.5), 0.1  # radians by which two cameras are turned; the same in every take
DIVE_SIZE, DIVE_FPS, DIVES = (112, 192), 30, 8
PLATFORM = 5.0  # metres
_RIM = 1 / 32  # of the longer side, that nobody reaches
_DRIFT, _PERIOD = 0.8, 9.0  # metres to either side, seconds


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is in several clips, dressed the same."""

    number: int
    body: Body
    surface: BodySurface


@dataclass(frozen=True, slots=True)
class Take:
    """What a clip is rendered from."""

    name: str
    person: Person
    moves: Float32  # (T, P, 3, 4)
    scene: VirtualScene
    views: Sequence[CameraView]  # one a frame, the same object as long as the camera stands
    fps: int
    lens: CameraEffects | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame and what is true about it."""

    picture: NDArray[np.uint8]
    mask: NDArray[np.bool_]  # (H, W) at least half of the pixel is the person
    joints: Float32  # (J, 3) metres, camera axes


def main() -> None:
    """Render all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("motion", type=Path, help="folder with the recordings")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", choices=("people", "dives"), help="one of the two kinds")
    parser.add_argument("--seed", type=int, default=20, help="other people, places and cameras")
    parser.add_argument("--cameras", type=int, choices=(1, 2), default=1, help="of OUT/train")
    parser.add_argument(
        "--side", type=int, default=SIDE, help="longer side, pixels; of all but dives"
    )
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    persons = [_person(i, rng) for i in range(PERSONS + OTHERS)]
    if options.only != "dives":
        clips = read_mocap_folder(options.motion, persons[0].body)
        recordings = {clip.name: clip for clip in clips if is_held_out(clip)}
        known, others = persons[:PERSONS], persons[PERSONS:]
        sizes = options.cameras, options.side
        _write_people(options.output / "train", TRAIN, known, recordings, sizes, rng)
        for folder, cast in (("clips", known), ("persons", others)):
            rng = np.random.default_rng([options.seed, len(folder)])
            _write_people(options.output / folder, TEST, cast, recordings, (1, options.side), rng)
    if options.only != "people":
        for i in range(DIVES):
            random = np.random.default_rng([options.seed + 1, i])
            _write(_dive(i, options.motion, persons[i % 4], random), options.output / "dives")


def _write_people(
    folder: Path,
    chosen: Sequence[tuple[str, float]],
    cast: Sequence[Person],
    recordings: Mapping[str, MocapClip],
    sizes: tuple[int, int],
    rng: Random,
) -> None:
    """A folder of clips: the people take turns in the chosen recordings."""
    cameras, side = sizes
    for i, (name, start) in enumerate(chosen):
        if name not in recordings:
            raise MocapError(f"no recording {name}", "docs/lifter.md says where it is from")
        person = cast[i % len(cast)]
        for take in _takes(i, recordings[name], start, person, cameras, side, rng):
            _write(take, folder)
    if cameras == 2:
        _write_turns(folder / "cameras.json")


def _person(number: int, rng: Random) -> Person:
    shape = dict(
        gender=float(number % 2), age=0.65, muscle=float(rng.uniform(0.3, 0.8)),
        weight=float(rng.uniform(0.3, 0.7)), height=float(rng.uniform(0.3, 0.7)), proportions=0.6,
    )  # fmt: skip
    body = make_body(shape, mesh=True)
    return Person(number, body, random_appearance(rng).dress(body))


def _takes(
    number: int,
    recording: MocapClip,
    start: float,
    person: Person,
    cameras: int,
    side: int,
    rng: Random,
) -> Iterator[Take]:
    """Somebody in some place, turned at random, before cameras that show all that is done."""
    seconds = min(SECONDS, len(recording.root) / recording.fps - start)
    times = start + np.arange(int(seconds * FPS)) / FPS
    moves = _centred(person.body.transforms(sample_clip(recording, times, FPS)), rng)
    moves = place_on_ground(moves, person.body)
    joints = transform_anchors(person.body.joints, moves)
    scene = (gym, street, meadow, room, stage)[number % 5](rng)
    size = (side, round(side / 24) * 16)
    if cameras == 2:
        for camera, around in enumerate(AROUND):
            views = [_mounted(joints, around, size)] * len(moves)
            yield Take(f"take-{number:02d}.cam{camera}", person, moves, scene, views, FPS)
        return
    kind = "pan" if number >= PANNED else "still"
    views = (
        _panning(joints, size, rng)
        if kind == "pan"
        else [_standing(joints, size, rng)] * len(moves)
    )
    yield Take(f"{kind}-{number:02d}", person, moves, scene, views, FPS)


def _centred(moves: Float32, rng: Random) -> Float32:
    """The same moves about the world's origin, facing anywhere."""
    turn = Rotation.from_euler("y", rng.uniform(0, 2 * math.pi)).as_matrix().astype(np.float32)
    turned = turn @ moves
    path = turned[:, 0, :, 3]
    middle = (path.min(axis=0) + path.max(axis=0)) / 2
    turned[..., 3] -= middle * np.array([1, 0, 1], np.float32)
    turned[..., 0, 3] += _drift(len(moves), rng)[:, None]
    return turned


def _drift(count: int, rng: Random) -> Float32:
    """Metres to the side: whoever stays on one spot would be taken for background there."""
    time = np.arange(count) / FPS
    return (_DRIFT * np.sin(2 * math.pi * (time / _PERIOD + rng.random()))).astype(np.float32)


def _standing(joints: Float32, size: Size, rng: Random) -> CameraView:
    """A camera that holds everything in the picture, from no nearer than it must."""
    around, up = rng.uniform(-0.5, 0.5), rng.uniform(0.8, 1.8)
    away = np.array([math.sin(around), 0, math.cos(around)])
    return _near(joints, size, lambda middle, far: middle * (1, 0, 1) + far * away + (0, up, 0))


def _mounted(joints: Float32, around: float, size: Size) -> CameraView:
    """A camera on a mount that sets how it is turned, from no nearer than it must."""
    level = math.cos(DOWN)
    away = np.array([math.sin(around) * level, math.sin(DOWN), math.cos(around) * level])
    return _near(joints, size, lambda middle, far: middle + far * away)


def _near(joints: Float32, size: Size, position: Callable[[Floats, float], Floats]) -> CameraView:
    """The view from the nearest of the positions, given what is aimed at and how far off."""
    middle = (joints.min(axis=(0, 1)) + joints.max(axis=(0, 1))) / 2
    for distance in np.linspace(3, 12, 40):
        view = _view(middle, position(middle, distance), size)
        if _inside(view, joints, rim=_RIM * max(size)):
            return view
    raise MocapError("the recording goes too far for one camera", "choose another in TRAIN or TEST")


def _panning(joints: Float32, size: Size, rng: Random) -> list[CameraView]:
    """A camera that follows loosely: it turns, and stays where it is."""
    pelvis = joints[:, BODY.index("pelvis")]
    time = np.arange(len(pelvis)) / FPS
    sway = 0.7 * np.sin(2 * math.pi * (time / rng.uniform(4, 7) + rng.random()))
    aims = pelvis.mean(axis=0) + sway[:, None] * (1, 0, 0)
    position = pelvis.mean(axis=0) * (1, 0, 1) + (rng.uniform(-1, 1), 1.4, 4.6)
    return [_view(aim, position, size) for aim in aims]


def _view(aim: Floats, position: Floats, size: Size) -> CameraView:
    width, height = size
    pinhole = Pinhole(width / 2 / math.tan(0.45), (width / 2, height / 2))
    return CameraView(pinhole, look_at_pose(position, aim), width, height)


def _inside(view: CameraView, joints: Float32, rim: float) -> bool:
    xy = view.pixels(joints)
    low, high = np.full(2, rim), np.array([view.width - rim, view.height - rim])
    return bool(((xy >= low) & (xy <= high)).all())


def _dive(number: int, motion: Path, person: Person, rng: Random) -> Take:
    """A dive from the platform; the camera stands somewhere at the side."""
    amc = _found(motion, "88_01.amc")
    recorded = read_amc(amc.with_name("08.asf"), amc, "88_01")
    fall = make_dive(recorded, person.body, PLATFORM, float(DIVE_FPS))
    moves = person.body.transforms(fall.clip)
    begins, ends = int(fall.leaves * DIVE_FPS), int(fall.enters * DIVE_FPS)
    width, height = DIVE_SIZE
    aim = np.array([1.0, 3.3, 0.0]) + rng.normal(0, 0.1, 3)
    position = (1.0 + rng.uniform(-1, 1), rng.uniform(3, 5.5), rng.uniform(8.5, 10))
    view = CameraView(Pinhole.guess(width, height), look_at_pose(position, aim), width, height)
    chosen = moves[begins:ends]
    scene, views = tower(rng, PLATFORM), [view] * len(chosen)
    return Take(
        f"dive-{number:02d}", person, chosen, scene, views, DIVE_FPS, random_camera_effects(rng)
    )


def _write_turns(path: Path) -> None:
    """The rotation from the world's axes to each camera's, as `mocap pretrain` reads it."""
    mounts = (Rotation.from_euler("YX", (around, -DOWN)).inv().as_matrix() for around in AROUND)
    with write_atomically(path) as aside:
        aside.write_text(json.dumps({str(i): turn.tolist() for i, turn in enumerate(mounts)}))


def _write(take: Take, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    seen: list[Seen] = []
    size = (take.views[0].width, take.views[0].height)
    movie = folder / f"{take.name}.mp4"
    write_mp4(_pictures(take, seen), movie, take.fps, size, crf=16)
    with write_atomically(folder / f"{take.name}.truth.npz") as aside:
        np.savez_compressed(
            aside,
            times=np.arange(len(seen)) / take.fps,
            masks=np.stack([s.mask for s in seen]),
            boxes=np.stack([_box(s.mask) for s in seen]),
            joints=np.stack([s.joints for s in seen]),
            who=take.person.number,
            space="camera",
        )
    print(movie, len(seen), "frames")


def _pictures(take: Take, seen: list[Seen]) -> Iterator[NDArray[np.uint8]]:
    for drawn in _drawn(take):
        seen.append(drawn)
        yield drawn.picture


def _drawn(take: Take) -> Iterator[Seen]:
    body, rng = take.person.body, np.random.default_rng(1)
    if body.vertices is None:
        raise ValueError("rendering needs a body with its mesh")
    plate: ScenePlate | None = None
    before: CameraView | None = None
    for moves, view in zip(take.moves, take.views, strict=True):
        if plate is None or view is not before:
            plate, before = take.scene.plate(view, samples=2), view
        vertices = transform_anchors(body.vertices, moves[None])[0]
        layer = render(take.person.surface, vertices, view, take.scene.light).behind(plate.depth)
        picture = take.scene.shade(plate.picture, take.person.surface, vertices, view)
        filmed = _filmed(layer.over(picture), take.lens, rng)
        mask = np.zeros(picture.shape[:2], bool)
        mask[layer.box] = layer.cover > 0.5
        joints = view.to_camera(transform_anchors(body.joints, moves[None])[0]).astype(np.float32)
        yield Seen(filmed, mask, joints)


def _filmed(
    picture: NDArray[np.uint8], lens: CameraEffects | None, rng: Random
) -> NDArray[np.uint8]:
    if lens is not None:
        return lens.apply(picture, rng)
    noisy = picture + rng.normal(0, 1.5, picture.shape[:2])[..., None]
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _box(mask: NDArray[np.bool_]) -> Float32:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.full(4, np.nan, np.float32)
    edges = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return np.array(edges, np.float32)


def _found(folder: Path, name: str) -> Path:
    found = sorted(path for path in folder.rglob(name) if "direct" not in path.parts)
    if not found:
        raise MocapError(f"no {name} below {folder}", "examples/README.md says where it is from")
    return found[0]


if __name__ == "__main__":
    main()
