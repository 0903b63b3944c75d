"""Following a person, on the rendered examples whose keypoints are known."""

import functools
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mocap_cli.body.motion_json import read_motion
from mocap_cli.body.skeleton import KEYPOINTS, mirror_indices
from mocap_cli.errors import MocapError
from mocap_cli.keypoints.crop import CROP_SIZE, Crop
from mocap_cli.keypoints.follow import follow
from mocap_cli.keypoints.person_detector import PersonCrop
from mocap_cli.keypoints.person_search import PersonSearch
from mocap_cli.keypoints.pose_networks import PoseNetworks
from mocap_cli.keypoints.subject import SubjectPoint, parse_subject
from mocap_cli.video.reader import open_video
from mocap_cli.video.shots import with_cuts

EXAMPLES = Path(__file__).parent.parent / "examples"
MIRROR = list(mirror_indices(KEYPOINTS))
BODY = slice(5, 17)


@functools.cache
def example(name, count, start=0.0):
    """The first frames of an example, and the keypoints that are true in them."""
    with open_video(EXAMPLES / f"{name}.mp4", start) as video:
        frames = [frame for frame, _ in zip(video, range(count), strict=False)]
    truth = read_motion(EXAMPLES / f"{name}.truth.json")
    rows = [int(np.abs(truth.times - frame.time).argmin()) for frame in frames]
    return frames, truth.xy[rows]


def changed(frames, change):
    return [
        SimpleNamespace(time=f.time, image=np.ascontiguousarray(change(f.image))) for f in frames
    ]


def off(found, true):
    """(T,) mean distance of the body's points, in torsos."""
    torso = np.linalg.norm(true[:, [5, 6]].mean(1) - true[:, [11, 12]].mean(1), axis=1)
    distance = np.linalg.norm(found - true, axis=2)[:, BODY]
    return distance.mean(axis=1) / np.percentile(torso, 90)


def test_a_walker_is_followed_in_every_frame_to_a_fraction_of_the_torso():
    frames, true = example("walk", 20)
    found = follow(with_cuts(frames), device="cpu")
    assert found.detected.all()
    assert np.array_equal(found.times, [f.time for f in frames])
    assert np.median(off(found.xy, true)) < 0.05
    assert off(found.xy, true).max() < 0.15
    assert np.median(found.score[:, BODY]) > 0.5


def test_a_somersault_is_followed_head_down():
    frames, true = example("dive", 40, 1.0)
    upside_down = true[:, [5, 6], 1].mean(1) > true[:, [11, 12], 1].mean(1)
    assert upside_down.any()
    found = follow(with_cuts(frames), device="cpu")
    assert found.tracked.mean() > 0.9
    assert np.nanmedian(off(found.xy, true)[upside_down]) < 0.2


def test_a_picture_upside_down_gives_the_same_body_upside_down():
    frames, true = example("walk", 8)
    height, width = frames[0].image.shape[:2]
    found = follow(with_cuts(changed(frames, lambda image: image[::-1, ::-1])), device="cpu")
    assert off((width, height) - found.xy, true).max() < 0.1


def test_a_mirrored_person_has_left_and_right_exchanged():
    frames, true = example("walk", 8)
    width = frames[0].image.shape[1]
    found = follow(with_cuts(changed(frames, lambda image: image[:, ::-1])), device="cpu")
    there = (width, 0) + found.xy[:, MIRROR] * (-1, 1)
    assert off(there, true).max() < 0.1


def test_where_nobody_is_nothing_is_seen():
    rng = np.random.default_rng(1)
    noise = [rng.integers(0, 255, (240, 320, 3)).astype(np.uint8) for _ in range(3)]
    grey = [np.full((8, 8, 3), 99, np.uint8)] * 2
    for pictures in (noise, grey):
        frames = [SimpleNamespace(time=i / 30, image=p) for i, p in enumerate(pictures)]
        found = follow(with_cuts(frames), device="cpu")
        assert not found.tracked.any()
        assert not found.score.any()
    assert len(follow(with_cuts([]), device="cpu")) == 0


def test_somebody_who_leaves_and_comes_back_is_found_again_and_the_gap_is_empty():
    frames, true = example("walk", 24)
    empty = np.full_like(frames[0].image, 120)
    shown = [
        SimpleNamespace(time=i * 0.1, image=empty if 8 <= i < 16 else frame.image)
        for i, frame in enumerate(frames)
    ]
    found = follow(with_cuts(shown), device="cpu")
    assert not found.tracked[8:16].any()
    assert found.tracked[:8].all()
    assert off(found.xy[17:], true[17:]).max() < 0.1
    assert found.cut[[8, 16]].all()
    assert found.cut.sum() == 2


def test_of_two_people_the_one_that_is_pointed_at_is_followed():
    frames, true = example("walk", 6)
    half = cv2.resize(frames[0].image, None, fx=0.5, fy=0.5).shape[1]

    def two(image):  # the same person once more, smaller, to the right
        small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        other = np.zeros((image.shape[0], half, 3), np.uint8)
        other[: small.shape[0]] = small
        return np.concatenate((image, other), axis=1)

    both = changed(frames, two)
    width = frames[0].image.shape[1]
    right = true / 2 + (width, 0)
    point = tuple(float(v) for v in right[0, [11, 12]].mean(axis=0))
    assert off(follow(with_cuts(both), "largest", "cpu").xy, true).max() < 0.1
    assert off(follow(with_cuts(both), (SubjectPoint(*point),), "cpu").xy, right).max() < 0.15


def beside(frames, others, size):
    """Each frame with the other one beside it, to the right and so much smaller."""
    shown = []
    for frame, other in zip(frames, others, strict=True):
        small = cv2.resize(other.image, None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
        place = np.zeros((frame.image.shape[0], *small.shape[1:]), np.uint8)
        place[-small.shape[0] :] = small
        image = np.concatenate((frame.image, place), axis=1)
        shown.append(SimpleNamespace(time=other.time, image=image))
    return shown


def test_of_two_people_the_one_who_moves_is_followed_and_the_other_is_named_in_doubt():
    frames, true = example("walk", 14)
    height, width = frames[0].image.shape[:2]
    still = [frames[0]] * len(frames)
    found = follow(with_cuts(beside(still, frames, 0.8)), device="cpu")
    mover = true * 0.8 + (width, 0.2 * height)
    assert off(found.xy, mover).max() < 0.2
    assert np.linalg.norm(found.other - np.append(true[0].mean(axis=0), 0)) < 0.2 * height
    assert follow(with_cuts(frames[:3]), device="cpu").other == ()


def test_the_most_prominent_people_are_looked_at_first_whatever_their_scores(monkeypatch):
    near, far = Crop(320, 240, 200), [Crop(40.0 + 60 * i, 60, 50) for i in range(6)]
    people = [PersonCrop(crop, 0.9) for crop in far] + [PersonCrop(near, 0.2)]
    looked = []
    search = PersonSearch(None, SimpleNamespace(people=lambda image, views: people))
    monkeypatch.setattr(search, "_person", lambda image, crop: looked.append(crop))
    search.others(np.zeros((480, 640, 3), np.uint8), 0.0, [])
    assert looked[0] is near
    assert len(looked) < len(people)


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_keypoints_stay_where_they_are_when_the_crop_moves_by_fractions_of_a_pixel(turn):
    frames, true = example("walk", 1)
    networks, (x, y) = PoseNetworks("cpu"), true[0, [11, 12]].mean(axis=0)
    shifts = np.linspace(-3, 3, 13)  # of the crop's pixels
    places = []
    for shift in shifts:
        crop = Crop(x + shift * 1.5, y + shift * 0.75, 1.5 * CROP_SIZE, turn)
        reading = networks.run(crop.extract(frames[0].image))
        places.append((crop.to_image(reading.movenet), crop.to_image(reading.blazepose[:33])))
    for network in zip(*places, strict=True):
        middles = np.array(network).mean(axis=1) / 1.5
        slope = np.polyfit(shifts, middles, 1)[0]  # 1 if they stuck to the crop
        assert np.abs(slope).max() < 0.25
        assert np.abs(middles - middles.mean(axis=0)).mean() < 0.3


@pytest.mark.parametrize("text", ["auto", "largest", "center"])
def test_a_subject_is_a_word(text):
    assert parse_subject(text) == text


def test_a_subject_is_a_point_or_a_clear_error():
    point = (SubjectPoint(640.0, 360.5),)
    assert parse_subject("640, 360.5") == parse_subject((640, 360.5)) == point
    later = SubjectPoint(9.0, 8.0, 2.5)
    assert parse_subject(["640,360.5", "9,8@2.5"]) == (*point, later)
    assert parse_subject([(640, 360.5), (9, 8, 2.5)]) == (*point, later)
    wrong_values = "smallest", "1", "1,2,3", "nan,1", "1;2", "", "1,2@", "1,2@x", "1@2", "1,2@3@4"
    for wrong in (*wrong_values, ["1,2", "all"], [], (1, 2, 3, 4)):
        with pytest.raises(MocapError, match="--subject"):
            parse_subject(wrong)
