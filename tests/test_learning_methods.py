"""The table of methods: parts, losses and gradients of every row."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.loop.losses import LossWeights, losses
from mocap_cli.learning.loop.settings import _FIRST_BOX_SIZE, Settings
from mocap_cli.learning.model.baselines import crop_from_camera, rotate_between_views
from mocap_cli.learning.model.methods import METHODS, Method
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_config import MODEL_PRESETS

TINY = replace(
    MODEL_PRESETS["small"], detector_side=32, crop=32, tv=24, ti=8, widths=(16, 16, 8, 8), depth=1
)
BOXED = {"contrast", "prior"}
DRAWN = {"pixels", "features", "prior"}
WANTED = {
    "ours": DRAWN | {"contrast"},
    "dsl": {"contrast"},
    "dsl-stn": BOXED,
    "dsl-stn-dec": DRAWN | {"contrast"},
    "ae-stn-dec": DRAWN,
    "css-stn-dec-split": DRAWN | {"contrast"},
    "css": {"contrast"},
    "mv-css": {"contrast"},
    "drnet": DRAWN | {"critic", "confusion", "content"},
    "nsd": DRAWN,
    "imagenet": set(),
    "imagenet-2d": {"labels"},
}


def batch_of(B=2, S=4, H=32, W=48):
    torch.manual_seed(0)
    frames = torch.randint(0, 256, (B, S, 3, H, W), dtype=torch.uint8)
    return Batch(
        frames,
        frames.roll(1, 1),
        torch.ones(B, S, 1, H, W, dtype=torch.bool),
        torch.tensor([[0.0, 0.1, 2.0, 5.0]]).repeat(B, 1),
        torch.zeros(B, S, dtype=torch.long),
        rotations=torch.linalg.qr(torch.randn(B, S, 3, 3))[0],
    )


def test_the_table_holds_every_system_of_the_comparison():
    assert set(METHODS) == set(WANTED)


@pytest.mark.parametrize("name", WANTED)
def test_each_method_has_its_losses_and_every_part_gets_a_gradient(name):
    method = METHODS[name]
    keypoints = len(KEYPOINTS) if method.labelled else 0
    model, batch = Model(replace(TINY, method=name, keypoints=keypoints)), batch_of()
    if keypoints:
        batch = replace(batch, labels=torch.rand(2, 4, keypoints, 3))
    found = losses(model(batch, method), batch, method, LossWeights())
    assert set(found) == WANTED[name]
    if not method.trained:
        return
    sum(found.values()).backward()
    idle = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle, idle
    assert (model.detector is not None, model.decoder is not None) == (
        method.detector,
        method.decoder,
    )


class HostCopies(TorchDispatchMode):
    """Notes what a GPU would wait for: tensors made of Python numbers, and numbers read out."""

    def __init__(self) -> None:
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten.lift_fresh.default, torch.ops.aten._local_scalar_dense.default):
            self.found.append(func)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("gravity", [False, True])
@pytest.mark.parametrize("name", ["ours", "drnet", "nsd", "mv-css"])
def test_a_training_step_copies_nothing_from_or_to_the_host(name, gravity):
    if gravity and name == "mv-css":
        return
    config = replace(TINY, method=name, keypoints=len(KEYPOINTS))
    method = METHODS[name].in_free_fall() if gravity else METHODS[name]
    model, batch = Model(config).train(), batch_of()
    batch = replace(batch, labels=torch.rand(2, 4, len(KEYPOINTS), 3))

    def step() -> None:
        found = losses(model(batch, method), batch, method, LossWeights())
        torch.stack(list(found.values())).sum().backward()

    step()  # fills the caches of constants
    with HostCopies() as copies:
        step()
    assert copies.found == []


@pytest.mark.parametrize("name", ["ours", "drnet", "nsd"])
def test_half_precision_gives_nearly_the_same_losses(name):
    model, method = Model(replace(TINY, method=name)).eval(), METHODS[name]
    with torch.no_grad():
        full = losses(model(batch_of(), method), batch_of(), method, LossWeights())
        with torch.autocast("cpu", torch.bfloat16):
            outputs = model(batch_of(), method)
        half = losses(outputs, batch_of(), method, LossWeights())
    assert all(loss.dtype == torch.float32 for loss in half.values())
    for loss in full:
        assert half[loss].item() == pytest.approx(full[loss].item(), rel=0.05), loss


@pytest.mark.parametrize("name", ["ours", "drnet", "nsd"])
def test_the_free_fall_stage_of_any_decoder_method_has_no_contrast(name):
    model, method = Model(replace(TINY, method=name)), METHODS[name].in_free_fall()
    assert method.slots == ("equal",) * 4
    found = losses(model(batch_of(), method), batch_of(), method, LossWeights())
    assert set(found) == DRAWN | {"acceleration", "order", "scale"}


def test_a_method_without_a_detector_has_no_free_fall_stage():
    with pytest.raises(MocapError, match="css has no detector"):
        METHODS["css"].in_free_fall()


def test_an_unknown_method_raises_an_error_that_lists_the_valid_ones():
    with pytest.raises(MocapError) as caught:
        Method.find("our")
    assert "css-stn-dec-split" in caught.value.hint


def test_an_inconsistent_method_is_refused():
    with pytest.raises(ValueError, match="detector"):
        Method(name="x", detector=False)
    with pytest.raises(ValueError, match="two views"):
        Method(name="x", rotates_codes=True)


def test_the_contrast_decides_which_four_frames_are_sampled():
    assert METHODS["ours"].slots == ("reference", "near", "middle", "far")
    assert METHODS["css"].slots == ("reference", "near", "far", "far")
    assert METHODS["mv-css"].slots[1] == METHODS["nsd"].slots[1] == "view"


def test_codes_rotated_twice_are_unchanged():
    codes, turns = torch.randn(2, 4, 12), torch.linalg.qr(torch.randn(2, 4, 3, 3))[0]
    once = rotate_between_views(codes, turns)
    assert torch.allclose(rotate_between_views(once, turns), codes, atol=1e-5)
    assert torch.allclose(once[:, 2:], codes[:, 2:], atol=1e-5)


def test_points_fixed_in_the_world_rotate_into_the_other_cameras_code():
    world = torch.randn(5, 3)
    turns = torch.linalg.qr(torch.randn(1, 4, 3, 3))[0]
    seen = (world @ turns.transpose(-1, -2)).flatten(-2)  # each camera's code of it
    assert torch.allclose(rotate_between_views(seen, turns), seen, atol=1e-5)


def test_the_camera_of_a_crop_looks_at_the_middle_of_its_box():
    boxes = torch.tensor([[0.3, 0.3, 0.0, 0.0], [0.2, 0.4, 0.5, -0.6]])
    turns = crop_from_camera(boxes, torch.zeros(2, 3, 120, 160)).double().numpy()
    assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3), atol=1e-6)
    assert np.allclose(turns[0], np.eye(3), atol=1e-6)
    middle = (0.5 + 1) / 2 * 160, (-0.6 + 1) / 2 * 120
    ray = Pinhole.guess(160, 120).rays(middle)
    assert np.allclose(turns[1] @ ray / np.linalg.norm(ray), (0, 0, -1), atol=1e-6)


@pytest.mark.parametrize("name", ["drnet", "nsd"])
def test_drnet_and_nsd_encode_the_plain_crop(name):
    """Without augmentation two passes agree, but for the decoder's dropout."""
    method, model = METHODS[name], Model(replace(TINY, method=name, mirrored=True)).train()
    assert torch.equal(model(batch_of(), method).tv, model(batch_of(), method).tv)


def test_nsd_without_camera_rotations_raises_an_error():
    with pytest.raises(MocapError, match="rotations of the cameras"):
        rotate_between_views(torch.randn(1, 4, 6), None)


def test_the_box_prior_starts_large_and_shrinks_to_the_subject():
    settings = Settings(weights=LossWeights(prior_size=(0.1, 0.4)), shrink_steps=100)
    sizes = torch.tensor([settings.weights_at(step).prior_size for step in (0, 50, 100, 900)])
    assert torch.allclose(sizes[0], torch.tensor(_FIRST_BOX_SIZE))
    assert (sizes[1] < sizes[0]).all()
    assert (sizes[2] < sizes[1]).all()
    assert torch.allclose(sizes[2:], torch.tensor([0.1, 0.4]))
    assert replace(settings, shrink_steps=0).weights_at(0).prior_size == pytest.approx((0.1, 0.4))
