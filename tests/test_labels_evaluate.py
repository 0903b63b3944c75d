"""Measures of the pose literature, against what is known of them."""

import numpy as np
import pytest
from poses import dance
from scipy.spatial.transform import Rotation

from mocap_cli.labels.fitting.evaluation import PoseScores, _columns

TIMES = np.arange(40) / 25
TRUTH = dance(TIMES) - dance(TIMES)[:, :1]
CLIPS = np.zeros(40, np.int64)


def test_the_truth_itself_makes_no_error():
    found = PoseScores.of(TRUTH, TRUTH, TIMES, CLIPS)
    assert (found.frames, found.pck) == (40, 100)
    assert max(found.mpjpe, found.n_mpjpe, found.p_mpjpe, found.acceleration or 0) < 1e-6
    assert found.auc == pytest.approx(100)


def test_size_is_forgiven_by_n_and_turns_by_p():
    larger = PoseScores.of(1.2 * TRUTH, TRUTH, TIMES, CLIPS)
    assert larger.mpjpe > 50
    assert larger.n_mpjpe < 1e-6
    turn = Rotation.from_euler("xyz", (0.4, 0.2, 1.0)).as_matrix()
    turned = PoseScores.of(0.8 * TRUTH @ turn.T, TRUTH, TIMES, CLIPS)
    assert turned.n_mpjpe > 50
    assert turned.p_mpjpe < 1e-6
    mirrored = PoseScores.of(TRUTH * (-1, 1, 1), TRUTH, TIMES, CLIPS)
    assert mirrored.p_mpjpe > 10


def test_a_known_shift_is_that_many_millimetres_and_counts_as_within():
    off = TRUTH.copy()
    off[:, 1:, 0] += 0.1
    found = PoseScores.of(off, TRUTH, TIMES, CLIPS)
    assert found.mpjpe == pytest.approx(100)
    assert found.pck == 100
    assert found.auc == pytest.approx(100 * 11 / 31, abs=4)
    assert all(value == pytest.approx(100) for name, value in found.joints.items())


def test_what_is_unknown_does_not_count():
    holes, said = TRUTH.copy(), TRUTH + 0.0
    holes[:5] = np.nan
    holes[:, 4] = np.nan
    said[:, 4] += 9.0
    found = PoseScores.of(said, holes, TIMES, CLIPS)
    assert found.frames == 35
    assert found.mpjpe == pytest.approx(0, abs=1e-9)
    assert "right_toe" not in found.joints


def test_acceleration_is_told_within_clips_only():
    off = TRUTH + 0.5 * 3.0 * (TIMES**2)[:, None, None] * np.array([1.0, 0, 0])
    off[:, 0] = 0
    found = PoseScores.of(off, TRUTH, TIMES, CLIPS)
    assert found.acceleration == pytest.approx(3.0, rel=0.01)
    jump = TRUTH.copy()
    jump[20:, 1:] += 1.0
    apart = PoseScores.of(jump, TRUTH, TIMES, np.repeat([0, 1], 20))
    assert apart.acceleration == pytest.approx(0, abs=1e-6)
    few = PoseScores.of(TRUTH[::7], TRUTH[::7], np.array([0, 1, 3, 7, 12, 20.0]), CLIPS[:6])
    assert few.acceleration is None


def test_tables_stand_in_columns():
    lines = PoseScores.table([("all", PoseScores.of(TRUTH, TRUTH, TIMES, CLIPS))]).splitlines()
    assert lines[0].split() == ["frames", "MPJPE", "N-MPJPE", "P-MPJPE", "PCK@150", "AUC", "accel"]
    assert len({len(line) for line in lines}) == 1
    assert _columns([("a", "1"), ("bb", "22")]) == "a    1\nbb  22"
