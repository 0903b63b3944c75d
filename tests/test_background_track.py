"""A camera that turns after somebody: where it looked, and where that puts the person."""

import json
from pathlib import Path

import numpy as np
import pytest

from mocap_cli.body.motion import read_motion
from mocap_cli.camera.camera_motion import CameraMotionEstimator
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.tracking.track import TrackOptions, track
from mocap_cli.video.reader import open_video

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def turning():
    watch = CameraMotionEstimator()
    with open_video(EXAMPLES / "ski.mp4", end=6.0) as video:
        for frame in video:
            watch.add(frame.image, frame.time)
    return watch.estimate(None)


def test_the_camera_of_the_skier_is_found_with_its_lens(turning):
    truth = read_motion(EXAMPLES / "ski.truth.json")
    lens = np.array(json.loads((EXAMPLES / "ski.camera.json").read_text())["focal_pixels"])
    focal = turning.focal
    assert turning.rotates
    assert turning.zooms
    assert focal == pytest.approx(np.median(lens[:180]), rel=0.01)
    times = truth.times[:180]
    np.testing.assert_allclose(turning.zoom(times) * focal, lens[:180], rtol=0.01)
    found = turning.rotations(times, Pinhole(focal, (480, 270)), np.zeros(0))
    pose = truth.camera.world_from_camera[:180, :, :3].astype(np.float64)
    expected = pose[0].T @ pose
    apart = np.trace(found.transpose(0, 2, 1) @ expected, axis1=1, axis2=2)
    assert np.degrees(np.arccos(np.clip((apart - 1) / 2, -1, 1))).max() < 0.5


def test_a_camera_that_stands_has_not_turned():
    watch = CameraMotionEstimator()
    with open_video(EXAMPLES / "walk.mp4", end=2.0) as video:
        for frame in video:
            watch.add(frame.image, frame.time)
    assert not watch.estimate(None).rotates


def test_a_skier_followed_by_the_camera_goes_as_far_as_he_did():
    truth = read_motion(EXAMPLES / "ski.truth.json")
    height = float(truth.model["height_metres"])
    motion = track(EXAMPLES / "ski.mp4", TrackOptions(start=2.0, end=4.0, height=height))
    path, true = motion.joints[:, 0], truth.joints[60:121, 0]
    across = np.linalg.norm((path[-1] - path[0])[[0, 2]])
    assert across == pytest.approx(np.linalg.norm((true[-1] - true[0])[[0, 2]]), rel=0.15)
