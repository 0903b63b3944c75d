"""Locks: one process at a time in a run's folder, or at an entry of a store or a cache.

The system frees the lock of a process that has died, so the next one takes it over.
"""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import make_folder

try:
    import fcntl
except ImportError:  # Windows: nothing is locked
    fcntl = None  # type: ignore[assignment]

_MARK = "process "  # a lock begins with it, or is empty for a moment
_log = logging.getLogger(__name__)


@contextmanager
def only_process(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock file while the block runs; a second process is told who holds it, or waits.

    The file is removed at the end. One that is not a lock is refused, and stays as it is.
    """
    try:
        make_folder(path.parent)
        handle = _locked(path, wait)
    except OSError as error:
        raise MocapError(
            f"cannot write {path}: {error.strerror}", "choose another place with -o"
        ) from error
    try:
        with suppress(OSError):  # a full disk
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{_MARK}{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(handle)


def _locked(path: Path, wait: bool) -> int:
    """The open file with the lock; again where its holder removed the file meanwhile."""
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            _lock(handle, path, wait)
            if fcntl is None or _is_open_as(handle, path):
                _refuse_foreign(handle, path)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _lock(handle: int, path: Path, wait: bool) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        if not wait:
            raise MocapError(
                f"{_holder(handle)} writes to {path.parent}", "wait for it, or choose another -o"
            ) from error
        _log.warning("waiting for %s, which works on the same video", _holder(handle))
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        pass  # a file system without locks


def _refuse_foreign(handle: int, path: Path) -> None:
    start = os.pread(handle, len(_MARK), 0)
    if start and start != _MARK.encode():
        raise MocapError(f"{path} is not a lock of mocap", "choose another place with -o")


def _holder(handle: int) -> str:
    text = os.pread(handle, 100, 0).decode(errors="replace").strip()
    return "".join(c for c in text if c.isprintable()) or "another process"


def _is_open_as(handle: int, path: Path) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False
