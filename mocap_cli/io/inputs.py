"""Input files: of a folder those of one kind, without what this program wrote itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.io.url import is_url, shown

OVERLAY, SWAP = ".overlay.mp4", ".swap.mp4"
"""Endings of the videos that are written beside others, and never taken as inputs."""

_VIDEO_SUFFIXES = frozenset(
    (
        ".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4",
        ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class InputKind:
    """What files a command takes."""

    plural: str
    suffixes: frozenset[str]
    outputs: tuple[str, ...]  # endings of files that this program wrote

    def files(self, folder: Path, recursive: bool) -> list[Path]:
        """The files of this kind in a folder, sorted; hidden ones are left out."""
        found = folder.rglob("*") if recursive else folder.iterdir()
        return sorted(path for path in found if self._matches(path, folder))

    def skipped_folders(self, sources: Sequence[Path]) -> list[Path]:
        """Sub-folders that hold inputs, which only a recursive search finds."""
        folders = [source for source in sources if source.is_dir()]
        subfolders = [p for folder in folders for p in sorted(folder.iterdir()) if p.is_dir()]
        return [p for p in subfolders if not p.name.startswith(".") and self.files(p, False)]

    def _matches(self, path: Path, folder: Path) -> bool:
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            return False
        own = path.name.lower().endswith(self.outputs)
        return path.suffix.lower() in self.suffixes and not own and path.is_file()


VIDEOS = InputKind("videos", _VIDEO_SUFFIXES, (OVERLAY, SWAP, ".background.mp4", ".difference.mp4"))
MOTIONS = InputKind("motions", frozenset((".json",)), (".coco.json",))


def refuse_url(path: Path) -> None:
    """Refuse an input that is not on a mounted file system."""
    if is_url(path):
        raise MocapError(
            f"cannot read {shown(path)}: inputs are files", "copy it, or mount the folder"
        )


def find_inputs(path: Path, kind: InputKind = VIDEOS, recursive: bool = False) -> list[Path]:
    """A file itself; of a folder all files of that kind."""
    refuse_url(path)
    if not path.is_dir():
        return [path]
    found = kind.files(path, recursive)
    if not found:
        within = kind.skipped_folders([path])
        raise MocapError(
            f"{path} holds no {kind.plural}",
            f"its sub-folder {within[0].name}/ does: add --recursive"
            if within and not recursive
            else f"give a folder with {kind.plural}",
        )
    return found


def find_videos(paths: Iterable[Path], *, recursive: bool = False) -> list[Path]:
    """The videos themselves, and those in folders."""
    return [video for path in paths for video in find_inputs(path, recursive=recursive)]


def is_file(path: Path) -> bool:
    """Whether the file exists; False for a name that is too long."""
    try:
        return path.is_file()
    except OSError:
        return False
