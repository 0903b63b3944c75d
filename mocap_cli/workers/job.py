"""Job: one input, the files to make from it, and what became of it."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from traceback import format_exc
from typing import Generic, Literal, Protocol, TypeVar

from mocap_cli.errors import is_out_of_memory, user_error
from mocap_cli.progress import Progress, no_progress

J = TypeVar("J", bound="Job")
J_contra = TypeVar("J_contra", bound="Job", contravariant=True)
F = TypeVar("F")

Status = Literal["tracked", "made", "stored", "exported", "skipped", "failed"]
"""`exported`: written from a result; `skipped`: all of it was there; the others say what was done.
"""


def _utc_now() -> str:
    """The time in ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One input, a video or a motion, and the files to make from it."""

    source: Path
    outputs: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Generic[F]):
    """What became of a job."""

    status: Status
    facts: F | None = None  # None: it failed
    frames: int = 0  # of the video
    replaced: frozenset[Path] = frozenset()  # outputs that existed before
    sizes: Mapping[Path, int] = field(default_factory=dict)  # bytes of outputs that are URLs
    seconds: float = 0.0  # that the work took
    error: str = ""
    hint: str = ""
    traceback: str = ""  # of a bug
    finished: str = field(default_factory=_utc_now)

    @staticmethod
    def failed(error: Exception, traceback: str = "") -> "Result[F]":
        """The result of a job that stopped at an error."""
        if (known := user_error(error)) is not None:
            return Result(status="failed", error=known.message, hint=known.hint)
        message = f"stopped by a bug: {error!r}"
        return Result(status="failed", error=message, traceback=traceback)


ProgressOfJob = Callable[[int, str, int, int | None], None]
"""Called with the number of a job, and as `Progress` is."""

Do = Callable[[J, Progress], Result[F]]
"""Does one job."""


class Work(Protocol[J_contra, F]):
    """What is done with each job; it is sent to processes and other machines."""

    def open(self) -> Do[J_contra, F]:
        """Open what all jobs need, such as networks, once a process."""


def attempt(do: Do[J, F], job: J, progress: Progress = no_progress) -> Result[F]:
    """Do a job; whatever goes wrong with it is its result."""
    try:
        return do(job, progress)
    except Exception as error:  # a bug must not cost the other jobs
        if is_out_of_memory(error):  # the process is not to be trusted with another job
            raise MemoryError from error
        return Result.failed(error, traceback=format_exc())


def run_here(
    jobs: Sequence[J], work: Work[J, F], on_progress: ProgressOfJob
) -> Generator[tuple[int, Result[F]], None, None]:
    """Yield the number and the result of each job, done one after the other in this process."""
    do = work.open()
    for number, job in enumerate(jobs):
        yield number, attempt(do, job, partial(on_progress, number))
