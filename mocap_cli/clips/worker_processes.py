"""Worker processes: clips tracked in parallel; one that crashes its process fails alone."""

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from mocap_cli.clips.clip import Clip, ClipOptions, ClipResult
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import remove_left_over

_CONTEXT: BaseContext = get_context("spawn")  # a fork would share locks of threads
_POLL_SECONDS = 0.5  # between reports of progress, and checks for clips that hang
_GRACE_SECONDS = 5.0  # from SIGTERM to SIGKILL
_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_KILLED_FIRST = "500"  # of 1000, by which the kernel chooses what to kill when memory runs out
_CRASH_HINT = "re-encode it as H.264 MP4, or track it alone to see more"
_MEMORY_HINT = "give fewer --workers, or cut the clip with --start and --end"


class ProgressOfClip(Protocol):
    """Called with the number of a clip, and as `Progress` is."""

    def __call__(self, number: int, stage: str, done: int, total: int | None) -> None:
        """Take note of it."""


def track_in_processes(
    clips: Sequence[Clip],
    options: ClipOptions,
    on_progress: ProgressOfClip,
    *,
    workers: int,
    threads: int,
    timeout: float | None = None,
) -> Generator[tuple[int, ClipResult], None, None]:
    """Yield the number and the result of each clip as it is done, in any order.

    A worker that dies, or takes more than `timeout` seconds for a clip, fails that clip and is
    replaced. When this generator closes, all workers end and leave nothing half-written.
    """
    waiting = deque(enumerate(clips))
    idle: list[WorkerProcess] = []
    busy: list[WorkerProcess] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < workers:
                idle = [worker for worker in idle if worker.process.is_alive()]
                worker = idle.pop() if idle else WorkerProcess(options, threads)
                worker.give(*waiting.popleft())
                busy.append(worker)
            WorkerProcess.wait(busy)
            for worker in list(busy):  # all of them: clips that hang say nothing
                result = worker.result(on_progress, timeout)
                if result is not None:
                    busy.remove(worker)
                    if worker.alive:
                        idle.append(worker)
                    yield worker.number, result
    finally:
        _end([*idle, *busy])


class WorkerProcess:
    """One process, and the clip that it works on."""

    def __init__(self, options: ClipOptions, threads: int) -> None:
        self._connection, theirs = _CONTEXT.Pipe()
        with _environment(dict.fromkeys(_THREAD_COUNTS, str(threads))):
            self.process: Any = _CONTEXT.Process(  # type: ignore[attr-defined]
                target=_serve,
                args=(theirs, options, threads),
                name="mocap-worker",
                daemon=True,  # ends with this process, whatever happens to it
            )
            self.process.start()
        theirs.close()
        self.alive = True
        self.number = 0
        self._clip: Clip | None = None
        self._began, self._started = 0.0, False

    @staticmethod
    def wait(workers: Sequence["WorkerProcess"]) -> None:
        """Wait until one of them has something to say or has died, or for a short while."""
        ready = [thing for w in workers for thing in (w._connection, w.process.sentinel)]
        wait(ready, _POLL_SECONDS)

    def give(self, number: int, clip: Clip) -> None:
        """Let it track a clip."""
        self.number, self._clip, self._began = number, clip, time.monotonic()
        with suppress(OSError):  # it has died: `result` notices
            self._connection.send(clip)

    def result(self, on_progress: ProgressOfClip, timeout: float | None) -> ClipResult | None:
        """The result of its clip, or None while it works on it."""
        try:
            while self._connection.poll():
                match self._connection.recv():
                    case ClipResult() as result:
                        return result
                    case _Fatal(message, hint):
                        raise MocapError(message, hint)
                    case _Step(stage, done, total):
                        if not self._started:  # the time that a process takes to start is free
                            self._began, self._started = time.monotonic(), True
                        on_progress(self.number, stage, done, total)
        except (EOFError, OSError):
            return self._failed(self._crash())
        if timeout is not None and time.monotonic() - self._began > timeout:
            text = f"stopped after {timeout:g} s, the limit of --clip-timeout"
            return self._failed(MocapError(text, "give more seconds, or leave it out"))
        return None

    def end(self) -> None:
        """Ask the process to end."""
        self.alive = False
        with suppress(OSError):
            self._connection.close()
        self.process.terminate()

    def join(self, seconds: float) -> None:
        """Wait for its end, force it, and remove what a killed process could not."""
        self.process.join(seconds)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        for folder in {path.parent for path in self._clip.outputs} if self._clip else ():
            remove_left_over(folder)

    def _failed(self, error: MocapError) -> ClipResult:
        self.end()
        self.join(_GRACE_SECONDS)
        return ClipResult.failed(error)

    def _crash(self) -> MocapError:
        self.process.join(_GRACE_SECONDS)
        code, number = self.process.exitcode, self.process.pid
        if code == _OUT_OF_MEMORY:
            return MocapError(f"worker process {number} ran out of memory", _MEMORY_HINT)
        if code == -signal.SIGKILL:
            text = f"worker process {number} was killed, probably for lack of memory"
            return MocapError(text, _MEMORY_HINT)
        cause = signal.Signals(-code).name if code and code < 0 else f"status {code}"
        return MocapError(f"worker process {number} crashed with {cause}", _CRASH_HINT)


def _end(workers: Sequence[WorkerProcess]) -> None:
    for worker in workers:
        worker.end()
    deadline = time.monotonic() + _GRACE_SECONDS
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables that a process started meanwhile inherits."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# The worker's side.

_OUT_OF_MEMORY = 3  # exit status


@dataclass(frozen=True, slots=True)
class _Step:
    stage: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class _Fatal:
    """An error that every clip would meet, such as a damaged model."""

    message: str
    hint: str


def _serve(connection: Connection, options: ClipOptions, threads: int) -> None:
    """Track the clips that come, until the connection closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends us
    signal.signal(signal.SIGTERM, _exit)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_KILLED_FIRST)
    try:
        _track_clips(connection, options, threads)
    except (EOFError, BrokenPipeError):
        return  # the parent is done
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)


def _track_clips(connection: Connection, options: ClipOptions, threads: int) -> None:
    _limit_threads(threads)
    from mocap_cli.clips.clip_tracker import ClipTracker

    try:
        tracker = ClipTracker(options)
    except MocapError as error:
        connection.send(_Fatal(error.message, error.hint))
        return
    while True:
        clip: Clip = connection.recv()
        report = _Reporter(connection)
        report("opening", 0, None)
        connection.send(tracker.attempt(clip, report))


class _Reporter:
    """Sends progress, not for every frame."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._sent, self._stage = connection, 0.0, ""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if stage != self._stage or now - self._sent > _POLL_SECONDS or done == total:
            self._sent, self._stage = now, stage
            self._connection.send(_Step(stage, done, total))


def _limit_threads(count: int) -> None:
    """Cap the threads of OpenCV, which does not heed OMP_NUM_THREADS."""
    import cv2

    cv2.setNumThreads(count)


def _end_with_parent() -> None:
    """End when the parent has been killed, and can no longer say so."""
    if (parent := parent_process()) is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)  # runs what removes half-written files
