"""Resources: the processor cores and the memory that this process may use."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

_WORKER_BYTES = 1_000_000_000  # of a worker at 1080p, with a margin: docs/library.md
_CGROUPS = Path("/sys/fs/cgroup")

P = ParamSpec("P")
T = TypeVar("T")


def with_one_blas_thread(function: Callable[P, T]) -> Callable[P, T]:
    """The same function with matrix products on one thread: their last bits depend on how many.

    So results are the same whatever the number of cores and workers.
    """

    @wraps(function)
    def limited(*args: P.args, **options: P.kwargs) -> T:
        with threadpool_limits(limits=1, user_api="blas"):
            return function(*args, **options)

    return limited


def worker_count(jobs: int) -> int:
    """As many workers as cores and memory allow, at most one a job."""
    fitting = (free_memory() or _WORKER_BYTES * jobs) // _WORKER_BYTES
    return max(1, min(jobs, available_cores(), fitting))


def available_cores() -> int:
    """Cores by affinity (Slurm, taskset) and by the quota of a container."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    for text in _limits("cpu.max"):
        quota, _, period = text.partition(" ")
        if quota.isdecimal():
            cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def free_memory() -> int | None:
    """Bytes that are available to this process, as far as the system says."""
    found = [int(text) for text in _limits("memory.max") if text.isdecimal()]
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        found.append(int(line.split()[1]) << 10)
    return min(found, default=None)


def _limits(name: str) -> Iterator[str]:
    """What a file of that name says in our control group and those above it."""
    with suppress(OSError):
        group = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip()
        folder = _CGROUPS / group.lstrip("/")
        for place in (folder, *folder.parents):
            if place == _CGROUPS.parent:
                return
            with suppress(OSError):
                yield (place / name).read_text().strip()
