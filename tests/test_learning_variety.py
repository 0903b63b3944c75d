"""Augmentation of crops and boxes, and the moving average of the weights."""

from dataclasses import replace

import pytest
import torch
from blob import TINY, settings

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.loop.ema import update_ema
from mocap_cli.learning.loop.training import _copy_for_ema
from mocap_cli.learning.model.crop_augmentation import (
    displace_boxes,
    mirror,
    mirror_keypoints,
    random_items,
)
from mocap_cli.learning.model.methods import METHODS
from mocap_cli.learning.model.model import Model

B, S, H, W = 3, 4, 32, 48
OURS = METHODS["ours"]


@pytest.fixture
def batch() -> Batch:
    g = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (B, S, 3, H, W), dtype=torch.uint8, generator=g)
    return Batch(
        frames, frames.roll(1, 1), frames[:, :, :1] > 20,
        torch.tensor([[0.0, 0.1, 2.0, 5.0]]).repeat(B, 1), torch.zeros(B, S, dtype=torch.long),
    )  # fmt: skip


def test_about_half_of_the_items_are_mirrored_with_all_their_frames():
    torch.manual_seed(0)
    found = torch.stack([random_items(torch.zeros(B, S)).view(B, S) for _ in range(60)])
    assert (found == found[..., :1]).all()
    assert 0.3 < found.float().mean() < 0.7


def test_the_mirror_of_a_mirror_is_what_was():
    crops, which = torch.rand(3, 3, 8, 8), torch.tensor([True, False, True])
    once = mirror(crops, which)
    assert torch.equal(once[1], crops[1])
    assert torch.equal(once[0, :, :, 0], crops[0, :, :, -1])
    assert torch.equal(mirror(once, which), crops)


def test_a_mirrored_keypoint_lies_on_its_mirrored_pixel_and_swaps_sides():
    left, right = KEYPOINTS.index("left_wrist"), KEYPOINTS.index("right_wrist")
    seen = torch.zeros(1, 1, len(KEYPOINTS), 2)
    seen[0, 0, left] = torch.tensor([0.25, -0.5])
    told = mirror_keypoints(seen, torch.tensor([True]))
    assert told[0, 0, right].tolist() == [-0.25, -0.5]
    assert torch.equal(mirror_keypoints(told, torch.tensor([True])), seen)


def test_what_is_decoded_from_a_mirrored_crop_is_mirrored_back(batch, monkeypatch):
    """A decoder that only copies what the encoder saw redraws every frame, mirrored or not."""
    model = Model(replace(TINY, tv=3 * 32 * 32, jitter=0, mirrored=True)).train()
    monkeypatch.setattr(model.encoder, "time_variant", lambda crops: crops.flatten(1))
    whole = torch.ones(B * S, 1, 32, 32)
    monkeypatch.setattr(model, "decode", lambda tv, ti: (tv.unflatten(1, (3, 32, 32)), whole))
    torch.manual_seed(3)
    outputs = model(batch, OURS)
    assert torch.allclose(outputs.decoded, outputs.crops, atol=1e-5)


def test_displacements_scale_with_the_box_and_have_mean_zero():
    torch.manual_seed(0)
    small, large = torch.tensor([0.1, 0.2, 0.3, -0.4]), torch.tensor([0.4, 0.8, 0.3, -0.4])
    found = [displace_boxes(box.expand(4000, 4), 0.1) for box in (small, large)]
    for box, moved in zip((small, large), found, strict=True):
        assert torch.allclose(moved.mean(0), box, atol=0.01)
        assert torch.allclose(moved[:, 2:].std(0), 0.1 * box[:2], rtol=0.1)
        assert torch.allclose(moved[:, :2].log().std(0), torch.tensor([0.1, 0.1]), rtol=0.1)


def test_boxes_are_displaced_only_in_training(batch):
    torch.manual_seed(0)
    model = Model(replace(TINY, stray=0.2, jitter=0))
    with torch.no_grad():
        learning = [model(batch, OURS).tv for _ in range(2)]
        assert not torch.allclose(*learning)
        model.eval()
        using = [model(batch, OURS).tv for _ in range(2)]
        assert torch.allclose(*using)


def test_augmentation_and_close_ups_start_once_boxes_have_settled(batch):
    torch.manual_seed(0)
    model = replace(TINY, stray=0.2, mirrored=True, close_up=True, jitter=0)
    run = settings(model=model, shrink_steps=3)
    model = Model(run.model)
    with torch.no_grad():
        early = [model(batch, run.method_at(2)) for _ in range(4)]
        late = [model(batch, run.method_at(3)) for _ in range(4)]
    assert all(torch.allclose(early[0].tv, other.tv) for other in early)
    assert not torch.allclose(late[0].tv, late[1].tv)
    assert (len(early[0].maps), len(late[0].maps)) == (3, 6)


def test_displaced_boxes_carry_no_gradient():
    boxes = torch.tensor([[0.3, 0.4, 0.1, 0.2]], requires_grad=True)
    assert not displace_boxes(boxes, 0.1).requires_grad
    assert displace_boxes(boxes, 0.0) is boxes


def test_a_wrong_limb_of_a_small_person_costs_far_more_in_the_close_up():
    """A few pixels of a large picture, in the middle of a small box."""
    torch.manual_seed(0)
    model = Model(replace(TINY, close_up=True))
    frames = torch.rand(4, 3, 64, 96) * 0.2 + 0.4
    wrong = frames.clone()
    wrong[:, :, 30:36, 46:48] = 1.0
    boxes = torch.tensor([0.15, 0.2, 0.0, 0.0]).expand(4, 4)
    apart = [(a - b).square().mean().item() for a, b in model._feature_maps(frames, wrong, boxes)]
    assert len(apart) == 6
    assert sum(apart[3:]) > 4 * sum(apart[:3])


def test_the_average_of_constant_weights_is_those_weights():
    torch.manual_seed(0)
    model = Model(TINY)
    mean = _copy_for_ema(model)
    for p in model.parameters():
        if p.requires_grad:
            p.data.add_(1.0)
    for step in range(200):
        update_ema(mean, model, 0.9, step)
    for held, new in zip(mean.parameters(), model.parameters(), strict=True):
        assert torch.allclose(held, new, atol=1e-5)
        assert not held.requires_grad


def test_the_average_fluctuates_far_less_than_the_weights():
    torch.manual_seed(0)
    model = Model(TINY)
    mean = _copy_for_ema(model)
    weight, held = model.encoder.varying.bias, mean.encoder.varying.bias
    torch.nn.init.zeros_(weight), torch.nn.init.zeros_(held)
    seen = []
    for step in range(300):
        weight.data.copy_(torch.randn_like(weight))
        update_ema(mean, model, 0.95, step)
        seen.append(held.clone())
    # Of independent steps the mean with decay d keeps (1 - d) / (1 + d) of the variance.
    assert torch.stack(seen[100:]).std() == pytest.approx((0.05 / 1.95) ** 0.5, rel=0.2)
