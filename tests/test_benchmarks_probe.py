"""The linear layer and k-means of the benchmarks, on codes whose content is known."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def probe():
    sys.path.insert(0, str(BENCHMARKS))
    import probe_codes

    sys.path.remove(str(BENCHMARKS))
    return probe_codes


@pytest.fixture
def people():
    """Codes of the pose, codes of the person, poses, clips and persons of 4 people in 16 clips."""
    rng = np.random.default_rng(3)
    clips = np.repeat(np.arange(16), 20)
    who = clips % 4
    joints = rng.normal(0, 0.3, (len(clips), 19, 3))
    joints[:, 0] = 0
    turn = np.linalg.qr(rng.normal(size=(60, 60)))[0][:54]
    pose_codes = joints[:, 1:].reshape(len(clips), -1) @ turn
    person_codes = rng.normal(0, 4, (4, 12))[who] + rng.normal(0, 0.3, (len(clips), 12))
    return pose_codes, person_codes, joints, clips, who


def test_a_linear_layer_reads_the_pose_from_a_code_of_it_and_not_from_one_of_the_person(
    probe, people
):
    pose, person, joints, clips, who = people
    of_pose, of_person = (
        probe.held_out_error(code, joints, who, clips, probe.n_error) for code in (pose, person)
    )
    assert of_pose < 0.05 < 0.2 < of_person


def test_k_means_tells_people_apart_by_a_code_of_the_person_alone(probe, people):
    pose, person, _, _, who = people
    assert probe.person_accuracy(person, who) == 1
    assert probe.person_accuracy(pose, who) < 0.5


def test_unlabelled_joints_are_left_out(probe, people):
    pose, _, joints, clips, who = people
    joints = joints.copy()
    joints[::3, 4] = np.nan
    assert probe.held_out_error(pose, joints, who, clips, probe.n_error) < 0.1


def test_the_ridge_is_chosen_without_the_frames_that_are_scored(probe, people):
    """Noise in the labels that are scored changes their error, not the ridge."""
    pose, _, joints, clips, who = people
    asked = []

    def measure(found, truth):
        asked.append(truth)
        return probe.n_error(found, truth)

    probe.held_out_error(pose, joints, who, clips, measure)
    each = len(probe.RIDGES) + 1
    for one in range(4):
        *tuned, scored = asked[one * each : one * each + each]
        assert np.array_equal(scored, joints[who == one])
        assert all(not (t[:, 5, None] == scored[None, :, 5]).all(-1).any() for t in tuned)


def test_the_person_is_named_by_the_folder_or_by_a_pattern(probe):
    video = Path("actors/S9/walk_S11_2.mp4")
    assert probe.person_in(video, None) == "S9"
    assert probe.person_in(video, re.compile(r"_(S\d+)_")) == "S11"
