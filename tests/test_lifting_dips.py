"""People made to squat: knees forward, trunk bowed, ankles where they were."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from stick import stick_body, swinging_clip

from mocap_cli.body.skeleton import BODY
from training.lifter import squats
from training.lifter.motion_bank import make_motion_bank, stack_bodies
from training.lifter.part_rotations import aligning_rotations, matrix_from_vector
from training.lifter.people import sample_people


def people(monkeypatch, share):
    """The swinging stick, twenty times, squatting in that share; facing +Z and not mirrored."""
    monkeypatch.setattr(squats, "_SHARE", share)
    body = stick_body()
    moves = make_motion_bank([swinging_clip()], body)
    return sample_people(stack_bodies([body]), moves, 20, 16, torch.Generator().manual_seed(3))


def joint(drawn, name):
    return drawn.joints[:, :, BODY.index(name)]


def test_who_squats_goes_down_with_knees_ahead_and_ankles_where_they_were(monkeypatch):
    before, after = (people(monkeypatch, share) for share in (0.0, 1.0))
    ankles = [
        sum(joint(drawn, f"{side}_ankle") for side in ("left", "right")) / 2
        for drawn in (before, after)
    ]
    np.testing.assert_allclose(ankles[0], ankles[1], atol=0.03)
    down = (joint(before, "pelvis") - joint(after, "pelvis"))[..., 1]
    assert down.min() > -0.02
    assert down.max() > 0.3
    knees = [joint(d, "left_knee") - joint(d, "left_ankle") for d in (before, after)]
    deep = down > 0.2
    assert ((knees[1] - knees[0])[..., 2][deep] > 0.02).all()
    lean = [(joint(d, "thorax") - joint(d, "pelvis"))[..., 2] for d in (before, after)]
    assert (lean[1] > lean[0])[deep].all()
    # Who stands on bent knees already is lowered less.
    assert float((down > 0.02).any(dim=1).float().mean()) > 0.75


def test_only_so_many_squat(monkeypatch):
    none, few = (people(monkeypatch, share) for share in (0.0, 0.3))
    moved = (none.joints - few.joints).abs().amax(dim=(1, 2, 3)) > 0.01
    assert 1 <= int(moved.sum()) <= 12


@pytest.mark.parametrize("size", [0.0, 1e-6, 0.3, 3.0])
def test_turns_are_those_of_their_axis_and_angle(size):
    vectors = torch.randn(50, 3, generator=torch.Generator().manual_seed(1)) * size
    found = matrix_from_vector(vectors)
    true = Rotation.from_rotvec(vectors.double().numpy()).as_matrix()
    np.testing.assert_allclose(found, true, atol=2e-6)


def test_alignment_takes_one_direction_to_the_other():
    own, theirs = torch.nn.functional.normalize(torch.randn(2, 30, 3), dim=-1)
    turned = (aligning_rotations(own, theirs) @ theirs[..., None])[..., 0]
    back = (aligning_rotations(own, theirs) @ own[..., None])[..., 0]
    nearest = torch.minimum((turned - own).norm(dim=-1), (back - theirs).norm(dim=-1))
    assert float(nearest.max()) < 1e-3
    assert torch.allclose(aligning_rotations(own, own), torch.eye(3).expand(30, 3, 3), atol=1e-5)
