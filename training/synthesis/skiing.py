"""Skiing: a slalom on flat snow, and a camera that pans and zooms to follow it and returns."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.types import Float32, Float64, UInt8
from training.synthesis.body_model import Body, transform_anchors
from training.synthesis.camera_view import CameraView, look_at_pose
from training.synthesis.environments import sunlight
from training.synthesis.materials import Material, marked, sky, speckled
from training.synthesis.mocap_clip import LIMBS, PART_NAMES, MocapClip
from training.synthesis.renderer import BodySurface
from training.synthesis.virtual_scene import Box, ScenePlate, VirtualScene

CAMERA = (0.0, 1.7, 17.0)
FAR_OUT = 11.0  # metres to each side
_TURN_SECONDS, _TURN_METRES = 2.2, 1.6
_PITCH = {  # degrees by which each part leans forward in a skier's crouch
    "pelvis": 25, "spine": 35, "chest": 42, "neck": 15, "head": 5,
    "thigh": -48, "shank": 28, "foot": 0, "toes": 0,
    "collar": 42, "upperarm": -28, "forearm": -75, "hand": -75,
}  # fmt: skip


def slalom_run(times: Float64, seconds: float, body: Body) -> Float32:
    """(T, P, 3, 4) transforms of a skier who turns left and right with that period in seconds."""
    x = FAR_OUT * (2 * times / seconds - 1)
    swing = 2 * np.pi * times / _TURN_SECONDS
    z = _TURN_METRES * np.sin(swing)
    speed = np.gradient(x, times), np.gradient(z, times)
    heading = np.arctan2(*speed)
    lean = -0.35 * np.sin(swing)  # into the turn, by the centripetal force
    moves = body.transforms(_crouch(heading, lean, 0.12 * np.sin(2 * swing)))
    path = np.stack((x, np.zeros_like(x), z), axis=1).astype(np.float32)
    hips = moves[:, 0] @ np.append(body.heads[0], 1).astype(np.float32)
    moves[..., 3] += (path - hips * (1, 0, 1))[:, None].astype(np.float32)
    if body.vertices is not None:
        for t in range(len(moves)):
            moves[t, :, 1, 3] -= (
                transform_anchors(body.vertices, moves[t : t + 1])[0, :, 1].min() - 0.03
            )
    return moves


def _crouch(heading: Float64, lean: Float64, sway: Float64) -> MocapClip:
    """A crouched pose with heading and lean; hips and knees flex a little."""
    T = len(heading)
    turns = np.empty((T, len(PART_NAMES), 3, 3), np.float32)
    whole = Rotation.from_euler("yz", np.stack((heading, lean), axis=1))
    for part, name in enumerate(PART_NAMES):
        kind = name.split("_")[-1]
        gives = {"thigh": -1.0, "shank": 1.0}.get(kind, 0.0) * sway
        pitch = Rotation.from_rotvec(
            (np.radians(_PITCH[kind]) + gives * np.ones(T))[:, None] * (1.0, 0.0, 0.0)
        )
        aside = 0.0
        if kind in ("upperarm", "thigh"):
            aside = (0.5 if kind == "upperarm" else 0.12) * (1 if "left" in name else -1)
        out = Rotation.from_rotvec([0.0, 0.0, aside])
        turns[:, part] = (whole * out * pitch).as_matrix()
    rest = np.array([[0, -1 if n in LIMBS else 0, 0] for n in PART_NAMES], np.float32)
    return MocapClip("ski_0", 30.0, turns, rest, np.zeros((T, 3), np.float32))


def skis() -> BodySurface:
    """Two flat red skis; `on_feet` gives their corners."""
    corners = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    faces = np.concatenate([corners, corners[:, ::-1], corners + 4, corners[:, ::-1] + 4])
    texture = np.full((8, 8, 3), (190, 30, 40), np.uint8)
    return BodySurface(
        faces.astype(np.int32), np.full((8, 2), 0.5, np.float32), texture, np.arange(8),
        np.zeros(8, np.float32),
    )  # fmt: skip


def on_feet(moves: Float32, body: Body) -> Float32:
    """(8, 3) corners of both skis below the feet in one frame (P, 3, 4)."""
    spots = []
    for side in ("left", "right"):
        part = PART_NAMES.index(f"{side}_foot")
        x, _, z = body.heads[part]
        ground = body.heads[PART_NAMES.index(f"{side}_toes")][1] - 0.03
        board = [(-0.05, -0.75), (0.05, -0.75), (0.05, 0.95), (-0.05, 0.95)]
        spots += [moves[part] @ np.array([x + dx, ground, z + dz, 1.0]) for dx, dz in board]
    return np.array(spots, np.float32)


def ski_slope(rng: np.random.Generator) -> VirtualScene:
    """Groomed snow, a forest, a fence with banners and a hut."""
    snow = speckled(np.array([0.86, 0.89, 0.95], np.float32), rng, 0.8, 0.05)
    tracks = [(-60.0, float(z), 60.0, float(z) + 0.08) for z in rng.uniform(-6, 4, 9)]
    ground = marked(snow, tracks, [np.array([0.7, 0.75, 0.84], np.float32)] * len(tracks))
    hut = speckled(np.array([0.42, 0.28, 0.2], np.float32), rng, 0.3, 0.3)
    boxes = (
        Box((-60.0, 0.0, -16.0), (60.0, 5.5, -15.0), _forest(rng)),
        Box((-60.0, 0.0, -7.1), (60.0, 0.9, -7.0), _banners(rng)),
        Box((4.0, 0.0, -13.0), (9.0, 3.2, -10.0), hut),
    )
    return VirtualScene(ground, sky(rng, 0.12), boxes, sunlight(rng), 0.4, 0.04)


def _forest(rng: np.random.Generator) -> Material:
    """Material of a spruce forest."""
    green = np.array([0.13, 0.2, 0.14], np.float32)
    x, y = rng.uniform(-40, 40, 90), rng.uniform(0, 5, 90)
    boughs = [(a - 0.6, b, a + 0.6, b + 0.8) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    inks = [np.asarray(green * rng.uniform(0.5, 2.4), np.float32) for _ in boughs]
    return marked(speckled(green, rng, 0.9, 0.4), boughs, inks)


def _banners(rng: np.random.Generator) -> Material:
    """Material of a fence with coloured banners."""
    cloth = [(float(x), 0.1, float(x) + 2.2, 0.85) for x in np.arange(-30, 30, 2.5)]
    inks = [rng.uniform(0.1, 0.9, 3).astype(np.float32) for _ in cloth]
    grey = speckled(np.array([0.6, 0.62, 0.65], np.float32), rng, 0.4, 0.2)
    return marked(grey, cloth, inks)


def camera_views(times: Float64, seconds: float, size: tuple[int, int]) -> list[CameraView]:
    """Views of a camera that follows for that many seconds and pans back until the end."""
    width, height = size
    back = np.clip((times - seconds) / max(times[-1] - seconds, 1e-9), 0, 1)
    ahead = np.clip(times / seconds, 0, 1)
    along = np.where(times <= seconds, ahead, 1 - back)
    smooth = along**2 * (3 - 2 * along)
    found = []
    for time, share, even in zip(times, smooth, along, strict=True):
        aim = FAR_OUT * 0.92 * (2 * (0.5 * share + 0.5 * even) - 1)
        roll = np.radians(1.5) * np.sin(1.3 * time)
        zoom = 1.35 + 0.35 * np.sin(np.pi * even)
        pose = look_at_pose(CAMERA, (aim, 1.0 + 0.25 * np.sin(1.7 * time), 0.0), float(roll))
        lens = Pinhole(width * zoom, (width / 2, height / 2))
        found.append(CameraView(lens, pose, width, height))
    return found


@dataclass(frozen=True, slots=True)
class RenderedPanorama:
    """A scene rendered once at a wide angle, from which panned and zoomed views are warped."""

    view: CameraView
    plate: ScenePlate

    @staticmethod
    def of(scene: VirtualScene, views: list[CameraView], samples: int = 2) -> "RenderedPanorama":
        """A panorama that covers all views, which share one position."""
        focal = max(view.pinhole.focal for view in views)
        middle = views[len(views) // 4].world_from_camera
        wide = CameraView(Pinhole(focal, (0.0, 0.0)), middle, 1, 1)
        rim = np.concatenate([_corners(view) @ view.homography_to(wide).T for view in views])
        flat = rim[:, :2] / rim[:, 2:]
        low, high = np.floor(flat.min(axis=0)) - 4, np.ceil(flat.max(axis=0)) + 4
        width, height = (int(length) for length in high - low)
        whole = CameraView(Pinhole(focal, (-float(low[0]), -float(low[1]))), middle, width, height)
        return RenderedPanorama(whole, scene.plate(whole, samples))

    def cut(self, view: CameraView) -> UInt8:
        """The image (H, W, 3) of a view."""
        matrix, size = self._onto(view, 2), (2 * view.width, 2 * view.height)
        fine = cv2.warpPerspective(self.plate.picture, matrix, size, flags=cv2.INTER_LINEAR)
        small = cv2.resize(fine, (view.width, view.height), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def depth(self, view: CameraView) -> tuple[Float32, NDArray[np.bool_]]:
        """(H, W) metres along a view, and where the ground is seen."""
        matrix, size = self._onto(view, 1), (view.width, view.height)
        depth, ground = (
            cv2.warpPerspective(np.asarray(of, np.float32), matrix, size, flags=cv2.INTER_NEAREST)
            for of in (self.plate.depth, self.plate.ground)
        )
        rays = view.pixel_rays() @ self.view.world_from_camera[:, 2]
        return np.asarray(depth / -rays, np.float32), np.asarray(ground > 0.5)

    def _onto(self, view: CameraView, scale: float) -> Float64:
        """The homography to a view's pixels, whose corners are integers, enlarged."""
        larger = np.diag([scale, scale, 1.0])
        middle = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        onto = np.linalg.inv(middle) @ larger @ self.view.homography_to(view) @ middle
        return np.asarray(onto)


def _corners(view: CameraView) -> Float64:
    w, h = float(view.width), float(view.height)
    return np.array([[0, 0, 1], [w, 0, 1], [w, h, 1], [0, h, 1]])
