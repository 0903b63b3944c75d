"""What the lifter learns from: the recipe's numbers, and batches of people before cameras."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mocap_cli.lifting.windows import KeypointWindows
from training.lifter.keypoint_noise import simulate_detections
from training.lifter.motion_bank import BodyBank, MotionBank
from training.lifter.people import sample_people, tumble
from training.lifter.recorded_shots import RecordedShots, sample_recorded
from training.lifter.virtual_cameras import sample_cameras

ADAM_RATE_FACTOR = 0.16
"""Of the rate, for what Adam teaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """The recipe; stored with the checkpoint."""

    seed: int = 1
    steps: int = 30_000
    batch: int = 80
    frames: int = 32  # of a window, one to three seconds
    recorded: float = 0.2  # share of windows that real networks saw, where there are recordings
    rate: float = 5e-3  # of matrices inside, which Muon teaches; EDGE of it for all else
    cool_down: float = 0.8  # share of the steps in which the rate falls to nothing
    hurry: float = 0.6  # share of the steps with twice as many windows of half the length
    warm_up: int = 500
    weight_decay: float = 0.02
    tumbling: float = 0.3  # share of windows turned any way up
    bodies: int = 256


@dataclass(frozen=True, slots=True)
class LifterBatch:
    """What the network is shown, and the truth in the axes it answers in."""

    features: Tensor  # (B, T, FEATURES)
    times: Tensor  # (B, T)
    valid: Tensor  # (B, T)
    joints: Tensor  # (B, T, J, 3) metres about the pelvis
    planted: Tensor  # (B, T, 2)
    tumbled: Tensor  # (B,) turned in space: contacts mean nothing there
    drawn: Tensor  # (B,) not recorded: those are known by heart, and err less than others will


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Everything that batches are drawn from."""

    shapes: BodyBank
    moves: MotionBank
    recorded: RecordedShots | None = None


def make_batch(
    world: TrainingData, config: TrainConfig, g: torch.Generator, *, clean: bool = False
) -> LifterBatch:
    """Random people before random cameras, seen by networks that err, drawn or recorded."""
    real = round(config.batch * config.recorded) if world.recorded else 0
    people = sample_people(world.shapes, world.moves, config.batch - real, config.frames, g)
    people, tumbled = tumble(people, config.tumbling, g)
    views = sample_cameras(people, g)
    seen = simulate_detections(views, people.times, g, clean=clean)
    new = torch.ones(len(tumbled), dtype=torch.bool)
    drawn = _batch(seen, views.joints, people.planted, tumbled, new)
    if not (real and world.recorded):
        return drawn
    other = sample_recorded(world.recorded, real, config.frames, g)
    unknown = torch.ones(real, dtype=torch.bool)
    planted = torch.zeros(real, config.frames, 2)
    both = (drawn, _batch(other.seen, other.joints, planted, unknown, ~unknown))
    return LifterBatch(
        *(torch.cat([getattr(b, name) for b in both]) for name in LifterBatch.__slots__)
    )


def _batch(
    seen: KeypointWindows, joints: Tensor, planted: Tensor, tumbled: Tensor, drawn: Tensor
) -> LifterBatch:
    shown, turn = seen.features()
    about = (joints - joints[:, :, :1]) @ turn
    return LifterBatch(shown, seen.times, seen.valid, about, planted, tumbled, drawn)


def batch_to_device(batch: LifterBatch, device: str) -> LifterBatch:
    """The same batch where the network is."""
    return LifterBatch(*(getattr(batch, name).to(device) for name in LifterBatch.__slots__))
