"""Tune: an eye taught by labels end to end, where there are labels enough to be worth it.

The encoder learns, at a small rate, together with a head that reads poses from its codes; the
detector stays as it is. Pictures are turned, shifted, spoilt and shown in other colours. Part of
the labels is held out: it stops the eye early and, since the eye never saw it, tells the errors
of the heads that are fitted to the codes afterwards.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor, nn

from mocap_cli.errors import MocapError
from mocap_cli.labels.fitting.augmentation import (
    DEFAULT_AUGMENTATION,
    AugmentationOptions,
    LabelledImages,
    augment,
    crop_images,
    degrade_image,
)
from mocap_cli.labels.fitting.fit_heads import (
    ExampleTensors,
    FitOptions,
    add_mirrored,
    held_out_fold,
    joint_distance,
    principal_directions,
    solve_linear,
    to_tensors,
)
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder, encoder_images
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip, clip_examples
from mocap_cli.labels.fitting.regression_head import RegressionHead, default_head
from mocap_cli.learning.model.model import Model, to_float

Random = np.random.Generator

_LOOK_BATCH = 64
_FEWEST = 12  # labelled frames


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneOptions:
    """How an eye is tuned."""

    steps: int = 400  # at most
    batch: int = 32
    rate: float = 3e-4  # of the encoder; it falls to nearly nothing
    begin: int = 25  # steps in which rates rise
    head_rate: float = 5e-4
    decay: float = 0.02
    look: int = 50  # steps between looks at what is held out
    patience: int = 3  # looks without getting better, after which it is done
    variety: AugmentationOptions = DEFAULT_AUGMENTATION
    seed: int = 1


DEFAULT_FINE_TUNING = FineTuneOptions()


def fine_tune(
    eye: FrozenEncoder,
    clips: Sequence[LabelledClip],
    how: GatherOptions,
    fitting: FitOptions,
    options: FineTuneOptions = DEFAULT_FINE_TUNING,
    on_step: Callable[[int], None] = lambda done: None,
) -> FrozenEncoder:
    """Another eye, which looks at poses as the labels of these clips tell them."""
    examples = clip_examples(clips, eye, how, points=False)
    if len(examples) < _FEWEST:
        raise MocapError(
            f"{len(examples)} labelled frames are too few to tune a model end to end",
            f"label {_FEWEST} and more, or leave --fine-tune out",
        )
    shown = [
        encoder_images(clip.video, eye, clip.labels.frames, clip.estimate.bounding_squares())
        for clip in clips
    ]
    frames = torch.from_numpy(np.concatenate(shown)).permute(0, 3, 1, 2)
    lesson = to_tensors(examples)
    album = LabelledImages(frames, _boxes_of(eye.model, frames), lesson.joints, lesson.weight)
    held = torch.from_numpy(held_out_fold(examples, fitting))
    model = _teach(eye.model, album.part(~held), album.part(held), fitting, options, on_step)
    digest = sha256(eye.digest.encode())
    for value in model.encoder.state_dict().values():
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return replace(eye, model=model, digest=digest.hexdigest(), tuned=True)


def _teach(
    before: Model,
    taught: LabelledImages,
    held: LabelledImages,
    fitting: FitOptions,
    options: FineTuneOptions,
    on_step: Callable[[int], None],
) -> Model:
    """The model with the encoder as it was when it did best on what is held out."""
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    model = copy.deepcopy(before).eval().requires_grad_(False)
    asked = _validation_images(held, options)
    reader = _initial_regressor(model, taught, asked, fitting)
    encoder = [p for n, p in model.encoder.named_parameters() if not n.startswith("steady")]
    groups = [
        {"params": [p.requires_grad_() for p in encoder], "lr": options.rate},
        {"params": list(reader.parameters()), "lr": options.head_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=options.decay)
    ease = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_rate_factor, options))
    best, state, since = float("inf"), copy.deepcopy(model.encoder.state_dict()), 0
    for step in range(options.steps + 1):
        if step % options.look == 0:
            found = _error(model, reader, asked)
            if found < best:
                best, state, since = found, copy.deepcopy(model.encoder.state_dict()), 0
            else:
                since += 1
            if since > options.patience:
                break
        drawn = taught.part(torch.from_numpy(rng.integers(0, len(taught), options.batch)))
        crops, drawn = augment(drawn, model.config.crop, options.variety, rng)
        off = joint_distance(reader(model.code(crops)), _lesson(drawn))
        optimizer.zero_grad(set_to_none=True)
        off.backward()
        optimizer.step()
        ease.step()
        on_step(step)
    model.encoder.load_state_dict(state)
    return model.requires_grad_(False)


def _rate_factor(options: FineTuneOptions, step: int) -> float:
    """What rates are multiplied by: they rise, then fall along half a wave."""
    fallen = 0.05 + 0.475 * (1 + math.cos(math.pi * step / options.steps))
    return min(1.0, (step + 1) / options.begin) * fallen


class _CodeRegressor(nn.Module):
    """Codes to poses: the directions in which they differ, then a head."""

    def __init__(self, basis: Tensor, head: RegressionHead) -> None:
        super().__init__()
        self.basis: Tensor
        self.register_buffer("basis", basis)
        self.head = head
        # What was solved for in one stroke learns on.
        linear = head.linear
        del head.linear
        head.linear = nn.Parameter(linear.clone())

    def forward(self, codes: Tensor) -> Tensor:
        return self.head(codes @ self.basis)


def _initial_regressor(
    model: Model, taught: LabelledImages, held: LabelledImages, fitting: FitOptions
) -> _CodeRegressor:
    """A reader of the codes as they are before the encoder learns."""
    codes, flipped = (_codes_of(model, taught, flip=flip) for flip in (False, True))
    basis = torch.from_numpy(principal_directions(codes.numpy(), fitting))
    asked = replace(_lesson(held), inputs=_codes_of(model, held) @ basis)
    shown = replace(_lesson(taught), inputs=codes @ basis, flipped=flipped @ basis)
    lesson = add_mirrored(shown)
    head = RegressionHead(default_head(fitting.kind, basis.shape[1], basis.shape[1]))
    head.normalise(lesson.inputs, lesson.joints, lesson.weight > 0)
    solve_linear(head, lesson, asked)
    return _CodeRegressor(basis, head)


@torch.no_grad()
def _codes_of(model: Model, album: LabelledImages, *, flip: bool = False) -> Tensor:
    """(N, F) of pictures as they are, or of what a mirror shows."""
    still = torch.zeros(len(album))
    parts = torch.arange(len(album)).split(_LOOK_BATCH)
    found = []
    for i in parts:
        crops = crop_images(album.frames[i], album.boxes[i], still[i], model.config.crop)
        found.append(model.code(crops.flip(-1) if flip else crops))
    return torch.cat(found)


@torch.no_grad()
def _boxes_of(model: Model, frames: Tensor) -> Tensor:
    """(N, 4) where the person is; all of the picture where the model does not look for it."""
    found = [model.look(to_float(part))[0] for part in frames.split(_LOOK_BATCH)]
    whole = torch.tensor([[1.0, 1.0, 0.0, 0.0]]).repeat(len(frames), 1)
    return whole if found[0] is None else torch.cat([box for box in found if box is not None])


def _error(model: Model, reader: _CodeRegressor, album: LabelledImages) -> float:
    was, _ = reader.training, reader.eval()
    with torch.no_grad():
        answer = reader(_codes_of(model, album))
        error = float(joint_distance(answer, _lesson(album)))
    reader.train(was)
    return error


def _lesson(album: LabelledImages) -> ExampleTensors:
    empty = album.joints.new_zeros(len(album), 0)
    return ExampleTensors(empty, empty, album.joints, album.weight)


def _validation_images(held: LabelledImages, options: FineTuneOptions) -> LabelledImages:
    """What is held out as it is, and the same again, spoilt."""
    if not options.variety.spoilt:
        return held
    rng = np.random.default_rng([options.seed, 1])
    spoilt = torch.stack(
        [degrade_image(*pair, rng) for pair in zip(held.frames, held.boxes, strict=True)]
    )
    twice = torch.arange(len(held)).repeat(2)
    return replace(held.part(twice), frames=torch.cat((held.frames, spoilt)))
