"""Sheet: one picture that shows what a model makes of a few frames, for looking."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.learning.parts import PreviewImages
from mocap_cli.types import UInt8

_TILE = 144  # pixels of the longer side
_GAP = 4
_PAPER, _INK = (24, 24, 24), (230, 230, 230)
_BOX = (255, 210, 0)
_TITLES = ("input and box", "crop", "mask", "drawn", "composite", "background")


def draw_sheet(parts: PreviewImages, title: str) -> UInt8:
    """A row for each frame, and below them each pose (row) in each one's looks (column)."""
    rows = [_row(parts, i) for i in range(len(parts.frames))]
    lines = [_line([tile for tile in row if tile is not None]) for row in rows]
    columns = [
        _text(t, _TILE) for t, tile in zip(_TITLES, rows[0], strict=True) if tile is not None
    ]
    blocks = [_text(title, lines[0].shape[1]), _line(columns), *lines]
    if parts.swaps is not None:
        grid = [_line([_tile(_picture(cell)) for cell in row]) for row in parts.swaps]
        blocks += [_text("poses (rows) worn by others (columns)", lines[0].shape[1]), *grid]
    return _stacked(blocks)


def write_sheet(sheet: UInt8, path: Path) -> None:
    """As PNG."""
    done, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    if not done:
        raise MocapError(f"cannot pack {path}", "free some memory")
    with write_atomically(path) as aside:
        aside.write_bytes(np.asarray(data, np.uint8).tobytes())


def _row(parts: PreviewImages, i: int) -> list[UInt8 | None]:
    """Tiles in the order of _TITLES; None for what the method does without."""
    frame = _tile(_picture(parts.frames[i]))
    if parts.boxes is not None:
        _outline(frame, parts.boxes[i], parts.frames.shape[-2:])
    others = (parts.crops, parts.masks, parts.drawn, parts.composite, parts.plates)
    return [frame, *(None if o is None else _tile(_picture(o[i])) for o in others)]


def _outline(tile: UInt8, box: Tensor, size: Sequence[int]) -> None:
    """Draw a box, -1..1 of the frame, on its tile."""
    scale = _TILE / max(size)
    height, width = size[0] * scale, size[1] * scale
    off = np.array([(_TILE - width) / 2, (_TILE - height) / 2])
    sx, sy, ux, uy = box.float().tolist()
    half = np.array([width, height]) / 2
    low = off + (np.array([ux - sx, uy - sy]) + 1) * half
    high = off + (np.array([ux + sx, uy + sy]) + 1) * half
    corners = [tuple(int(v) for v in np.clip(c, 0, _TILE - 1).round()) for c in (low, high)]
    cv2.rectangle(tile, corners[0], corners[1], _BOX, 1)


def _picture(values: Tensor) -> UInt8:
    """(C, H, W) in 0..1 to (H, W, 3) bytes."""
    array = (values.detach().float().cpu().clamp(0, 1) * 255).round().byte()
    return np.asarray(array.permute(1, 2, 0).expand(-1, -1, 3).contiguous().numpy())


def _tile(picture: UInt8) -> UInt8:
    """A picture in the middle of a square."""
    scale = _TILE / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(picture, size, interpolation=how)
    tile = np.full((_TILE, _TILE, 3), _PAPER, np.uint8)
    left, top = (_TILE - size[0]) // 2, (_TILE - size[1]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile


def _line(tiles: Sequence[UInt8]) -> UInt8:
    gap = np.full((len(tiles[0]), _GAP, 3), _PAPER, np.uint8)
    return np.concatenate([part for tile in tiles for part in (tile, gap)], axis=1)


def _text(text: str, width: int) -> UInt8:
    strip = np.full((22, width, 3), _PAPER, np.uint8)
    cv2.putText(strip, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
    return strip


def _stacked(blocks: Sequence[UInt8]) -> UInt8:
    """One below the other, as wide as the widest."""
    width = max(block.shape[1] for block in blocks)
    parts = []
    for block in blocks:
        whole = np.full((block.shape[0] + _GAP, width, 3), _PAPER, np.uint8)
        whole[: block.shape[0], : block.shape[1]] = block
        parts.append(whole)
    return np.concatenate(parts, axis=0)
