"""Data set: all clips of a run, which of their frames are used, and the batches made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.data.random_backgrounds import RandomBackgrounds
from mocap_cli.learning.data.sampling import BatchIndices, UsableFrames
from mocap_cli.learning.data.store import StoredClip
from mocap_cli.learning.data.subject import ClipSubject
from mocap_cli.types import Bool, Float32

Crowds = Literal["skip", "keep"]
"""What to do with frames that show several people."""

_HELD_OUT_SHARE = 0.1  # of each clip, one contiguous stretch, for choosing the best model
_EMPTY_RATIO = 0.25  # of the usual foreground; below this, with no detection, a frame is empty
_SHORT = 16  # frames; shorter clips hold nothing out


@dataclass(frozen=True, slots=True, eq=False)
class TrainingClip:
    """One clip of a run: its stored frames, labels and camera."""

    name: str
    stored: StoredClip
    take: str  # equal for clips in which several cameras filmed one performance
    view: int  # camera number
    subject: ClipSubject = ClipSubject.UNKNOWN
    rotation: Float32 | None = None  # (3, 3) camera_from_world


@dataclass(frozen=True, slots=True)
class _FrameCounts:
    """Frames of a clip, and how many are not used."""

    frames: int
    empty: int  # show only the background
    crowded: int  # show several people; used only if they are to be kept


class Dataset:
    """The clips to sample batches from."""

    def __init__(
        self,
        clips: Sequence[TrainingClip],
        crowds: Crowds = "skip",
        backgrounds: RandomBackgrounds | None = None,
    ) -> None:
        self.clips, self.backgrounds = tuple(clips), backgrounds
        self.crowds = crowds
        self._takes = {take: i for i, take in enumerate(dict.fromkeys(c.take for c in clips))}

    @property
    def bytes(self) -> int:
        """Size of all frames and backgrounds."""
        stored = [clip.stored for clip in self.clips]
        return sum(s.frames.nbytes + s.plates.nbytes + s.known.nbytes for s in stored)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of all frames, pixels."""
        height, width = self.clips[0].stored.frames.shape[1:3]
        return width, height

    def count_frames(self, clip: TrainingClip) -> _FrameCounts:
        """How many frames of a clip there are, and why some are left out."""
        empty, crowded = _empty(clip.stored), _crowded(clip.stored)
        return _FrameCounts(len(clip.stored), int(empty.sum()), int((crowded & ~empty).sum()))

    def training_frames(self) -> list[UsableFrames]:
        """Of every clip the frames to train on."""
        return [self._usable(i, clip, held_out=False) for i, clip in enumerate(self.clips)]

    def held_out_frames(self) -> list[UsableFrames]:
        """Of every clip the frames that training does not use.

        Where no clip is long enough to hold any out, these are the training frames.
        """
        frames = [self._usable(i, clip, held_out=True) for i, clip in enumerate(self.clips)]
        enough = any(len(f) >= UsableFrames.MIN_COUNT for f in frames)
        return frames if enough else self.training_frames()

    def _usable(self, number: int, clip: TrainingClip, *, held_out: bool) -> UsableFrames:
        stored = clip.stored
        use = ~_empty(stored)
        if self.crowds == "skip":
            use &= ~_crowded(stored)
        if clip.subject.boxes is not None:
            use &= np.isfinite(clip.subject.boxes).all(axis=1)
        # The views of a take must hold out the same stretch, so the take's name decides where.
        held = _held_out(len(stored), clip.take)
        frames = np.flatnonzero(use & (held if held_out else ~held))
        return UsableFrames(number, self._takes[clip.take], clip.view, stored.times[frames], frames)

    def gather(self, indices: BatchIndices) -> Batch:
        """Read the frames of a batch from the memory-mapped store."""
        pairs = [(self.clips[c].stored, f) for c, f in _pairs(indices)]
        frames = np.stack([stored.frames[f] for stored, f in pairs])
        plates = np.stack([stored.plates[stored.plate_of[f]] for stored, f in pairs])
        known = np.stack([stored.known[stored.plate_of[f]] for stored, f in pairs])
        return self.batch(indices, *(torch.from_numpy(a) for a in (frames, plates, known)))

    def batch(self, indices: BatchIndices, frames: Tensor, plates: Tensor, known: Tensor) -> Batch:
        """Add times, views, labels and cameras to images (B * S, H, W, 3)."""
        B, S = indices.clips.shape
        return Batch(
            frames=frames.permute(0, 3, 1, 2).unflatten(0, (B, S)),
            plates=plates.permute(0, 3, 1, 2).unflatten(0, (B, S)),
            known=known[:, None].unflatten(0, (B, S)),
            times=torch.from_numpy(indices.times).float(),
            views=torch.from_numpy(indices.views),
            labels=self._labels(indices),
            clips=torch.from_numpy(indices.clips[:, 0]),
            rotations=self._rotations(indices),
            boxes=self._boxes(indices),
        )

    def _labels(self, indices: BatchIndices) -> Tensor | None:
        pairs = [(self.clips[c].subject.labels, f) for c, f in _pairs(indices)]
        rows = [labels[f] for labels, f in pairs if labels is not None]
        return _stacked_as(indices, rows)

    def _boxes(self, indices: BatchIndices) -> Tensor | None:
        pairs = [(self.clips[c].subject.boxes, f) for c, f in _pairs(indices)]
        return _stacked_as(indices, [boxes[f] for boxes, f in pairs if boxes is not None])

    def _rotations(self, indices: BatchIndices) -> Tensor | None:
        rows = [self.clips[c].rotation for c, _ in _pairs(indices)]
        return _stacked_as(indices, [row for row in rows if row is not None])


def _empty(stored: StoredClip) -> Bool:
    """Frames without a person: almost no foreground, or no detection and much less than usual.

    The detector alone would drop divers that it misses; the foreground alone would keep frames in
    which only leaves move.
    """
    empty, detected = stored.moved < StoredClip.MIN_FOREGROUND, stored.people > 0
    if detected.any():
        usual = np.median(stored.moved[detected])
        empty |= (stored.people == 0) & (stored.moved < _EMPTY_RATIO * usual)
    return empty


def _crowded(stored: StoredClip) -> Bool:
    return stored.people > 1


def _held_out(count: int, take: str) -> Bool:
    """One stretch of the frames, at a position that follows from the take's name."""
    length = max(round(_HELD_OUT_SHARE * count), UsableFrames.MIN_COUNT) if count >= _SHORT else 0
    start = int(_hashed_share(take) * (count - length + 1))
    held = np.zeros(count, bool)
    held[start : start + length] = True
    return held


def _hashed_share(text: str) -> float:
    """A number in 0..1 that follows from the text."""
    return int.from_bytes(sha256(text.encode()).digest()[:6], "big") / 2**48


def _stacked_as(indices: BatchIndices, rows: Sequence[Float32]) -> Tensor | None:
    """(B, S, ...) of a row for every slot of every item; None unless all have one."""
    if len(rows) < indices.clips.size:
        return None
    return torch.from_numpy(np.stack(rows)).unflatten(0, indices.clips.shape)


def _pairs(indices: BatchIndices) -> list[tuple[int, int]]:
    """(clip, frame) of every slot of every item."""
    return list(zip(indices.clips.ravel().tolist(), indices.frames.ravel().tolist(), strict=True))
