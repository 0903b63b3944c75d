"""Crops, courses and gaps against geometry."""

import math

import numpy as np
import pytest

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.crop import CROP_SIZE, Crop
from mocap_cli.keypoints.crop_motion import CropMotion
from mocap_cli.keypoints.fusion import fill_gaps
from mocap_cli.keypoints.keypoints import Keypoints


def dot(width, height, x, y, spread):
    """A soft white dot whose middle is at exactly that point."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    light = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2 / spread**2)
    return np.repeat(np.uint8(light + 0.5)[..., None], 3, axis=2)


def middle(picture):
    """Where the light of a picture has its middle."""
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]] + 0.5
    light = picture[..., 0].astype(float)
    return np.array(((light * columns).sum(), (light * rows).sum())) / light.sum()


@pytest.mark.parametrize("scale", [0.4, 1.0, 1.9, 2.0, 2.7, 3.5, 5.2])
@pytest.mark.parametrize("turn", [0.0, 0.7, math.pi, -2.0])
def test_a_point_is_in_the_crop_where_from_picture_says_to_a_twentieth_of_a_pixel(scale, turn):
    rng = np.random.default_rng(round(scale * 10 + turn))
    for _ in range(3):
        at = np.array((400, 300)) + rng.uniform(-20, 20, 2)
        crop = Crop(*(at + rng.uniform(-40, 40, 2) * scale), CROP_SIZE * scale, turn)
        seen = crop.extract(dot(800, 600, *at, spread=max(3.0, 3 * scale)))
        assert np.allclose(middle(seen), crop.from_image(at), atol=0.05)


def test_going_into_the_crop_and_back_changes_nothing():
    crop = Crop(31.5, -4.2, 417.0, 2.1)
    points = np.random.default_rng(1).uniform(-500, 500, (7, 3, 2))
    assert np.allclose(crop.to_image(crop.from_image(points)), points)


def test_up_in_a_turned_crop_is_where_the_body_points():
    crop = Crop(0, 0, CROP_SIZE, math.pi / 2)  # a quarter clockwise: the head is to the right
    assert np.allclose(crop.to_image(np.array((CROP_SIZE / 2, 0))), (CROP_SIZE / 2, 0))


def test_outside_of_the_picture_a_crop_is_black_whatever_its_size():
    picture = np.full((90, 120, 3), 255, np.uint8)
    for side in (64, 600, 5000):
        assert not Crop(9000, 9000, side, 0.3).extract(picture).any()
    over_the_rim = Crop(0, 45, 60).extract(picture)
    assert not over_the_rim[:, : CROP_SIZE // 2 - 3].any()
    assert over_the_rim[:, CROP_SIZE // 2 + 3 :].all()


def test_a_steady_course_is_foretold_and_turns_are_counted_past_a_full_circle():
    times = np.arange(30) / 30
    course = CropMotion(0.0, Crop(0, 0, 100, 0))
    for t in times[1:]:
        turn = math.remainder(20 * t, 2 * math.pi)  # three circles in a second
        course = course.updated(float(t), Crop(300 * t, -50 * t, 100, turn))
    ahead = course.predict(1.0)
    assert ahead.angle == pytest.approx(20, abs=0.05)
    assert (ahead.x, ahead.y) == pytest.approx((300, -50), abs=1)
    assert ahead.side == pytest.approx(100)


def still(times, seen, cut=None):
    """A body that turns half a circle a second about a place that moves to the right."""
    body = np.random.default_rng(2).uniform(-30, 30, (len(KEYPOINTS), 2)) + CROP_SIZE / 2
    crops = [Crop(100 * t, 50, CROP_SIZE, math.pi * t) for t in times]
    true = np.stack([c.to_image(body) for c in crops]).astype(np.float32)
    T, K = len(times), len(KEYPOINTS)
    gone = ~np.asarray(seen)
    xy = true.copy()
    xy[gone] = np.nan
    keypoints = Keypoints(
        times=np.asarray(times, float),
        xy=xy,
        score=np.where(gone[:, None], 0, np.full((T, K), 0.8)).astype(np.float32),
        detected=np.asarray(seen),
        cut=np.zeros(T, bool) if cut is None else np.asarray(cut),
    )
    return fill_gaps(keypoints, {i: crops[i] for i in np.flatnonzero(seen)}), true


def test_a_short_gap_is_filled_along_the_turn_and_marked_as_unsure():
    times = np.arange(20) / 30
    seen = np.ones(20, bool)
    seen[8:13] = False
    filled, true = still(times, seen)
    assert np.allclose(filled.xy, true, atol=0.01)
    assert not filled.detected[8:13].any()
    assert (filled.score[8:13] < 0.3).all()
    assert (filled.score[8:13] > 0).all()


def test_a_long_gap_and_a_gap_with_a_cut_in_it_stay_empty():
    times, seen = np.arange(30) / 30, np.ones(30, bool)
    seen[5:20] = False
    assert np.array_equal(still(times, seen)[0].tracked, seen)
    seen = np.ones(30, bool)
    seen[5:8] = False
    cut = np.zeros(30, bool)
    cut[6] = True
    assert np.array_equal(still(times, seen, cut)[0].tracked, seen)
    assert still(times, seen)[0].tracked.all()
