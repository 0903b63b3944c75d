"""Ray engine: jobs done by the nodes of a Ray cluster that see the same files.

Ray places the jobs and tries those of a lost node again; on each node a worker process does them,
so a crash or a time limit is the same as without Ray.
"""

import functools
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mocap_cli.errors import MocapError
from mocap_cli.workers.job import Job, Result, Work
from mocap_cli.workers.processes import WorkerProcess

_RETRIES = 5  # of a job whose node or Ray worker was lost
_WAIT_SECONDS = 1.0  # between looks at the size of the cluster
_CORES = 1  # of each job

J = TypeVar("J", bound=Job)
F = TypeVar("F")


def run_on_ray(
    jobs: Sequence[J],
    work: Work[J, F],
    *,
    address: str | None,
    workers: int | None,
    timeout: float | None = None,
) -> Generator[tuple[int, Result[F]], None, None]:
    """Yield the number and the result of each job as it is done, in any order.

    No more jobs are handed to Ray than it has cores, or `workers`.
    """
    ray = _connect(address)
    remote = ray.remote(num_cpus=_CORES, max_retries=_RETRIES)(_do)
    waiting = deque(enumerate(jobs))
    running: dict[Any, int] = {}
    try:
        while waiting or running:
            cores = int(ray.cluster_resources().get("CPU", 1)) // _CORES
            while waiting and len(running) < min(workers or cores, max(cores, 1)):
                number, job = waiting.popleft()
                running[remote.remote(job, work, Path.cwd(), timeout)] = number
            done, _ = ray.wait(list(running), num_returns=1, timeout=_WAIT_SECONDS)
            for task in done:
                yield running.pop(task), _result(ray, task)
    finally:
        ray.shutdown()


def _connect(address: str | None) -> Any:
    try:
        import ray
    except ImportError as error:
        raise MocapError("--engine ray needs Ray", "pip install 'mocap-cli[ray]'") from error
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise MocapError(
            f"cannot connect to Ray at {address}: {reason}", "give the --address of its head node"
        ) from error
    return ray


def _result(ray: Any, task: Any) -> Result[Any]:
    try:
        result: Result[Any] | MocapError = ray.get(task)
    except ray.exceptions.RayError as error:
        reason = str(error).splitlines()[0]
        return Result.failed(MocapError(f"lost by Ray: {reason}", "look at `ray status`"))
    if isinstance(result, MocapError):
        raise result
    return result


# On a node.


def _do(
    job: Job, work: Work[Any, Any], folder: Path, timeout: float | None
) -> Result[Any] | MocapError:
    """Do a job in the worker process of this Ray worker."""
    worker = _worker(work, folder)  # type: ignore[arg-type] # frozen, so hashable
    worker.give(0, job)
    try:
        while (result := worker.result(_no_progress, timeout)) is None:
            WorkerProcess.wait([worker])
    except MocapError as error:  # every job would meet it
        result = None
        worker.end()
        return error
    finally:
        if result is None or not worker.alive:
            _worker.cache_clear()
    return result


@functools.lru_cache(maxsize=1)
def _worker(work: Work[Any, Any], folder: Path) -> WorkerProcess[Any, Any]:
    return WorkerProcess(work, _CORES, folder)


def _no_progress(number: int, stage: str, done: int, total: int | None) -> None:
    """Ray reports results only."""
