"""Loader: prepares the next batches in a thread while the device works on the present one."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.sampling import BatchIndices
from mocap_cli.types import Bool, UInt8

_AHEAD = 2  # batches
_MAX_SHARE = 0.6  # of a GPU's free memory that the data set may take


class Loader:
    """Batches by step; any thread may make them, since a batch follows from its step alone."""

    def __init__(
        self,
        dataset: Dataset,
        device: str,
        indices: Callable[[int], BatchIndices],
        end: int,
        vary: Callable[[Batch, int], Batch] = lambda batch, step: batch,
    ) -> None:
        self._read, self._indices, self._end = _batch_reader(dataset, device), indices, end
        self._vary = vary  # a pure function of the batch and its step
        self._pool = ThreadPoolExecutor(1, "batches")
        self._pending: dict[int, Future[Batch]] = {}

    def __enter__(self) -> "Loader":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def batch_at(self, step: int) -> Batch:
        """The batch of a step; the ones after it are started."""
        for ahead in range(step, min(step + 1 + _AHEAD, self._end)):
            if ahead not in self._pending:
                self._pending[ahead] = self._pool.submit(self._make, ahead)
        return self._pending.pop(step).result()

    def _make(self, step: int) -> Batch:
        return self._vary(self._read(self._indices(step)), step)


def _batch_reader(dataset: Dataset, device: str) -> Callable[[BatchIndices], Batch]:
    """How batches are gathered: in GPU memory if the data set fits there, else from the disk.

    Batches from the disk are pinned for a GPU, so that copying them does not block the host.
    """
    if not device.startswith("cuda"):
        return dataset.gather
    free, _ = torch.cuda.mem_get_info(device)
    if dataset.bytes < _MAX_SHARE * free:
        return _DeviceDataset(dataset, device).gather
    return lambda indices: dataset.gather(indices).pinned()


class _DeviceDataset:
    """All frames in a device's own memory, as bytes: no copies while training."""

    def __init__(self, dataset: Dataset, device: str) -> None:
        self._dataset, self._device = dataset, device
        clips = [clip.stored for clip in dataset.clips]
        self._frames = _concatenated([c.frames for c in clips], device)
        self._plates = _concatenated([c.plates for c in clips], device)
        self._known = _concatenated([c.known for c in clips], device)
        self._first_frame = torch.tensor(_starts([len(c.frames) for c in clips]))
        first_plate = _starts([len(c.plates) for c in clips])
        plates = [torch.from_numpy(c.plate_of) + n for c, n in zip(clips, first_plate, strict=True)]
        self._plate_of = torch.cat(plates)

    def gather(self, indices: BatchIndices) -> Batch:
        """Index the frames of a batch on the device."""
        rows = (torch.from_numpy(indices.frames) + self._first_frame[indices.clips]).flatten()
        plates = self._plate_of[rows].to(self._device)
        frames = rows.to(self._device)
        images = self._frames[frames], self._plates[plates], self._known[plates]
        return self._dataset.batch(indices, *images).to(self._device)


def _concatenated(arrays: list[UInt8] | list[Bool], device: str) -> Tensor:
    """Arrays of any first length in one tensor; host memory holds one at a time."""
    whole = torch.from_numpy(np.array(arrays[0][:0])).new_empty(
        (sum(len(a) for a in arrays), *arrays[0].shape[1:]), device=device
    )
    for start, array in zip(_starts([len(a) for a in arrays]), arrays, strict=True):
        whole[start : start + len(array)] = torch.tensor(array).to(device)
    return whole


def _starts(lengths: list[int]) -> list[int]:
    """Index of the first row of each part."""
    return np.cumsum([0, *lengths[:-1]]).tolist()
