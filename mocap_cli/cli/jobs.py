"""Do the same to one input or many, going on past those that fail."""

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import typer

from mocap_cli.cli.outputs import Job
from mocap_cli.cli.progress import show_failures
from mocap_cli.errors import MocapError

_Checked = TypeVar("_Checked")


def run_jobs(
    jobs: Sequence[Job],
    check: Callable[[Job], _Checked],
    do: Callable[[Job, _Checked, str], None],
) -> dict[Path, str]:
    """Check all, then do all that can be; those that failed and why.

    One job alone raises its error. `do` is told which of how many it is, to show beside its bar.
    """
    if len(jobs) == 1:
        do(jobs[0], check(jobs[0]), "")
        return {}
    failures: dict[Path, str] = {}
    ready: list[tuple[Job, _Checked]] = []
    for job in jobs:
        try:
            ready.append((job, check(job)))
        except MocapError as error:
            failures[job.source] = _why(error)
        except Exception as error:
            failures[job.source] = _bug(error)
    for number, (job, found) in enumerate(ready, 1):
        try:
            do(job, found, f"{number}/{len(ready)} ")
        except MocapError as error:
            failures[job.source] = _why(error)
        except Exception as error:
            failures[job.source] = _bug(error)
    return failures


def exit_on_failures(failures: dict[Path, str], jobs: int, plural: str) -> None:
    """Exit with 1 after a table of what failed, if anything did."""
    if failures:
        show_failures(failures, jobs, plural)
        raise typer.Exit(1)


def _bug(error: Exception) -> str:
    """Print the traceback, and go on: a bug must not cost the night's other inputs."""
    traceback.print_exc()
    return f"stopped by a bug: {error!r}"


def _why(error: MocapError) -> str:
    return f"{error.message}\n{error.hint}" if error.hint else error.message
