"""Render the skiing example: python examples/make_ski.py; it needs the extra `training`.

The camera stands, turns and zooms after a skier, and turns back alone. Beside the clip and its true
joints lie the true camera and the true background: see examples/README.md.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from make import _person, _plain, _shape
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import write_motion
from mocap_cli.body.recording import Camera, Source
from mocap_cli.body.skeleton import BODY
from mocap_cli.io.atomic import write_atomically
from training.synthesis.body_appearance import Garment
from training.synthesis.body_model import Body, make_body, transform_anchors
from training.synthesis.camera_view import CameraView
from training.synthesis.mp4 import write_mp4
from training.synthesis.rendered_shots import visible_keypoints
from training.synthesis.renderer import BodySurface, RenderLayer, render
from training.synthesis.skiing import (
    RenderedPanorama,
    camera_views,
    on_feet,
    ski_slope,
    skis,
    slalom_run,
)
from training.synthesis.virtual_scene import VirtualScene

UInt8 = NDArray[np.uint8]
FPS, FRAMES, FOLLOWED = 30, 300, 6.5  # frames a second, in all; seconds until the camera turns back
SIZE = (960, 540)
CLEAN_EVERY = 15  # frames between those whose background is kept


def main() -> None:
    """Make the clip and everything that is true of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().output
    times = np.arange(FRAMES) / FPS
    body = make_body(_shape(0.1, muscle=0.6), mesh=True)
    moves = slalom_run(times, FOLLOWED, body)
    seen_by = camera_views(times, FOLLOWED, SIZE)
    scene = ski_slope(np.random.default_rng(4))
    wide = RenderedPanorama.of(scene, seen_by)
    suit = Garment(
        paint=_plain(0.1, 0.3, 0.7), thickness=0.012, trunk=(0, 1.2), sleeve=2.9, leg=2.5,
        wrist=2.6, ankle=2.2,
    )  # fmt: skip
    surface = _person((0.87, 0.68, 0.55), (0.13, 0.09, 0.07), suit).dress(body)
    shown: list[NDArray[np.bool_]] = []
    pictures = drawn(scene, wide, surface, body, moves, seen_by, shown)
    write_mp4(pictures, folder / "ski.mp4", FPS, SIZE, crf=27)
    clean = (wide.cut(view) for view in seen_by[::CLEAN_EVERY])
    write_mp4(clean, folder / "ski.clean.mp4", FPS, SIZE, crf=17)
    write_camera(seen_by, times, folder / "ski.camera.json")
    write_motion(truth(times, moves, body, seen_by, np.stack(shown)), folder / "ski.truth.json")


def drawn(
    scene: VirtualScene,
    wide: RenderedPanorama,
    surface: BodySurface,
    body: Body,
    moves: NDArray[np.float32],
    seen_by: list[CameraView],
    shown: list[NDArray[np.bool_]],
) -> Iterator[UInt8]:
    """Every picture; `shown` is told which keypoints can be seen in it."""
    boards, grain = skis(), np.random.default_rng(1)
    assert body.vertices is not None
    for now, view in zip(moves, seen_by, strict=True):
        picture, vertices = wide.cut(view), transform_anchors(body.vertices, now[None])[0]
        keypoints = transform_anchors(body.keypoints, now[None])[0]
        layer = RenderLayer(
            0, 0, *(np.zeros((1, 1, 3), np.float32), *np.zeros((2, 1, 1), np.float32))
        )
        if np.isfinite(view.pixels(keypoints)).all() and _inside(view.pixels(keypoints)):
            picture = scene.shade(picture, surface, vertices, view)
            picture = render(boards, on_feet(now, body), view, scene.light).over(picture)
            layer = render(surface, vertices, view, scene.light)
            picture = layer.over(picture)
        depth = -view.to_camera(keypoints)[:, 2]
        shown.append(visible_keypoints(view.pixels(keypoints), depth, layer, view))
        noisy = picture + grain.normal(0, 1.0, picture.shape[:2])[..., None]
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def _inside(xy: NDArray[np.float64]) -> bool:
    return bool((xy[:, 0].max() > -60) and (xy[:, 0].min() < SIZE[0] + 60))


def write_camera(seen_by: list[CameraView], times: NDArray[np.float64], path: Path) -> None:
    """How each frame lies in the first, in pixels whose middles are at +0.5."""
    onto = np.stack([view.homography_to(seen_by[0]) for view in seen_by])
    onto /= onto[:, 2:, 2:]
    document = {
        "times": times.round(6).tolist(),
        "first_from_frame": [[float(f"{v:.9g}") for v in matrix.ravel()] for matrix in onto],
        "focal_pixels": [round(view.pinhole.focal, 4) for view in seen_by],
        "clean_every": CLEAN_EVERY,
    }
    with write_atomically(path) as aside:
        aside.write_text(json.dumps(document))


def truth(
    times: NDArray[np.float64],
    moves: NDArray[np.float32],
    body: Body,
    seen_by: list[CameraView],
    visible: NDArray[np.bool_],
) -> Motion:
    """The joints that the pictures were made from, in the format that `mocap track` writes."""
    joints, keypoints = (transform_anchors(a, moves) for a in (body.joints, body.keypoints))
    xy = np.stack([v.pixels(k) for v, k in zip(seen_by, keypoints, strict=True)])
    return Motion(
        source=Source(
            file="ski.mp4", fps=FPS, width=SIZE[0], height=SIZE[1], frames=FRAMES, rotation=0
        ),
        skeleton=BODY,
        space="world",
        times=times,
        joints=joints.round(4),
        sigma=np.zeros(joints.shape[:2], np.float32),
        detected=np.asarray(visible.any(axis=1)),
        contacts=np.zeros((FRAMES, 2), np.float32),
        xy=xy.astype(np.float32).round(2),
        score=visible.astype(np.float32),
        camera=Camera(
            focal_pixels=seen_by[0].pinhole.focal,
            centre=seen_by[0].pinhole.centre,
            world_from_camera=np.stack([v.world_from_camera for v in seen_by]).astype(np.float32),
        ),
        model={"rendered": "skier", "height_metres": f"{body.height:.3f}"},
    )


if __name__ == "__main__":
    main()
