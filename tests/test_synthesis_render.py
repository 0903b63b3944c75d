"""The renderer against geometry that is known without it."""

import math

import numpy as np
import pytest

from mocap_cli.camera.pinhole import Pinhole
from training.synthesis.camera_view import CameraView, look_at_pose
from training.synthesis.rasterizer import rasterize
from training.synthesis.renderer import BodySurface, Light, mean_layer, render

PLAIN = Light((0.0, 1.0, 0.0), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0))


def ball(radius=0.5, rings=48):
    """Vertices and outward faces of a sphere."""
    around, down = np.meshgrid(np.arange(2 * rings), np.arange(rings + 1))
    a, b = around * math.pi / rings, down * math.pi / rings
    vertices = radius * np.stack((np.sin(b) * np.sin(a), np.cos(b), np.sin(b) * np.cos(a)), -1)
    i, k = np.meshgrid(np.arange(rings), np.arange(2 * rings), indexing="ij")
    here, right = i * 2 * rings + k, i * 2 * rings + (k + 1) % (2 * rings)
    below, beside = here + 2 * rings, right + 2 * rings
    faces = np.concatenate(
        (np.stack((here, below, right), -1), np.stack((right, below, beside), -1))
    )
    return vertices.reshape(-1, 3).astype(np.float32), faces.reshape(-1, 3).astype(np.int32)


def painted(vertices, faces, texture=None):
    """A surface whose texture runs over x and y of the unit square around the origin."""
    white = np.full((8, 8, 3), 255, np.uint8)
    return BodySurface(
        faces=faces,
        uv=(vertices[:, :2] + 0.5).astype(np.float32),
        texture=white if texture is None else texture,
        weld=np.arange(len(vertices)),
        thickness=np.zeros(len(vertices), np.float32),
    )


def seen_from(position, focal=300.0, size=(320, 240), roll=0.0):
    pinhole = Pinhole(focal, (size[0] / 2 + 3.3, size[1] / 2 - 1.7))
    return CameraView(pinhole, look_at_pose(position, (0, 0, 0), roll), *size)


def test_a_triangle_covers_the_samples_whose_middles_are_inside_it_and_no_others():
    rng = np.random.default_rng(1)
    for _ in range(50):
        corners = rng.uniform(-5, 35, (3, 2)).astype(np.float32)
        a, b = corners[1] - corners[0], corners[2] - corners[0]
        if a[0] * b[1] - a[1] * b[0] > 0:  # turn it to the camera
            corners = corners[[0, 2, 1]]
        hits = rasterize(corners, np.ones(3, np.float32), np.array([[0, 1, 2]], np.int32), (30, 25))
        covered = np.zeros(30 * 25, bool)
        covered[hits.place] = True
        middles = np.stack(np.meshgrid(np.arange(30) + 0.5, np.arange(25) + 0.5), -1)
        sides = [
            np.cross(np.append(corners[(k + 1) % 3] - corners[k], 0),
                     np.concatenate((middles - corners[k], np.zeros((25, 30, 1))), -1))[..., 2]
            for k in range(3)
        ]  # fmt: skip
        inside = np.all([side < -1e-2 for side in sides], axis=0).ravel()
        outside = np.any([side > 1e-2 for side in sides], axis=0).ravel()
        assert covered[inside].all()
        assert not covered[outside].any()


def test_depth_and_weights_are_right_in_perspective():
    corners = np.array([[-1, -1, -2], [1, -1, -4], [0, 1, -3]], float)
    pinhole = Pinhole(50, (32, 24))
    hits = rasterize(
        pinhole.project(corners).astype(np.float32),
        (-corners[:, 2]).astype(np.float32),
        np.array([[0, 1, 2]], np.int32),
        (64, 48),
    )
    points = hits.weights.T @ corners
    pixels = np.stack((hits.place % 64, hits.place // 64), -1) + 0.5
    assert len(hits.place) > 300
    np.testing.assert_allclose(pinhole.project(points), pixels, atol=1e-3)
    np.testing.assert_allclose(-points[:, 2], hits.depth, rtol=1e-5)


def test_the_nearer_triangle_wins_whatever_the_order():
    near = np.array([[0, 0], [0, 20], [20, 20]], np.float32)
    points = np.concatenate((near, near))
    depth = np.array([2, 2, 2, 1, 1, 1], np.float32)
    faces = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    for order in ([0, 1], [1, 0]):
        hits = rasterize(points, depth, faces[order], (20, 20))
        np.testing.assert_allclose(hits.depth, 1, rtol=1e-5)
        assert len(np.unique(hits.place)) == len(hits.place)


def test_triangles_turned_away_or_behind_the_camera_are_not_drawn():
    away = np.array([[0, 0], [20, 20], [0, 20]], np.float32)
    faces = np.array([[0, 1, 2]], np.int32)
    assert len(rasterize(away, np.ones(3, np.float32), faces, (20, 20)).place) == 0
    assert len(rasterize(away[::-1], np.ones(3, np.float32), faces, (20, 20)).place) > 0
    assert len(rasterize(away[::-1], np.float32([1, 1, -1]), faces, (20, 20)).place) == 0


def test_a_ball_is_as_large_as_deep_and_where_geometry_says():
    vertices, faces = ball()
    view = seen_from((0.0, 0.0, 4.0))
    layer = render(painted(vertices, faces), vertices, view, PLAIN, samples=4)
    rim = 300 * 0.5 / math.sqrt(4**2 - 0.5**2)  # pixels: a sphere's outline is wider than r / z
    assert layer.cover.sum() == pytest.approx(math.pi * rim**2, rel=0.005)
    assert layer.depth.min() == pytest.approx(3.5, abs=1e-3)
    rows, columns = np.mgrid[layer.box] + 0.5
    centre = [(columns * layer.cover).sum(), (rows * layer.cover).sum()] / layer.cover.sum()
    np.testing.assert_allclose(centre, view.pixels((0, 0, 0)), atol=0.02)


@pytest.mark.parametrize("roll", [0.0, 0.7, math.pi])
def test_a_speck_is_drawn_where_the_pinhole_projects_it(roll):
    vertices, faces = ball(radius=0.02, rings=16)
    view = seen_from((2.0, 1.5, 3.0), roll=roll)
    for place in ([0.0, 0.0, 0.0], [0.7, 0.3, -0.4], [-0.6, -0.5, 0.8]):
        layer = render(painted(vertices, faces), vertices + np.float32(place), view, PLAIN, 4)
        rows, columns = np.mgrid[layer.box] + 0.5
        centre = [(columns * layer.cover).sum(), (rows * layer.cover).sum()] / layer.cover.sum()
        np.testing.assert_allclose(centre, view.pixels(place), atol=0.05)


def test_the_picture_is_neither_mirrored_nor_upside_down():
    vertices, faces = ball()
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:32, :, 0] = 255  # the upper half is red
    texture[:, 32:, 2] = 255  # the half towards +X is blue
    layer = render(painted(vertices, faces, texture), vertices, seen_from((0, 0, 4)), PLAIN)
    h, w = layer.cover.shape
    quarter = {
        (side, end): layer.light[int(h * y), int(w * x)].round(3)
        for side, x in (("left", 0.3), ("right", 0.7))
        for end, y in (("up", 0.3), ("down", 0.7))
    }
    assert quarter["left", "up"].tolist() == [1, 0, 0]
    assert quarter["right", "up"].tolist() == [1, 0, 1]
    assert quarter["right", "down"].tolist() == [0, 0, 1]
    assert quarter["left", "down"].tolist() == [0, 0, 0]


def test_light_from_above_falls_on_the_upper_side():
    vertices, faces = ball()
    sun = Light((0.0, 1.0, 0.0), (0.8, 0.8, 0.8), (0.1, 0.1, 0.1), (0.1, 0.1, 0.1))
    layer = render(painted(vertices, faces), vertices, seen_from((0, 0, 4)), sun)
    h, w = layer.cover.shape
    assert layer.light[h // 8, w // 2].mean() > 5 * layer.light[-h // 8, w // 2].mean()


def test_cloth_stands_off_the_skin_by_its_thickness():
    vertices, faces = ball()
    thick = painted(vertices, faces)
    thick.thickness[:] = 0.1
    bare = painted(*ball(radius=0.6))
    view = seen_from((0, 0, 4))
    puffed = render(thick, vertices, view, PLAIN).cover
    assert puffed.sum() == pytest.approx(
        render(bare, ball(0.6)[0], view, PLAIN).cover.sum(), rel=1e-3
    )


def test_an_open_shutter_smears_and_keeps_the_amount_of_light():
    vertices, faces = ball()
    view = seen_from((0, 0, 4))
    layers = [
        render(painted(vertices, faces), vertices + np.float32([dx, 0, 0]), view, PLAIN)
        for dx in np.linspace(-0.1, 0.1, 5)
    ]
    smear = mean_layer(layers)
    assert smear.cover.sum() == pytest.approx(
        np.mean([one.cover.sum() for one in layers]), rel=1e-4
    )
    assert smear.cover.shape[1] > layers[2].cover.shape[1] + 10


def test_what_is_out_of_the_picture_leaves_it_as_it_was():
    vertices, faces = ball()
    picture = np.full((240, 320, 3), 77, np.uint8)
    for place in ([50.0, 0.0, 0.0], [0.0, 0.0, 50.0]):
        layer = render(
            painted(vertices, faces), vertices + np.float32(place), seen_from((0, 0, 4)), PLAIN
        )
        assert (layer.over(picture) == picture).all()
