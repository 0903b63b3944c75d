"""Spoilt copies: the same for the same seed, where labels are, of the size of the person."""

from dataclasses import fields

import numpy as np
import pytest
from film import film
from witnesses import TIMES, codes_of, labelled, seen_dancing

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.detection import Detection
from mocap_cli.labels.fitting import degraded_copies
from mocap_cli.labels.fitting.degrade import (
    _MAX_PERSON_HEIGHT,
    _SEGMENT_SECONDS,
    Degradation,
    VideoDegrader,
    _segment_degradation,
)
from mocap_cli.labels.fitting.degraded_copies import _degrader_for, degrade_clip
from mocap_cli.labels.fitting.error_calibration import ErrorScaling
from mocap_cli.labels.fitting.fit_heads import _assign_folds
from mocap_cli.labels.fitting.frozen_encoder import (
    EncodedVideo,
    FrozenEncoder,
)
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip, clip_examples
from mocap_cli.video.reader import Frame


def dotted(size=64):
    """A white dot in the middle of black."""
    image = np.zeros((size, size, 3), np.uint8)
    image[size // 2, size // 2] = 255
    return image


def spread(image):
    """How far the light of a picture lies from its middle along both axes, pixels."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    light = image[..., 0].astype(float)
    middle = (light * x).sum() / light.sum(), (light * y).sum() / light.sum()
    return tuple(
        float(np.sqrt((light * (at - m) ** 2).sum() / light.sum()))
        for at, m in zip((x, y), middle, strict=True)
    )


def test_a_streak_is_as_long_as_told_and_goes_its_way():
    rng = np.random.default_rng(0)
    across, up = spread(Degradation(motion_blur=0.25).apply(dotted(), 80, 0.0, rng))
    assert across == pytest.approx(20 / np.sqrt(12), rel=0.15)
    assert up < 0.5
    upright = Degradation(motion_blur=0.25, direction=np.pi / 2)
    assert spread(upright.apply(dotted(), 80, 0.0, rng))[0] < 0.5
    veering = Degradation(motion_blur=0.25, turning=np.pi)
    assert spread(veering.apply(dotted(), 80, 0.5, rng))[0] < 0.5


def test_out_of_focus_a_point_becomes_a_disk():
    across, up = spread(
        Degradation(defocus=0.05).apply(dotted(), 160, 0.0, np.random.default_rng(0))
    )
    assert across == pytest.approx(8 / 2, rel=0.15)  # of a disk the radius over two
    assert up == pytest.approx(across, rel=0.02)


def test_less_light_is_darker_and_nothing_at_all_changes_nothing():
    image = np.full((32, 32, 3), 200, np.uint8)
    rng = np.random.default_rng(0)
    assert Degradation(brightness=0.5).apply(image, 20, 0.0, rng).mean() == pytest.approx(100)
    np.testing.assert_array_equal(Degradation().apply(image, 20, 0.0, rng), image)


def test_stretches_are_spoilt_or_not_and_the_same_every_time():
    degrader = VideoDegrader(3, 50.0, np.ones(90, bool))
    times = np.arange(0, 60, _SEGMENT_SECONDS) + 0.01
    assert 0.6 < degrader.degrades(times).mean() < 0.95
    assert _segment_degradation(3, 5) == _segment_degradation(3, 5) != _segment_degradation(4, 5)
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    frames = [Frame(i, float(t), image) for i, t in enumerate(times)]
    first, again = (list(degrader.frames(frames)) for _ in range(2))
    assert all((a.image == b.image).all() for a, b in zip(first, again, strict=True))
    changed = np.array([(frame.image != image).any() for frame in first])
    np.testing.assert_array_equal(changed, degrader.degrades(times))


def test_a_tall_person_is_shrunk_and_only_frames_near_labels_are_wanted():
    estimate, _ = seen_dancing()
    degrader = _degrader_for(estimate, np.array([0, 80]), 0)
    near = np.minimum(np.abs(TIMES - TIMES[0]), np.abs(TIMES - TIMES[80])) <= 0.5
    np.testing.assert_array_equal(degrader.wanted, near)
    sides = np.nanmedian(estimate.bounding_squares()[:, 2])
    assert degrader.scale * sides == pytest.approx(_MAX_PERSON_HEIGHT, abs=0.1)
    picture = Frame(0, 0.0, np.zeros((1080, 1920, 3), np.uint8))
    (shown,) = degrader.frames([picture])
    assert shown.image.shape[:2] == degrader.output_size((1920, 1080))[::-1]


@pytest.fixture
def copied(monkeypatch, tmp_path):
    """A dancer's clip, what the networks say given: where they look in spoilt pictures is kept."""
    estimate, truth = seen_dancing()
    film(tmp_path / "a.mp4", range(len(TIMES)), size=(192, 108))
    looked = []

    def look(networks, image, crop):
        looked.append((image.shape, crop))
        xy = np.tile(np.float32((crop.x, crop.y)), (len(KEYPOINTS), 1))
        xy += np.random.default_rng(1).normal(0, 0.1 * crop.side, xy.shape).astype(np.float32)
        sure = np.full(len(KEYPOINTS), 0.6, np.float32)
        return Detection(
            movenet=xy[:17], movenet_score=sure[:17], blazepose=xy, blazepose_score=sure,
            appearance=np.zeros((1, 3)), crop=crop, confidence=0.9 if len(looked) % 4 else 0.0,
            xy=xy[:17], next_crop=crop, stature=1.0,
        )  # fmt: skip

    monkeypatch.setattr(degraded_copies, "PoseNetworks", lambda device: None)
    monkeypatch.setattr(degraded_copies, "detect", look)
    return LabelledClip(tmp_path / "a.mp4", labelled(truth), estimate), looked


def test_copies_are_looked_at_where_the_person_is_and_kept(copied, tmp_path):
    clip, looked = copied
    eye = FrozenEncoder.open(FrozenEncoder.IMAGENET)
    asked = clip.video, clip.estimate, np.arange(0, 90, 30), eye, 1
    where = {"cache": tmp_path / "codes", "device": "cpu"}
    copy = degrade_clip(*asked, **where)
    scale = _degrader_for(clip.estimate, np.arange(0, 90, 30), 1).scale
    middles = scale * clip.estimate.bounding_squares()[:, :2]
    assert looked[0][1].x == pytest.approx(middles[0, 0], abs=0.5 * looked[0][1].side)
    assert copy.estimate.camera.focal == pytest.approx(scale * clip.estimate.camera.focal)
    assert len(copy.encoded) == len(TIMES)
    wanted = np.abs(copy.encoded.time_variant).sum(axis=1) > 0
    assert copy.degraded[~wanted].sum() == 0
    assert copy.degraded.any()
    count = len(looked)
    again = degrade_clip(*asked, **where)
    assert len(looked) == count
    np.testing.assert_array_equal(again.encoded.time_variant, copy.encoded.time_variant)
    np.testing.assert_array_equal(again.estimate.keypoints.xy, copy.estimate.keypoints.xy)


def test_spoilt_examples_have_the_poses_of_the_sharp_and_stay_in_their_part(copied, monkeypatch):
    clip, _ = copied
    codes = codes_of(seen_dancing()[1])

    def encode(*_, degrader=None, **__):
        if degrader is None:
            return codes
        names = [field.name for field in fields(EncodedVideo)]
        return EncodedVideo(*(getattr(codes, name)[degrader.wanted] for name in names))

    monkeypatch.setattr(FrozenEncoder, "encode", encode)
    eye, how = FrozenEncoder.open(FrozenEncoder.IMAGENET), GatherOptions(cache=None)
    plain = clip_examples([clip], eye, how, points=True)
    more = clip_examples([clip], eye, how, points=True, copies=2)
    assert len(plain) < len(more) < 3 * len(plain)
    by_frame = dict(zip(plain.frames.tolist(), plain.joints, strict=True))
    for frame, joints in zip(more.frames.tolist(), more.joints, strict=True):
        np.testing.assert_array_equal(joints, by_frame[frame])
    part = dict(zip(plain.frames.tolist(), _assign_folds(plain, 3).tolist(), strict=True))
    assert [part[f] for f in more.frames.tolist()] == _assign_folds(more, 3).tolist()


def test_errors_grow_with_the_signs_that_go_with_them_and_never_shrink():
    rng = np.random.default_rng(0)
    signs = rng.normal(size=(400, 3))
    off = 0.05 * np.exp(0.8 * signs[:, :1] - 0.5 * signs[:, 1:2] + 0.2 * rng.normal(size=(400, 19)))
    growth = ErrorScaling.fit(off, signs)
    assert growth.slopes[0] == pytest.approx(0.8, rel=0.1)
    assert growth.slopes[1] == 0
    assert growth.slopes[2] < 0.05
    ends = growth(np.array([[50.0, 0, 0], [signs[:, 0].max(), 0, 0]]))
    assert ends[0] == pytest.approx(ends[1])  # not beyond what was seen
    assert (ErrorScaling.fit(off[:5], signs[:5])(signs) == 1).all()
