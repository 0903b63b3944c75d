"""The example clips: the truth beside them is true, by mechanics and by projection."""

import itertools
from pathlib import Path

import av
import numpy as np
import pytest

from mocap_cli.body.anatomy import JOINT_MASSES
from mocap_cli.body.motion_json import read_motion
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ("dive", "walk")


@pytest.fixture(scope="module", params=NAMES)
def truth(request):
    return read_motion(EXAMPLES / f"{request.param}.truth.json")


def flight(motion):
    """Frames of the dive between the platform and the water."""
    words = motion.model["rendered"].replace(",", "").split()
    leaves, enters = (float(before) for before, word in itertools.pairwise(words) if word == "s")
    return (motion.times > leaves + 0.02) & (motion.times < enters - 0.02)


def test_every_picture_has_its_truth(truth):
    with av.open(str(EXAMPLES / truth.source.file)) as file:
        times = [frame.time for frame in file.decode(video=0)]
        stream = file.streams.video[0]
        assert (stream.width, stream.height) == (truth.source.width, truth.source.height)
    np.testing.assert_allclose(times, truth.times, atol=1e-4)
    assert (EXAMPLES / truth.source.file).stat().st_size < 3e6


def test_the_joints_lie_where_the_keypoints_are_seen(truth):
    pose = truth.camera.world_from_camera[0]
    inside = (truth.joints - pose[:, 3]) @ pose[:, :3]
    pixels = Pinhole(truth.camera.focal_pixels, truth.camera.centre).project(inside)
    for name in ("left_knee", "right_ankle", "left_wrist", "right_elbow"):
        away = pixels[:, BODY.index(name)] - truth.xy[:, KEYPOINTS.index(name)]
        assert np.median(np.linalg.norm(away, axis=1)) < 8


def test_bones_keep_their_lengths(truth):
    for parent, child in BODY.bones:
        if {BODY.names[parent], BODY.names[child]} & {
            "spine",
            "thorax",
            "pelvis",
            "left_shoulder",
            "right_shoulder",
        }:
            continue  # the back bends, and the collar bones carry the shoulders
        length = np.linalg.norm(truth.joints[:, child] - truth.joints[:, parent], axis=1)
        assert np.ptp(length) < 1e-3


def test_the_diver_falls_as_things_fall():
    motion = read_motion(EXAMPLES / "dive.truth.json")
    air = flight(motion)
    centre, t = JOINT_MASSES @ motion.joints[air].astype(float), motion.times[air]
    fit = np.polynomial.polynomial.polyfit(t, centre, 2)
    np.testing.assert_allclose(2 * fit[2], (0, -9.81, 0), atol=0.01)
    model = np.polynomial.polynomial.polyval(t, fit).T
    np.testing.assert_allclose(centre, model, atol=1e-3)


def test_the_diver_keeps_the_angular_momentum_and_turns_one_and_a_half_times():
    motion = read_motion(EXAMPLES / "dive.truth.json")
    air = flight(motion)
    about = motion.joints[air].astype(float)
    about -= (JOINT_MASSES @ about)[:, None]
    speed = np.gradient(about, motion.times[air], axis=0)
    momentum = np.einsum("j,tji->ti", JOINT_MASSES, np.cross(about, speed))[2:-2]
    np.testing.assert_allclose(momentum[:, :2], 0, atol=0.01)
    assert np.std(momentum[:, 2]) < 0.05 * abs(np.mean(momentum[:, 2]))
    spine = about[:, BODY.index("thorax")] - about[:, BODY.index("pelvis")]
    turned = np.unwrap(np.arctan2(spine[:, 0], spine[:, 1]))
    assert turned[-1] == pytest.approx(3 * np.pi, abs=0.15)


def test_the_walkers_planted_feet_stay_where_they_are_on_the_floor():
    motion = read_motion(EXAMPLES / "walk.truth.json")
    for side, name in enumerate(("left_toe", "right_toe")):
        ball, planted = motion.joints[:, BODY.index(name)], motion.contacts[:, side] > 0.5
        assert 0.4 < planted.mean() < 0.8
        steps = np.linalg.norm(np.diff(ball, axis=0), axis=1)[planted[1:] & planted[:-1]]
        assert np.median(steps) < 1e-4
        assert np.ptp(ball[planted, 1]) < 0.02
        assert ball[planted, 1].max() < 0.05
