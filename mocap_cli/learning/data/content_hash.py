"""SHA-256 of videos, cached until the file's size or modification time changes."""

import hashlib
import json
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically

_CACHE = "hashes.json"


def video_sha256(video: Path, store: Path) -> str:
    """The SHA-256 of a video; the cache spares reading every file at every start."""
    try:
        state = video.stat()
        key = f"{video.resolve()}|{state.st_size}|{state.st_mtime_ns}"
        hashes = _read_cache(store / _CACHE)
        if key not in hashes:
            with video.open("rb") as file:
                hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
            with write_atomically(store / _CACHE) as aside:
                aside.write_text(json.dumps(hashes, indent=0))
    except OSError as error:
        raise MocapError(f"cannot read {video}: {error.strerror}", "check the path") from error
    return hashes[key]


def _read_cache(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}  # the cache only saves time
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
