"""Settings: everything that decides what a run learns, stored with it as JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from mocap_cli.errors import MocapError
from mocap_cli.io.json_fields import JsonObject, check_ranges
from mocap_cli.learning.data.dataset import Crowds
from mocap_cli.learning.data.sampling import Gaps
from mocap_cli.learning.loop.losses import LossWeights
from mocap_cli.learning.model.methods import METHODS, Method
from mocap_cli.learning.model.model_config import MODEL_PRESETS, ModelConfig

_RANGES = {
    "seed": (0, 2**63), "steps": (0, 1e9), "fall_steps": (0, 1e9), "shrink_steps": (0, 1e9),
    "batch": (1, 1e6), "rate": (1e-12, 1e3), "averaged": (0, 1), "save_every": (1, 1e9),
    "check_every": (1, 1e9), "version": (1, 1e6),
}  # fmt: skip
VERSION = 2
"""Of the methods as they are now."""

_CHANGED_IN = {"mv-css": 2, "drnet": 2, "nsd": 2}  # docs/method.md says how
_SETTLED = 1600 * 8  # items after which boxes and masks had settled, in docs/benchmarks.md
_FIRST_BOX_SIZE = 0.66  # share of the image, horizontally and vertically, before training


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The recipe of a run; only the clips decide its outcome as well."""

    method: str = "ours"
    version: int = 1  # of the methods; a run of an older one cannot be resumed if it changed
    seed: int = 1
    steps: int = 100_000  # the paper's model had converged by then
    fall_steps: int = 0  # of them in the free-fall stage, at the beginning
    shrink_steps: int = 5000  # in which the box prior shrinks to the subject's size
    batch: int = 32  # over all processes
    rate: float = 1e-4  # fixed, as in the paper
    averaged: float = 0.0  # decay of the moving average of the weights; 0: none
    save_every: int = 1000  # steps between checkpoints: what a kill can cost
    check_every: int = 1000  # steps between validations
    crowds: Crowds = "skip"
    gaps: Gaps = field(default_factory=Gaps)
    weights: LossWeights = field(default_factory=LossWeights)
    model: ModelConfig = field(default_factory=ModelConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.fall_steps <= self.steps:
            raise ValueError("the free-fall stage is a part of the steps")
        if self.method not in METHODS:
            raise ValueError(f"the method {self.method[:40]!r} is unknown")
        check_ranges(self, _RANGES)

    def check_resumable(self) -> None:
        """Refuse to resume a run whose method has changed since: it would mix two methods."""
        if self.version < _CHANGED_IN.get(self.method, 1):
            raise MocapError(
                f"method {self.method} has changed since this run was begun",
                "begin a new run; the model of the old one can still be used",
            )

    def weights_at(self, step: int) -> LossWeights:
        """The loss weights at a step: the box prior starts large and shrinks.

        Boxes that are small from the start lie off the subject, where no gradient moves them.
        """
        done = min(1.0, step / self.shrink_steps) if self.shrink_steps else 1.0
        width, height = (
            _FIRST_BOX_SIZE * (s / _FIRST_BOX_SIZE) ** done for s in self.weights.prior_size
        )
        return replace(self.weights, prior_size=(width, height))

    @property
    def settling_steps(self) -> int:
        """Steps after which boxes and masks have settled, as far as that is measured."""
        return max(math.ceil(_SETTLED / self.batch), self.shrink_steps)

    def method_at(self, step: int) -> Method:
        """The method at a step: the free-fall stage first, where there is one."""
        method = replace(Method.find(self.method), boxes_settled=step >= self.shrink_steps)
        return method.in_free_fall() if step < self.fall_steps else method

    def to_json(self) -> str:
        """As text; `from_json` returns equal settings."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """Read what `to_json` wrote; anything else is a ValueError that names the field."""
        return JsonObject.parse(text).of_type(cls)


PRESETS: Mapping[str, Settings] = {
    "full": Settings(model=MODEL_PRESETS["full"]),
    "small": Settings(
        steps=6000,
        shrink_steps=200,
        batch=8,
        rate=3e-4,  # a small model in few steps bears three times the paper's rate, not ten
        averaged=0.99,  # in few steps the rate cannot be lowered
        save_every=200,
        check_every=200,
        weights=LossWeights(track=10),  # with the paper's 1, few steps find a diver by luck only
        model=MODEL_PRESETS["small"],
    ),
}

STORED_SIDE: Mapping[str, int] = {"full": 256, "small": 192}
"""Longer side of stored frames by preset, pixels."""
