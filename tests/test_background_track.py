"""A camera that pans after a person: its motion, and where that places the person."""

import json
from pathlib import Path

import numpy as np
import pytest
from pan import seen, turned, wall
from scipy.spatial.transform import Rotation

from mocap_cli.body.motion_json import read_motion
from mocap_cli.camera.camera_motion import CameraMotionEstimator
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.tracking.track import TrackOptions, track
from mocap_cli.video.reader import open_video

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def motion():
    estimator = CameraMotionEstimator()
    with open_video(EXAMPLES / "ski.mp4", end=6.0) as video:
        for frame in video:
            estimator.add(frame.image, frame.time, cut=False)
    return estimator.estimate(None)


def test_rotation_zoom_and_lens_of_a_pan_are_estimated(motion):
    truth = read_motion(EXAMPLES / "ski.truth.json")
    lens = np.array(json.loads((EXAMPLES / "ski.camera.json").read_text())["focal_pixels"])
    focal = motion.focal
    assert motion.rotates
    assert motion.zooms
    assert focal == pytest.approx(np.median(lens[:180]), rel=0.01)
    times = truth.times[:180]
    np.testing.assert_allclose(motion.zoom_factors(times) * focal, lens[:180], rtol=0.01)
    found = motion.rotations(times, Pinhole(focal, (480, 270)))
    pose = truth.camera.world_from_camera[:180, :, :3].astype(np.float64)
    expected = pose[0].T @ pose
    apart = np.trace(found.transpose(0, 2, 1) @ expected, axis1=1, axis2=2)
    assert np.degrees(np.arccos(np.clip((apart - 1) / 2, -1, 1))).max() < 0.5


def test_a_fixed_camera_does_not_rotate():
    estimator = CameraMotionEstimator()
    with open_video(EXAMPLES / "walk.mp4", end=2.0) as video:
        for frame in video:
            estimator.add(frame.image, frame.time, cut=False)
    assert not estimator.estimate(None).rotates


def test_a_cut_between_two_registered_frames_begins_a_part_at_once():
    views = [seen(wall(), turned(angle)) for angle in np.linspace(0, 8, 20)]
    others = [seen(wall(seed=4), turned(angle)) for angle in np.linspace(0, 8, 20)]
    estimator = CameraMotionEstimator()
    for index, image in enumerate([*views, *others]):
        estimator.add(image, index / 25, cut=index == 20)
    motion = estimator.estimate(300.0)
    assert motion.cuts == (20 / 25,)
    rotations = motion.rotations(np.arange(40) / 25, Pinhole(300, (160, 120)))
    np.testing.assert_allclose(rotations[20], np.eye(3), atol=1e-9)
    angles = np.degrees(Rotation.from_matrix(rotations).magnitude())
    assert angles[19] == pytest.approx(8, abs=1)
    assert angles[39] == pytest.approx(8, abs=1)


def test_a_caption_does_not_hold_a_pan_back_and_a_lost_view_is_said():
    caption, degrees = seen(wall(seed=7), turned(0))[:70, :150], np.linspace(0, 40, 60)
    estimator = CameraMotionEstimator()
    for index, angle in enumerate(degrees):
        contrast = 1.0 if index < 25 else 0.2  # nothing matches between 2.5 and 3.0 s
        image = (128 + contrast * (seen(wall(), turned(angle)) - 128.0)).astype(np.uint8)
        image[10:80, 10:160] = caption
        estimator.add(image, index / 10, cut=index == 0)
    motion = estimator.estimate(300.0)
    found = motion.rotations(np.arange(60) / 10, Pinhole(300, (160, 120)))
    angles = np.degrees(Rotation.from_matrix(found).magnitude())
    np.testing.assert_allclose(angles[:25], degrees[:25], atol=0.3)
    np.testing.assert_allclose(angles[30:], degrees[30:] - degrees[30] + degrees[24], atol=1)
    (warning,) = motion.warnings
    assert warning.startswith("lost the background before 3.0 s")


def test_a_skier_followed_by_a_pan_covers_the_true_distance():
    truth = read_motion(EXAMPLES / "ski.truth.json")
    height = float(truth.model["height_metres"])
    motion = track(EXAMPLES / "ski.mp4", TrackOptions(start=2.0, end=4.0, height=height))
    path, true = motion.joints[:, 0], truth.joints[60:121, 0]
    across = np.linalg.norm((path[-1] - path[0])[[0, 2]])
    assert across == pytest.approx(np.linalg.norm((true[-1] - true[0])[[0, 2]]), rel=0.15)
