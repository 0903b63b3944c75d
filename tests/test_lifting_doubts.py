"""Doubts: expected errors learnt on shots kept aside, while the poses stay as they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from stick import stick_body, swinging_clip

from mocap_cli.lifting.metrics import safe_norm
from mocap_cli.lifting.network import LifterConfig
from training.lifter.batches import TrainConfig, TrainingData, make_batch
from training.lifter.evaluation import calibrate
from training.lifter.motion_bank import make_motion_bank, stack_bodies
from training.lifter.network import LifterNetwork
from training.lifter.recorded_shots import load_recorded, save_recorded
from training.lifter.uncertainty import fit_uncertainty, laplace_nll
from training.synthesis.body_model import transform_anchors

QUICK = TrainConfig(steps=6, batch=6, frames=8)
BOTH = replace(QUICK, recorded=0.5)
FAR = np.array((0.0, 0.0, -5.0), np.float32)


@pytest.fixture(scope="module")
def aside(tmp_path_factory) -> TrainingData:
    """The swinging stick, drawn, and two shots of it that were seen 10 and 40 cm aside."""
    body, clip = stick_body(), swinging_clip()
    moved = body.transforms(clip)
    joints, points = (transform_anchors(a, moved) + FAR for a in (body.joints, body.keypoints))
    true = points[..., :2] / -points[..., 2:]
    shots = [
        {
            "rays": (true + off / 5).astype(np.float32),
            "score": np.full(true.shape[:2], score, np.float32),
            "known": np.ones(len(true), np.bool_),
            "true_rays": true,
            "visible": np.ones(true.shape[:2], np.bool_),
            "joints": joints,
            "tumbling": False,
        }
        for off, score in ((0.1, 0.9), (0.4, 0.3))
    ]
    path = tmp_path_factory.mktemp("aside") / "aside.npz"
    save_recorded(shots, path)
    return TrainingData(stack_bodies([body]), make_motion_bank([clip], body), load_recorded(path))


def answers(model: LifterNetwork, world: TrainingData, seeds: range):
    """Errors, expected errors and everything else that the lifter says of those batches."""
    off, sigma, rest = [], [], []
    for seed in seeds:
        b = make_batch(world, BOTH, torch.Generator().manual_seed(seed))
        with torch.inference_mode():
            said = model(b.features, b.times, b.valid)
        off.append((said.joints - b.joints).norm(dim=-1)[b.valid][:, 1:])
        sigma.append(said.log_sigma.exp()[b.valid][:, 1:])
        rest.append(torch.cat((said.joints.flatten(2), said.contact_logits), dim=-1))
    return torch.cat(off), torch.cat(sigma), torch.stack(rest)


def test_expected_errors_come_to_be_the_errors_that_are_made_and_poses_stay(aside):
    torch.manual_seed(1)
    model = LifterNetwork(LifterConfig(width=32, layers=1, heads=2, dropout=0.0)).eval()
    with torch.no_grad():
        model.leave.weight *= 0.1  # off by no more than bodies are long
    unseen = range(500, 510)
    calibrate(model, (make_batch(aside, BOTH, torch.Generator().manual_seed(i)) for i in range(9)))
    off, before, poses = answers(model, aside, unseen)
    fit_uncertainty(model, aside, QUICK, steps=200)
    _, after, same = answers(model, aside, unseen)
    assert torch.equal(poses, same)
    assert laplace_nll(off, after.log()).mean() < laplace_nll(off, before.log()).mean()
    assert abs((off / after).mean() - 1) < 0.03 < abs((off / before).mean() - 1)


def test_calibration_that_is_repeated_changes_nothing(aside):
    model = LifterNetwork(LifterConfig(width=32, layers=1, heads=2, dropout=0.0)).eval()
    batches = [make_batch(aside, BOTH, torch.Generator().manual_seed(i)) for i in range(3)]
    calibrate(model, batches)
    once = model.calibration.clone()
    calibrate(model, batches)
    torch.testing.assert_close(model.calibration, once, atol=1e-5, rtol=0)


def test_no_doubt_is_better_than_the_error_itself():
    off = torch.tensor([0.05, 0.2])
    for factor in (0.5, 0.9, 1.1, 2.0):
        assert (laplace_nll(off, off.log()) < laplace_nll(off, (factor * off).log())).all()


def test_what_is_never_off_keeps_an_expected_error():
    assert safe_norm(torch.zeros(2, 3)).tolist() == pytest.approx([1e-3, 1e-3])
    assert safe_norm(torch.tensor([[0.3, 0.0, 0.4]])).item() == pytest.approx(0.5, abs=1e-5)
