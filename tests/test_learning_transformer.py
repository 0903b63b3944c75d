"""The spatial transformer: crops, their way back, and what moves a box."""

from contextlib import nullcontext

import torch

from mocap_cli.learning.model.autoencoder import _soft_window
from mocap_cli.learning.model.backbones import make_backbone, shrink
from mocap_cli.learning.model.spatial_transformer import Detector, _box_from_raw, crop, paste

WHOLE = torch.tensor([[1.0, 1.0, 0.0, 0.0]])


def test_the_whole_picture_is_its_own_crop():
    picture = torch.rand(1, 3, 16, 16)
    assert torch.allclose(crop(picture, WHOLE, 16), picture, atol=1e-6)
    assert torch.allclose(paste(picture, WHOLE, 16, 16, beyond="zeros"), picture, atol=1e-6)


def test_a_box_to_the_right_and_below_holds_the_lower_right_quarter():
    picture = torch.arange(64.0).view(1, 1, 8, 8)
    quarter = crop(picture, torch.tensor([[0.5, 0.5, 0.5, 0.5]]), 4)
    assert torch.allclose(quarter, picture[..., 4:, 4:], atol=1e-5)


def test_a_crop_put_back_lies_where_it_was_and_nowhere_else():
    picture = torch.rand(2, 1, 12, 16)
    boxes = torch.tensor([[0.5, 0.5, -0.5, 0.5], [0.25, 0.5, 0.25, 0.0]])
    for i, rows, columns in ((0, slice(6, 12), slice(0, 8)), (1, slice(3, 9), slice(8, 12))):
        held = picture[i : i + 1, :, rows, columns]
        back = paste(held, boxes[i : i + 1], 12, 16, beyond="zeros")
        assert torch.allclose(back[..., rows, columns], held, atol=1e-5)
        outside = torch.ones(12, 16, dtype=torch.bool)
        # half a pixel of interpolation leaks over the edge
        outside[
            max(rows.start - 1, 0) : rows.stop + 1, max(columns.start - 1, 0) : columns.stop + 1
        ] = 0
        assert back[0, 0][outside].abs().max() == 0


def test_boxes_start_large_and_in_the_middle_and_never_leave_reach():
    assert torch.allclose(_box_from_raw(torch.zeros(4), 0.2), torch.tensor([0.6, 0.6, 0, 0]))
    extreme = _box_from_raw(torch.tensor([[99.0, -99.0, 99.0, -99.0]]), 0.2)
    assert torch.allclose(extreme, torch.tensor([[1.0, 0.2, 0.8, -0.8]]))


def test_the_window_is_one_in_the_middle_nothing_at_the_edge_and_even():
    window = _soft_window(64)
    assert window.max() > 0.99
    assert window[0].max() < 1e-3
    assert torch.allclose(window, window.flip(0))
    assert torch.allclose(window, window.T)


def test_the_box_moves_towards_what_it_should_hold():
    """Descent on the difference of a redrawn blob: through paste and into the box's centre."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 48), indexing="ij")
    picture = torch.exp(-((x - 0.2) ** 2 + (y + 0.15) ** 2) / 0.05)[None, None]
    blob = torch.exp(-(x**2 + y**2) / 0.2)[None, None]
    box = torch.tensor([[0.5, 0.5, 0.0, 0.0]], requires_grad=True)
    paste(blob, box, 48, 48, beyond="zeros").sub(picture).square().mean().backward()
    assert box.grad[0, 2] < 0 < box.grad[0, 3]


def test_shrinking_keeps_the_shape_and_never_enlarges():
    assert shrink(torch.rand(1, 3, 100, 200), 50).shape == (1, 3, 25, 50)
    assert shrink(torch.rand(1, 3, 20, 30), 50).shape == (1, 3, 20, 30)


def test_an_untrained_detector_gives_every_image_the_same_box():
    for head in ("mean", "map"):
        detector = Detector(make_backbone("lite0"), head, 64, 0.2)
        boxes = detector(torch.rand(2, 3, 48, 64))
        assert torch.allclose(boxes[0], boxes[1], atol=1e-6)
        assert boxes[0, 2:].abs().max() < 1e-6
        assert 0.6 < boxes[0, 0] < 0.75


def _box_gradients(dtype_context, boxes, images, target):
    """Gradients of the boxes through a crop and its paste, under that context."""
    boxes = boxes.clone().requires_grad_()
    with dtype_context:
        crops = crop(images, boxes, 32)
        pasted = paste(crops, boxes, *images.shape[-2:], beyond="zeros")
    (pasted - target).square().mean().backward()
    return boxes.grad


def test_under_autocast_boxes_get_the_gradients_of_single_precision():
    torch.manual_seed(0)
    images = torch.nn.functional.interpolate(torch.rand(16, 3, 12, 16), (144, 256), mode="bicubic")
    target = torch.roll(images, (3, 5), (2, 3))
    boxes = torch.cat((torch.rand(16, 2) * 0.4 + 0.1, torch.rand(16, 2) - 0.5), -1)
    single = _box_gradients(nullcontext(), boxes, images, target)
    half = _box_gradients(torch.autocast("cpu", torch.bfloat16), boxes, images, target)
    assert ((half - single).abs() / single.abs()).median() < 0.02
    assert (half.sign() == single.sign()).all()


def test_under_autocast_a_box_can_move_by_a_hundredth_of_a_pixel():
    images = torch.rand(1, 3, 64, 96)
    box = torch.tensor([[0.3, 0.4, 0.3, 0.1]])
    with torch.autocast("cpu", torch.bfloat16):
        assert not torch.equal(crop(images, box, 32), crop(images, box + 0.0002, 32))


def test_under_autocast_the_detectors_head_computes_in_single_precision():
    torch.manual_seed(0)
    for head in ("mean", "map"):
        detector = Detector(make_backbone("lite0"), head, 64, 0.05)
        torch.nn.init.normal_(detector.box.weight, std=0.05)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            boxes = detector(torch.rand(8, 3, 48, 64))
        assert boxes.dtype == torch.float32
        assert not torch.equal(boxes, boxes.bfloat16().float())
