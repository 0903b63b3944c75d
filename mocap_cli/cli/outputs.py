"""Destinations: which input gives which files, from the arguments of a command."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import typer

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import identity

VIDEO_SUFFIXES = frozenset(
    (
        ".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4",
        ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv",
    )
)  # fmt: skip
OVERLAY, SWAP = ".overlay.mp4", ".swap.mp4"


@dataclass(frozen=True, slots=True)
class InputKind:
    """What a command takes, and how it is told from the other files of a folder."""

    plural: str
    suffixes: frozenset[str]
    ours: tuple[str, ...]  # how names of files end that are made from it, never taken for it


VIDEOS = InputKind("videos", VIDEO_SUFFIXES, (OVERLAY, SWAP, ".background.mp4", ".difference.mp4"))
MOTIONS = InputKind("motions", frozenset((".json",)), (".coco.json",))


@dataclass(frozen=True, slots=True)
class Job:
    """One input, a video or a motion, and the files to make from it."""

    source: Path
    outputs: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class OutputRequest:
    """What the values of -o ask for."""

    files: tuple[Path, ...]
    suffixes: tuple[str, ...]
    folder: Path

    @staticmethod
    def of(values: Sequence[str], known: Iterable[str], default: Sequence[str]) -> "OutputRequest":
        """Tell files (dive.bvh), bare suffixes (.bvh) and a folder (out/) apart."""
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

    def outputs(self, source: Path, overlay: bool) -> tuple[Path, ...]:
        """The files to make from one input."""
        made = [*self.files, *(self.folder / _name(source.stem, s) for s in self.suffixes)]
        if overlay and not any(path.suffix.lower() == ".mp4" for path in made):
            made.append(made[0].with_name(_name(made[0].stem, ".mp4")))
        return tuple(made)


def plan_jobs(
    sources: Sequence[Path], wish: OutputRequest, *, kind: InputKind = VIDEOS, overlay: bool = False
) -> list[Job]:
    """One job for every input, those in folders included; no two write the same file."""
    found = [path for source in sources for path in find_inputs(source, kind)]
    if wish.files and (len(found) > 1 or any(source.is_dir() for source in sources)):
        raise typer.BadParameter(
            f"{wish.files[0]} is one file, but there may be several {kind.plural};"
            " give a folder (out/), suffixes (.bvh), or both",
            param_hint="-o",
        )
    jobs = [Job(source, wish.outputs(source, overlay)) for source in dict.fromkeys(found)]
    refuse_collisions(jobs)
    return jobs


def _is_folder(value: str) -> bool:
    with suppress(OSError):  # a name that is too long is refused where outputs are checked
        if value.endswith(("/", "\\")) or Path(value).is_dir():
            return True
    slip = value.startswith(".") and Path(value).name == value  # .fbx is meant as a suffix
    return not Path(value).suffix and not slip


def _name(stem: str, suffix: str) -> str:
    """An overlay is a video beside videos, so its name says what it is."""
    return stem + (OVERLAY if suffix == ".mp4" else suffix)


def find_inputs(path: Path, kind: InputKind) -> list[Path]:
    """A file itself; of a folder all files of that kind, by name."""
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.iterdir() if _is_of(p, kind))
    if not found:
        raise MocapError(f"{path} holds no {kind.plural}", f"give a folder with {kind.plural}")
    return found


def _is_of(path: Path, kind: InputKind) -> bool:
    hidden, ours = path.name.startswith("."), path.name.lower().endswith(kind.ours)
    return path.suffix.lower() in kind.suffixes and path.is_file() and not (hidden or ours)


def refuse_collisions(jobs: Sequence[Job]) -> None:
    """Refuse two jobs that write one file, and a job that writes the input of another."""
    makers: dict[object, Path] = {}
    sources = {identity(job.source): job.source for job in jobs}
    for job in jobs:
        for output in job.outputs:
            place = identity(output)
            other = makers.setdefault(place, job.source)
            if other != job.source:
                raise MocapError(
                    f"{other} and {job.source} would both write {output}",
                    "rename one of them, or give them one by one",
                )
            given = sources.get(place, job.source)
            if given != job.source:
                raise MocapError(
                    f"{output}, made from {job.source}, would overwrite the input {given}",
                    "leave that input out, or choose another place with -o",
                )
