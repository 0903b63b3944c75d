"""Jobs: the files to make from each input; one failure does not stop the others."""

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer

from mocap_cli.cli.display import Display
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import with_companions
from mocap_cli.io.file_guard import refuse_overlaps
from mocap_cli.io.inputs import MOTIONS, OVERLAY, VIDEOS, find_inputs

_Checked = TypeVar("_Checked")


@dataclass(frozen=True, slots=True)
class Job:
    """One input, a video or a motion, and the files to make from it."""

    source: Path
    outputs: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class OutputRequest:
    """The values of -o: files, bare suffixes and a folder."""

    files: tuple[Path, ...]
    suffixes: tuple[str, ...]
    folder: Path
    video_ending: str = OVERLAY  # of .mp4 files that are named after a video

    @staticmethod
    def parse(
        values: Sequence[str], known: Iterable[str], default: Sequence[str]
    ) -> "OutputRequest":
        """Tell files (dive.bvh), bare suffixes (.bvh) and a folder (out/) apart."""
        known = set(known)
        suffixes = [v.lower() for v in values if v.lower() in known]
        others = [v for v in values if v.lower() not in known]
        folders = [Path(v) for v in others if _is_folder(v)]
        files = [Path(v) for v in others if not _is_folder(v)]
        if len(folders) > 1:
            raise typer.BadParameter("give at most one folder", param_hint="-o")
        if not suffixes and (folders or not files):
            suffixes = list(default)
        folder = folders[0] if folders else Path()
        return OutputRequest(tuple(dict.fromkeys(files)), tuple(dict.fromkeys(suffixes)), folder)

    def jobs(
        self,
        sources: Sequence[Path],
        display: Display,
        *,
        motions: bool = False,
        recursive: bool = False,
        overlay: bool = False,
        also_read: Iterable[Path] = (),
    ) -> list[Job]:
        """One job for every input, those in folders included.

        No two write the same file, and none writes an input or a file of `also_read`.
        """
        kind = MOTIONS if motions else VIDEOS
        found = {
            path: path.parent.relative_to(source) if source.is_dir() else Path()
            for source in sources
            for path in find_inputs(source, kind, recursive=recursive)
        }
        if self.files and (len(found) > 1 or any(source.is_dir() for source in sources)):
            raise typer.BadParameter(
                f"{self.files[0]} is one file, but there may be several {kind.plural};"
                " give a folder (out/), suffixes (.bvh), or both",
                param_hint="-o",
            )
        jobs = [
            Job(path, self.outputs(sub / path.stem, overlay=overlay)) for path, sub in found.items()
        ]
        refuse_conflicts(jobs, also_read)
        if not recursive:
            display.note_skipped(kind.skipped_folders(sources))
        return jobs

    def outputs(self, stem: Path, *, overlay: bool = False) -> tuple[Path, ...]:
        """The files to make from one input; `stem` is their place in the folder, and their name."""
        place = self.folder / stem
        made = [*self.files, *(place.with_name(self._name(place.name, s)) for s in self.suffixes)]
        if overlay and not any(path.suffix.lower() == ".mp4" for path in made):
            made.append(made[0].with_name(self._name(made[0].stem, ".mp4")))
        return tuple(dict.fromkeys(made))

    def name_of(self, job: Job) -> str:
        """The place and the name of its files in the folder, without suffix."""
        named = [
            path
            for path in job.outputs
            if path not in self.files and path.is_relative_to(self.folder)
        ]  # an overlay lies beside a file that may be anywhere
        folder = named[0].parent.relative_to(self.folder) if named else Path()
        return (folder / job.source.stem).as_posix()

    def _name(self, stem: str, suffix: str) -> str:
        """A video that we make is named so that it is not taken for an input."""
        return stem + (self.video_ending if suffix == ".mp4" else suffix)


def _is_folder(value: str) -> bool:
    with suppress(OSError):  # a name that is too long is refused where outputs are checked
        if value.endswith(("/", "\\")) or Path(value).is_dir():
            return True
    typing_error = value.startswith(".") and Path(value).name == value  # .xyz is meant as a suffix
    return not Path(value).suffix and not typing_error


def refuse_conflicts(jobs: Sequence[Job], also_read: Iterable[Path] = ()) -> None:
    """Refuse jobs that write one file, an input of any of them, or another file that is read."""
    writes = [
        (file, job.source) for job in jobs for path in job.outputs for file in with_companions(path)
    ]
    refuse_overlaps(writes, (*(job.source for job in jobs), *also_read))


def run_jobs(
    jobs: Sequence[Job],
    check: Callable[[Job], _Checked],
    do: Callable[[Job, _Checked, str], None],
    display: Display,
    plural: str,
) -> None:
    """Check all jobs, do those that passed, and exit with 1 after a table of those that failed.

    One job alone raises its error. `do` gets the label of the job's progress.
    """
    ready: list[tuple[Job, _Checked]] = []
    failed = 0
    for job in jobs:
        with _failures_of(job, display, alone=len(jobs) == 1) as attempt:
            ready.append((job, check(job)))
        failed += attempt.failed
    for number, (job, found) in enumerate(ready, 1):
        label = job.source.name if len(jobs) == 1 else f"{number}/{len(ready)} {job.source.name}"
        with _failures_of(job, display, alone=len(jobs) == 1) as attempt:
            do(job, found, label)
        failed += attempt.failed
    if failed:
        display.show_failures(len(jobs), plural)
        raise typer.Exit(1)


@dataclass(slots=True)
class _Attempt:
    failed: bool = False


@contextmanager
def _failures_of(job: Job, display: Display, *, alone: bool) -> Iterator[_Attempt]:
    """Record the failure of one of several jobs and continue; a single job raises it."""
    attempt = _Attempt()
    try:
        yield attempt
    except MocapError as error:
        attempt.failed = True
        display.fail(job.source, error.message, error.hint)
        if alone:
            raise
    except Exception as error:  # a bug must not cost the other inputs
        attempt.failed = True
        display.fail(job.source, f"stopped by a bug: {error!r}", "")
        if alone:
            raise
        traceback.print_exc()
