"""From a video to a Motion, on clips whose truth is known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from film import film

from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import read_motion, write_motion
from mocap_cli.body.resample import resample_motion
from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.lifting.metrics import p_mpjpe
from mocap_cli.tracking.track import TrackOptions, track

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module", params=["walk", "dive"])
def tracked(request) -> tuple[str, Motion, Motion]:
    truth = read_motion(EXAMPLES / f"{request.param}.truth.json")
    height = float(truth.model["height_metres"])
    return (
        request.param,
        track(EXAMPLES / f"{request.param}.mp4", TrackOptions(height=height)),
        truth,
    )


def errors(found: Motion, truth: Motion) -> np.ndarray:
    both = found.tracked & truth.tracked
    p, t = (torch.from_numpy(m.joints[both]) for m in (found, truth))
    return p_mpjpe(p, t).numpy()


def test_an_example_is_followed_nearly_all_the_way(tracked):
    _, found, truth = tracked
    assert found.space == "world"
    np.testing.assert_allclose(found.times, truth.times, atol=1e-6)
    assert found.tracked.mean() > 0.85


def test_an_examples_poses_are_near_the_truth(tracked):
    name, found, truth = tracked
    limit = {"walk": 0.06, "dive": 0.10}[name]
    assert errors(found, truth).mean() < limit


def test_left_is_left_and_up_is_up(tracked):
    name, found, truth = tracked
    both = found.tracked & truth.tracked
    for upper, lower in (("head", "pelvis"), ("left_shoulder", "right_shoulder")):
        a, b = (
            m.joints[both][:, BODY.index(upper)] - m.joints[both][:, BODY.index(lower)]
            for m in (found, truth)
        )
        along = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
        assert np.median(along) > (0.9 if name == "walk" else 0.7)


def test_the_walker_keeps_to_the_ground_and_goes_as_far_as_in_truth(tracked):
    name, found, truth = tracked
    if name != "walk":
        pytest.skip("the diver does not walk")
    toes = found.joints[:, [BODY.index("left_toe"), BODY.index("right_toe")], 1]
    assert np.abs(toes.min(axis=1)).max() < 0.12
    gone, meant = (np.linalg.norm(m.joints[-1, 0] - m.joints[0, 0]) for m in (found, truth))
    assert gone == pytest.approx(meant, rel=0.2)


def test_the_diver_falls_as_far_as_in_truth(tracked):
    name, found, truth = tracked
    if name != "dive":
        pytest.skip("the walker does not fall")
    above_water = truth.joints[:, 0, 1] > 0  # below, he does not fall freely
    both = found.tracked & truth.tracked & above_water
    fell, meant = (np.ptp(m.joints[both][:, 0, 1]) for m in (found, truth))
    assert fell == pytest.approx(meant, rel=0.15)


def test_expected_errors_are_told_and_are_no_fantasy(tracked):
    _, found, _ = tracked
    sigma = found.sigma[found.tracked][:, 1:]
    assert (sigma > 0).all()
    assert 0.005 < np.median(sigma) < 0.2


def test_another_frame_rate_keeps_span_and_poses(tracked, tmp_path):
    _, found, _ = tracked
    other = resample_motion(found, 50.0)
    assert np.allclose(np.diff(other.times), 0.02)
    assert other.times[-1] == pytest.approx(found.times[-1], abs=0.02)
    back = resample_motion(other, found.source.fps)
    both = back.tracked & found.tracked[: len(back.times)]
    gap = np.linalg.norm(back.joints[both] - found.joints[: len(back.times)][both], axis=-1)
    assert np.median(gap) < 0.005
    write_motion(other, tmp_path / "other.json")
    assert len(read_motion(tmp_path / "other.json").times) == len(other.times)


def test_a_film_without_a_person_is_said_to_have_none(tmp_path):
    film(tmp_path / "empty.mp4")
    with pytest.raises(MocapError, match="no person was found") as caught:
        track(tmp_path / "empty.mp4", TrackOptions())
    assert "--subject" in caught.value.hint
