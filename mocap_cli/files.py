"""Files appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mocap_cli.errors import MocapError


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths name one file, through links and `..` too, or would once it exists."""
    return identity(one) == identity(other)


def identity(path: Path) -> tuple[int, int] | Path:
    """What is equal for all names of a file: where it exists device and inode, else its path."""
    try:
        status = path.stat()
    except OSError:
        return Path(os.path.realpath(path))
    return status.st_dev, status.st_ino


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path to write aside, and rename it to `path` when the block ends well.

    When the block fails or is interrupted nothing is left, and an older file stays as it was.
    The suffix is kept, since some writers choose their format by it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            suffix=path.suffix, prefix=f".{path.stem}-", dir=path.parent
        )
    except OSError as error:
        raise MocapError(
            f"cannot write {path}: {error.strerror}", "choose another place with -o"
        ) from error
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        aside.chmod(0o666 & ~_umask())
        aside.replace(path)
    except OSError as error:
        raise MocapError(
            f"cannot write {path}: {error.strerror or error}",
            "free some space, or choose another place",
        ) from error
    finally:
        aside.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
