"""File guard: before any work, what a command may write, held against all that it reads."""

import os
import stat
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import check_way, refuse_protected
from mocap_cli.io.origin import is_own
from mocap_cli.io.url import shown


def refuse_overlaps(writes: Iterable[tuple[Path, Path]], reads: Iterable[Path]) -> None:
    """Refuse an output that is a file to be read, or that two inputs would write.

    `writes` are outputs with the inputs that they are made from. Files are compared, not names:
    through links, hard links, `..`, and letter case where the folder ignores it.
    """
    inputs = {_identity(path): path for path in reads}
    makers: dict[object, tuple[Path, Path]] = {}
    for output, source in writes:
        place = _identity(output)
        if (given := inputs.get(place)) is not None:
            raise MocapError(
                f"{shown(output)} would overwrite the input {given}", "choose another name with -o"
            )
        other, maker = makers.get(place, (None, source))
        if maker != source:
            raise MocapError(
                f"{maker} and {source} would both write {shown(output)}",
                "rename one of them, or give them one by one",
            )
        if other is not None:
            names = (
                f"{shown(output)} would"
                if other == output
                else f"{shown(other)} and {shown(output)} are one file: it would"
            )
            raise MocapError(f"{names} be written twice", "choose two names")
        makers[place] = output, source


def existing_outputs(paths: Iterable[Path], overwrite: bool | None) -> frozenset[Path]:
    """The outputs that exist and will be replaced; refuses those that may not be.

    Without a choice, results of this program are replaced and other files are not.
    """
    existing = frozenset(path for path in paths if path.exists())
    for path in sorted(existing):
        if overwrite is False:
            raise MocapError(
                f"{path} exists already",
                "choose another -o, or leave out --no-overwrite to replace it",
            )
        if overwrite is None and not _is_own(path):
            raise MocapError(
                f"{path} exists already, and is not a result of mocap",
                "choose another name with -o, or replace it with --overwrite",
            )
    return existing


def with_contents(paths: Iterable[Path]) -> Iterator[Path]:
    """The paths, and all that lies in those that are folders."""
    for path in paths:
        yield path
        if path.is_dir():
            yield from path.rglob("*")


def refuse_unwritable(path: Path) -> None:
    """Refuse, before the long work, a file that could not be written after it."""
    try:
        check_way(path)
        if path.is_dir():
            raise MocapError(f"{path} is a folder", "give the name of a file, or remove the folder")
        with suppress(FileNotFoundError):
            # an error where the name is too long, or a link leads to itself
            if not stat.S_ISREG(path.stat().st_mode):
                raise MocapError(
                    f"{path} is a pipe or a device, not a file", "choose another name with -o"
                )
        if path.is_symlink() and not path.exists():
            raise MocapError(
                f"cannot write {path}: it is a link to a file that does not exist",
                "remove the link, or choose another name with -o",
            )
        refuse_protected(path)
        folder = next(p for p in path.absolute().parents if p.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or error
        raise MocapError(
            f"cannot write {path}: {reason}", "choose another place with -o"
        ) from error


def _is_own(path: Path) -> bool:
    try:
        return is_own(path)
    except OSError:
        return False  # it cannot be read: not known to be ours


def _identity(path: Path) -> object:
    """What is equal for all names of a file: where it exists device and inode, else its path."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        with suppress(ValueError):
            path = Path(os.path.realpath(path))
        return _without_case(path) if _ignores_case(path.parent) else path
    return status.st_dev, status.st_ino


def _without_case(path: Path) -> Path:
    return Path(unicodedata.normalize("NFC", str(path)).casefold())


def _ignores_case(folder: Path) -> bool:
    """Whether letter case makes no difference in a folder, as usual on macOS and Windows."""
    for part in (folder, *folder.parents):
        swapped = part.with_name(part.name.swapcase()) if part.name else part
        if swapped != part:
            with suppress(OSError, ValueError):
                return part.samefile(swapped)
    return False
