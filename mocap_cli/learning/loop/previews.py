"""Previews: sheets of reconstructions and loss curves during training."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.origin import marked_png
from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.sampling import BatchSampler
from mocap_cli.learning.loop.loss_curves import draw_curves
from mocap_cli.learning.loop.metrics_log import MetricsLog
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.model.methods import METHODS
from mocap_cli.learning.model.model import Model, to_float
from mocap_cli.types import UInt8

CURVES, SHEETS = "curves.png", "sheets"

_ROWS = 5  # frames of a sheet, of different clips where there are as many
_SAMPLED = 64  # items among which different clips are sought
_SEED = 0x73686F77  # differs from the seed of every step
_TILE = 144  # pixels of the longer side
_GAP = 4
_BACKGROUND, _TEXT = (24, 24, 24), (230, 230, 230)
_BOX = (255, 210, 0)
_TITLES = ("input and box", "crop", "mask", "decoded", "composite", "background")


class Previews:
    """Writes sheets of the same frames every time, so that they can be compared."""

    def __init__(self, dataset: Dataset, settings: Settings, folder: Path, minutes: float) -> None:
        self._batch = _preview_batch(dataset, settings)
        self._folder, self._steps, self._seconds = folder, settings.steps, 60 * minutes
        self._due = time.monotonic()

    def update(self, step: int, model: Model) -> None:
        """Write a sheet at the first step, every so many minutes, and after the last step."""
        if step < self._steps and time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._seconds
        images = _preview_images(model, self._batch.to(model.device))
        sheet = _draw_sheet(images, f"step {step}; pale background: unknown")
        _write_png(sheet, self._folder / SHEETS / f"step-{step:07d}.png")
        rows = MetricsLog.read(self._folder / MetricsLog.NAME)
        _write_png(draw_curves(rows), self._folder / CURVES)


@dataclass(frozen=True, slots=True)
class _PreviewImages:
    """N frames, the first of each item, and what the model makes of them; colours 0..1."""

    frames: Tensor  # (N, 3, H, W)
    plates: Tensor  # (N, 3, H, W)
    crops: Tensor  # (N, 3, side, side)
    boxes: Tensor | None  # (N, 4) as in spatial_transformer.py
    masks: Tensor | None  # (N, 1, side, side)
    decoded: Tensor | None  # (N, 3, side, side) under their masks, on grey
    composite: Tensor | None  # (N, 3, H, W)
    swaps: Tensor | None  # (N, N, 3, side, side) row: pose; column: appearance; on grey


def _preview_batch(dataset: Dataset, settings: Settings) -> Batch:
    """A held-out frame of each of some clips."""
    slots = settings.method_at(settings.steps).slots
    sampler = BatchSampler(dataset.held_out_frames(), settings.gaps)
    indices = sampler.batch(slots, _SAMPLED, (_SEED,))
    _, first = np.unique(indices.clips[:, 0], return_index=True)
    rest = np.setdiff1d(np.arange(_SAMPLED), first)
    return dataset.gather(indices.select(np.concatenate((first, rest))[:_ROWS]))


@torch.no_grad()
def _preview_images(model: Model, batch: Batch) -> _PreviewImages:
    training, method = model.training, METHODS[model.config.method]
    model.eval()
    outputs = model(batch, replace(method, rotates_codes=False, adversary=False))
    first = [
        None if value is None else value[:, 0]
        for value in (outputs.boxes, outputs.masks, outputs.decoded, outputs.composite)
    ]
    boxes, masks, decoded, composite = first
    crops = outputs.crops[:, 0]
    has_swaps = decoded is not None and method.split
    plates = to_float(batch.plates[:, 0])
    images = _PreviewImages(
        frames=to_float(batch.frames[:, 0]),
        plates=torch.where(batch.known[:, 0], plates, 0.5 * plates + 0.5),
        crops=crops,
        boxes=boxes,
        masks=masks,
        decoded=None if decoded is None or masks is None else _on_grey(decoded, masks),
        composite=None if composite is None else composite.clamp(0, 1),
        swaps=_swaps(model, crops) if has_swaps else None,
    )
    model.train(training)
    return images


def _swaps(model: Model, crops: Tensor) -> Tensor:
    """Every pose (row) with every appearance (column)."""
    tv, ti = (code.float() for code in model.encoder.codes(crops))
    N = len(tv)
    decoded, masks = model.decode(tv.repeat_interleave(N, 0), ti.repeat(N, 1))
    return _on_grey(decoded, masks).unflatten(0, (N, N))


def _on_grey(colours: Tensor, masks: Tensor) -> Tensor:
    """Decoded crops composited over grey."""
    return (masks * colours + (1 - masks) * 0.5).clamp(0, 1)


def _draw_sheet(images: _PreviewImages, title: str) -> UInt8:
    """A row for each frame, and below them each pose (row) with each appearance (column)."""
    rows = [_row(images, i) for i in range(len(images.frames))]
    lines = [_line([tile for tile in row if tile is not None]) for row in rows]
    columns = [
        _text(t, _TILE) for t, tile in zip(_TITLES, rows[0], strict=True) if tile is not None
    ]
    blocks = [_text(title, lines[0].shape[1]), _line(columns), *lines]
    if images.swaps is not None:
        grid = [_line([_tile(_image(cell)) for cell in row]) for row in images.swaps]
        blocks += [_text("poses (rows), appearances (columns)", lines[0].shape[1]), *grid]
    return _stacked(blocks)


def _write_png(image: UInt8, path: Path) -> None:
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise MocapError(f"cannot encode {path}", "free some memory")
    with write_atomically(path) as aside:
        aside.write_bytes(marked_png(np.asarray(data, np.uint8).tobytes()))


def _row(images: _PreviewImages, i: int) -> list[UInt8 | None]:
    """Tiles in the order of _TITLES; None for what the method does not have."""
    frame = _tile(_image(images.frames[i]))
    if images.boxes is not None:
        _outline(frame, images.boxes[i], images.frames.shape[-2:])
    others = (images.crops, images.masks, images.decoded, images.composite, images.plates)
    return [frame, *(None if o is None else _tile(_image(o[i])) for o in others)]


def _outline(tile: UInt8, box: Tensor, size: Sequence[int]) -> None:
    """Draw a box, -1..1 of the frame, on its tile."""
    scale = _TILE / max(size)
    height, width = size[0] * scale, size[1] * scale
    offset = np.array([(_TILE - width) / 2, (_TILE - height) / 2])
    sx, sy, ux, uy = box.float().tolist()
    half = np.array([width, height]) / 2
    low = offset + (np.array([ux - sx, uy - sy]) + 1) * half
    high = offset + (np.array([ux + sx, uy + sy]) + 1) * half
    corners = [tuple(int(v) for v in np.clip(c, 0, _TILE - 1).round()) for c in (low, high)]
    cv2.rectangle(tile, corners[0], corners[1], _BOX, 1)


def _image(values: Tensor) -> UInt8:
    """(C, H, W) in 0..1 to (H, W, 3) bytes."""
    array = (values.detach().float().cpu().clamp(0, 1) * 255).round().byte()
    return np.asarray(array.permute(1, 2, 0).expand(-1, -1, 3).contiguous().numpy())


def _tile(image: UInt8) -> UInt8:
    """An image in the middle of a square."""
    scale = _TILE / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, size, interpolation=interpolation)
    tile = np.full((_TILE, _TILE, 3), _BACKGROUND, np.uint8)
    left, top = (_TILE - size[0]) // 2, (_TILE - size[1]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile


def _line(tiles: Sequence[UInt8]) -> UInt8:
    gap = np.full((len(tiles[0]), _GAP, 3), _BACKGROUND, np.uint8)
    return np.concatenate([part for tile in tiles for part in (tile, gap)], axis=1)


def _text(text: str, width: int) -> UInt8:
    strip = np.full((22, width, 3), _BACKGROUND, np.uint8)
    cv2.putText(strip, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _TEXT, 1, cv2.LINE_AA)
    return strip


def _stacked(blocks: Sequence[UInt8]) -> UInt8:
    """Stack images vertically, padded to the width of the widest."""
    width = max(block.shape[1] for block in blocks)
    parts = []
    for block in blocks:
        whole = np.full((block.shape[0] + _GAP, width, 3), _BACKGROUND, np.uint8)
        whole[: block.shape[0], : block.shape[1]] = block
        parts.append(whole)
    return np.concatenate(parts, axis=0)
