"""What the lifter learns from: the recipe's numbers, and batches of people before cameras."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mocap_cli.lifting.banks import Moves, Shapes
from mocap_cli.lifting.noise import observe
from mocap_cli.lifting.people import draw_people, tumble
from mocap_cli.lifting.recorded import Recorded, draw_recorded
from mocap_cli.lifting.views import draw_views
from mocap_cli.lifting.windows import Observed, features

EDGE = 0.16
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
class Batch:
    """What the network is shown, and the truth in the axes it answers in."""

    features: Tensor  # (B, T, FEATURES)
    times: Tensor  # (B, T)
    valid: Tensor  # (B, T)
    joints: Tensor  # (B, T, J, 3) metres about the pelvis
    planted: Tensor  # (B, T, 2)
    tumbled: Tensor  # (B,) turned in space: contacts mean nothing there
    drawn: Tensor  # (B,) not recorded: those are known by heart, and err less than others will


@dataclass(frozen=True, slots=True)
class World:
    """Everything that batches are drawn from."""

    shapes: Shapes
    moves: Moves
    recorded: Recorded | None = None


def make_batch(
    world: World, config: TrainConfig, g: torch.Generator, *, clean: bool = False
) -> Batch:
    """Random people before random cameras, seen by networks that err, drawn or recorded."""
    real = round(config.batch * config.recorded) if world.recorded else 0
    people = draw_people(world.shapes, world.moves, config.batch - real, config.frames, g)
    people, tumbled = tumble(people, config.tumbling, g)
    views = draw_views(people, g)
    seen = observe(views, people.times, g, clean=clean)
    new = torch.ones(len(tumbled), dtype=torch.bool)
    drawn = _batch(seen, views.joints, people.planted, tumbled, new)
    if not (real and world.recorded):
        return drawn
    other = draw_recorded(world.recorded, real, config.frames, g)
    unknown = torch.ones(real, dtype=torch.bool)
    planted = torch.zeros(real, config.frames, 2)
    both = (drawn, _batch(other.seen, other.joints, planted, unknown, ~unknown))
    return Batch(*(torch.cat([getattr(b, name) for b in both]) for name in Batch.__slots__))


def _batch(
    seen: Observed, joints: Tensor, planted: Tensor, tumbled: Tensor, drawn: Tensor
) -> Batch:
    shown, turn = features(seen)
    about = (joints - joints[:, :, :1]) @ turn
    return Batch(shown, seen.times, seen.valid, about, planted, tumbled, drawn)


def on_device(batch: Batch, device: str) -> Batch:
    """The same batch where the network is."""
    return Batch(*(getattr(batch, name).to(device) for name in Batch.__slots__))
