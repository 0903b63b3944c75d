"""Quality: each number against motions whose fault is known, and the reasons it gives."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from poses import dance, motion_of, posed, somersault, t_pose, wobbling

from mocap_cli.body.motion_json import read_motion, write_motion
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.cli.report import export_report, track_report
from mocap_cli.clips.clip import Clip, ClipFacts
from mocap_cli.quality.measures import measure_quality
from mocap_cli.quality.verdict import _LIMITS, quality_faults
from mocap_cli.workers.job import Result

TIMES = np.arange(90) / 30
DOCS = Path(__file__).parent.parent / "docs"
SCHEMA = DOCS / "motion.schema.json"
STANDING = np.ones((90, 2), np.float32)


def gliding(speed: float, depth: float = 0.0) -> np.ndarray:
    """Somebody who stands `depth` metres in the floor and is pushed along X."""
    joints = t_pose(len(TIMES))
    lowest = joints[..., 1].min()
    return joints + np.stack((speed * TIMES, 0 * TIMES - lowest - depth, 0 * TIMES), -1)[:, None]


def test_a_clean_motion_has_no_faults():
    quality = measure_quality(motion_of(gliding(0), TIMES, contacts=STANDING))
    assert quality_faults(quality) == ()
    assert (quality.coverage, quality.filled, quality.longest_gap, quality.unsure) == (1, 0, 0, 0)
    assert quality.doubtful == ()
    assert quality.even
    assert (quality.jitter, quality.foot_slide, quality.bone_drift) == pytest.approx((0, 0, 0))


@pytest.mark.parametrize("size", [0.003, 0.02])
@pytest.mark.parametrize("fps", [12, 30, 240])
def test_jitter_is_the_standard_deviation_of_the_noise_at_any_rate(size, fps):
    times = np.arange(300) / fps
    joints = wobbling(t_pose(300), size=size)
    assert measure_quality(motion_of(joints, times)).jitter == pytest.approx(size, rel=0.1)


def test_falling_and_a_constant_speed_are_no_jitter_even_when_frames_are_uneven():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.02, 0.06, 90))
    way = np.stack((7 * times, 5 * times - 4.9 * times**2, 0 * times), axis=-1)
    quality = measure_quality(motion_of(t_pose(90) + way[:, None], times))
    assert quality.jitter < 1e-5
    assert not quality.even
    assert quality.longest_step == pytest.approx(np.diff(times).max())


def test_somersaults_hardly_count_as_jitter():
    times = np.arange(60) / 60
    assert measure_quality(motion_of(somersault(times), times)).jitter < 0.002


def test_frames_before_and_after_a_gap_are_not_compared():
    joints = gliding(0)
    joints[40:] += 5
    motion = motion_of(joints, TIMES + 10 * (np.arange(90) >= 40))
    assert measure_quality(motion).jitter == pytest.approx(0)


@pytest.mark.parametrize("speed", [0.02, 0.5])
def test_the_foot_slide_is_the_speed_at_which_planted_feet_move(speed):
    motion = motion_of(gliding(speed), TIMES, contacts=STANDING)
    assert measure_quality(motion).foot_slide == pytest.approx(speed, rel=1e-3)
    assert measure_quality(replace(motion, contacts=0 * STANDING)).foot_slide is None


def test_a_foot_that_rolls_over_its_ball_does_not_slide():
    joints = gliding(0)
    joints[:, BODY.index("left_ankle"), 0] += np.sin(TIMES)
    joints[:, BODY.index("right_toe"), 0] += np.sin(TIMES)
    motion = motion_of(joints, TIMES, contacts=STANDING)
    assert measure_quality(motion).foot_slide == pytest.approx(0)


def test_bone_drift_finds_the_one_bone_that_breathes():
    joints = dance(TIMES)
    clean = measure_quality(motion_of(joints, TIMES)).bone_drift
    hand, elbow = BODY.index("left_wrist"), BODY.index("left_elbow")
    longer = 1 + 0.2 * np.linspace(0, 1, 90)[:, None]
    joints[:, hand] = joints[:, elbow] + longer * (joints[:, hand] - joints[:, elbow])
    assert clean == pytest.approx(0, abs=1e-6)
    assert measure_quality(motion_of(joints, TIMES)).bone_drift == pytest.approx(
        0.05 * 0.95, rel=0.01
    )


@pytest.mark.parametrize(("depth", "found"), [(0.0, 0.0), (0.07, 0.07), (1.0, None)])
def test_feet_in_the_floor_are_told_from_feet_on_a_lower_one(depth, found):
    motion = motion_of(gliding(0, depth), TIMES, contacts=STANDING)
    wanted = found if found is None else pytest.approx(found, abs=1e-6)
    assert measure_quality(motion).below_floor == wanted


def test_where_the_ground_is_not_known_nothing_is_said_of_it():
    quality = measure_quality(motion_of(gliding(1, 0.1), TIMES, contacts=STANDING, space="camera"))
    assert (quality.foot_slide, quality.below_floor) == (None, None)


def test_gaps_and_fillings_are_counted():
    joints = gliding(0)
    joints[80:] = np.nan
    seen = np.isfinite(joints).all(axis=(1, 2))
    seen[10:25] = False
    quality = measure_quality(motion_of(joints, TIMES, detected=seen))
    assert quality.coverage == pytest.approx(80 / 90)
    assert quality.filled == pytest.approx(15 / 90)
    assert quality.longest_gap == pytest.approx(16 / 30)
    assert [s.reason for s in quality.doubtful] == ["filled in", "nobody found"]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (
            lambda j: np.where(np.arange(90)[:, None, None] < 60, np.nan, j),
            "coverage: 33 %, should be at least 70 %",
        ),
        (lambda j: wobbling(j, size=0.03), "jitter: 3"),
        (
            lambda j: j + TIMES[:, None, None] * (1.0, 0, 0),
            "foot slide: 100 cm/s, should be at most 15 cm/s",
        ),
        (lambda j: j - np.array((0, 0.1, 0)), "below floor: 100 mm"),
        (lambda j: j * np.linspace(1, 1.5, 90)[:, None, None], "bone drift: "),
    ],
)
def test_every_fault_is_one_line_with_the_number_and_the_limit(broken, says):
    found = quality_faults(measure_quality(motion_of(broken(gliding(0)), TIMES, contacts=STANDING)))
    (line,) = [line for line in found if says in line]
    assert "should be" in line
    assert "\n" not in line


def test_nobody_at_all_is_a_fault_and_no_crash():
    motion = motion_of(np.full((5, 19, 3), np.nan), TIMES[:5])
    quality = measure_quality(motion)
    assert quality_faults(quality)[0].startswith("coverage: 0 %")
    assert (quality.jitter, quality.bone_drift) == (None, None)


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_the_shortest_motions_are_measured(frames):
    assert quality_faults(measure_quality(motion_of(gliding(0)[:frames], TIMES[:frames]))) == ()


def test_the_block_in_the_json_fits_the_schema_and_is_passed_over_when_read(tmp_path):
    joints = gliding(0)
    joints[80:] = np.nan
    motion = motion_of(joints, TIMES, space="camera")
    write_motion(motion, tmp_path / "a.json", measure_quality(motion).block())
    document = json.loads((tmp_path / "a.json").read_text())
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["quality"]["coverage"] == pytest.approx(80 / 90)
    assert document["quality"]["doubtful"][0]["reason"] == "nobody found"
    np.testing.assert_array_equal(read_motion(tmp_path / "a.json").joints, motion.joints)


def test_the_documented_limits_are_those_that_are_checked():
    rows = [line.split("|")[1:-1] for line in (DOCS / "formats.md").read_text().splitlines()]
    told = {cells[0].strip(): cells[3].strip() for cells in rows if len(cells) == 4}
    for limit in _LIMITS:
        most = "at least" if limit.at_least else "at most"
        assert told[limit.label] == f"{most} {limit.format_value(limit.bound)}"


def faults_of(joints: np.ndarray, times: np.ndarray = TIMES, **changes: object) -> str:
    """The faults of a person with planted feet, as one text."""
    motion = motion_of(joints, times, **{"contacts": STANDING} | changes)
    return "; ".join(quality_faults(measure_quality(motion)))


def bent_knees(degrees: float) -> np.ndarray:
    """Standing on knees bent by so much, the trunk upright."""
    turn = np.radians(degrees) * np.array([1.0, 0, 0])
    moves = {"left_knee": turn, "right_knee": turn, "left_hip": -turn / 2, "right_hip": -turn / 2}
    moves = {name: np.tile(turn, (len(TIMES), 1)) for name, turn in moves.items()}
    joints = posed(moves, np.tile((0.0, 0.88, 0.0), (len(TIMES), 1)))
    return joints - (0, joints[..., 1].min(), 0)


def test_a_person_who_never_stretches_the_knees_crouches():
    assert "crouch: 40 degrees" in faults_of(bent_knees(40))
    assert "crouch" not in faults_of(bent_knees(10))


def test_a_crouch_is_measured_where_the_person_is_tallest():
    joints = np.where((np.arange(90) < 20)[:, None, None], bent_knees(5), bent_knees(60))
    assert "crouch" not in faults_of(joints)


def test_a_root_that_sinks_metres_while_feet_are_planted_is_a_fault():
    sinking = gliding(0) - np.stack((0 * TIMES, 1.9 * TIMES, 0 * TIMES), -1)[:, None]
    assert "ground drift: 5." in faults_of(sinking)


def test_a_person_who_floats_is_a_fault_and_one_who_falls_is_not():
    up = np.array((0, 1.0, 0))
    nothing = {"contacts": 0 * STANDING}
    assert "off ground: 3.0 s" in faults_of(gliding(0) + up, **nothing)
    height = 15 - 4.9 * TIMES**2
    assert "off ground" not in faults_of(gliding(0) + height[:, None, None] * up, **nothing)


def test_a_hop_to_another_place_is_faster_than_any_person():
    hop = gliding(0) + np.where(TIMES > 1.5, 3.0, 0.0)[:, None, None] * np.array((1.0, 0, 0))
    assert "top speed: 90 m/s" in faults_of(hop)
    assert "top speed" not in faults_of(gliding(12))


def test_legs_that_no_network_saw_are_named_also_when_their_feet_count_as_planted():
    score = np.ones((90, len(KEYPOINTS)), np.float32)
    hidden = [i for i, name in enumerate(KEYPOINTS) if "knee" in name or "ankle" in name]
    score[10:, hidden] = 0.05
    found = faults_of(gliding(0), score=score)
    assert "limbs seen: 11 % (left leg, right leg), should be at least 25 %" in found


def test_a_likely_switch_of_person_is_a_fault_with_its_time():
    assert "switches of person: 1 (at 1.20 s)" in faults_of(gliding(0), switches=(1.2,))


def test_all_summaries_give_the_same_verdict():
    good, bad = (motion_of(j, TIMES, contacts=STANDING) for j in (gliding(0), bent_knees(40)))
    for motion, says in ((good, "good"), (bad, "needs review (crouch: 40 degrees")):
        clip, facts = Clip(source=Path("a.mp4")), ClipFacts.of(motion)
        tracked = track_report(clip, Result(status="tracked", facts=facts), facts, "cm")
        exported = export_report(clip, Result(status="exported", facts=facts), facts, "cm")
        for report in (tracked, exported):
            assert dict(report.lines)["verdict"].startswith(says)
            assert report.data["problems"] == list(motion.problems())
