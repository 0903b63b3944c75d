"""A take: somebody who moves before a camera that stands or turns, its pictures and its truth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap_cli.body.motion import Motion
from mocap_cli.body.recording import Camera, Source
from mocap_cli.body.skeleton import BODY
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.types import Float32, UInt8
from training.synthesis.body_model import Body, transform_anchors
from training.synthesis.camera_effects import CameraEffects
from training.synthesis.camera_view import CameraView
from training.synthesis.crowd import Spectator, with_crowd
from training.synthesis.rendered_shots import visible_keypoints
from training.synthesis.renderer import BodySurface, RenderLayer, mean_layer, render
from training.synthesis.skiing import RenderedPanorama, on_feet, skis
from training.synthesis.splash import Splash
from training.synthesis.virtual_scene import ScenePlate, VirtualScene

MURK = 0.8
"""Share of the light that a metre of pool water takes."""
OPEN = 0.5
"""Share of the time between two frames for which the shutter is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmedTake:
    """All that a clip is rendered from."""

    name: str
    fps: int
    moves: Float32  # (T, P, 3, 4)
    body: Body
    surface: BodySurface
    scene: VirtualScene
    views: Sequence[CameraView]  # one a frame, from one place; the same object while it stands
    lens: CameraEffects
    crowd: Sequence[Spectator] = ()
    shutter: int = 5  # drawings while the shutter is open
    splash: Splash | None = None
    on_skis: bool = False
    made_from: str = ""

    def pictures(self, visible: list[NDArray[np.bool_]]) -> Iterator[UInt8]:
        """Every picture; `visible` is told which keypoints can be seen in it."""
        background, rng = _Background.of(self), np.random.default_rng(1)
        before, last = self._vertices(0), 0
        for t, view in enumerate(self.views):
            now = self._vertices(t)
            shares = np.linspace(1 - OPEN, 1, self.shutter, dtype=np.float32)
            views = [_between(self.views[last], view, float(share)) for share in shares]
            bodies = [before + (now - before) * share for share in shares]
            plate = background.cut(views)
            picture = self.scene.shade(plate.picture, self.surface, now, view)
            layers = self._layers(bodies, views, plate)
            picture = mean_layer(layers).over(self._with_skis(picture, t, view))
            if self.splash is not None:
                picture = self.splash.over(picture, view, t / self.fps)
            visible.append(self._visible(t, layers[-1]))
            yield self.lens.apply(picture, rng)
            before, last = now, t

    def truth(self, visible: NDArray[np.bool_]) -> Motion:
        """What the pictures were made from, as `mocap track` writes it."""
        joints, keypoints = (
            transform_anchors(a, self.moves) for a in (self.body.joints, self.body.keypoints)
        )
        xy = [view.pixels(points) for view, points in zip(self.views, keypoints, strict=True)]
        first, count = self.views[0], len(self.moves)
        return Motion(
            source=Source(file=f"{self.name}.mp4", fps=self.fps, width=first.width,
                          height=first.height, frames=count, rotation=0),
            skeleton=BODY,
            space="world",
            times=np.arange(count) / self.fps,
            joints=joints.round(4),
            sigma=np.zeros(joints.shape[:2], np.float32),
            detected=np.asarray(visible.any(axis=1)),
            contacts=np.zeros((count, 2), np.float32),
            xy=np.stack(xy).astype(np.float32).round(2),
            score=visible.astype(np.float32),
            camera=Camera(
                focal_pixels=first.pinhole.focal, centre=first.pinhole.centre,
                world_from_camera=np.stack([v.world_from_camera for v in self.views]).astype(
                    np.float32),
            ),
            model={"rendered": self.made_from, "height_metres": f"{self.body.height:.3f}"},
        )  # fmt: skip

    def _vertices(self, t: int) -> Float32:
        if self.body.vertices is None:
            raise ValueError("rendering needs a body with its mesh")
        return transform_anchors(self.body.vertices, self.moves[t : t + 1])[0]

    def _layers(
        self, bodies: Sequence[Float32], views: Sequence[CameraView], plate: ScenePlate
    ) -> list[RenderLayer]:
        water = None if self.splash is None else plate.ground * np.float32(MURK)
        return [
            render(self.surface, vertices, view, self.scene.light).behind(plate.depth, water)
            for vertices, view in zip(bodies, views, strict=True)
        ]

    def _with_skis(self, picture: UInt8, t: int, view: CameraView) -> UInt8:
        if not self.on_skis:
            return picture
        boards = on_feet(self.moves[t], self.body)
        return render(skis(), boards, view, self.scene.light).over(picture)

    def _visible(self, t: int, layer: RenderLayer) -> NDArray[np.bool_]:
        keypoints = transform_anchors(self.body.keypoints, self.moves[t : t + 1])[0]
        view = self.views[t]
        depth = -view.to_camera(keypoints)[:, 2]
        return visible_keypoints(view.pixels(keypoints), depth, layer, view)


@dataclass(frozen=True, slots=True)
class _Background:
    """The scene with its crowd: one plate, or a panorama where the camera turns."""

    plate: ScenePlate
    panorama: RenderedPanorama | None

    @staticmethod
    def of(take: FilmedTake) -> "_Background":
        view = take.views[0]
        stands = all(each is view for each in take.views)
        wide = None if stands else RenderedPanorama.of(take.scene, list(take.views), samples=1)
        plate = take.scene.plate(view) if wide is None else wide.plate
        view = view if wide is None else wide.view
        plate = with_crowd(plate, take.crowd, view, take.scene.light)
        return _Background(plate, None if wide is None else replace(wide, plate=plate))

    def cut(self, views: Sequence[CameraView]) -> ScenePlate:
        """The plate of the last of the views, its picture the mean of all."""
        if self.panorama is None:
            return self.plate
        cuts = [self.panorama.cut(view).astype(np.float32) for view in views]
        depth, ground = self.panorama.depth(views[-1])
        return ScenePlate(np.asarray(np.mean(cuts, axis=0), np.uint8), depth, ground)


def _between(one: CameraView, other: CameraView, share: float) -> CameraView:
    """The view at that share of the way from one to the other."""
    if one is other or share == 1:
        return other
    turn = one.world_from_camera[:, :3].T @ other.world_from_camera[:, :3]
    part = Rotation.from_rotvec(Rotation.from_matrix(turn).as_rotvec() * share).as_matrix()
    pose = other.world_from_camera.copy()
    pose[:, :3] = one.world_from_camera[:, :3] @ part
    focal = one.pinhole.focal + (other.pinhole.focal - one.pinhole.focal) * share
    return CameraView(Pinhole(focal, other.pinhole.centre), pose, other.width, other.height)
