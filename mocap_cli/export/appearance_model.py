"""Painter: a pretrained model asked about one picture at a time, in that picture's own pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.learning.data.letterbox import letterbox, letterbox_rectangle
from mocap_cli.learning.loop.distributed import resolve_device
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_file import open_model
from mocap_cli.types import Float32
from mocap_cli.video.probe import Image
from mocap_cli.weights import Device

_Size = tuple[int, int]  # width, height

_BEST = "best.safetensors"
"""What `mocap pretrain` calls the model in the folder of a run."""

_CROPS_ACROSS = 2  # crops that a frame is wide in both presets: what to learn from, at what size


@dataclass(frozen=True, slots=True)
class _ModelInput:
    """A picture as the model had them in training, and where in it that picture lies."""

    image: Image  # (H, W, 3) with black rims where shapes differ
    place: tuple[int, int, int, int]  # left, top, width and height of what is no rim

    @property
    def content(self) -> Image:
        """The picture without the rims."""
        left, top, width, height = self.place
        return self.image[top : top + height, left : left + width]


@dataclass(frozen=True, slots=True)
class SubjectBox:
    """Where the subject is, in pixels of the picture that was asked about."""

    left: float
    top: float
    width: float
    height: float


class AppearanceModel:
    """Tells a pose and looks apart, and draws any pose in any looks."""

    def __init__(self, path: Path, device: Device = "auto") -> None:
        self.path = path
        self._device = resolve_device(device)
        model, self.meta = open_model(path)
        self._model = _require_decoder(model, path).to(self._device)

    @property
    def step(self) -> int:
        """How many steps it has learnt."""
        return int(self.meta.get("step", 0))

    @property
    def clips(self) -> tuple[str, ...]:
        """The names of the videos that it has learnt from."""
        return tuple(str(name) for name in self.meta.get("clips", ()))

    def prepare(self, image: Image) -> _ModelInput:
        """A picture at the size that the model learnt at."""
        size = (image.shape[1], image.shape[0])
        width, height = _training_size(self.meta) or _default_size(size, self._model.config.crop)
        place = letterbox_rectangle(size, (width, height))
        return _ModelInput(letterbox(image, place, (width, height)), place)

    @torch.inference_mode()
    def encode(self, image: Image) -> tuple[Tensor, Tensor, SubjectBox]:
        """What changes in time (1, tv), what does not (1, ti), and where the subject is."""
        seen = self.prepare(image)
        picture = torch.from_numpy(seen.image).permute(2, 0, 1)[None].to(self._device)
        tv, ti, boxes = self._model.encode(picture)
        assert boxes is not None  # a model that draws has a detector
        return tv, ti, _in_pixels(boxes[0], seen, (image.shape[1], image.shape[0]))

    @torch.inference_mode()
    def draw(self, tv: Tensor, ti: Tensor) -> Float32:
        """Colours 0..255 and, as the fourth channel, the mask 0..1: (side, side, 4)."""
        colours, mask = self._model.decode(tv, ti)
        drawn = torch.cat((255 * colours, mask), dim=1)[0].permute(1, 2, 0)
        return np.asarray(drawn.float().cpu().contiguous().numpy())


def open_appearance_model(given: Path) -> AppearanceModel:
    """The model of a run's folder, or of a file."""
    file = given.suffix == ".safetensors"
    path = given if file else given / _BEST
    if not path.is_file():
        make = "mocap pretrain A.mp4 B.mp4" + ("" if file else f" -o {given}")
        raise MocapError(
            f"there is no model {path}", f"make one: {make}; or say where one is with --model"
        )
    return AppearanceModel(path)


def _require_decoder(model: Model, path: Path) -> Model:
    """Looks can be swapped only by what draws, and keeps them apart from the pose."""
    if model.decoder is None or model.encoder.steady is None:
        raise MocapError(
            f"{path} cannot redraw anybody: method {model.config.method} has no"
            f" {'decoder' if model.decoder is None else 'code of its own for looks'}",
            "give a model that was made with mocap pretrain --method ours",
        )
    return model


def _training_size(meta: dict[str, Any]) -> _Size | None:
    """Of the frames that the model learnt from, where its file tells it."""
    size = meta.get("size")
    if not (isinstance(size, list) and len(size) == 2 and all(type(s) is int for s in size)):
        return None
    return (size[0], size[1]) if all(16 <= s <= 4096 for s in size) else None


def _default_size(size: _Size, crop: int) -> _Size:
    scale = _CROPS_ACROSS * crop / max(size)
    return max(16, round(size[0] * scale)), max(16, round(size[1] * scale))


def _in_pixels(box: Tensor, seen: _ModelInput, size: _Size) -> SubjectBox:
    """A box of -1..1 of the framed picture, in pixels of the one that it was made of."""
    sx, sy, ux, uy = box.float().tolist()
    left, top, width, height = seen.place
    framed_height, framed_width = seen.image.shape[:2]
    across, down = size[0] / width, size[1] / height
    return SubjectBox(
        left=((ux - sx + 1) / 2 * framed_width - left) * across,
        top=((uy - sy + 1) / 2 * framed_height - top) * down,
        width=sx * framed_width * across,
        height=sy * framed_height * down,
    )
