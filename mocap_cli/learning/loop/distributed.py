"""Distributed training: this process among the several that torchrun started."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from mocap_cli.errors import MocapError

_MAIN_IS_DONE = "mocap/main-is-done"
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Distributed:
    """Rank, number of processes and device; a process alone is 0 of 1."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"
    store: Store | None = None  # key-value store shared by the processes

    @classmethod
    @contextmanager
    def join(cls, device: str) -> Iterator["Distributed"]:
        """Join the process group if torchrun started this process; else train alone."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            yield cls(device=resolve_device(device))
            return
        device = resolve_device(device)
        if device == "cuda":
            device = f"cuda:{os.environ['LOCAL_RANK']}"
            torch.cuda.set_device(device)
        store, rank, size = next(rendezvous("env://"))
        backend = "nccl" if device.startswith("cuda") else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size)
        try:
            yield cls(rank, size, device, store)
        finally:
            dist.destroy_process_group()

    @property
    def is_main(self) -> bool:
        """The main process alone writes files and reports."""
        return self.rank == 0

    def wrap(self, model: nn.Module, *, all_used: bool) -> nn.Module:
        """The model with its gradients averaged over all processes.

        Unless every step uses all weights, the unused ones are searched for in each step.
        """
        if self.size == 1:
            return model
        return DistributedDataParallel(model, find_unused_parameters=not all_used)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes."""
        if self.size == 1:
            return values
        dist.all_reduce(values)
        return values / self.size

    def any(self, mine: bool) -> bool:
        """Whether it is true in any process: all must stop at the same step."""
        if self.size == 1:
            return mine
        flag = torch.tensor([float(mine)], device=self.device)
        dist.all_reduce(flag)
        return bool(flag.item())

    def from_main(self, number: int) -> int:
        """The main process's number, in all of them."""
        if self.size == 1:
            return number
        shared = torch.tensor(number, device=self.device)
        dist.broadcast(shared, 0)
        return int(shared.item())

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """Run the block in the main process, and then in the others.

        They poll the store, for hours if need be: a barrier would end the run after the time-out
        of the process group, which is minutes.
        """
        if self.store is not None and not self.is_main:
            while not self.store.check([_MAIN_IS_DONE]):
                time.sleep(_POLL_SECONDS)
        yield
        if self.store is not None and self.is_main:
            self.store.set(_MAIN_IS_DONE, "1")


def resolve_device(device: str) -> str:
    """The torch device for an option's value; `auto` is a GPU where there is one."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise MocapError("torch finds no CUDA device", "leave --device out")
    if device == "mps" and not torch.backends.mps.is_available():
        raise MocapError("torch finds no Apple GPU", "leave --device out")
    return device
