"""Atomic files: written to a temporary name, then renamed."""

import errno
import functools
import os
import re
import secrets
import shutil
import socket
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.io.url import is_url, shown

_LONGEST = 40  # characters of a name that a temporary name takes over: 255 bytes are allowed


def _host() -> str:
    """What tells machines apart, and containers of one name: process numbers are their own."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return f"{zlib.crc32(f'{socket.gethostname()} {space}'.encode()):08x}"


_HOST = _host()
_ASIDE = re.compile(rf"-{_HOST}-(\d{{1,9}})-[0-9a-f]{{8}}")


def readable(name: str) -> str:
    """A file's name as text that any program can read: bytes that are not UTF-8 become U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path to write, and rename it to `path` when the block ends without error.

    When the block fails or is interrupted nothing is left, and an older file stays as it was. A
    file that is replaced passes its mode on; one that may not be written is not replaced. The
    suffix is kept, since some writers choose their format by it.
    """
    if is_url(path):
        raise MocapError(f"cannot write {shown(path)}: it is a URL", "write a file, and copy it")
    try:
        make_folder(path.parent)
        aside, mode = _created(path)
    except OSError as error:
        raise MocapError(
            f"cannot write {path}: {error.strerror}", "choose another place with -o"
        ) from error
    try:
        yield aside
        aside.chmod(mode)
        _to_the_disk(aside)
        aside.replace(path)
    except OSError as error:
        raise MocapError(
            f"cannot write {path}: {error.strerror or error}",
            "free some space, or choose another place",
        ) from error
    finally:
        aside.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it."""
    check_way(folder)
    folder.mkdir(parents=True, exist_ok=True)


def check_way(path: Path) -> None:
    """Raise an OSError where `..` follows a folder that does not exist, as in new/../a.bvh.

    Nothing is known to exist there, but once the folder was made the way leads back to files.
    """
    for number, part in enumerate(path.parts):
        if part == ".." and not (folder := Path(*path.parts[:number])).exists():
            raise FileNotFoundError(errno.ENOENT, f"there is no folder {folder}")


def refuse_protected(path: Path) -> None:
    """Refuse a file that its owner may not write, though its folder would allow to replace it."""
    with suppress(OSError):
        if not path.stat().st_mode & stat.S_IWUSR:
            raise MocapError(
                f"cannot write {path}: it is write-protected",
                "allow writing to it, or choose another name with -o",
            )


def aside_of(path: Path) -> Path:
    """A hidden name beside `path` for what is not whole yet.

    It names host and process, and is short enough wherever `path` is. What dead processes left in
    the folder is removed when this process first writes there: listing a large folder takes longer
    than writing a file.
    """
    _clean_once(path.parent.absolute())
    stem, suffix = path.stem[:_LONGEST], path.suffix[-_LONGEST:]
    return path.with_name(f".{stem}-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}{suffix}")


def remove_left_over(folder: Path) -> None:
    """Remove what killed processes of this machine left in a folder and was not whole yet."""
    if os.name != "posix":  # elsewhere a signal to look for a process would end it
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and (match := _ASIDE.search(entry.name)):
                _remove_if_left(Path(entry.path), int(match[1]))


@functools.lru_cache(maxsize=4096)
def _clean_once(folder: Path) -> None:
    remove_left_over(folder)


def _remove_if_left(path: Path, process: int) -> None:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    except (OSError, OverflowError):
        return  # it runs, for somebody else


def _created(path: Path) -> tuple[Path, int]:
    """An empty file aside, and the mode that the file is to have."""
    refuse_protected(path)
    aside = aside_of(path)
    handle = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)  # less the umask
    try:
        made = os.fstat(handle)
    finally:
        os.close(handle)
    try:
        return aside, stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return aside, stat.S_IMODE(made.st_mode)


def _to_the_disk(path: Path) -> None:
    """Before the rename, so that a power cut leaves the old file or the new one."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
