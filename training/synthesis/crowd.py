"""Spectators: people who stand or sit behind a scene, drawn once into its picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from mocap_cli.types import Float32
from training.synthesis.body_appearance import Garment, random_appearance
from training.synthesis.body_model import Body, make_body, transform_anchors
from training.synthesis.camera_view import CameraView
from training.synthesis.key_poses import clip_of_angles, pose_angles
from training.synthesis.renderer import BodySurface, Light, render
from training.synthesis.sport_moves import on_ground
from training.synthesis.virtual_scene import ScenePlate

Random = np.random.Generator
_POSES = ("stand", "arms folded", "cheer", "seated")


@dataclass(frozen=True, slots=True)
class Spectator:
    """Somebody who does not move."""

    surface: BodySurface
    vertices: Float32  # (V, 3) metres


def make_crowd(
    places: Sequence[tuple[float, float, float]],
    rng: Random,
    clothes: tuple[Garment, ...] | None = None,
) -> list[Spectator]:
    """People at those places of the ground, facing +Z; every other one in the given clothes."""
    bodies = [_body(rng) for _ in range(2)]
    return [
        _spectator(bodies[i % 2], place, clothes if i % 2 else None, rng)
        for i, place in enumerate(places)
    ]


def with_crowd(
    plate: ScenePlate, crowd: Sequence[Spectator], view: CameraView, light: Light
) -> ScenePlate:
    """The plate with the crowd, those in front drawn over those behind."""
    picture = plate.picture
    for one in sorted(crowd, key=lambda one: view.to_camera(one.vertices.mean(axis=0))[2]):
        drawn = render(one.surface, one.vertices, view, light, samples=1)
        picture = drawn.behind(plate.depth).over(picture)
    return replace(plate, picture=picture)


def _body(rng: Random) -> Body:
    return make_body(
        dict(gender=float(rng.random()), age=float(rng.uniform(0.5, 0.9)), muscle=0.5,
             weight=float(rng.uniform(0.3, 0.8)), height=float(rng.uniform(0.3, 0.7)),
             proportions=0.5), mesh=True,
    )  # fmt: skip


def _spectator(
    body: Body, place: tuple[float, float, float], clothes: tuple[Garment, ...] | None, rng: Random
) -> Spectator:
    assert body.vertices is not None
    look = random_appearance(rng)
    look = look if clothes is None else replace(look, clothes=clothes)
    angles = pose_angles(str(rng.choice(_POSES))) + rng.normal(0, 5, len(pose_angles("stand")))
    facing = Rotation.from_euler("y", rng.normal(0, 25), degrees=True).as_matrix()
    clip = clip_of_angles(angles[None], facing[None].astype(np.float32), "crowd_0", 1.0)
    moves = on_ground(body.transforms(clip), body)
    vertices = transform_anchors(body.vertices, moves)[0] + np.array(place, np.float32)
    return Spectator(look.dress(body), vertices.astype(np.float32))
