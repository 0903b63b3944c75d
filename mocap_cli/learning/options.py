"""The options of a new run, and the settings that they come to."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.learning.data.dataset import Crowds
from mocap_cli.learning.data.sampling import Gaps
from mocap_cli.learning.data.store import StoreRecipe
from mocap_cli.learning.loop.distributed import resolve_device
from mocap_cli.learning.loop.losses import LossWeights, Similarity
from mocap_cli.learning.loop.settings import PRESETS, STORED_SIDE, VERSION, Settings
from mocap_cli.learning.model.backbones import Backbone
from mocap_cli.learning.model.methods import Method
from mocap_cli.learning.model.model_config import ModelConfig
from mocap_cli.video.probe import VideoInfo
from mocap_cli.weights import Device

_NEAR, _FAR = 0.2, 4.0  # seconds, the paper's for everyday motion
_FAR_SHARE = 0.25  # of a clip: in a dive, a quarter of it is far
_NEAR_SHARE = 1 / 7  # of far; the paper's lie between a sixth and a twentieth
_DSL_SHARE = 0.5  # of far: D of Eq. 5, better than the whole (docs/benchmarks.md)
_NEAR_FRAMES = 2  # stored frames that should lie within near
_FPS = (15.0, 60.0)  # least and most frames stored a second
_ROUND_TO = 8  # pixels; the networks halve their images several times


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainOptions:
    """The choices of a new run; None where the preset or the videos decide."""

    preset: Literal["auto", "full", "small"] = "auto"  # auto: full on a GPU, small on a CPU
    method: str = "ours"
    steps: int | None = None
    encoder: str | None = None  # its backbone
    tv: int | None = None  # length of the time-variant code
    ti: int | None = None  # length of the time-invariant code
    similarity: Similarity = "clamped"  # the form of Eq. 5
    dsl_distance: float | None = None  # seconds, D of Eq. 5; None: half of far
    contrast_weight: float | None = None
    fall_steps: int | None = None  # in the free-fall stage; None: a tenth if the clips are falls
    batch: int | None = None
    near: float | None = None  # seconds within which poses are alike
    far: float | None = None  # seconds from which poses are unlike
    side: int | None = None  # longer side of stored frames, pixels
    fps: float | None = None  # at most so many frames stored a second
    background: str = "auto"
    crowds: Crowds = "skip"
    keypoints: bool = False  # learn from 2D labels as well
    boxes: Literal["detector", "tracker"] = "detector"  # tracker: those of the default tracker
    random_backgrounds: Path | None = None  # folder of images to put behind the subject
    pixel_weight: float | None = None
    centred: bool = False  # the subject is mostly in the middle of the image
    rate: float | None = None
    seed: int = 1
    store: Path | None = None  # of decoded frames; None: frames/ next to the run

    def settle(
        self, infos: Mapping[Path, VideoInfo], device: Device
    ) -> tuple[Settings, StoreRecipe]:
        """The settings that options, preset and videos come to, and how to store the frames."""
        preset = self.preset
        if preset == "auto":
            preset = "full" if resolve_device(device) == "cuda" else "small"
        gaps = self._gaps(_default_gaps(infos))
        side = self.side or STORED_SIDE[preset]
        recipe = _choose_recipe(infos, side, gaps, self.fps, self.background)
        return self._settings(PRESETS[preset], gaps), recipe

    @property
    def chooses_fall(self) -> bool:
        """Whether the clips decide about the free-fall stage, which trains a detector."""
        method = Method.find(self.method)
        return self.fall_steps is None and method.detector and self.boxes == "detector"

    def _gaps(self, default: Gaps) -> Gaps:
        far = self.far or default.far
        near = self.near or min(default.near, far / 2)
        if near >= far:
            raise MocapError(
                f"near ({near:g} s) is not below far ({far:g} s)", "pass a smaller --near, or --far"
            )
        return Gaps(near=near, far=far, fall=(near, 2 * near))

    def _settings(self, preset: Settings, gaps: Gaps) -> Settings:
        method = Method.find(self.method)
        if self.fall_steps:
            method.in_free_fall()  # refuses a method without a detector
        if self.fall_steps and self.boxes == "tracker":
            raise MocapError(
                "the free-fall losses train a detector, and --boxes tracker has none",
                "leave --fall-steps or --boxes out",
            )
        if method.labelled and not self.keypoints:
            raise MocapError(
                f"method {method.name} learns from 2D labels alone",
                "pass --keypoints with label files, or --keypoints auto",
            )
        steps = self.steps or preset.steps if method.trained else 0
        return replace(
            preset,
            method=self.method,
            version=VERSION,
            seed=self.seed,
            steps=steps,
            fall_steps=min(self.fall_steps or 0, steps),
            shrink_steps=0 if self.boxes == "tracker" else preset.shrink_steps,
            batch=self.batch or preset.batch,
            rate=self.rate or preset.rate,
            save_every=max(1, min(preset.save_every, steps)),
            check_every=max(1, min(preset.check_every, steps)),
            crowds=self.crowds,
            gaps=gaps,
            weights=self._weights(preset.weights, gaps),
            model=self._model(preset.model, method),
        )

    def _weights(self, preset: LossWeights, gaps: Gaps) -> LossWeights:
        def chosen(value: float | None, default: float) -> float:
            return default if value is None else value

        return replace(
            preset,
            similarity=self.similarity,
            far=self.dsl_distance or _DSL_SHARE * gaps.far,
            contrast=chosen(self.contrast_weight, preset.contrast),
            pixels=chosen(self.pixel_weight, preset.pixels),
            prior_centred=self.centred,
        )

    def _model(self, preset: ModelConfig, method: Method) -> ModelConfig:
        tv = self.tv or preset.tv
        if self.encoder is not None:
            Backbone.check_weights(self.encoder)  # one that was asked for is never replaced
        if method.rotates_codes and tv % 3:
            raise MocapError(
                f"method {method.name} cannot have a time-variant code of {tv} numbers: its codes"
                " are points in space",
                f"pass --tv {max(3, tv - tv % 3)}",
            )
        return replace(
            preset,
            method=self.method,
            boxes="given" if self.boxes == "tracker" else "detector",
            encoder=self.encoder or preset.encoder,
            tv=tv,
            ti=self.ti or preset.ti,
            keypoints=len(KEYPOINTS) if self.keypoints else 0,
        )


def _default_gaps(infos: Mapping[Path, VideoInfo]) -> Gaps:
    """Near and far where the user gives none: the paper's, less where clips are short."""
    length = float(np.median([info.duration or 0.0 for info in infos.values()]))
    far = min(_FAR, max(_FAR_SHARE * length, 0.2))
    near = min(_NEAR, _NEAR_SHARE * far)
    return Gaps(near=near, far=far, fall=(near, 2 * near))


def _choose_recipe(
    infos: Mapping[Path, VideoInfo], side: int, gaps: Gaps, fps: float | None, background: str
) -> StoreRecipe:
    """How to store these videos."""
    width, height = _frame_size(infos.values(), side)
    if fps is None:
        fps = min(max(_NEAR_FRAMES / gaps.near, _FPS[0]), _FPS[1])
    return StoreRecipe(width=width, height=height, fps=fps, background=background)


def _frame_size(infos: Iterable[VideoInfo], side: int) -> tuple[int, int]:
    """The shape that most seconds of video have, with `side` as its longer side: (w, h)."""
    seconds: Counter[tuple[int, int]] = Counter()
    for info in infos:
        scale = side / max(info.width, info.height)
        shape = (_rounded(info.width * scale), _rounded(info.height * scale))
        seconds[shape] += round(1000 * (info.duration or 0.001))
    return max(seconds, key=lambda shape: (seconds[shape], shape))


def _rounded(length: float) -> int:
    return max(16, round(length / _ROUND_TO) * _ROUND_TO)
