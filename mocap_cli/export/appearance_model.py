"""Appearance model: a pretrained model that encodes and redraws the person in one image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.keypoints.crop import Crop
from mocap_cli.learning.loop.distributed import resolve_device
from mocap_cli.learning.model.model import Model, to_float
from mocap_cli.learning.model.model_file import open_model
from mocap_cli.types import Float32, Float64, UInt8
from mocap_cli.video.letterbox import Letterbox
from mocap_cli.weights import Device

_Size = tuple[int, int]  # width, height

_BEST = "best.safetensors"
"""The model in the folder of a run of `mocap pretrain`."""

_CROPS_ACROSS = 2  # width of a training frame in crops, in both presets


@dataclass(frozen=True, slots=True)
class SubjectBox:
    """The box of the subject in pixels of the image."""

    left: float
    top: float
    width: float
    height: float


class AppearanceModel:
    """Separates pose and appearance, and draws any pose with any appearance."""

    def __init__(self, path: Path, device: Device = "auto") -> None:
        self.path = path
        self._device = resolve_device(device)
        model, self.meta = open_model(path)
        self._model = _require_decoder(model, path).to(self._device)

    @staticmethod
    def open(given: Path) -> "AppearanceModel":
        """The model in the folder of a run, or in a file."""
        file = given.suffix == ".safetensors"
        path = given if file else given / _BEST
        if not path.is_file():
            make = "mocap pretrain A.mp4 B.mp4" + ("" if file else f" -o {given}")
            raise MocapError(
                f"there is no model {path}", f"train one: {make}; or give one with --model"
            )
        return AppearanceModel(path)

    @property
    def step(self) -> int:
        """The number of training steps."""
        return int(self.meta.get("step", 0))

    @property
    def clips(self) -> tuple[str, ...]:
        """The names of the training videos."""
        return tuple(str(name) for name in self.meta.get("clips", ()))

    def letterbox(self, image: UInt8) -> Letterbox:
        """How the image is scaled into a frame of the size of the training frames."""
        size = (image.shape[1], image.shape[0])
        frame = _training_size(self.meta) or _default_size(size, self._model.config.crop)
        return Letterbox(size, frame)

    @property
    def takes_squares(self) -> bool:
        """Whether it has no detector: it needs the square around the person."""
        return self._model.config.boxes == "given"

    @torch.inference_mode()
    def encode(
        self, image: UInt8, square: Float64 | None = None
    ) -> tuple[Tensor, Tensor, SubjectBox]:
        """Time-variant code (1, tv), time-invariant code (1, ti), and the box of the subject.

        `square` is the middle and the side of the person's square, if the model takes that.
        """
        if square is not None:
            x, y, side = square.tolist()
            person = Crop(x, y, side).resized(image, self._model.config.crop)
            tv, ti = self._model.encoder.codes(to_float(self._tensor(person)))
            return tv, ti, SubjectBox(x - side / 2, y - side / 2, side, side)
        letterbox = self.letterbox(image)
        tv, ti, boxes = self._model.encode(self._tensor(letterbox.apply(image)))
        assert boxes is not None  # a model with a decoder has a detector
        corners = letterbox.boxes_in_image(boxes.double().cpu().numpy())
        left, top, right, bottom = corners[0].tolist()
        return tv, ti, SubjectBox(left, top, right - left, bottom - top)

    def _tensor(self, image: UInt8) -> Tensor:
        return torch.from_numpy(image).permute(2, 0, 1)[None].to(self._device)

    @torch.inference_mode()
    def draw(self, tv: Tensor, ti: Tensor) -> Float32:
        """(side, side, 4) colours 0..255 and, as the fourth channel, the mask 0..1."""
        colours, mask = self._model.decode(tv, ti)
        drawn = torch.cat((255 * colours, mask), dim=1)[0].permute(1, 2, 0)
        return np.asarray(drawn.float().cpu().contiguous().numpy())


def _require_decoder(model: Model, path: Path) -> Model:
    """Raise unless the model can draw, and has a code for appearance."""
    if model.decoder is None or model.encoder.steady is None:
        raise MocapError(
            f"{path} cannot redraw a person: method {model.config.method} has no"
            f" {'decoder' if model.decoder is None else 'separate code for appearance'}",
            "give a model trained with mocap pretrain --method ours",
        )
    return model


def _training_size(meta: dict[str, Any]) -> _Size | None:
    """The size of the training frames, where the file of the model has it."""
    size = meta.get("size")
    if not (isinstance(size, list) and len(size) == 2 and all(type(s) is int for s in size)):
        return None
    return (size[0], size[1]) if all(16 <= s <= 4096 for s in size) else None


def _default_size(size: _Size, crop: int) -> _Size:
    scale = _CROPS_ACROSS * crop / max(size)
    return max(16, round(size[0] * scale)), max(16, round(size[1] * scale))
