"""Settings: everything that decides what a run learns, kept with it as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mocap_cli.learning.data.dataset import Crowds
from mocap_cli.learning.data.sampling import Gaps
from mocap_cli.learning.loop.losses import LossWeights
from mocap_cli.learning.model.methods import Method, find_method
from mocap_cli.learning.model.model import PRESETS, ModelConfig

_FIRST_BOX_SIZE = 0.66
"""Share of the picture, across and down, that boxes take before anything is learnt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The recipe of a run; nothing else but the clips decides its outcome."""

    method: str = "ours"
    seed: int = 1
    steps: int = 100_000  # the paper's model had converged by then
    fall_steps: int = 0  # of them in the gravity stage, at the beginning
    shrink_steps: int = 5000  # in which boxes may come down to the prior's size
    batch: int = 32  # over all processes
    rate: float = 1e-4  # fixed, as in the paper
    averaged: float = 0.0  # share of the running mean of the weights that a step keeps; 0: no mean
    save_every: int = 1000  # steps that a kill can cost
    check_every: int = 1000  # steps between looks at held-out frames
    crowds: Crowds = "skip"
    gaps: Gaps = field(default_factory=Gaps)
    weights: LossWeights = field(default_factory=LossWeights)
    model: ModelConfig = field(default_factory=ModelConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.fall_steps <= self.steps:
            raise ValueError("the gravity stage is a part of the steps")
        if self.batch < 1 or self.save_every < 1 or self.check_every < 1:
            raise ValueError("learn from one item at least, and save now and then")

    def weights_at(self, step: int) -> LossWeights:
        """The losses' weights at a step: boxes are large until the subject has been found.

        Small ones from the start would lie beside it, where nothing teaches them to move.
        """
        done = min(1.0, step / self.shrink_steps) if self.shrink_steps else 1.0
        across, down = (
            _FIRST_BOX_SIZE * (s / _FIRST_BOX_SIZE) ** done for s in self.weights.prior_size
        )
        return replace(self.weights, prior_size=(across, down))

    def method_at(self, step: int) -> Method:
        """What is learnt at a step: gravity first where it is asked for."""
        method = replace(find_method(self.method), boxes_settled=step >= self.shrink_steps)
        return method.in_free_fall() if step < self.fall_steps else method


@dataclass(frozen=True, slots=True, kw_only=True)
class _PresetTraining:
    """What a preset trains with where the user does not say otherwise."""

    side: int  # pixels of the longer side of stored frames
    steps: int
    batch: int
    every: int  # steps between checkpoints and looks at held-out frames
    shrink_steps: int  # the paper's detector had found divers after 5000 steps with gravity
    rate: float  # the paper's; a small model in few steps bears three times that, not ten
    track: float  # weight of gravity: the paper's; with 1, few steps find a diver by luck
    averaged: float  # the paper does not; in few steps the rate cannot come down


PRESET_TRAINING: Mapping[str, _PresetTraining] = {
    "full": _PresetTraining(
        side=256,
        steps=100_000,
        batch=32,
        every=1000,
        shrink_steps=5000,
        rate=1e-4,
        track=1,
        averaged=0.0,
    ),
    "small": _PresetTraining(
        side=192,
        steps=6000,
        batch=8,
        every=200,
        shrink_steps=200,
        rate=3e-4,
        track=10,
        averaged=0.99,
    ),
}
assert PRESET_TRAINING.keys() == PRESETS.keys()


def settings_to_json(settings: Settings) -> str:
    """As text; `settings_from_json` gives the same settings."""
    return json.dumps(asdict(settings), indent=1)


def settings_from_json(text: str) -> Settings:
    """What `settings_to_json` wrote; anything else is a ValueError, KeyError or TypeError."""
    values: dict[str, Any] = {key: _tupled(value) for key, value in json.loads(text).items()}
    parts = {"gaps": Gaps, "weights": LossWeights, "model": ModelConfig}
    return Settings(**{k: parts[k](**v) if k in parts else v for k, v in values.items()})


def _tupled(value: Any) -> Any:
    """JSON knows no tuples."""
    if isinstance(value, dict):
        return {key: _tupled(inner) for key, inner in value.items()}
    return tuple(value) if isinstance(value, list) else value
