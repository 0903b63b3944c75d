"""Rendered shots with known truth: random people, motions, scenes and cameras."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.types import Float32, UInt8
from training.synthesis.body_appearance import random_appearance
from training.synthesis.body_model import Body, make_body, transform_anchors
from training.synthesis.camera_effects import CameraEffects, random_camera_effects
from training.synthesis.camera_view import CameraView, look_at_pose
from training.synthesis.clip_sampling import sample_clip
from training.synthesis.environments import random_scene
from training.synthesis.mocap_clip import MocapClip
from training.synthesis.renderer import BodySurface, RenderLayer, mean_layer, render
from training.synthesis.virtual_scene import VirtualScene

Floats = NDArray[np.floating]
Random = np.random.Generator

FPS = 30.0
_SIZES = ((640, 480), (640, 480), (640, 360), (480, 640), (360, 640))
"""Widths and heights of images, pixels."""
_CLEAR_RADIUS = 3.5
"""Metres around the origin that scenes keep free of objects, except towards the camera."""
_OCCLUSION_DEPTH = 0.09
"""Metres between a keypoint inside the body and a surface that does not hide it."""
_SMALL = ("nose", "eye", "ear", "wrist", "heel", "toe", "elbow", "ankle")
_BURIED = (
    np.array([0.6 if k.split("_")[-1] in _SMALL else 1.4 for k in KEYPOINTS]) * _OCCLUSION_DEPTH
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedShot:
    """One person moving before one fixed camera."""

    name: str  # of the clip
    transforms: Float32  # (T, P, 3, 4) of the body's parts
    body: Body
    surface: BodySurface
    scene: VirtualScene
    view: CameraView
    lens: CameraEffects
    shutter: int  # renderings that are averaged in a frame; 1 is sharp
    tumbling: bool  # rotating in the air


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedFrame:
    """An image and its truth."""

    picture: UInt8  # (H, W, 3) RGB
    xy: Float32  # (K, 2) pixels
    visible: NDArray[np.bool_]  # (K,) in the image and not occluded by the body
    joints: Float32  # (J, 3) metres, camera axes
    cover: Float32  # (H, W) 0..1 share of each pixel that the person covers
    box: tuple[float, float, float, float]  # left, top, right, bottom of the person, pixels


def random_shots(
    clips: Sequence[MocapClip], weights: Floats, rng: Random, tumbling: float = 0.2
) -> Iterator[RenderedShot]:
    """An endless iterator of shots; clips are sampled by weight, and a share of them tumbles."""
    weights = np.asarray(weights, np.float64)  # in single precision shares do not sum to 1
    share = weights / weights.sum()
    while True:
        clip = clips[rng.choice(len(clips), p=share)]
        body = make_body(_phenotype(rng), mesh=True)
        moves, tumbles = _moves(clip, body, rng, tumbling)
        view = _view(transform_anchors(body.joints, moves), body, rng)
        if view is None:
            continue
        yield RenderedShot(
            name=clip.name,
            transforms=moves,
            body=body,
            surface=random_appearance(rng).dress(body),
            scene=random_scene(rng),
            view=view,
            lens=random_camera_effects(rng),
            shutter=int(rng.choice([1, 3], p=(0.75, 0.25))),
            tumbling=tumbles,
        )


def render_shot(
    shot: RenderedShot, rng: Random, frames: Sequence[int] | None = None
) -> Iterator[RenderedFrame]:
    """Render a shot frame by frame, or some frames of it."""
    if shot.body.vertices is None:
        raise ValueError("filming needs a body with its mesh")
    plate = shot.scene.plate(shot.view, samples=1)
    joints, keypoints = (
        transform_anchors(a, shot.transforms) for a in (shot.body.joints, shot.body.keypoints)
    )
    for t in range(len(shot.transforms)) if frames is None else frames:
        moves = shot.transforms[[max(t - 1, 0), t]]
        before, vertices = transform_anchors(shot.body.vertices, moves)
        layer = _exposed(shot, before, vertices).behind(plate.depth)
        picture = shot.scene.shade(plate.picture, shot.surface, vertices, shot.view)
        cover = np.zeros(plate.depth.shape, np.float32)
        cover[layer.box] = layer.cover
        xy = shot.view.pixels(keypoints[t])
        yield RenderedFrame(
            picture=shot.lens.apply(layer.over(picture), rng),
            xy=xy.astype(np.float32),
            visible=visible_keypoints(
                xy, -shot.view.to_camera(keypoints[t])[:, 2], layer, shot.view
            ),
            joints=shot.view.to_camera(joints[t]).astype(np.float32),
            cover=cover,
            box=_box(layer),
        )


def _exposed(shot: RenderedShot, before: Float32, now: Float32) -> RenderLayer:
    """The body with motion blur: the shutter is open for half of the frame interval."""
    steps = np.linspace(0.5, 1, shot.shutter) if shot.shutter > 1 else np.ones(1)
    light = shot.scene.light
    drawn = [
        render(shot.surface, before + (now - before) * np.float32(step), shot.view, light)
        for step in steps
    ]
    return mean_layer(drawn) if len(drawn) > 1 else drawn[0]


def visible_keypoints(
    xy: Floats, depth: Floats, layer: RenderLayer, view: CameraView
) -> NDArray[np.bool_]:
    """(K,) whether keypoints are in the image and not occluded by the body or an object."""
    column, row = (np.nan_to_num(xy[:, i], nan=-1).astype(int) for i in range(2))
    inside = (column >= 0) & (row >= 0) & (column < view.width) & (row < view.height)
    height, width = layer.cover.shape
    column, row = column - layer.left, row - layer.top
    drawn = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    before = layer.depth[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    return np.asarray(inside & ~(drawn & (depth - before > _BURIED)))


def _box(layer: RenderLayer) -> tuple[float, float, float, float]:
    rows = np.flatnonzero(layer.cover.max(axis=1) > 0.1)
    columns = np.flatnonzero(layer.cover.max(axis=0) > 0.1)
    if not len(rows):
        return (math.nan,) * 4
    left, top = layer.left + columns[0], layer.top + rows[0]
    right, bottom = layer.left + columns[-1] + 1, layer.top + rows[-1] + 1
    return float(left), float(top), float(right), float(bottom)


def _phenotype(rng: Random) -> dict[str, float]:
    """A random body, age 8 to 80, mostly adult."""
    child = rng.random() < 0.12
    return dict(
        gender=float(np.clip(rng.choice([0.1, 0.9]) + rng.normal(0, 0.1), 0, 1)),
        age=float(rng.uniform(0.4, 0.55) if child else rng.uniform(0.58, 0.95)),
        muscle=float(rng.beta(2.5, 2)),
        weight=float(rng.beta(2, 2.5)),
        height=float(rng.beta(2, 2)),
        proportions=float(rng.beta(2, 2)),
    )


def _moves(clip: MocapClip, body: Body, rng: Random, tumbling: float) -> tuple[Float32, bool]:
    """Two to three seconds of the clip; some of them tumbling in the air."""
    lasts = len(clip.root) / clip.fps
    length = min(rng.uniform(2, 3), lasts)
    times = rng.uniform(0, lasts - length) + np.arange(int(length * FPS)) / FPS
    moves = _turned(body.transforms(sample_clip(clip, times, FPS)), body.heads[0], rng)
    if rng.random() > tumbling:
        return place_on_ground(moves, body), False
    return _tumbled(moves, body.heads[0], rng), True


def place_on_ground(moves: Float32, body: Body) -> Float32:
    """The motion with its lowest points, usually the soles, on the ground."""
    if body.vertices is None:
        raise ValueError("only a body with its mesh has soles")
    some = moves[:: max(len(moves) // 24, 1)]
    lowest = [
        transform_anchors(body.vertices, some[t : t + 1])[0, :, 1].min() for t in range(len(some))
    ]
    result = moves.copy()
    result[..., 1, 3] -= np.percentile(lowest, 15)
    return result


def _turned(moves: Float32, hinge: Float32, rng: Random) -> Float32:
    """The motion around the world's origin, in a random direction."""
    turn = Rotation.from_euler("y", rng.uniform(0, 2 * math.pi)).as_matrix().astype(np.float32)
    result = turn @ moves
    path = result[:, 0] @ np.append(hinge, 1).astype(np.float32)
    result[..., 3] -= (path.min(axis=0) + path.max(axis=0)) / 2 * np.array([1, 0, 1], np.float32)
    return result


def _tumbled(moves: Float32, hinge: Float32, rng: Random) -> Float32:
    """The body rotating about its centre some metres up, as of divers and gymnasts."""
    middle = moves[:, :1] @ np.append(hinge, 1).astype(np.float32)  # (T, 1, 3)
    axis = rng.normal(size=3) * (1, 0.4, 0.5)
    axis /= np.linalg.norm(axis)
    angle = rng.uniform(0, 2 * math.pi) + rng.uniform(-9, 9) * np.arange(len(moves)) / FPS
    turn = Rotation.from_rotvec(angle[:, None] * axis).as_matrix().astype(np.float32)[:, None]
    result = turn @ moves
    shift = middle - (turn @ middle[..., None])[..., 0] + (0, rng.uniform(0.5, 2.5), 0)
    result[..., 3] += shift
    return result


def _view(joints: Float32, body: Body, rng: Random) -> CameraView | None:
    """A fixed camera with the person in the image nearly all the time, if there is one."""
    width, height = _SIZES[rng.integers(len(_SIZES))]
    middle = (joints.min(axis=(0, 1)) + joints.max(axis=(0, 1))) / 2
    for _ in range(12):
        tall = math.exp(rng.uniform(math.log(120), math.log(min(700, 1.15 * height))))
        focal = max(width, height) / 2 / math.tan(rng.uniform(0.22, 0.65))
        distance = focal * body.height / tall
        around, up = rng.uniform(-0.6, 0.6), rng.uniform(0.3, 3)
        offset = (distance * math.sin(around), 0, distance * math.cos(around))
        aim = middle + rng.normal(0, 0.12, 3) * body.height
        position = middle * (1, 0, 1) + offset + (0, up, 0)
        if distance < abs(up - middle[1]) * 1.2:  # avoid views from above
            continue
        pinhole = Pinhole(focal, (width / 2, height / 2))
        view = CameraView(pinhole, look_at_pose(position, aim, _roll(rng)), width, height)
        if _stays(view, joints):
            return view
    return None


def _roll(rng: Random) -> float:
    return float(rng.normal(0, 0.25 if rng.random() < 0.15 else 0.04))


def _stays(view: CameraView, joints: Float32) -> bool:
    """Whether 90 % of the joints are in the image, and none is near the lens or in a wall."""
    if (-view.to_camera(joints)[..., 2]).min() < 0.8 or joints[..., 2].min() < -_CLEAR_RADIUS:
        return False
    xy = view.pixels(joints)
    inside = (xy >= 0).all(axis=-1) & (xy < (view.width, view.height)).all(axis=-1)
    return bool(inside.mean() > 0.9)
