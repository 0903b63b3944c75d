"""Provenance: the video file and the options that a motion or a background was made from."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.io.json_fields import JsonObject

_HEX_DIGITS = 64
_DEFAULTS = {"quality": "balanced", "kind": "auto", "people": True}
"""Values that say the same as leaving the option out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The content of a video and the options of `mocap track` or `mocap background`.

    Results of equal provenance that the same version and networks made are equal.
    """

    sha256: str  # of the video file
    options: Mapping[str, str | float]  # those that were given, by name

    @staticmethod
    def of(video: Path, options: Mapping[str, str | float | None]) -> "Provenance":
        """Read the video's content; an option that is None or the default was not given."""
        return Provenance(
            sha256=_sha256(video),
            options={
                name: value
                for name, value in options.items()
                if value is not None and value != _DEFAULTS.get(name)
            },
        )

    @staticmethod
    def of_json(fields: JsonObject) -> "Provenance":
        """Check what a file says."""
        options = fields.child("options")
        return Provenance(
            sha256=fields.text("sha256", max_bytes=_HEX_DIGITS),
            options={name: options.get(name, str, bool, int, float) for name in options.values},
        )


def _sha256(video: Path) -> str:
    try:
        state = video.stat()
        return _sha256_of(video, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise MocapError(f"cannot read {video}: {error.strerror}", "check the path") from error


@functools.lru_cache(maxsize=256)
def _sha256_of(video: Path, size: int, modified: int) -> str:
    """Hash a file once a process, as long as its size and time of change stay."""
    with video.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
