"""Parallel: one process of several that share every batch, as torchrun starts them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from mocap_cli.errors import MocapError


@dataclass(frozen=True, slots=True)
class Distributed:
    """Who this process is among those that train together; alone it is 0 of 1."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def is_main(self) -> bool:
        """The leader alone writes files and speaks."""
        return self.rank == 0

    def wrap(self, model: nn.Module, *, all_used: bool) -> nn.Module:
        """The model with its gradients averaged over all processes.

        Unless all its weights are used in every step, those that are not are looked for.
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
        """Whether it is so in any process: all must stop at the same step."""
        if self.size == 1:
            return mine
        flag = torch.tensor([float(mine)], device=self.device)
        dist.all_reduce(flag)
        return bool(flag.item())

    def barrier(self) -> None:
        """Until all have come this far."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def join_processes(device: str) -> Iterator[Distributed]:
    """Join the processes that torchrun started beside this one, if it did."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Distributed(device=resolve_device(device))
        return
    device = resolve_device(device)
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    failed = False
    try:
        yield Distributed(dist.get_rank(), size, device)
    except (MocapError, torch.OutOfMemoryError):
        failed = True  # the others may be in a collective, and ending the group waits for them
        raise
    finally:
        if not failed:
            dist.destroy_process_group()


def resolve_device(device: str) -> str:
    """The device that a name means here; `auto` is a GPU where there is one."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise MocapError("torch finds no CUDA device here", "leave --device out")
    if device == "mps" and not torch.backends.mps.is_available():
        raise MocapError("torch finds no Apple GPU here", "leave --device out")
    return device
