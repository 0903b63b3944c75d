"""The losses: hand-worked cases, and signs that point the right way."""

import math

import pytest
import torch

from mocap_cli.learning.loop.losses import (
    LossWeights,
    _acceleration_loss,
    _confusion_loss,
    _content_loss,
    _critic_loss,
    _css_loss,
    _distance_similarity,
    _dsl_loss,
    _feature_loss,
    _label_loss,
    _order_loss,
    _pixel_loss,
    _prior_loss,
    _scale_loss,
    _triplet_loss,
)
from mocap_cli.learning.model.baselines import Critic, CriticOutputs


def boxes_at(heights, size=0.3):
    """One item, four boxes of one size with centres at those heights."""
    boxes = torch.tensor([[size, size, 0.0, 0.0]]).repeat(4, 1)
    boxes[:, 3] = torch.tensor(heights)
    return boxes[None]


def test_a_perfect_reconstruction_costs_nothing():
    frames = torch.randint(0, 256, (1, 2, 3, 4, 4), dtype=torch.uint8)
    assert _pixel_loss(frames.float() / 255, frames).item() == pytest.approx(0, abs=1e-12)


def test_pixels_off_by_one_spread_cost_one():
    frames = torch.zeros(1, 1, 3, 4, 4, dtype=torch.uint8)
    assert _pixel_loss(torch.full((1, 1, 3, 4, 4), 0.225), frames).item() == pytest.approx(1)


def test_feature_loss_adds_the_mean_squares_of_its_maps():
    maps = (
        (torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)),
        (torch.ones(2, 1), torch.zeros(2, 1)),
    )
    assert _feature_loss(maps).item() == pytest.approx(2)
    assert _feature_loss((*maps[:1], (maps[1][0], 3 * maps[1][0]))).item() == pytest.approx(5)


def test_css_of_equal_codes_is_the_logarithm_of_how_many_there_are():
    assert _css_loss(torch.ones(2, 4, 5), 0.1).item() == pytest.approx(math.log(3))


def test_css_is_low_if_the_near_frame_is_similar_and_the_far_ones_are_not():
    a, b = torch.eye(2)
    good, bad = torch.stack((a, a, b, b))[None], torch.stack((a, b, a, a))[None]
    assert _css_loss(good, 0.1) < 1e-3 < 5 < _css_loss(bad, 0.1)
    by_hand = -math.log(math.exp(10) / (math.exp(10) + 2))
    assert _css_loss(good, 0.1).item() == pytest.approx(by_hand, rel=1e-3)


def test_triplet_by_hand():
    codes = torch.tensor([[[3.0, 0.0], [0.0, 5.0], [-0.1, 0.0]]])  # of squared distances 2 and 4
    assert _triplet_loss(codes, 1.0).item() == 0
    assert _triplet_loss(codes, 3.0).item() == pytest.approx(1)


def test_the_margin_of_mv_css_means_the_same_for_codes_of_any_length():
    codes = torch.randn(2, 4, 8)
    long, short = _triplet_loss(100 * codes, 0.2), _triplet_loss(codes, 0.2)
    assert long.item() == pytest.approx(short.item(), abs=1e-5)


def test_the_plain_form_of_eq_5_gains_by_opposite_codes_of_far_frames():
    opposite, far = torch.tensor(-1.0), torch.tensor(9.0)
    assert _distance_similarity(opposite, far, 4.0, "plain").item() == pytest.approx(-1)
    assert _distance_similarity(opposite, far, 4.0, "clamped").item() == 0
    near = torch.tensor(0.0)
    assert _distance_similarity(opposite, near, 4.0, "plain").item() == pytest.approx(2)


def test_the_content_loss_of_drnet_compares_the_first_and_last_frame_in_time():
    codes = torch.tensor([[[0.0], [9.0], [2.0], [7.0]]])
    assert _content_loss(codes, torch.tensor([[0.0, 1.0, 3.0, 2.0]])).item() == pytest.approx(4)


@pytest.mark.parametrize(
    ("alike", "apart", "wanted"),
    [
        (1.0, 0.0, 0.0),  # the same moment, the same code
        (0.0, 0.0, 1.0),
        (-1.0, 0.0, 2.0),
        (1.0, 4.0, 1.0),  # far and yet alike
        (0.0, 4.0, 0.0),
        (-1.0, 4.0, 0.0),  # nothing is gained by being opposite
        (0.5, 1.0, 0.5),  # 3/4 * 1/2 + 1/4 * 1/2
        (1.0, 9.0, 1.0),  # flat beyond D
    ],
)
def test_distance_similarity_by_hand(alike, apart, wanted):
    found = _distance_similarity(torch.tensor(alike), torch.tensor(apart), 4.0)
    assert found.item() == pytest.approx(wanted)


@pytest.mark.parametrize(("apart", "sign"), [(0.5, -1), (1.9, -1), (2.1, 1), (6.0, 1)])
def test_similarity_is_rewarded_below_half_of_far_and_penalised_beyond(apart, sign):
    alike = torch.tensor(0.4, requires_grad=True)
    _distance_similarity(alike, torch.tensor(apart), 4.0).backward()
    assert math.copysign(1, alike.grad.item()) == sign


def test_identical_codes_at_far_times_raise_dsl():
    same, times = torch.ones(1, 4, 8), torch.tensor([[0.0, 0.1, 2.0, 5.0]])
    weights = LossWeights(far=4.0)
    other = same.clone()
    other[:, 3] = torch.tensor([1.0, -1.0] * 4)  # at right angles
    assert _dsl_loss(same, times, weights) > _dsl_loss(other, times, weights) + 0.9
    assert _dsl_loss(same, times, weights).item() == pytest.approx(0.1 / 4 + 2.0 / 4 + 1)


def test_dsl_does_not_depend_on_the_order_of_frames():
    codes, times = torch.randn(3, 4, 8), torch.rand(3, 4) * 9
    weights = LossWeights()
    assert _dsl_loss(codes, times, weights).item() == pytest.approx(
        _dsl_loss(codes, -times, weights).item()
    )


@pytest.mark.parametrize("acceleration", [0.0, 0.3, -0.5])
def test_free_fall_costs_nothing_whatever_the_acceleration(acceleration):
    t = torch.arange(4.0)
    fall = (-0.8 + 0.1 * t + acceleration * t**2 / 2).tolist()
    assert _acceleration_loss(boxes_at(fall)).item() == pytest.approx(0, abs=1e-9)


def test_a_jolt_in_a_fall_costs_its_third_difference_squared():
    assert _acceleration_loss(boxes_at([0.0, 0.0, 0.0, 0.2])).item() == pytest.approx(0.04)
    assert _acceleration_loss(boxes_at([0.0, 0.1, 0.0, 0.0])).item() == pytest.approx(0.09)


def test_a_falling_box_lowers_the_order_loss():
    down, up = boxes_at([-0.6, -0.4, 0.0, 0.6]), boxes_at([0.6, 0.0, -0.4, -0.6])
    still = boxes_at([0.0] * 4)
    assert _order_loss(down, 0.05).item() == 0
    assert _order_loss(still, 0.05).item() == pytest.approx(0.15)
    assert _order_loss(up, 0.05).item() == pytest.approx(1.2 + 0.15)


def test_the_order_loss_pushes_the_last_box_down_the_picture():
    boxes = boxes_at([0.0] * 4).requires_grad_()
    _order_loss(boxes, 0.05).backward()
    assert boxes.grad[0, 3, 3] < 0 < boxes.grad[0, 0, 3]  # descent moves last +y, first -y
    assert boxes.grad[0, :, :3].abs().sum() == 0


def test_scales_that_jump_cost_their_square():
    boxes = boxes_at([0.0] * 4)
    assert _scale_loss(boxes).item() == 0
    boxes[0, 3, 0] += 0.2
    assert _scale_loss(boxes).item() == pytest.approx(0.04)


def test_the_prior_acts_on_the_mean_box_and_never_on_one():
    around = torch.tensor([[[0.3, 0.4, 0.5, 0.0]], [[0.7, 0.6, -0.5, 0.0]]])
    assert _prior_loss(around, (0.5, 0.5), 0.1, centred=True).item() == pytest.approx(0, abs=1e-9)
    wide = around + torch.tensor([0.1, 0.0, 0.2, 0.0])
    assert _prior_loss(wide, (0.5, 0.5), 0.1).item() == pytest.approx(1, rel=1e-5)
    assert _prior_loss(wide, (0.5, 0.5), 0.1, centred=True).item() == pytest.approx(5, rel=1e-5)


def test_labels_are_weighted_and_missing_ones_ignored():
    found = torch.tensor([[[[0.5, 0.5], [0.9, 0.9]]]])
    labels = torch.tensor([[[[0.4, 0.5, 1.0], [math.nan, math.nan, 0.0]]]])
    assert _label_loss(2 * found - 1, labels, None).item() == pytest.approx(0.01 / 2)
    assert _label_loss(2 * found - 1, labels * torch.tensor([1, 1, 0]), None).item() == 0


def test_the_critic_loss_trains_the_critic_alone_and_the_confusion_loss_the_encoder():
    critic, codes = Critic(6), torch.randn(4, 4, 6, requires_grad=True)
    verdicts = critic(codes, None)
    _critic_loss(verdicts).backward(retain_graph=True)
    assert codes.grad is None
    assert all(p.grad is not None for p in critic.parameters())
    critic.zero_grad()
    _confusion_loss(verdicts).backward()
    assert codes.grad.abs().sum() > 0
    assert all(p.grad is None for p in critic.parameters())


def test_the_confusion_loss_is_lowest_for_an_undecided_critic():
    same, counts = torch.tensor([1.0, 0.0]), torch.ones(2)
    unsure = CriticOutputs(torch.zeros(2), torch.zeros(2), same, counts)
    right, wrong = (CriticOutputs(x, x, same, counts) for x in (6 * (same - 0.5), 6 * (0.5 - same)))
    assert _critic_loss(right) < _critic_loss(unsure) < _critic_loss(wrong)
    assert _confusion_loss(unsure).item() == pytest.approx(math.log(2))
    assert _confusion_loss(right).item() == pytest.approx(_confusion_loss(wrong).item())
    assert _confusion_loss(right) > _confusion_loss(unsure)


def test_neighbours_from_one_clip_have_no_weight_in_the_critic_loss():
    verdicts = Critic(6)(torch.randn(4, 4, 6), torch.tensor([0, 1, 2, 2]))
    assert verdicts.weight.tolist() == [1, 1, 1, 1, 1, 1, 0, 0]
    assert verdicts.same_clip.tolist() == [1] * 4 + [0] * 4
