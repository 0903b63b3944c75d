"""Training configuration, and batches of simulated and recorded windows of keypoints."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.lifter.keypoint_noise import simulate_detections
from training.lifter.motion_bank import BodyBank, MotionBank
from training.lifter.observed_windows import ObservedWindows
from training.lifter.people import sample_people, tumble
from training.lifter.recorded_shots import RecordedShots, sample_recorded
from training.lifter.virtual_cameras import sample_cameras

ADAM_RATE_FACTOR = 0.16
"""Learning rate of the parameters that Adam updates, as a share of Muon's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Hyperparameters; stored with the checkpoint."""

    seed: int = 1
    steps: int = 30_000
    batch: int = 80
    frames: int = 32  # of a window, one to three seconds
    recorded: float = 0.2  # share of recorded windows in a batch, if there are recordings
    rate: float = 5e-3  # of Muon, for inner matrices; Adam's is ADAM_RATE_FACTOR of it
    cool_down: float = 0.8  # share of the steps in which the rate decays to 0
    hurry: float = 0.6  # share of the steps that start with twice the windows of half the length
    warm_up: int = 500
    weight_decay: float = 0.02
    tumbling: float = 0.35  # share of windows rotated to a random orientation
    bodies: int = 256


@dataclass(frozen=True, slots=True)
class LifterBatch:
    """Network inputs and targets; the targets are in the axes of the output."""

    features: Tensor  # (B, T, FEATURES)
    times: Tensor  # (B, T)
    valid: Tensor  # (B, T)
    joints: Tensor  # (B, T, J, 3) metres about the pelvis
    planted: Tensor  # (B, T, 2)
    tumbled: Tensor  # (B,) randomly oriented: contacts are not defined
    synthetic: Tensor  # (B,) simulated: on recorded windows the model overfits


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Sources of the batches."""

    shapes: BodyBank
    moves: MotionBank
    recorded: RecordedShots | None = None


def make_batch(
    data: TrainingData, config: TrainConfig, g: torch.Generator, *, clean: bool = False
) -> LifterBatch:
    """A batch of simulated windows, and of recorded ones if there are any."""
    real = round(config.batch * config.recorded) if data.recorded else 0
    people = sample_people(data.shapes, data.moves, config.batch - real, config.frames, g)
    people, tumbled = tumble(people, config.tumbling, g)
    views = sample_cameras(people, g)
    seen = simulate_detections(views, people.times, g, clean=clean)
    new = torch.ones(len(tumbled), dtype=torch.bool)
    synthetic = _batch(seen, views.joints, people.planted, tumbled, new)
    if not (real and data.recorded):
        return synthetic
    other = sample_recorded(data.recorded, real, config.frames, g)
    unknown = torch.ones(real, dtype=torch.bool)
    planted = torch.zeros(real, config.frames, 2)
    both = (synthetic, _batch(other.seen, other.joints, planted, unknown, ~unknown))
    return LifterBatch(
        *(torch.cat([getattr(b, name) for b in both]) for name in LifterBatch.__slots__)
    )


def _batch(
    seen: ObservedWindows, joints: Tensor, planted: Tensor, tumbled: Tensor, synthetic: Tensor
) -> LifterBatch:
    shown, turn = seen.features()
    about = (joints - joints[:, :, :1]) @ turn
    return LifterBatch(shown, seen.times, seen.valid, about, planted, tumbled, synthetic)


def batch_to_device(batch: LifterBatch, device: str) -> LifterBatch:
    """The batch on a device."""
    return LifterBatch(*(getattr(batch, name).to(device) for name in LifterBatch.__slots__))
