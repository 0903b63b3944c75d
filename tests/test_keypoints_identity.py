"""Who is who: two people who cross, points at their times, everybody at once, switches."""

import functools
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mocap_cli.body.motion_json import read_motion
from mocap_cli.body.skeleton import KEYPOINTS, mirror_indices
from mocap_cli.errors import MocapError
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.crossing import exchange_evidence
from mocap_cli.keypoints.detection import Detection
from mocap_cli.keypoints.follow import follow
from mocap_cli.keypoints.follow_all import follow_all
from mocap_cli.keypoints.subject import SubjectPoint
from mocap_cli.keypoints.switches import find_switches
from mocap_cli.video.reader import open_video
from mocap_cli.video.shots import with_cuts

EXAMPLES = Path(__file__).parent.parent / "examples"
MIRROR = list(mirror_indices(KEYPOINTS))
BODY, HIPS = slice(5, 17), [11, 12]
RATE = 15.0  # frames per second


@functools.cache
def crossing(start=2.1, seconds=1.8):
    """A walker and the same walker mirrored, who pass each other; each one's true keypoints."""
    with open_video(EXAMPLES / "walk.clean.mp4") as video:
        empty = next(iter(video)).image
    with open_video(EXAMPLES / "walk.mp4", start, start + seconds) as video:
        walker = [frame for i, frame in enumerate(video) if i % 2 == 0]
    truth = read_motion(EXAMPLES / "walk.truth.json")
    true = truth.xy[[int(np.abs(truth.times - frame.time).argmin()) for frame in walker]]
    frames = []
    for i, frame in enumerate(walker):
        changed = np.abs(frame.image.astype(int) - empty).max(axis=2).astype(np.uint8)
        shape = cv2.morphologyEx(
            np.where(changed > 20, 1, 0).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3))
        )
        body, image = shape.astype(bool), empty.copy()
        image[body[:, ::-1]] = frame.image[:, ::-1][body[:, ::-1]]
        image[body] = frame.image[body]
        frames.append(SimpleNamespace(image=image, time=i / RATE))
    mirrored = (empty.shape[1], 0) + true[:, MIRROR] * (-1, 1)
    return frames, true, mirrored


def off(found, true):
    """(T,) mean distance of the body's points, in torsos; infinite where nothing was found."""
    torso = np.linalg.norm(true[:, [5, 6]].mean(1) - true[:, HIPS].mean(1), axis=1)
    return np.nan_to_num(np.linalg.norm(found - true, axis=2)[:, BODY].mean(1) / torso, nan=np.inf)


def hips(true, frame, time=None):
    return SubjectPoint(*(float(v) for v in true[frame, HIPS].mean(axis=0)), time)


def test_two_people_in_the_same_clothes_who_cross_are_not_confused():
    frames, true, mirrored = crossing()
    found = follow(with_cuts(frames), (hips(true, 0),), "cpu")
    right = off(found.xy, true) < off(found.xy, mirrored)
    assert (off(found.xy, true)[-8:] < 0.3).all()
    assert right.mean() > 0.9
    assert found.switches == ()


def test_a_point_at_a_time_names_the_person_there_also_before_it():
    frames, true, mirrored = (part[:8] for part in crossing())
    found = follow(with_cuts(frames), (hips(mirrored, 6, 6 / RATE),), "cpu")
    assert (off(found.xy, mirrored) < 0.3).all()
    both = hips(true, 1), hips(mirrored, 6, 6 / RATE)
    changed = follow(with_cuts(frames), both, "cpu")
    assert off(changed.xy, true)[0] < 0.3
    assert (off(changed.xy, mirrored)[6:] < 0.3).all()


def test_a_point_where_nobody_is_is_an_error_that_names_it():
    frames = [SimpleNamespace(image=f.image, time=i * 0.6) for i, f in enumerate(crossing()[0][:2])]
    with pytest.raises(MocapError, match=r"nobody was found at 20,30 at 0\.00 s"):
        follow(with_cuts(frames), (SubjectPoint(20, 30, 0.0),), "cpu")


def test_everybody_gets_keypoints_of_their_own_from_one_pass():
    frames, true, mirrored = (part[:17] for part in crossing())
    people = follow_all(with_cuts(frames), "cpu")
    assert len(people) == 2
    distances = [[np.median(off(p.xy, t)) for t in (true, mirrored)] for p in people]
    assert sorted(int(np.argmin(row)) for row in distances) == [0, 1]
    assert np.min(distances, axis=1).max() < 0.1


def walk_by(start, speed, colour, frames, side=160.0, stature=100.0):
    """By frame: detections of a person who walks at that speed, in one colour."""
    looks = np.zeros((2, 10), np.float16)
    looks[:, colour] = 1
    points = np.zeros((17, 2), np.float32)
    return {
        i: Detection(
            movenet=points, movenet_score=points[:, 0], blazepose=points,
            blazepose_score=points[:, 0], appearance=looks, confidence=0.9, xy=points,
            crop=Crop(start + speed * i, 100, side), next_crop=Crop(start + speed * i, 100, side),
            stature=stature,
        )
        for i in frames
    }  # fmt: skip


BEFORE, AFTER = range(20), range(40, 60)
TIMES = [i / 30 for i in range(60)]


def exchanged(one, other):
    """Both after an exchange of everything from frame 30 on."""
    first, second = ({i: d for i, d in p.items() if i < 30} for p in (one, other))
    return first | {i: d for i, d in other.items() if i >= 30}, second | {
        i: d for i, d in one.items() if i >= 30
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (dict(start=0, speed=6, colour=1), dict(start=360, speed=-6, colour=1)),
        (dict(start=0, speed=0, colour=1), dict(start=120, speed=0, colour=2)),
        (dict(start=0, speed=0, colour=1, stature=140), dict(start=60, speed=0, colour=1)),
    ],
    ids=["path", "appearance", "size"],
)
def test_path_appearance_or_size_tell_who_is_who_after_a_meeting(one, other):
    both = [walk_by(**person, frames=[*BEFORE, *AFTER]) for person in (one, other)]
    assert exchange_evidence(*both, TIMES, 19, 40) < -1
    assert exchange_evidence(*exchanged(*both), TIMES, 19, 40) > 1


def test_equals_who_stand_still_after_a_meeting_are_in_doubt():
    one, other = (walk_by(100 + 20 * i, 0, 1, [*BEFORE, *AFTER]) for i in range(2))
    assert abs(exchange_evidence(one, other, TIMES, 19, 40)) < 1


def test_a_switch_to_other_clothes_or_another_place_is_reported_with_its_time():
    steady = walk_by(100, 2, 1, range(60))
    uncut = [False] * 60
    assert find_switches(steady, TIMES, uncut, company=TIMES) == ()
    dressed = steady | walk_by(100, 2, 2, range(30, 60))
    assert find_switches(dressed, TIMES, uncut, company=TIMES) == (1.0,)
    elsewhere = steady | walk_by(250, 2, 1, range(30, 60))
    assert find_switches(elsewhere, TIMES, uncut, company=TIMES) == (1.0,)
    larger = steady | walk_by(100, 2, 1, range(30, 60), stature=250)
    assert find_switches(larger, TIMES, uncut, company=TIMES) == (1.0,)
    assert find_switches(elsewhere, TIMES, uncut, company=()) == ()  # nobody else was there
    cut = [i == 30 for i in range(60)]
    assert find_switches(elsewhere, TIMES, cut, company=TIMES) == ()
    assert find_switches(dressed, TIMES, cut, company=TIMES) == (1.0,)
