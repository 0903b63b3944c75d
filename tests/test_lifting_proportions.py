"""Proportions: what the lifter is given about a person's bones."""

import math

import pytest
import torch

from mocap_cli.body.skeleton import BODY
from mocap_cli.lifting.proportions import BONES, TYPICAL, USUAL, draw_given, gathered, proportions


def typical_joints(leg: float = 1.0) -> torch.Tensor:
    """(1, J, 3) joints in a row below each other, thighs and shanks longer by a factor."""
    joints = torch.zeros(len(BODY), 3)
    for joint, parent in enumerate(BODY.parents):
        if parent >= 0:
            kind = BODY.names[joint].rpartition("_")[2]
            length = TYPICAL[kind] * (leg if kind in ("knee", "ankle") else 1.0)
            joints[joint] = joints[parent] + torch.tensor([0.0, -length, 0.0])
    return joints[None]


def test_a_typical_body_has_no_proportions_of_its_own_and_long_legs_are_told():
    assert proportions(typical_joints()).abs().max() < 1e-5
    long = proportions(typical_joints(leg=1.1))
    kinds = list(TYPICAL)
    assert long[kinds.index("knee")] == pytest.approx(math.log(1.1), abs=1e-5)
    assert long[kinds.index("elbow")] == pytest.approx(0, abs=1e-5)


def test_readings_count_by_how_sure_they_are_and_long_clips_are_surer():
    readings = torch.stack((torch.full((BONES,), 0.1), torch.full((BONES,), -0.1)))
    log_sigma = torch.log(torch.tensor([0.02, 0.2]))[:, None].expand(2, BONES)
    short, long = (gathered(readings, log_sigma, seconds) for seconds in (0.5, 20.0))
    value, trust = short[0, :BONES], short[0, BONES:]
    assert (value * USUAL / trust - 0.1).abs().max() < 0.003
    assert (trust < long[0, BONES:]).all()
    assert long.max() < 2


def test_half_of_the_people_are_unknown_in_training():
    drawn = draw_given(torch.zeros(2000, BONES), torch.Generator().manual_seed(1))
    unknown = (drawn == 0).all(dim=1)
    assert 0.45 < unknown.float().mean() < 0.55
    assert drawn[~unknown][:, BONES:].min() > 0.5
