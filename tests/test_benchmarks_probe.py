"""The linear layer and k-means of the benchmarks, on codes whose content is known."""

import re
import sys
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def scripts():
    sys.path.insert(0, str(BENCHMARKS))
    import paper_table
    import pretrain
    import probe_codes

    sys.path.remove(str(BENCHMARKS))
    return SimpleNamespace(table=paper_table, pretrain=pretrain, probe=probe_codes)


@pytest.fixture
def probe(scripts):
    return scripts.probe


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
    assert probe.person_accuracy(person, who) == probe.person_accuracy(person, 2 * who + 3) == 1
    assert probe.person_accuracy(pose, who) < 0.5


def test_unlabelled_joints_are_left_out(probe, people):
    pose, _, joints, clips, who = people
    joints = joints.copy()
    joints[::3, 4] = np.nan
    assert probe.held_out_error(pose, joints, who, clips, probe.n_error) < 0.1


def test_a_code_longer_than_there_are_labels_gives_the_same_layer(probe):
    rng = np.random.default_rng(0)
    codes, wanted = rng.normal(size=(12, 9)), rng.normal(size=(12, 4, 3))
    few = probe.linear_layer(codes[:6], wanted[:6], 10.0)
    x = (codes[:6] - codes[:6].mean(0)) / (codes[:6].std(0) + 1e-6)
    y = wanted[:6].reshape(6, -1) - wanted[:6].reshape(6, -1).mean(0)
    layer = np.linalg.solve(x.T @ x + 10 * np.eye(9), x.T @ y)
    assert (few(codes[:6]) - wanted[:6].mean(0)).reshape(6, -1) == pytest.approx(x @ layer)


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


def footage(scripts, joints, clips):
    """One clip of the pretraining benchmark for each of these clips."""
    return [
        scripts.pretrain.Clip(
            Path(f"{i}.mp4"), np.arange(20), None, None, joints[clips == i], int(i % 4)
        )
        for i in np.unique(clips)
    ]


def test_poses_of_test_clips_are_read_from_a_code_of_them_the_better_the_more_labels(
    scripts, people
):
    pose, person, joints, clips, _ = people
    test = clips >= 12
    scored = footage(scripts, joints, clips)[12:]
    train = footage(scripts, joints[~test], clips[~test])

    def error(code, count):
        return scripts.pretrain.pose_error(code[~test], train, code[test], scored, count)

    assert error(pose, 240) < 50 < error(pose, 30) < error(person, 240)


def test_test_clips_do_not_choose_the_ridge(scripts, people, monkeypatch):
    pose, _, joints, clips, _ = people
    train = footage(scripts, joints[clips < 12], clips[clips < 12])
    scored = footage(scripts, joints, clips)[12:]
    asked = []
    choose = scripts.probe.choose_ridge
    monkeypatch.setattr(
        scripts.pretrain,
        "choose_ridge",
        lambda codes, wanted, *rest: asked.append(wanted) or choose(codes, wanted, *rest),
    )
    scripts.pretrain.pose_error(pose[clips < 12], train, pose[clips >= 12], scored, 30)
    assert len(asked[0]) == 30
    assert np.isin(asked[0], joints[clips < 12]).all()


def test_the_papers_table_does_what_is_missing_one_system_at_a_time(
    scripts, monkeypatch, tmp_path, capsys
):
    table, done = scripts.table, []

    def row(method, *rest):
        done.append(method)
        if method == "css" and done.count("css") == 1:
            raise KeyboardInterrupt
        return {f"{share:g}": 100.0 for share in table.SHARES}

    monkeypatch.setattr(table, "row", row)
    monkeypatch.setattr(table, "labelled_clips", lambda folder, how: ())
    options = Namespace(methods=["ours", "css", "mv-css"], device="cpu")
    with pytest.raises(KeyboardInterrupt):
        table.fill(tmp_path, tmp_path, tmp_path, options)
    table.fill(tmp_path, tmp_path, tmp_path, options)
    assert done == ["ours", "css", "css", "mv-css"]
    last = capsys.readouterr().out.splitlines()[-3:]
    assert last[0].startswith("| ours | 100.0 (149.3) | 100.0 (122.4) |")
    assert last[2].startswith("| mv-css | 100.0 (216.2) |")
