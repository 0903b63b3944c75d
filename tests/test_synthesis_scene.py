"""Scenes, views and timing, against what geometry says."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocap_cli.camera.pinhole import Pinhole
from training.synthesis.camera_effects import CameraEffects
from training.synthesis.camera_view import CameraView, look_at_pose
from training.synthesis.clip_sampling import (
    accumulate_rotations,
    interpolate_rotations,
    local_rotations,
    sample_clip,
)
from training.synthesis.environments import random_scene
from training.synthesis.mocap_clip import PART_NAMES, MocapClip
from training.synthesis.renderer import Light
from training.synthesis.virtual_scene import Box, VirtualScene

LAMP = Light((0.0, 1.0, 0.0), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def chessboard(places, pixel):
    odd = np.floor(places).sum(axis=1) % 2
    return np.repeat(odd[:, None], 3, axis=1).astype(np.float32)


def blue(rays):
    return np.tile(np.array([0, 0, 1], np.float32), (len(rays), 1))


def grey(places, pixel):
    return np.full((len(places), 3), 0.5, np.float32)


def test_a_camera_looks_where_it_is_pointed_with_the_world_upright():
    view = CameraView(Pinhole(500, (320, 240)), look_at_pose((3, 2, 5), (0.5, 1, -1)), 640, 480)
    np.testing.assert_allclose(view.pixels((0.5, 1, -1)), (320, 240), atol=1e-9)
    higher, beside = view.pixels((0.5, 1.2, -1)), view.pixels((0.9, 1, -1.1))
    assert higher[1] < 240
    assert beside[0] > 320


def test_a_rolled_camera_turns_the_picture_by_that_angle():
    level = CameraView(Pinhole(500, (320, 240)), look_at_pose((0, 1, 5), (0, 1, 0)), 640, 480)
    rolled = replace(level, world_from_camera=look_at_pose((0, 1, 5), (0, 1, 0), 0.3))
    before, after = (view.pixels((0.5, 1, 0)) - (320, 240) for view in (level, rolled))
    assert np.linalg.norm(before) == pytest.approx(np.linalg.norm(after))
    turned = math.atan2(after[1], after[0]) - math.atan2(before[1], before[0])
    assert abs(turned) == pytest.approx(0.3)


def test_a_ray_through_a_points_pixel_meets_the_point():
    view = CameraView(Pinhole(80, (31.5, 24)), look_at_pose((3, 2, 5), (0, 1, 0), 0.2), 64, 48)
    rays = view.pixel_rays().reshape(48, 64, 3)
    point = view.position + 4.2 * rays[11, 40]
    np.testing.assert_allclose(view.pixels(point), (40.5, 11.5), atol=1e-9)


def test_the_homography_of_a_panning_zooming_camera_carries_the_picture():
    here = CameraView(Pinhole(500, (320, 240)), look_at_pose((0, 1.5, 6), (0, 1, 0)), 640, 480)
    there = CameraView(
        Pinhole(650, (320, 240)), look_at_pose((0, 1.5, 6), (1.5, 1.2, 0), 0.05), 640, 480
    )
    points = np.random.default_rng(0).uniform((-2, 0, -3), (2, 2, 1), (20, 3))
    flat = np.c_[here.pixels(points), np.ones(20)] @ here.homography_to(there).T
    np.testing.assert_allclose(flat[:, :2] / flat[:, 2:], there.pixels(points), atol=1e-6)


def test_the_ground_lies_where_the_camera_projects_it():
    view = CameraView(Pinhole(300, (160, 120)), look_at_pose((0.3, 2, 4), (0, 0.5, 0)), 320, 240)
    plate = VirtualScene(chessboard, blue, (), LAMP).plate(view, samples=1)
    checked = 0
    for x in np.arange(-1.5, 2):
        for z in np.arange(-2.5, 2):
            column, row = np.floor(view.pixels((x, 0, z))).astype(int)
            if 0 <= column < 320 and 0 <= row < 240:
                odd = (math.floor(x) + math.floor(z)) % 2
                assert plate.picture[row, column, 0] == 255 * odd
                depth = -view.to_camera((x, 0, z))[2]
                assert plate.depth[row, column] == pytest.approx(depth, rel=0.02)
                checked += 1
    assert checked > 10
    assert plate.picture[0, 0].tolist() == [0, 0, 255]
    assert np.isinf(plate.depth[0, 0])


def test_a_box_hides_the_ground_and_a_room_ends_the_view():
    view = CameraView(Pinhole(300, (160, 120)), look_at_pose((0, 1, 5), (0, 1, 0)), 320, 240)
    box = Box((-0.5, 0.0, -0.5), (0.5, 2.0, 0.5), grey)
    plate = VirtualScene(chessboard, blue, (box,), LAMP).plate(view)
    assert plate.depth[120, 160] == pytest.approx(4.5, rel=1e-3)
    hall = Box((-3.0, -1.0, -7.0), (3.0, 3.0, 9.0), grey, room=True)
    plate = VirtualScene(chessboard, blue, (hall,), LAMP).plate(view)
    assert plate.depth[100, 160] == pytest.approx(12, rel=1e-3)
    assert np.isfinite(plate.depth).all()


def test_every_kind_of_scene_can_be_painted_and_is_the_same_again_for_the_same_seed():
    view = CameraView(Pinhole(60, (32, 24)), look_at_pose((0.5, 1.2, 5), (0, 1, 0)), 64, 48)
    for seed in range(20):
        pictures = [
            random_scene(np.random.default_rng(seed)).plate(view, 1).picture for _ in range(2)
        ]
        assert (pictures[0] == pictures[1]).all()
        assert pictures[0].std() > 2


def some_clip(frames=31, fps=30.0):
    rng = np.random.default_rng(3)
    axes = rng.normal(size=(len(PART_NAMES), 3))
    angles = np.linspace(0, 1, frames)[:, None, None] * axes
    rotations = Rotation.from_rotvec(angles.reshape(-1, 3)).as_matrix()
    return MocapClip(
        name="some_1",
        fps=fps,
        rotations=rotations.reshape(frames, -1, 3, 3).astype(np.float32),
        rest=np.zeros((len(PART_NAMES), 3), np.float32),
        root=np.linspace((0, 1, 0), (2, 1, -1), frames).astype(np.float32),
    )


def test_a_clip_at_other_times_turns_and_moves_evenly_between_its_frames():
    clip = some_clip()
    slow = sample_clip(clip, np.arange(0, 1, 1 / 77), 77.0)
    angles = Rotation.from_matrix(slow.rotations[:, 5]).as_rotvec()
    np.testing.assert_allclose(np.diff(angles, 2, axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.diff(slow.root, 2, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(sample_clip(clip, [-1, 9], 30.0).root, clip.root[[0, -1]], atol=1e-6)


def test_bends_and_turns_are_two_ways_to_say_one_pose():
    rotations = some_clip().rotations
    seen_from_pelvis = rotations[:, :1].transpose(0, 1, 3, 2) @ rotations[:, 1:]
    again = accumulate_rotations(local_rotations(rotations))[:, 1:]
    np.testing.assert_allclose(again, seen_from_pelvis, atol=1e-5)


def test_half_way_between_two_turns_is_as_far_from_both():
    first, second = Rotation.random(2, random_state=1).as_matrix()
    middle = interpolate_rotations(first[None], second[None], 0.5)[0]
    away = [Rotation.from_matrix(end.T @ middle).magnitude() for end in (first, second)]
    assert away[0] == pytest.approx(away[1], abs=1e-6)


def test_a_perfect_lens_changes_nothing_and_a_bad_one_keeps_the_mean():
    rng = np.random.default_rng(0)
    picture = rng.integers(60, 200, (48, 64, 3), dtype=np.uint8)
    perfect = CameraEffects(gain=1.0, tint=(1.0, 1.0, 1.0), blur=0.0, grain=0.0, quality=0)
    assert (perfect.apply(picture, rng) == picture).all()
    bad = replace(perfect, blur=1.2, grain=6.0, quality=60).apply(picture, rng)
    assert bad.shape == picture.shape
    assert abs(float(bad.mean()) - float(picture.mean())) < 2
