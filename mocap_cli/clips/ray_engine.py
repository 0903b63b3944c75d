"""Ray engine: clips tracked by the nodes of a Ray cluster that see the same files.

Ray places the clips and tries those of a lost node again; on each node a worker process tracks
them, so a crash or a time limit is the same as without Ray.
"""

import functools
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from mocap_cli.clips.clip import Clip, ClipOptions, ClipResult
from mocap_cli.clips.worker_processes import ProgressOfClip, WorkerProcess
from mocap_cli.errors import MocapError

_RETRIES = 5  # of a clip whose node or Ray worker was lost
_WAIT_SECONDS = 1.0  # between looks at the size of the cluster
_CORES = 1  # of each clip


def track_with_ray(
    clips: Sequence[Clip],
    options: ClipOptions,
    on_progress: ProgressOfClip,
    *,
    address: str | None,
    workers: int | None,
    timeout: float | None = None,
) -> Generator[tuple[int, ClipResult], None, None]:
    """Yield the number and the result of each clip as it is done, in any order.

    No more clips are handed to Ray than it has cores, or `workers`.
    """
    ray = _connect(address)
    remote = ray.remote(num_cpus=_CORES, max_retries=_RETRIES)(_track)
    waiting = deque(enumerate(clips))
    running: dict[Any, int] = {}
    try:
        while waiting or running:
            cores = int(ray.cluster_resources().get("CPU", 1)) // _CORES
            while waiting and len(running) < min(workers or cores, max(cores, 1)):
                number, clip = waiting.popleft()
                task = remote.remote(_absolute(clip), _absolute_files(options), timeout)
                running[task] = number
            done, _ = ray.wait(list(running), num_returns=1, timeout=_WAIT_SECONDS)
            for task in done:
                number = running.pop(task)
                result = _result(ray, task, clips[number])
                frames = result.facts.summary.frames if result.facts else 0
                on_progress(number, "tracking", frames, frames)
                yield number, result
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


def _result(ray: Any, task: Any, clip: Clip) -> ClipResult:
    """The result of a task, its paths as they were given."""
    try:
        result: ClipResult | MocapError = ray.get(task)
    except ray.exceptions.RayError as error:
        reason = str(error).splitlines()[0]
        return ClipResult.failed(MocapError(f"lost by Ray: {reason}", "look at `ray status`"))
    if isinstance(result, MocapError):
        raise result
    replaced = (path for path in clip.outputs if path.absolute() in result.replaced)
    return replace(result, replaced=frozenset(replaced))


def _absolute(clip: Clip) -> Clip:
    """Workers of Ray have another current folder."""
    outputs = tuple(path.absolute() for path in clip.outputs)
    return replace(clip, video=clip.video.absolute(), outputs=outputs)


def _absolute_files(options: ClipOptions) -> ClipOptions:
    model, keypoints = options.model, options.keypoints
    return replace(
        options,
        model=model and model.absolute(),
        keypoints=keypoints and keypoints.absolute(),
    )


# On a node.


def _track(clip: Clip, options: ClipOptions, timeout: float | None) -> ClipResult | MocapError:
    """Track a clip in the worker process of this Ray worker."""
    worker = _worker(options)
    worker.give(0, clip)
    try:
        while (result := worker.result(_no_progress, timeout)) is None:
            WorkerProcess.wait([worker])
    except MocapError as error:  # every clip would meet it
        result = None
        worker.end()
        return error
    finally:
        if result is None or not worker.alive:
            _worker.cache_clear()
    return result


@functools.lru_cache(maxsize=1)
def _worker(options: ClipOptions) -> WorkerProcess:
    return WorkerProcess(options, threads=_CORES)


def _no_progress(number: int, stage: str, done: int, total: int | None) -> None:
    """Ray reports results only."""
