"""URLs of output files: s3://bucket/motion/dive.bvh as a path, and back."""

import re
from pathlib import Path

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:")  # two characters at least: C: is a drive
_LOCAL = ("file://", "local://")


def output_path(text: str | Path) -> Path:
    """The path of an output that may be given as a URL; those of local files are ordinary paths."""
    scheme = next((s for s in _LOCAL if str(text).startswith(s)), "")
    return Path(str(text).removeprefix(scheme))


def is_url(path: Path) -> bool:
    """Whether the path names a file that is not on a mounted file system."""
    return len(path.parts) > 1 and _SCHEME.fullmatch(path.parts[0]) is not None


def shown(path: Path) -> str:
    """The path as a user types it: `Path` makes one slash of the two in s3://."""
    return str(path).replace(":/", "://", 1) if is_url(path) else str(path)
