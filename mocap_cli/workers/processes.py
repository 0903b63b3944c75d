"""Worker processes: jobs done in parallel; one that crashes its process fails alone."""

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
from tempfile import gettempdir
from types import FrameType
from typing import Any, Generic, TypeVar

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import remove_left_over
from mocap_cli.workers.job import Job, ProgressOfJob, Result, Work, attempt
from mocap_cli.workers.resources import available_cores, worker_count

_CONTEXT: BaseContext = get_context("spawn")  # a fork would share locks of threads
_POLL_SECONDS = 0.5  # between reports of progress, and checks for jobs that hang
_START_SECONDS = 60.0  # that a new process may take before the first job
_GRACE_SECONDS = 5.0  # from SIGTERM to SIGKILL
_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_KILLED_FIRST = "500"  # of 1000, by which the kernel chooses what to kill when memory runs out
_CRASH_HINT = "re-encode it as H.264 MP4, or give it alone to see more"
_MEMORY_HINT = "give fewer --workers, or cut the clip with --start and --end"

J = TypeVar("J", bound=Job)
F = TypeVar("F")


def run_in_processes(
    jobs: Sequence[J],
    work: Work[J, F],
    on_progress: ProgressOfJob,
    *,
    workers: int | None = None,
    timeout: float | None = None,
) -> Generator[tuple[int, Result[F]], None, None]:
    """Yield the number and the result of each job as it is done, in any order.

    By default there are as many workers as cores and memory allow; they share the cores. A worker
    that dies, or takes more than `timeout` seconds for a job, fails that job and is replaced. When
    this generator closes, all workers end and leave nothing half-written.
    """
    count = max(1, min(workers or worker_count(len(jobs)), len(jobs)))
    threads = max(1, available_cores() // count)
    waiting = deque(enumerate(jobs))
    idle: list[WorkerProcess[J, F]] = []
    busy: list[WorkerProcess[J, F]] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < count:
                idle = [worker for worker in idle if worker.process.is_alive()]
                worker = idle.pop() if idle else WorkerProcess(work, threads)
                worker.give(*waiting.popleft())
                busy.append(worker)
            WorkerProcess.wait(busy)
            for worker in list(busy):  # all of them: jobs that hang say nothing
                result = worker.result(on_progress, timeout)
                if result is not None:
                    busy.remove(worker)
                    if worker.alive:
                        idle.append(worker)
                    yield worker.number, result
    finally:
        _end([*idle, *busy])


class WorkerProcess(Generic[J, F]):
    """One process, and the job that it works on."""

    def __init__(self, work: Work[J, F], threads: int, folder: Path | None = None) -> None:
        self._connection, theirs = _CONTEXT.Pipe()
        with _environment(dict.fromkeys(_THREAD_COUNTS, str(threads))):
            self.process: Any = _CONTEXT.Process(  # type: ignore[attr-defined]
                target=_serve,
                args=(theirs, work, threads, folder or Path.cwd()),
                name="mocap-worker",
                daemon=True,  # ends with this process, whatever happens to it
            )
            self.process.start()
        theirs.close()
        self.alive = True
        self.number = 0
        self._job: J | None = None
        self._began, self._started = 0.0, False

    @staticmethod
    def wait(workers: Sequence["WorkerProcess[Any, Any]"]) -> None:
        """Wait until one of them has something to say or has died, or for a short while."""
        ready = [thing for w in workers for thing in (w._connection, w.process.sentinel)]
        wait(ready, _POLL_SECONDS)

    def give(self, number: int, job: J) -> None:
        """Let it do a job."""
        self.number, self._job, self._began = number, job, time.monotonic()
        with suppress(OSError):  # it has died: `result` notices
            self._connection.send(job)

    def result(self, on_progress: ProgressOfJob, timeout: float | None) -> Result[F] | None:
        """The result of its job, or None while it works on it."""
        try:
            while self._connection.poll():
                match self._connection.recv():
                    case Result() as result:
                        return result
                    case _Fatal(message, hint):
                        raise MocapError(message, hint)
                    case _Step(stage, done, total):
                        if not self._started:  # the time that a process takes to start is free
                            self._began, self._started = time.monotonic(), True
                        on_progress(self.number, stage, done, total)
        except (EOFError, OSError):
            return self._failed(self._crash())
        spent = time.monotonic() - self._began - (0 if self._started else _START_SECONDS)
        if timeout is not None and spent > timeout:
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
        outputs = self._job.outputs if self._job else ()
        for folder in {Path(gettempdir()), *(path.parent for path in outputs)}:
            remove_left_over(folder)

    def _failed(self, error: MocapError) -> Result[F]:
        self.end()
        self.join(_GRACE_SECONDS)
        return Result.failed(error)

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


def _end(workers: Sequence[WorkerProcess[Any, Any]]) -> None:
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
    """An error that every job would meet, such as a damaged model."""

    message: str
    hint: str


def _serve(connection: Connection, work: Work[Any, Any], threads: int, folder: Path) -> None:
    """Do the jobs that come, until the connection closes; paths are relative to the folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends us
    signal.signal(signal.SIGTERM, _exit)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_KILLED_FIRST)
    with suppress(OSError):  # it may be missing on another machine, and paths absolute
        os.chdir(folder)
    try:
        _do_jobs(connection, work, threads)
    except (EOFError, BrokenPipeError):
        return  # the parent is done
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends already


def _do_jobs(connection: Connection, work: Work[Any, Any], threads: int) -> None:
    _limit_threads(threads)
    try:
        do = work.open()
    except MocapError as error:
        connection.send(_Fatal(error.message, error.hint))
        return
    while True:
        job: Job = connection.recv()
        report = _Reporter(connection)
        report("opening", 0, None)
        connection.send(attempt(do, job, report))


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
