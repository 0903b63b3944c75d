"""Clicks become joints: triangulated from several cameras, or lifted from one."""

import json

import numpy as np
import pytest
from people import look
from witnesses import labelled, seen_dancing

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.labels.alignment.reconstruction import (
    CalibratedCamera,
    _intersect_rays,
    lift_2d_labels,
    triangulate_labels,
)
from mocap_cli.labels.labels import body_height, make_labels

CAMERA = Pinhole(1200.0, (640.0, 360.0))


def cameras(path):
    """Two calibrated views, as a user writes them; what each sees of joints in the room."""
    document, poses = {}, {}
    for name, eye in (("left", (-4.0, 1.5, 5.0)), ("right", (4.0, 1.0, 5.0))):
        turn = look(np.array(eye), np.array((0, 0.5, 0))).T
        poses[name] = (turn, np.array(eye))
        document[f"{name}.mp4"] = {
            "focal_pixels": CAMERA.focal,
            "centre": CAMERA.centre,
            "world_from_camera": np.column_stack((turn, eye)).tolist(),
        }
    path.write_text(json.dumps(document))
    return CalibratedCamera.read_all(path), poses


def clicks_of(name, poses, joints, off=0.0, seed=0):
    turn, eye = poses[name]
    pixels = CAMERA.project((joints - eye) @ turn)
    pixels += np.random.default_rng(seed).normal(scale=off + 1e-9, size=pixels.shape)
    xy = np.full((len(joints), len(KEYPOINTS), 2), np.nan)
    for k, point in enumerate(KEYPOINTS):
        if point in BODY.names:
            xy[:, k] = pixels[:, BODY.index(point)]
    return make_labels(labelled(joints).path, f"{name}.mp4", frames=np.arange(len(xy)), xy=xy)


def test_clicks_of_two_views_meet_where_the_joints_are(tmp_path):
    views, poses = cameras(tmp_path / "views.json")
    _, joints = seen_dancing()
    two = [clicks_of(name, poses, joints) for name in ("left", "right")]
    for one in triangulate_labels(two, views):
        turn, eye = poses[one.video.removesuffix(".mp4")]
        wanted = (joints - eye) @ turn
        limbs = [BODY.index(n) for n in KEYPOINTS if n in BODY.names and not n.endswith("toe")]
        np.testing.assert_allclose(one.joints[:, limbs], wanted[:, limbs], atol=1e-5)
        assert one.in_camera
        assert "triangulated from 2 views" in one.notes[-1]


def test_clicks_that_are_not_of_one_point_are_left_out(tmp_path):
    views, poses = cameras(tmp_path / "views.json")
    _, joints = seen_dancing()
    left, right = (clicks_of(name, poses, joints) for name in ("left", "right"))
    right.xy[7, KEYPOINTS.index("left_knee")] += (0, 150)
    solid = triangulate_labels([left, right], views)[0]
    assert not np.isfinite(solid.joints[7, BODY.index("left_knee")]).any()
    assert np.isfinite(solid.joints[8, BODY.index("left_knee")]).all()


def test_lines_that_cross_meet_there_and_the_gap_is_told():
    rays = np.array([[[[1.0, 0, 0]]], [[[0, 1.0, 0]]]])
    point, off = _intersect_rays(rays, np.array([[-2.0, 0, 0], [0, -3.0, 0.2]]))
    np.testing.assert_allclose(point[0, 0], (0, 0, 0.1), atol=1e-6)
    assert off[0, 0] == pytest.approx(0.1, abs=1e-6)
    one, off = _intersect_rays(rays[:1], np.zeros((1, 3)))
    assert np.isnan(one).all()


def test_one_view_and_bad_calibrations_are_refused(tmp_path):
    views, poses = cameras(tmp_path / "views.json")
    _, joints = seen_dancing()
    with pytest.raises(MocapError, match="two calibrated videos"):
        triangulate_labels([clicks_of("left", poses, joints)], views)
    (tmp_path / "bad.json").write_text('{"a.mp4": {"focal_pixels": 1}}')
    with pytest.raises(MocapError, match=r"damaged at camera a\.mp4: centre is missing"):
        CalibratedCamera.read_all(tmp_path / "bad.json")


def test_lifted_clicks_are_as_tall_as_the_person_and_about_right():
    estimate, truth = seen_dancing()
    xy = estimate.keypoints.xy[::6].astype(float)
    xy[estimate.keypoints.score[::6] == 0] = np.nan
    frames = np.arange(0, len(truth), 6)
    clicks = make_labels(labelled(truth).path, "a", frames=frames, xy=xy)
    tall = lift_2d_labels(clicks, estimate, 1.9)
    assert body_height(tall.joints) == pytest.approx(1.9, abs=0.02)
    assert tall.in_camera
    assert tall.has_3d.all()
    usual = lift_2d_labels(clicks, estimate)
    assert "--height" in usual.notes[-1]
    np.testing.assert_allclose(
        usual.joints * 1.9 / body_height(usual.joints), tall.joints, atol=0.03
    )
