"""Wanted: what a user asks of `mocap pretrain`, and the settings that it comes to."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import typer

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.learning.data.dataset import Crowds
from mocap_cli.learning.data.sampling import Gaps
from mocap_cli.learning.loop.distributed import resolve_device
from mocap_cli.learning.loop.losses import LossWeights
from mocap_cli.learning.loop.settings import PRESET_TRAINING, Settings
from mocap_cli.learning.model.methods import find_method
from mocap_cli.learning.model.model import PRESETS
from mocap_cli.weights import Device


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainRequest:
    """What the user says; None where the preset or the videos decide."""

    videos: tuple[Path, ...]
    recursive: bool
    output: Path
    preset: Literal["auto", "full", "small"]
    method: str
    steps: int | None
    fall_steps: int
    batch: int | None
    near: float | None  # seconds
    far: float | None
    side: int | None  # pixels
    fps: float | None
    background: str
    crowds: Crowds
    keypoints: bool
    pixel_weight: float | None
    centred: bool
    rate: float | None
    seed: int
    store: Path
    device: Device

    @property
    def preset_name(self) -> str:
        """Which preset."""
        if self.preset != "auto":
            return self.preset
        return "full" if resolve_device(self.device) == "cuda" else "small"

    def gaps(self, usual: Gaps) -> Gaps:
        """How far apart near and far are, from what these videos suggest."""
        far = self.far or usual.far
        near = self.near or min(usual.near, far / 2)
        if near >= far:
            raise typer.BadParameter(
                f"{near:g} s is not below {far:g} s, which is far here", param_hint="--near"
            )
        return Gaps(near=near, far=far, fall=(near, 2 * near))

    def settings(self, gaps: Gaps) -> Settings:
        """The recipe of the run."""
        pace, method = PRESET_TRAINING[self.preset_name], find_method(self.method)
        if self.fall_steps:
            method.in_free_fall()  # refuses a method that gravity cannot teach
        steps = self.steps or pace.steps if method.trained else 0
        every = max(1, min(pace.every, steps))
        weights = LossWeights(far=gaps.far, track=pace.track, prior_centred=self.centred)
        if self.pixel_weight is not None:
            weights = replace(weights, pixels=self.pixel_weight)
        keypoints = len(KEYPOINTS) if self.keypoints else 0
        return Settings(
            method=self.method,
            seed=self.seed,
            steps=steps,
            fall_steps=min(self.fall_steps, steps),
            shrink_steps=pace.shrink_steps,
            batch=self.batch or pace.batch,
            rate=self.rate or pace.rate,
            averaged=pace.averaged,
            save_every=every,
            check_every=every,
            crowds=self.crowds,
            gaps=gaps,
            weights=weights,
            model=replace(PRESETS[self.preset_name], method=self.method, keypoints=keypoints),
        )
