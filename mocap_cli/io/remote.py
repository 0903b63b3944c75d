"""Remote folders: files at a URL, by fsspec; each is made in a local folder and sent whole."""

import os
import shutil
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import aside_of
from mocap_cli.io.file_guard import existing_outputs
from mocap_cli.io.url import shown

_TIMES = ("LastModified", "mtime", "last_modified", "created")
"""What file systems of fsspec call the time of a file: s3fs, gcsfs and sftp, adlfs, memory."""

_TEST_FILE = ".mocap"


@contextmanager
def local_folder() -> Iterator[Path]:
    """A temporary folder; that of a killed process is removed by the next one."""
    folder = aside_of(Path(tempfile.gettempdir()) / "mocap")
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def write_remotely(path: Path) -> Iterator[Path]:
    """Give a local path to write, and send that file when the block ends without error."""
    with local_folder() as local:
        yield local / path.name
        RemoteFolder(path.parent).send(local / path.name)


def refuse_remote(path: Path, overwrite: bool | None) -> None:
    """Refuse, before any work, a file at a URL that may not be replaced."""
    RemoteFolder(path.parent).refuse_existing([path.name], overwrite)


class RemoteFolder:
    """One folder at a URL, listed when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _as_user_error(f"cannot open {shown(path)}"):
            self._system, self._place = _open(shown(path))
            self._files = self._list()
        self._names = sorted(self._files)

    def starting(self, stem: str) -> Iterator[str]:
        """Names of files that are `stem` and an ending, such as dive.1.bvh or ski-2.png of ski."""
        for name in self._names[bisect_left(self._names, stem) :]:
            if not name.startswith(stem):
                return
            if not name[len(stem) : len(stem) + 1].isalnum():
                yield name

    def size(self, name: str) -> int:
        """Bytes of a file that was listed."""
        return int(self._files[name].get("size") or 0)

    def fetch(self, name: str, folder: Path) -> Path:
        """Copy a file, with its time."""
        copy = folder / name
        with _as_user_error(f"cannot read {shown(self.path / name)}"):
            self._system.get_file(f"{self._place}/{name}", str(copy))
        return self._with_time(copy)

    def stand_in(self, name: str, folder: Path) -> Path:
        """An empty file with the time of that one."""
        (folder / name).touch()
        return self._with_time(folder / name)

    def send(self, file: Path) -> None:
        """Put a local file into the folder; it replaces one of its name."""
        with _as_user_error(f"cannot write {shown(self.path / file.name)}"):
            self._system.put_file(str(file), f"{self._place}/{file.name}")

    def refuse_unwritable(self) -> None:
        """Write an empty file and remove it: a missing bucket is found before the work."""
        with local_folder() as local:
            (local / _TEST_FILE).touch()
            self.send(local / _TEST_FILE)
        with suppress(Exception):  # it may be allowed to write only
            self._system.rm_file(f"{self._place}/{_TEST_FILE}")

    def refuse_existing(self, names: Iterable[str], overwrite: bool | None) -> None:
        """Refuse to replace files as `existing_outputs` does."""
        existing = [name for name in names if name in self._files and not overwrite]
        if existing:
            with local_folder() as local, named_as(local, self.path):
                existing_outputs([self.fetch(name, local) for name in existing], overwrite)

    def _list(self) -> Mapping[str, Mapping[str, Any]]:
        self._system.invalidate_cache(self._place)
        try:
            entries = self._system.ls(self._place, detail=True)
        except FileNotFoundError:
            return {}
        return {e["name"].rpartition("/")[2]: e for e in entries if e["type"] == "file"}

    def _with_time(self, copy: Path) -> Path:
        time = _nanoseconds(self._files[copy.name])
        os.utime(copy, ns=(time, time))
        return copy


@contextmanager
def named_as(local: Path, folder: Path) -> Iterator[None]:
    """Name, in errors, files of a local folder as those of the remote one."""
    try:
        yield
    except MocapError as error:
        message = error.message.replace(str(local), shown(folder))
        raise MocapError(message, error.hint) from error


def _open(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the place in it."""
    from fsspec.core import url_to_fs  # late: it takes a while to import

    try:
        system, place = url_to_fs(url)
    except ImportError as error:  # its message names the package
        raise MocapError(f"cannot open {url}: {error}", "install that package with pip") from error
    except ValueError as error:
        raise MocapError(
            f"cannot open {url}: {error}",
            "give a folder, or a URL that fsspec knows (s3://, gs://)",
        ) from error
    return system, place.rstrip("/")


def _nanoseconds(entry: Mapping[str, Any]) -> int:
    """The time of a file; 0 where the file system tells none, so that all files are as old."""
    time = next((entry[key] for key in _TIMES if entry.get(key)), 0.0)
    seconds = time.timestamp() if isinstance(time, datetime) else float(time)
    return round(seconds * 1e9)


@contextmanager
def _as_user_error(what: str) -> Iterator[None]:
    """Whatever goes wrong in a file system of fsspec is an error that the user can correct."""
    try:
        yield
    except (MocapError, MemoryError):
        raise
    except Exception as error:  # the libraries raise errors of their own
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise MocapError(f"{what}: {reason}", "check the URL, and your access to it") from error
