"""Loader: the batch of the next step, made while the present one is learnt from."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import torch
from torch import Tensor

from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.sampling import BatchIndices

_AHEAD = 2
_ROOM = 0.6  # of the free memory of a GPU that footage may take


class Loader:
    """Batches by step; any thread may make them, since a batch follows from its step alone."""

    def __init__(self, make: Callable[[int], Batch], end: int) -> None:
        self._make, self._end = make, end
        self._pool = ThreadPoolExecutor(1, "batches")
        self._coming: dict[int, Future[Batch]] = {}

    def __enter__(self) -> "Loader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def batch_at(self, step: int) -> Batch:
        """The batch of a step; those after it are begun."""
        for coming in range(step, min(step + 1 + _AHEAD, self._end)):
            if coming not in self._coming:
                self._coming[coming] = self._pool.submit(self._make, coming)
        return self._coming.pop(step).result()


class DeviceDataset:
    """All footage in a device's own memory, as bytes: nothing is copied while training."""

    def __init__(self, footage: Dataset, device: str) -> None:
        self._footage, self._device = footage, device
        clips = [clip.stored for clip in footage.clips]
        self._frames = _together([c.frames for c in clips], device)
        self._plates = _together([c.plates for c in clips], device)
        self._known = _together([c.known for c in clips], device)
        self._first_frame = _starts([len(c.frames) for c in clips])
        first_plate = _starts([len(c.plates) for c in clips])
        plates = [torch.from_numpy(c.plate_of) + n for c, n in zip(clips, first_plate, strict=True)]
        self._plate_of = torch.cat(plates)

    def gather(self, draw: BatchIndices) -> Batch:
        """The pictures of a draw, picked out on the device."""
        at = torch.from_numpy(draw.frames) + torch.tensor(self._first_frame)[draw.clips]
        plate = self._plate_of[at.flatten()].to(self._device)
        chosen = at.flatten().to(self._device)
        pictures = self._frames[chosen], self._plates[plate], self._known[plate]
        return self._footage.batch(draw, *pictures).to(self._device)


def fits_on_gpu(footage: Dataset, device: str) -> bool:
    """Whether a GPU has room for all of it beside the training."""
    if not device.startswith("cuda"):
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return footage.bytes < _ROOM * free


def _together(arrays: list, device: str) -> Tensor:  # type: ignore[type-arg]
    """Arrays of any first length, one after another; each passes through the memory alone."""
    whole = torch.from_numpy(arrays[0][:0]).new_empty(
        (sum(len(a) for a in arrays), *arrays[0].shape[1:]), device=device
    )
    for start, array in zip(_starts([len(a) for a in arrays]), arrays, strict=True):
        whole[start : start + len(array)] = torch.tensor(array).to(device)
    return whole


def _starts(lengths: list[int]) -> list[int]:
    return [sum(lengths[:i]) for i in range(len(lengths))]
