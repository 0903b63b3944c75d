"""Digest: the SHA-256 of videos, remembered while size and time of change stay the same."""

import hashlib
import json
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically

_MEMORY = "hashes.json"


def video_sha256(video: Path, store: Path) -> str:
    """The SHA-256 of a video; a folder of a hundred gigabytes is not read at every start."""
    try:
        state = video.stat()
        key = f"{video.resolve()}|{state.st_size}|{state.st_mtime_ns}"
        remembered = _remembered(store / _MEMORY)
        if key not in remembered:
            with video.open("rb") as file:
                remembered[key] = hashlib.file_digest(file, "sha256").hexdigest()
            with write_atomically(store / _MEMORY) as aside:
                aside.write_text(json.dumps(remembered, indent=0))
    except OSError as error:
        raise MocapError(f"cannot read {video}: {error.strerror}", "check the path") from error
    return remembered[key]


def _remembered(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}  # it only saves time
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
