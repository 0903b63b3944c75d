"""Render the example clips and their true joints: python examples/make.py MOTION_FOLDER.

The folder holds the recordings that examples/README.md names; it needs the extra `training`.
Everything is seeded: two runs draw the same pictures, which H.264 may then pack a bit differently.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import write_motion
from mocap_cli.body.recording import Camera, Source
from mocap_cli.body.skeleton import BODY
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from training.synthesis.body_appearance import Appearance, Garment
from training.synthesis.body_model import Body, make_body, transform_anchors
from training.synthesis.camera_view import CameraView, look_at_pose
from training.synthesis.clip_sampling import sample_clip
from training.synthesis.cloth_patterns import Pattern
from training.synthesis.dive import make_dive
from training.synthesis.environments import gym, tower
from training.synthesis.foot_planting import plant_feet
from training.synthesis.mocap_readers import read_amc, read_bvh
from training.synthesis.mp4 import write_mp4
from training.synthesis.rendered_shots import visible_keypoints
from training.synthesis.renderer import RenderLayer, mean_layer, render
from training.synthesis.splash import Splash
from training.synthesis.virtual_scene import VirtualScene

Float32 = NDArray[np.float32]
PLATFORM = 5.0  # metres
MURK = 0.8  # share of the light that a metre of pool water takes


@dataclass(frozen=True, kw_only=True)
class Take:
    """All that a clip is rendered from."""

    name: str
    fps: float
    moves: Float32  # (T, P, 3, 4)
    stands: NDArray[np.bool_]  # (T, 2) the left and the right foot
    body: Body
    look: Appearance
    scene: VirtualScene
    view: CameraView
    shutter: int  # drawings in the half of a frame for which the shutter is open
    made_from: str
    splash: Splash | None = None
    times: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", np.arange(len(self.moves)) / self.fps)


def main() -> None:
    """Make all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("motion", type=Path, help="folder with the recordings")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    for take in (dive(options.motion), walk(options.motion)):
        movie = options.output / f"{take.name}.mp4"
        truth = filmed(take, movie)
        write_motion(truth, movie.with_suffix(".truth.json"))
        print(movie, f"{movie.stat().st_size / 1e6:.1f} MB, {len(take.moves)} frames")


def dive(motion: Path) -> Take:
    """A backward one and a half somersault from five metres, seen from the side of the pool."""
    rng = np.random.default_rng(5)
    body = make_body(_shape(0.85, muscle=0.75), mesh=True)
    amc = _find(motion, "88_01.amc")
    fall = make_dive(read_amc(amc.with_name("08.asf"), amc, "88_01"), body, PLATFORM, 60.0)
    moves = body.transforms(fall.clip)
    on_platform = np.arange(len(moves)) / 60 < fall.leaves
    at_entry = int(fall.enters * 60)
    hands = transform_anchors(body.joints, moves[at_entry : at_entry + 1])[
        0, BODY.index("left_wrist")
    ]
    trunks = Garment(paint=_plain(0.75, 0.1, 0.12), thickness=0.003, trunk=(0, 0.14), leg=0.4)
    view = CameraView(
        Pinhole.guess(720, 1280), look_at_pose((1.0, 5.25, 7.9), (1.0, 3.6, 0.0)), 720, 1280
    )
    return Take(
        name="dive",
        fps=60.0,
        moves=moves,
        stands=np.repeat(on_platform[:, None], 2, axis=1),
        body=body,
        look=_person((0.87, 0.68, 0.55), (0.13, 0.09, 0.07), trunks),
        scene=tower(rng, PLATFORM),
        view=view,
        shutter=6,
        splash=Splash.at(hands.astype(np.float64), fall.enters, rng),
        made_from=f"CMU 88_01; feet leave {fall.leaves:.3f} s, hands enter {fall.enters:.3f} s",
    )


def walk(motion: Path) -> Take:
    """Somebody walks through a gym."""
    rng = np.random.default_rng(10)
    body = make_body(_shape(0.1, height=0.55), mesh=True)
    clip = read_bvh(_find(motion, "12_02.bvh"), "12_02")
    times = np.arange(0.05, len(clip.root) / clip.fps - 0.05, 1 / 30)
    moves, stands = plant_feet(body.transforms(sample_clip(clip, times, 30.0)), body, 30.0)
    shirt = Garment(paint=_plain(0.93, 0.75, 0.2), thickness=0.008, trunk=(0.1, 1.2), sleeve=0.55)
    trousers = Garment(paint=_plain(0.13, 0.17, 0.3), thickness=0.01, trunk=(0, 0.2), leg=1.95)
    shoes = Garment(paint=_plain(0.9, 0.9, 0.9), thickness=0.007, ankle=1.95)
    view = CameraView(
        Pinhole.guess(1280, 720), look_at_pose((0.2, 1.5, 5.9), (0.2, 1.0, 0)), 1280, 720
    )
    return Take(
        name="walk",
        fps=30.0,
        moves=_crossing(moves),
        stands=stands,
        body=body,
        look=_person((0.55, 0.38, 0.27), (0.1, 0.08, 0.07), shoes, trousers, shirt, long=True),
        scene=gym(rng),
        view=view,
        shutter=6,
        made_from="CMU 12_02",
    )


def filmed(take: Take, path: Path) -> Motion:
    """Render into a movie; returns what is true in it."""
    visible: list[NDArray[np.bool_]] = []
    size = (take.view.width, take.view.height)
    write_mp4(drawn(take, visible), path, round(take.fps), size, crf=22)
    if not take.splash:
        write_mp4([clean(take)], path.with_suffix(".clean.mp4"), round(take.fps), size, crf=8)
    return truth_of(take, np.stack(visible))


def clean(take: Take) -> NDArray[np.uint8]:
    """The scene without anybody."""
    picture = take.scene.plate(take.view, samples=3).picture
    return np.clip(picture, 0, 255).astype(np.uint8)


def drawn(take: Take, visible: list[NDArray[np.bool_]]) -> Iterator[NDArray[np.uint8]]:
    """Every picture; `visible` is told which keypoints can be seen in it."""
    surface, plate = take.look.dress(take.body), take.scene.plate(take.view, samples=3)
    grain = np.random.default_rng(1)
    if take.body.vertices is None:
        raise ValueError("rendering needs a body with its mesh")
    before = transform_anchors(take.body.vertices, take.moves[:1])[0]
    for time, moves in zip(take.times, take.moves, strict=True):
        now = transform_anchors(take.body.vertices, moves[None])[0]
        steps = np.linspace(0.5, 1, take.shutter, dtype=np.float32)
        layer = mean_layer([
            render(surface, before + (now - before) * step, take.view, take.scene.light)
            for step in steps
        ])  # fmt: skip
        layer = layer.behind(plate.depth, plate.ground * np.float32(MURK) if take.splash else None)
        picture = plate.picture
        if take.scene.shadow:
            picture = take.scene.shade(picture, surface, now, take.view)
        picture = layer.over(picture)
        if take.splash:
            picture = take.splash.over(picture, take.view, float(time))
        noisy = picture + grain.normal(0, 1.5, picture.shape[:2])[..., None]
        visible.append(_seen(take, moves, layer))
        yield np.clip(noisy, 0, 255).astype(np.uint8)
        before = now


def _seen(take: Take, moves: Float32, layer: RenderLayer) -> NDArray[np.bool_]:
    keypoints = transform_anchors(take.body.keypoints, moves[None])[0]
    depth = -take.view.to_camera(keypoints)[:, 2]
    return visible_keypoints(take.view.pixels(keypoints), depth, layer, take.view)


def truth_of(take: Take, visible: NDArray[np.bool_]) -> Motion:
    """The joints that the pictures were made from, in the format that `mocap track` writes."""
    joints, keypoints = (
        transform_anchors(a, take.moves) for a in (take.body.joints, take.body.keypoints)
    )
    count = len(take.moves)
    pose = np.broadcast_to(take.view.world_from_camera, (count, 3, 4)).astype(np.float32)
    view = take.view
    return Motion(
        source=Source(
            file=f"{take.name}.mp4", fps=take.fps, width=view.width, height=view.height,
            frames=count, rotation=0,
        ),
        skeleton=BODY,
        space="world",
        times=take.times,
        joints=joints.round(5),
        sigma=np.zeros(joints.shape[:2], np.float32),
        detected=np.asarray(visible.any(axis=1)),
        contacts=take.stands.astype(np.float32),
        xy=view.pixels(keypoints).astype(np.float32).round(3),
        score=visible.astype(np.float32),
        camera=Camera(
            focal_pixels=view.pinhole.focal, centre=view.pinhole.centre, world_from_camera=pose
        ),
        model={"rendered": take.made_from, "height_metres": f"{take.body.height:.3f}"},
    )  # fmt: skip


def _crossing(moves: Float32) -> Float32:
    """The same walk, turned so that it crosses the picture and comes nearer."""
    path = moves[:, 0, :, 3]
    way = path[-1] - path[0]
    angle = np.arctan2(way[2], way[0]) - np.radians(20)
    c, s = np.cos(angle), np.sin(angle)
    turned = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32) @ moves
    middle = (turned[0, 0, :, 3] + turned[-1, 0, :, 3]) / 2
    turned[..., 3] -= middle * np.array([1, 0, 1], np.float32)
    return turned


def _shape(gender: float, muscle: float = 0.5, height: float = 0.5) -> dict[str, float]:
    return dict(gender=gender, age=0.65, muscle=muscle, weight=0.45, height=height, proportions=0.6)


def _person(
    skin: tuple[float, float, float], hair: tuple[float, float, float], *clothes: Garment,
    long: bool = False,
) -> Appearance:  # fmt: skip
    return Appearance(
        skin=np.array(skin, np.float32), hair=np.array(hair, np.float32),
        eyes=np.array([0.25, 0.17, 0.1], np.float32), hair_thickness=0.014, long_hair=long,
        beard=0.0, cap=None, clothes=clothes, wear=3,
    )  # fmt: skip


def _plain(red: float, green: float, blue: float) -> Pattern:
    ink = np.array([red, green, blue], np.float32)
    return lambda places: np.broadcast_to(ink, (len(places), 3)).astype(np.float32)


def _find(folder: Path, name: str) -> Path:
    found = sorted(path for path in folder.rglob(name) if "direct" not in path.parts)
    if not found:
        raise MocapError(f"no {name} below {folder}", "examples/README.md says where it is from")
    return found[0]


if __name__ == "__main__":
    main()
