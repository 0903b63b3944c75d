"""Footage: all clips of a run, what of them is learnt from, and the batches made of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.data.sampling import MIN_FRAMES, BatchIndices, UsableFrames
from mocap_cli.learning.data.store import StoredClip

_Split = Literal["train", "held-out"]
Crowds = Literal["skip", "keep"]

_HELD_OUT_SHARE = 0.1
"""Share of each clip that is kept for choosing the best model: one stretch somewhere in it."""
MIN_FOREGROUND = 0.002
"""Share of the picture that must differ from the background; less is nobody."""
_EMPTY_RATIO = 0.25
"""Share of what usually differs when somebody is seen; less, and nobody seen, is nobody."""

_SHORT = 16  # frames; of shorter clips nothing can be spared
_CAMERA = re.compile(r"^(?P<take>.+?)[._-]cam(?P<view>\d+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingClip:
    """One clip of a run: what was stored of it and what is known about it beside."""

    name: str
    stored: StoredClip
    take: str
    view: int
    labels: NDArray[np.float32] | None = None  # (N, K, 3) x, y (0..1 of the FRAME), weight
    rotation: NDArray[np.float32] | None = None  # (3, 3) camera_from_world


@dataclass(frozen=True, slots=True)
class _FrameCounts:
    """What becomes of the frames of a clip."""

    frames: int
    empty: int  # left out: the picture is its background
    crowded: int  # with several people: left out unless they are to be kept


class Dataset:
    """Clips to draw batches from."""

    def __init__(self, clips: Sequence[TrainingClip], crowds: Crowds = "skip") -> None:
        self.clips = tuple(clips)
        self.crowds = crowds
        self._takes = {take: i for i, take in enumerate(dict.fromkeys(c.take for c in clips))}

    @property
    def bytes(self) -> int:
        """What all frames and backgrounds take."""
        stored = [clip.stored for clip in self.clips]
        return sum(s.frames.nbytes + s.plates.nbytes + s.known.nbytes for s in stored)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of all frames, pixels."""
        height, width = self.clips[0].stored.frames.shape[1:3]
        return width, height

    def count_frames(self, clip: TrainingClip) -> _FrameCounts:
        """How many frames of a clip are learnt from, and why not the others."""
        empty, crowd = _empty(clip.stored), _crowded(clip.stored)
        return _FrameCounts(len(clip.stored), int(empty.sum()), int((crowd & ~empty).sum()))

    def usable_frames(self, split: _Split) -> list[UsableFrames]:
        """The frames of every clip that belong to a split."""
        return [self._reel(i, clip, split) for i, clip in enumerate(self.clips)]

    def _reel(self, number: int, clip: TrainingClip, split: _Split) -> UsableFrames:
        stored = clip.stored
        use = ~_empty(stored)
        if self.crowds == "skip":
            use &= ~_crowded(stored)
        # Views of a take must agree on what is held out, so the take's name says where it lies.
        held = _held_out(len(stored), clip.take)
        frames = np.flatnonzero(use & (held if split == "held-out" else ~held))
        return UsableFrames(number, self._takes[clip.take], clip.view, stored.times[frames], frames)

    def gather(self, draw: BatchIndices) -> Batch:
        """The pictures of a draw, from the disk or from what the system keeps of it."""
        where = [(self.clips[c].stored, f) for c, f in _pairs(draw)]
        frames = np.stack([stored.frames[f] for stored, f in where])
        plates = np.stack([stored.plates[stored.plate_of[f]] for stored, f in where])
        known = np.stack([stored.known[stored.plate_of[f]] for stored, f in where])
        return self.batch(draw, *(torch.from_numpy(a) for a in (frames, plates, known)))

    def batch(self, draw: BatchIndices, frames: Tensor, plates: Tensor, known: Tensor) -> Batch:
        """Pictures (B * S, H, W, 3) with all that is known about them."""
        B, S = draw.clips.shape
        return Batch(
            frames=frames.permute(0, 3, 1, 2).unflatten(0, (B, S)),
            plates=plates.permute(0, 3, 1, 2).unflatten(0, (B, S)),
            known=known[:, None].unflatten(0, (B, S)),
            times=torch.from_numpy(draw.times).float(),
            views=torch.from_numpy(draw.views),
            labels=self._labels(draw),
            clips=torch.from_numpy(draw.clips[:, 0]),
            rotations=self._turns(draw),
        )

    def _labels(self, draw: BatchIndices) -> Tensor | None:
        sizes = {clip.labels.shape[1:] for clip in self.clips if clip.labels is not None}
        if not sizes:
            return None
        nothing = np.zeros(sizes.pop(), np.float32)
        rows = [
            nothing if (labels := self.clips[c].labels) is None else labels[f]
            for c, f in _pairs(draw)
        ]
        return torch.from_numpy(np.stack(rows)).unflatten(0, draw.clips.shape)

    def _turns(self, draw: BatchIndices) -> Tensor | None:
        rows = [self.clips[c].rotation for c, _ in _pairs(draw)]
        turns = [row for row in rows if row is not None]
        if len(turns) < len(rows):
            return None
        return torch.from_numpy(np.stack(turns)).unflatten(0, draw.clips.shape)


def take_and_view(name: str) -> tuple[str, int]:
    """jump.cam2 is camera 2 of the take jump; any other name is a take of its own."""
    if found := _CAMERA.match(name):
        return found["take"], int(found["view"])
    return name, 0


def parse_camera_rotations(text: object) -> Mapping[int, NDArray[np.float32]]:
    """cameras.json: for every camera number the rotation from the world's axes to its own."""
    if not isinstance(text, dict):
        raise ValueError("cameras.json is {camera number: 3x3 rotation}")
    turns = {int(number): np.array(turn, np.float32) for number, turn in text.items()}
    for number, turn in turns.items():
        if turn.shape != (3, 3) or not np.allclose(turn @ turn.T, np.eye(3), atol=1e-3):
            raise ValueError(f"camera {number} has no rotation of 3x3 numbers")
    return turns


def _empty(stored: StoredClip) -> NDArray[np.bool_]:
    """Frames without anybody: next to nothing moved, or nobody was seen and much less moved.

    A network alone would leave divers out that it does not see, and moving leaves would keep
    frames in that show nobody.
    """
    empty, seen = stored.moved < MIN_FOREGROUND, stored.people > 0
    if seen.any():
        empty |= (stored.people == 0) & (
            stored.moved < _EMPTY_RATIO * np.median(stored.moved[seen])
        )
    return empty


def _crowded(stored: StoredClip) -> NDArray[np.bool_]:
    return stored.people > 1


def _held_out(count: int, take: str) -> NDArray[np.bool_]:
    """One stretch of the frames, at a place that the take's name decides."""
    length = max(round(_HELD_OUT_SHARE * count), MIN_FRAMES) if count >= _SHORT else 0
    start = int(_fraction(take) * (count - length + 1))
    held = np.zeros(count, bool)
    held[start : start + length] = True
    return held


def _fraction(text: str) -> float:
    return int.from_bytes(sha256(text.encode()).digest()[:6], "big") / 2**48


def _pairs(draw: BatchIndices) -> list[tuple[int, int]]:
    return list(zip(draw.clips.ravel().tolist(), draw.frames.ravel().tolist(), strict=True))
