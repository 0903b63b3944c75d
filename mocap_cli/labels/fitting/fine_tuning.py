"""Fine-tuning of the encoder on labels, end to end.

The encoder learns at a small rate together with a head on its features; its detector stays as it
is. Part of the labels is held out: it stops the training early and, since the encoder never saw
it, calibrates the errors of the heads that are fitted afterwards.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor, nn

from mocap_cli.errors import MocapError
from mocap_cli.labels.fitting.augmentation import AugmentationOptions, LabelledImages
from mocap_cli.labels.fitting.fit_heads import (
    ExampleTensors,
    FitOptions,
)
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip, clip_examples
from mocap_cli.labels.fitting.regression_head import HeadConfig, RegressionHead
from mocap_cli.learning.model.model import Model, to_float
from mocap_cli.progress import Count, no_progress

_BATCH = 64  # images that are encoded at a time, without gradients
_MIN_FRAMES = 12  # labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneOptions:
    """How an encoder is fine-tuned."""

    steps: int = 400  # at most
    batch: int = 32
    rate: float = 3e-4  # of the encoder; decays to nearly zero
    begin: int = 25  # warm-up steps
    head_rate: float = 5e-4
    decay: float = 0.02
    look: int = 50  # steps between validations
    patience: int = 3  # validations without improvement, after which it is done
    augmentation: AugmentationOptions = field(default_factory=AugmentationOptions)
    seed: int = 1


def fine_tune(
    encoder: FrozenEncoder,
    clips: Sequence[LabelledClip],
    how: GatherOptions,
    fitting: FitOptions,
    options: FineTuneOptions,
    on_step: Count = no_progress,
) -> FrozenEncoder:
    """A copy of the encoder, trained to tell the labelled poses of these clips apart."""
    examples = clip_examples(clips, encoder, how, points=False)
    if len(examples) < _MIN_FRAMES:
        raise MocapError(
            f"{len(examples)} labelled frames are too few to fine-tune a model",
            f"label {_MIN_FRAMES} and more, or leave --fine-tune out",
        )
    images = [
        encoder.images(clip.video, clip.labels.frames, clip.estimate.bounding_squares())
        for clip in clips
    ]
    frames = torch.from_numpy(np.concatenate(images)).permute(0, 3, 1, 2).to(encoder.device)
    tensors = ExampleTensors.of(examples)
    labelled = LabelledImages(
        frames,
        _detect_boxes(encoder.model, frames),
        tensors.joints.to(encoder.device),
        tensors.weight.to(encoder.device),
    )
    held = torch.from_numpy(fitting.held_out(examples))
    model = _train(
        encoder.model, labelled.select(~held), labelled.select(held), fitting, options, on_step
    )
    digest = sha256(encoder.digest.encode())
    for value in model.encoder.state_dict().values():
        digest.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return replace(encoder, model=model, digest=digest.hexdigest(), tuned=True)


def _train(
    before: Model,
    labelled: LabelledImages,
    held: LabelledImages,
    fitting: FitOptions,
    options: FineTuneOptions,
    on_step: Count,
) -> Model:
    """The model with the encoder of the least validation error."""
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    model = copy.deepcopy(before).eval().requires_grad_(False)
    validation = _validation_images(held, options)
    regressor = _initial_regressor(model, labelled, validation, fitting)
    encoder = [p for n, p in model.encoder.named_parameters() if not n.startswith("steady")]
    groups = [
        {"params": [p.requires_grad_() for p in encoder], "lr": options.rate},
        {"params": list(regressor.parameters()), "lr": options.head_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=options.decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_rate_factor, options))
    best, state, since = float("inf"), copy.deepcopy(model.encoder.state_dict()), 0
    for step in range(options.steps + 1):
        if step % options.look == 0:
            error = _error(model, regressor, validation)
            if error < best:
                best, state, since = error, copy.deepcopy(model.encoder.state_dict()), 0
            else:
                since += 1
            if since > options.patience:
                break
        batch = labelled.select(torch.from_numpy(rng.integers(0, len(labelled), options.batch)))
        crops, batch = batch.augmented(model.config.crop, options.augmentation, rng)
        loss = batch.targets().loss(regressor(model.encode_pose(crops)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        on_step(step)
    model.encoder.load_state_dict(state)
    return model.requires_grad_(False)


def _rate_factor(options: FineTuneOptions, step: int) -> float:
    """Factor of the learning rates: linear warm-up, then cosine decay."""
    decayed = 0.05 + 0.475 * (1 + math.cos(math.pi * step / options.steps))
    return min(1.0, (step + 1) / options.begin) * decayed


class _FeatureRegressor(nn.Module):
    """Image features to poses: a projection onto principal directions, then a head."""

    def __init__(self, basis: Tensor, head: RegressionHead) -> None:
        super().__init__()
        self.basis: Tensor
        self.register_buffer("basis", basis)
        self.head = head
        # The linear part, solved in closed form, is trained on.
        linear = head.linear
        del head.linear
        head.linear = nn.Parameter(linear.clone())

    def forward(self, features: Tensor) -> Tensor:
        return self.head(features @ self.basis)


def _initial_regressor(
    model: Model, labelled: LabelledImages, held: LabelledImages, fitting: FitOptions
) -> _FeatureRegressor:
    """A regressor of the features as they are before the encoder is trained; fitted on the CPU."""
    plain, flipped = (_features(model, labelled, flip=flip).cpu() for flip in (False, True))
    basis = torch.from_numpy(fitting.principal_directions(plain.numpy()))
    validation = replace(_on_cpu(held), inputs=_features(model, held).cpu() @ basis)
    tensors = replace(_on_cpu(labelled), inputs=plain @ basis, flipped=flipped @ basis)
    both = tensors.with_mirrored()
    head = RegressionHead(HeadConfig.default(fitting.kind, basis.shape[1], basis.shape[1]))
    head.normalise(both.inputs, both.joints, both.weight > 0)
    head.fit_linear(both.inputs, both.joints, both.weight, lambda: _head_error(head, validation))
    return _FeatureRegressor(basis, head).to(labelled.frames.device)


def _on_cpu(images: LabelledImages) -> ExampleTensors:
    targets = images.targets()
    return ExampleTensors(
        *(t.cpu() for t in (targets.inputs, targets.flipped, targets.joints, targets.weight))
    )


@torch.no_grad()
def _features(model: Model, images: LabelledImages, *, flip: bool = False) -> Tensor:
    """(N, F) features of the images, or of their mirror images."""
    found = []
    for part in torch.arange(len(images)).split(_BATCH):
        crops = images.select(part).crops(model.config.crop)
        found.append(model.encode_pose(crops.flip(-1) if flip else crops))
    return torch.cat(found)


@torch.no_grad()
def _detect_boxes(model: Model, frames: Tensor) -> Tensor:
    """(N, 4) boxes of the detector; the whole image where the model has none."""
    found = [model.detect_and_crop(to_float(part))[0] for part in frames.split(_BATCH)]
    whole = torch.tensor([[1.0, 1.0, 0.0, 0.0]], device=frames.device).repeat(len(frames), 1)
    return whole if found[0] is None else torch.cat([box for box in found if box is not None])


@torch.no_grad()
def _head_error(head: RegressionHead, tensors: ExampleTensors) -> float:
    was, _ = head.training, head.eval()
    error = float(tensors.loss(head(tensors.inputs)))
    head.train(was)
    return error


def _error(model: Model, regressor: _FeatureRegressor, images: LabelledImages) -> float:
    was, _ = regressor.training, regressor.eval()
    with torch.no_grad():
        error = float(images.targets().loss(regressor(_features(model, images))))
    regressor.train(was)
    return error


def _validation_images(held: LabelledImages, options: FineTuneOptions) -> LabelledImages:
    """The held-out images as they are, and degraded ones of the same."""
    if not options.augmentation.degraded:
        return held
    degraded = held.degraded(1.0, np.random.default_rng([options.seed, 1]))
    twice = held.select(torch.arange(len(held)).repeat(2))
    return replace(twice, frames=torch.cat((held.frames, degraded.frames)))
