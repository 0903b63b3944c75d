"""The model: its parts, what it learns from a tiny clip, and its file."""

import json
import math
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.loop.losses import LossWeights, _label_loss, losses
from mocap_cli.learning.loop.previews import _preview_images
from mocap_cli.learning.model.autoencoder import _mask
from mocap_cli.learning.model.backbones import Backbone, LossNetwork, make_backbone
from mocap_cli.learning.model.crop_augmentation import jitter_colours
from mocap_cli.learning.model.methods import METHODS
from mocap_cli.learning.model.model import Model, _farthest_in_time
from mocap_cli.learning.model.model_config import MODEL_PRESETS
from mocap_cli.learning.model.model_file import open_model, save_model
from mocap_cli.learning.model.spatial_transformer import _box_from_raw

TINY = replace(
    MODEL_PRESETS["small"], detector_side=32, crop=32, tv=24, ti=8, widths=(16, 16, 8, 8), depth=1
)
OURS = METHODS["ours"]


def noise(B=2, S=4, H=32, W=48, known=True):
    frames = torch.randint(0, 256, (B, S, 3, H, W), dtype=torch.uint8)
    return Batch(
        frames,
        frames.flip(-1),
        torch.full((B, S, 1, H, W), known),
        torch.tensor([[0.0, 0.1, 2.0, 5.0]]).repeat(B, 1),
        torch.zeros(B, S, dtype=torch.long),
    )


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Model(TINY)


def test_outputs_have_the_documented_shapes(model):
    out = model(noise(), OURS)
    assert out.tv.shape == (2, 4, 24)
    assert out.ti.shape == (2, 4, 8)
    assert out.boxes.shape == (2, 4, 4)
    assert out.crops.shape == out.decoded.shape == (2, 4, 3, 32, 32)
    assert out.masks.shape == (2, 4, 1, 32, 32)
    assert out.composite.shape == (2, 4, 3, 32, 48)


def test_a_mask_reaches_one_and_ends_before_its_crop_does(model):
    masks = model(noise(), OURS).masks
    assert torch.allclose(masks.amax((2, 3, 4)), torch.ones(2, 4))
    assert masks[..., 0, :].max() < 1e-3
    assert masks.min() >= 0


def test_an_unknown_background_has_no_reconstruction_error(model):
    with torch.no_grad():
        nowhere, everywhere = noise(known=False), noise(known=True)
        out = model(nowhere, OURS)
        frames = nowhere.frames.float() / 255
        # Outside of the box the composite is the frame itself, and inside nearer than the drawing.
        assert (out.composite - frames).abs().amax((2,)).amin((-1, -2)).max() < 1e-6
        assert (model(everywhere, OURS).composite[..., :2] - frames[..., :2]).abs().max() > 0.1


def test_each_frame_gets_the_appearance_of_the_frame_farthest_in_time():
    times = torch.tensor([[1.0, 1.2, 0.5, 4.0], [0.0, 1.0, 2.0, 1.0], [2.0, 1.0, 0.0, 1.0]])
    ends, choice = _farthest_in_time(times)
    assert ends.gather(1, choice).tolist() == [[3, 3, 3, 2], [2, 0, 0, 0], [2, 0, 0, 0]]


def test_codes_of_a_frame_do_not_depend_on_its_batch(model):
    model.eval()
    frames = noise().frames.flatten(0, 1)
    with torch.no_grad():
        alone = [model.encode(frames[i : i + 1]) for i in range(3)]
        together = model.encode(frames)
    for part in range(3):
        one = torch.cat([parts[part] for parts in alone])
        assert torch.allclose(one, together[part][:3], atol=1e-4)
    model.train()


def test_jittered_colours_keep_shapes_and_grey_stays_grey():
    torch.manual_seed(1)
    crops = torch.rand(8, 3, 16, 16) * 0.5 + 0.25
    other = jitter_colours(crops, 0.4)
    assert 0 <= other.min() < other.max() <= 1
    assert (other - crops).abs().mean() > 0.03
    grey = jitter_colours(crops[:, :1].expand(-1, 3, -1, -1), 0.4)
    assert torch.allclose(grey[:, 0], grey[:, 2], atol=1e-5)
    assert torch.allclose(jitter_colours(crops, 0.0), crops, atol=1e-5)


def test_the_frozen_network_stays_frozen(model):
    assert not any(p.requires_grad for p in model.features.parameters())
    before = [p.clone() for p in model.features.parameters()]
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    sum(losses(model(noise(), OURS), noise(), OURS, LossWeights()).values()).backward()
    optimizer.step()
    assert all(map(torch.equal, before, model.features.parameters()))


def test_maps_of_the_frozen_network_are_of_about_unit_power_on_a_smooth_picture():
    y, x = torch.meshgrid(torch.linspace(0, 9, 96), torch.linspace(0, 12, 128), indexing="ij")
    picture = torch.stack((x.sin(), (x + y).cos(), (y * 2).sin()))[None] / 2 + 0.5
    for m in LossNetwork("lite0", 128)(picture):
        assert 0.2 < m.square().mean() < 5


def test_lite_gives_maps_at_a_quarter_an_eighth_and_a_sixteenth():
    maps = make_backbone("lite0")(torch.rand(1, 3, 64, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [(24, 16, 24), (40, 8, 12), (112, 4, 6)]


def test_a_mistake_of_a_keypoint_costs_the_same_in_boxes_of_every_size_and_in_x_and_y():
    """A tenth of the crop's side off, horizontally or vertically."""
    crop = torch.full((1, 1, 5, 2), 0.2)
    costs = []
    for box in ([0.7, 0.7, 0.0, 0.0], [0.3, 0.6, 0.2, -0.1], [0.05, 0.1, -0.5, 0.4]):
        boxes = torch.tensor(box).view(1, 1, 4)
        size, centre = boxes[..., None, :2], boxes[..., None, 2:]
        for off in ((0.2, 0.0), (0.0, 0.2)):
            place = (size * (crop + torch.tensor(off)) + centre + 1) / 2
            labels = torch.cat((place, torch.ones(1, 1, 5, 1)), -1)
            costs.append(_label_loss(crop, labels, boxes).item())
    assert costs == pytest.approx([0.1**2 / 2] * 6, rel=1e-3)


def test_a_keypoint_far_outside_the_crop_counts_nothing():
    boxes = torch.tensor([[[0.1, 0.1, -0.5, 0.0]]])
    labels = torch.tensor([[[[0.9, 0.5, 1.0], [0.25, 0.5, 1.0]]]])
    keypoints = torch.zeros(1, 1, 2, 2)
    assert _label_loss(keypoints, labels, boxes).item() == pytest.approx(0, abs=1e-9)


def test_keypoints_are_predicted_in_the_crop():
    model = Model(replace(TINY, keypoints=len(KEYPOINTS)))
    assert model(noise(), OURS).keypoints.shape == (2, 4, len(KEYPOINTS), 2)


def clip_of_a_blob(T=48, H=48, W=64, seed=0):
    """A striped disc wandering over a rough plate: frames, plate, and the true boxes."""
    g = torch.Generator().manual_seed(seed)
    plate = torch.nn.functional.interpolate(
        torch.rand(1, 3, H // 4, W // 4, generator=g), (H, W), mode="bilinear"
    )[0]
    y, x = torch.meshgrid(torch.arange(H) + 0.5, torch.arange(W) + 0.5, indexing="ij")
    t = torch.arange(T) / 8
    cx, cy, r = W / 2 + W / 3.5 * (1.3 * t).sin(), H / 2 + H / 5 * (2.1 * t).cos(), 9.0
    far = ((x - cx[:, None, None]) ** 2 + (y - cy[:, None, None]) ** 2).sqrt()
    cover = (r - far + 0.5).clamp(0, 1)[:, None]
    stripes = ((x - cx[:, None, None] + y) / 2 + t[:, None, None]).sin() > 0
    colour = torch.tensor([0.9, 0.1, 0.1])[:, None, None] * (0.5 + 0.5 * stripes[:, None])
    frames = cover * colour + (1 - cover) * plate
    boxes = torch.stack((cx - r, cy - r, cx + r, cy + r), -1)
    return (frames * 255).byte(), (plate * 255).byte(), boxes, t


def overlap(a, b):
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inside = (high - low).clamp(min=0).prod(-1)
    return inside / ((a[:, 2:] - a[:, :2]).prod(-1) + (b[:, 2:] - b[:, :2]).prod(-1) - inside)


def test_the_subject_size_is_measured_from_frames_and_their_background():
    frames, plate, _, times = clip_of_a_blob()
    batch = Batch(
        frames[None],
        plate.expand(1, 48, -1, -1, -1),
        torch.ones(1, 48, 1, 48, 64, dtype=torch.bool),
        times[None],
        torch.zeros(1, 48, dtype=torch.long),
    )
    across, down = batch.subject_size()  # the disc is 18 pixels across
    assert across == pytest.approx(18 / 64, rel=0.15)
    assert down == pytest.approx(18 / 48, rel=0.15)
    assert replace(batch, frames=batch.plates).subject_size() == (0.5, 0.5)


def test_the_detector_learns_to_box_the_moving_subject_without_labels():
    torch.manual_seed(0)
    frames, plate, boxes, times = clip_of_a_blob()
    H, W = frames.shape[-2:]
    model = Model(replace(TINY, detector_side=64))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-3)
    weights = LossWeights(prior_size=(0.28, 0.38), far=2.0)
    known = torch.ones(4, 4, 1, H, W, dtype=torch.bool)
    first = 0.0
    for step in range(45):
        g = torch.Generator().manual_seed(step)
        i = torch.randint(0, 24, (4, 1), generator=g) + torch.tensor([[0, 1, 10, 22]])
        batch = Batch(
            frames[i], plate.expand(4, 4, -1, -1, -1), known, times[i], torch.zeros_like(i)
        )
        found = losses(model(batch, OURS), batch, OURS, weights)
        optimizer.zero_grad()
        sum(found.values()).backward()
        optimizer.step()
        first = first or found["pixels"].item()
    model.eval()
    with torch.no_grad():
        size, centre = model.encode(frames)[2].split(2, dim=-1)
    corners = (torch.cat((centre - size, centre + size), -1) + 1) / 2 * torch.tensor([W, H, W, H])
    assert overlap(corners, boxes).median() > 0.5
    assert found["pixels"] < first / 2


def test_a_model_read_back_gives_the_same_numbers(tmp_path, model):
    path = tmp_path / "model.safetensors"
    save_model(path, model, {"steps": 7, "backbone": "lite0"})
    again, meta = open_model(path)
    assert meta == {"steps": 7, "backbone": "lite0"}
    frames = noise().frames[0]
    with torch.no_grad():
        for a, b in zip(model.eval().encode(frames), again.encode(frames), strict=True):
            assert torch.equal(a, b)
    assert again.features is None
    again.add_loss_network()
    assert again.features is not None
    model.train()


def tampered(path, change):
    """The same file with its tensors and header as `change` leaves them."""
    with safe_open(path, framework="pt") as file:
        header, tensors = file.metadata(), {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    change(header, tensors)
    header.pop("seal", None)  # as in files written before there was one
    save_file(tensors, path, header)


def test_a_model_of_before_the_seal_opens_and_a_sealed_one_that_was_changed_is_refused(
    tmp_path, model
):
    path = tmp_path / "model.safetensors"
    save_model(path, model, {})
    sealed = path.read_bytes()
    tampered(path, lambda header, tensors: None)
    assert open_model(path)[0].config == model.config
    path.write_bytes(sealed[:-100] + bytes([sealed[-100] ^ 1]) + sealed[-99:])
    with pytest.raises(MocapError, match="damaged or was changed"):
        open_model(path)
    with pytest.raises(MocapError, match="is a folder"):
        open_model(tmp_path)


def not_finite(header, tensors):
    tensors["encoder.varying.bias"][0] = math.nan


def too_large(header, tensors):
    header["config"] = json.dumps(json.loads(header["config"]) | {"tv": 10**12})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (not_finite, "not finite"),
        (too_large, "does not hold a whole model"),
        (lambda header, tensors: tensors.pop("encoder.varying.bias"), "missing or unknown"),
        (lambda header, tensors: tensors.update(more=torch.ones(1)), "missing or unknown"),
        (lambda header, tensors: header.update(config="{}{"), "does not hold a whole model"),
        (lambda header, tensors: header.update(config='{"shell": 1}'), "whole model"),
        (lambda header, tensors: header.update(format="other"), "not a model of this program"),
    ],
)
def test_a_tampered_model_is_refused(tmp_path, model, change, says):
    path = tmp_path / "model.safetensors"
    save_model(path, model, {})
    tampered(path, change)
    with pytest.raises(MocapError, match=says):
        open_model(path)


def test_a_pickle_is_refused_and_runs_no_code(tmp_path):
    path = tmp_path / "model.safetensors"

    class Bomb:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'boom')!r}, 'w')",))

    torch.save({"x": Bomb()}, path)
    with pytest.raises(MocapError, match="is not a model"):
        open_model(path)
    assert not (tmp_path / "boom").exists()


def test_a_sheet_has_every_part_and_every_pose_with_every_appearance(model):
    parts = _preview_images(model, noise(B=3))
    assert parts.swaps.shape == (3, 3, 3, 32, 32)
    assert parts.composite.shape == (3, 3, 32, 48)
    assert all(0 <= p.min() <= p.max() <= 1 for p in (parts.masks, parts.swaps, parts.composite))
    plain = _preview_images(Model(replace(TINY, method="dsl")), noise())
    assert plain.boxes is plain.masks is plain.swaps is None


def test_without_the_internet_the_full_size_starts_from_the_bundled_weights(monkeypatch):
    monkeypatch.setattr(Backbone, "weights_available", lambda name: name != "resnet50")
    found = MODEL_PRESETS["full"].with_available_weights()
    assert {found.detector, found.encoder, found.features} == {"lite0"}
    assert (found.crop, found.tv) == (MODEL_PRESETS["full"].crop, MODEL_PRESETS["full"].tv)
    monkeypatch.setattr(Backbone, "weights_available", lambda name: True)
    assert MODEL_PRESETS["full"].with_available_weights() is MODEL_PRESETS["full"]


def test_resnets_run_with_the_papers_head_and_keep_imagenets_statistics():
    config = replace(TINY, detector="resnet18", encoder="resnet18", detector_head="mean")
    model = Model(config, pretrained=False).train()
    before = {k: v.clone() for k, v in model.state_dict().items() if "running" in k}
    out = model(noise(B=1), OURS)
    assert out.tv.shape == (1, 4, 24)
    assert torch.allclose(out.boxes[..., :2], torch.tensor(0.06 + 0.94 * 0.6225), atol=1e-3)
    assert before
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in before.items())


def test_the_full_size_is_the_papers():
    full = MODEL_PRESETS["full"]
    assert (full.crop, full.tv, full.ti, full.widths) == (128, 600, 128, (256, 128, 64, 32))


@pytest.mark.parametrize("preset", ["full", "small"])
def test_boxes_of_the_full_size_come_down_to_a_twentieth_of_the_image(preset):
    raw = torch.full((1, 4), -99.0)
    sizes = _box_from_raw(raw, MODEL_PRESETS[preset].smallest)[0, :2]
    assert (sizes <= (0.05 if preset == "full" else 0.06)).all()


def test_a_mask_whose_logits_are_all_very_low_is_finite_and_has_a_gradient():
    logits = torch.full((1, 1, 32, 32), -200.0)
    logits[..., 16, 16] = -150.0
    logits.requires_grad_()
    mask = _mask(logits)
    assert mask[0, 0, 16, 16].item() == pytest.approx(1)
    assert torch.isfinite(mask).all()
    mask[..., 10, 10].sum().backward()
    assert torch.isfinite(logits.grad).all()
    flat = _mask(torch.full((1, 1, 32, 32), -200.0, requires_grad=True))
    assert torch.allclose(flat, _mask(torch.full((1, 1, 32, 32), -70.0)), atol=1e-6)


def test_encoding_runs_the_backbone_once_and_on_the_models_device(model, monkeypatch):
    runs = []
    whole = model.encoder.backbone.forward
    monkeypatch.setattr(
        model.encoder.backbone, "forward", lambda crops: (runs.append(1), whole(crops))[1]
    )
    frames = noise(B=1).frames[0]
    model.eval()
    with torch.no_grad():
        tv, ti, _ = model.encode(frames)
        crops = model.detect_and_crop(frames.float() / 255)[1]
        assert len(runs) == 1
        assert torch.allclose(tv, model.encoder.time_variant(crops), atol=1e-6)
        assert torch.allclose(ti, model.encoder.time_invariant(crops), atol=1e-6)
    model.train()
    assert tv.device == ti.device == model.device


def test_the_appearance_of_only_two_frames_an_item_is_encoded(model, monkeypatch):
    sizes = []
    whole = model.encoder.time_invariant
    monkeypatch.setattr(
        model.encoder, "time_invariant", lambda crops: (sizes.append(len(crops)), whole(crops))[1]
    )
    model(noise(B=3), OURS)
    assert sizes == [6]


def test_the_loss_network_has_no_layer_whose_map_is_not_compared():
    backbone = LossNetwork("resnet18", 64, pretrained=False).backbone
    assert len(backbone.layers) == 3
    assert len(make_backbone("resnet18", pretrained=False).layers) == 4
