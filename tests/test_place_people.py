"""Several people of one video: one ground below all, and distances between them."""

from dataclasses import replace

import numpy as np
import pytest
from people import HEIGHT, clock, film, stander, walker

from mocap_cli.tracking.person import Person
from mocap_cli.tracking.place import place_people

EYE, TARGET = (5.0, 2.5, 1.5), (0.0, 0.9, 1.5)
TIMES = clock(2.0, 15)


def standing_at(person, height, spot):
    """The person with another height, somewhere else."""
    joints = person.joints * height / HEIGHT + np.array(spot)
    return replace(person, joints=joints, height=height)


def placed(*people, height=None, missing=None):
    """Placements of these people, and the vector from the first to the second; and the true one."""
    shots = [film(person, EYE, TARGET) for person in people]
    given = [
        Person.of(s.pose, s.sigma, s.contacts, s.xy, s.score, s.times, s.camera) for s in shots
    ]
    if missing is not None:
        pose = shots[1].pose.copy()
        pose[missing] = np.nan
        given[1] = Person.of(pose, *[getattr(shots[1], n) for n in SHOT])
    results = place_people(given, height)
    turn = results[0].world_from_camera[0][:, :3] @ shots[0].camera_from_world
    truth = (people[1].joints[:, 0] - people[0].joints[:, 0]) @ turn.T
    return results, results[1].joints[:, 0] - results[0].joints[:, 0], truth


SHOT = ("sigma", "contacts", "xy", "score", "times", "camera")
NEAR, FAR, ASIDE = (0.0, 0.0, -0.5), (-3.0, 0.0, 1.0), (0.0, 0.0, 1.0)


def test_people_share_camera_and_ground_and_are_as_far_apart_as_in_the_scene():
    people = standing_at(walker(TIMES), 1.70, NEAR), standing_at(stander(TIMES), 1.70, FAR)
    results, between, truth = placed(*people)
    assert [r.space for r in results] == ["world", "world"]
    np.testing.assert_array_equal(results[0].world_from_camera, results[1].world_from_camera)
    assert np.linalg.norm(between - truth, axis=1).max() < 0.15  # of 3.4 m
    for result in results:
        assert abs(np.median(result.joints[..., 1].min(axis=1)) - 0.027) < 0.01


def test_a_child_beside_an_adult_is_found_to_be_small_by_the_floor():
    people = standing_at(stander(TIMES), 1.25, NEAR), standing_at(walker(TIMES), 1.80, ASIDE)
    results, between, truth = placed(*people)
    child, adult = (float(r.notes[0].split(": ")[1].split()[0]) for r in results)
    assert "the ground that all share" in results[0].notes[0]
    assert child < 1.42  # 1.70 is assumed
    assert adult == pytest.approx(1.80, abs=0.1)
    assert np.linalg.norm(between - truth, axis=1).max() < 0.8  # 2.6 m if both had 1.70 m


def test_given_heights_stay_and_somebody_on_a_box_stands_higher():
    people = standing_at(walker(TIMES), 1.75, NEAR), standing_at(stander(TIMES), 1.75, (-2, 0.6, 1))
    results, between, truth = placed(*people, height=1.75)
    assert np.linalg.norm(between - truth, axis=1).max() < 0.2
    assert np.median(results[1].joints[..., 1].min(axis=1)) == pytest.approx(0.63, abs=0.08)
    assert [r.notes for r in results] == [(), ()]


def test_people_seen_by_a_camera_that_walks_stand_on_the_ground_of_whoever_steps():
    people = standing_at(walker(TIMES), 1.70, NEAR), standing_at(stander(TIMES), 1.50, FAR)
    shots = [film(person, EYE, TARGET, walk=(0.5, 0.0, 0.8), noise=0.01) for person in people]
    given = [Person.of(*(getattr(s, n) for n in ("pose", *SHOT)), walks=s.walks) for s in shots]
    results = place_people(given)
    for result in results:
        assert result.space == "world"
        assert abs(np.median(result.joints[..., 1].min(axis=1)) - 0.027) < 0.01
    still = results[1].joints[:, 0]
    assert np.linalg.norm(still - still.mean(axis=0), axis=1).max() < 0.2  # of 1.9 m
    turn = results[0].world_from_camera[0][:, :3] @ shots[0].camera_from_world
    truth = (people[1].joints[:, 0] - people[0].joints[:, 0]) @ turn.T
    between = still - results[0].joints[:, 0]
    assert np.linalg.norm(between - truth, axis=1).max() < 1.0  # of 3.4 m; 1.70 m is assumed


def test_somebody_who_is_missing_in_frames_or_in_all_of_them_does_not_move_the_others():
    people = standing_at(walker(TIMES), 1.70, NEAR), standing_at(stander(TIMES), 1.70, FAR)
    both, _, _ = placed(*people)
    some, _, _ = placed(*people, missing=slice(10, 20))
    assert np.isnan(some[1].joints[10:20]).all()
    np.testing.assert_array_equal(some[0].world_from_camera, some[1].world_from_camera)
    assert np.abs(some[0].joints - both[0].joints).max() < 0.05
    none, _, _ = placed(*people, missing=slice(None))
    assert none[1].warnings == ("no person was found in any frame",)
    assert none[0].space == "world"
