"""Clip: one video or a span of it, the files to make from it, and what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from mocap_cli.body.motion import Motion
from mocap_cli.body.recording import Source
from mocap_cli.errors import MocapError
from mocap_cli.keypoints.subject import Subject
from mocap_cli.keypoints.thinned_frames import Quality
from mocap_cli.quality.measures import measure_quality
from mocap_cli.quality.summary import Summary
from mocap_cli.quality.verdict import quality_faults, verdict
from mocap_cli.weights import Device

Status = Literal["tracked", "exported", "skipped", "failed"]
"""`exported`: other files were written from a finished JSON; `skipped`: all of it was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One video, or a span of it, and the files to make from it."""

    video: Path
    name: str  # of its files, without folder and suffix
    outputs: tuple[Path, ...]
    subject: Subject = "auto"
    height: float | None = None  # metres
    start: float | None = None  # seconds of the video
    end: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipOptions:
    """Options of `mocap track` that are the same for all clips."""

    focal: float | str | None = None
    fov: float | None = None
    fps: float | None = None
    units: Literal["cm", "m"] = "cm"  # of .bvh
    quality: Quality = "balanced"
    keypoints: Path | None = None  # of another detector, of one clip
    model: Path | None = None  # a .mocap file
    device: Device = "auto"
    everybody: bool = False  # track everybody, whatever the subject of a clip
    overwrite: bool | None = None  # None replaces files, but skips clips that are done

    def of(self, clip: Clip) -> Mapping[str, Any]:
        """The options of one clip that decide its motion, by the names of `mocap track`."""
        return {
            "subject": clip.subject, "height": clip.height, "start": clip.start, "end": clip.end,
            "fps": self.fps, "focal": self.focal, "fov": self.fov, "quality": self.quality,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFacts:
    """What is known of a tracked clip, without its frames."""

    source: Source
    space: Literal["world", "camera"]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    summary: Summary
    verdict: str
    faults: tuple[str, ...]  # quality checks that fail
    version: str  # of mocap

    @staticmethod
    def of(motion: Motion) -> "ClipFacts":
        """Measure a motion."""
        quality = measure_quality(motion)
        return ClipFacts(
            source=motion.source,
            space=motion.space,
            warnings=motion.warnings,
            summary=Summary.of(motion),
            notes=motion.notes,
            verdict=verdict(quality),
            faults=quality_faults(quality),
            version=motion.model.get("mocap", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonResult:
    """One of several people in a clip."""

    outputs: tuple[Path, ...]
    facts: ClipFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipResult:
    """What became of a clip."""

    status: Status
    facts: ClipFacts | None = None  # None: it failed
    people: tuple[PersonResult, ...] = ()  # where everybody was tracked; `facts` are the first's
    replaced: frozenset[Path] = frozenset()  # outputs that existed before
    seconds: float = 0.0  # that tracking took
    error: str = ""
    hint: str = ""
    traceback: str = ""  # of a bug
    finished: str = ""  # UTC

    @staticmethod
    def failed(error: Exception, traceback: str = "") -> "ClipResult":
        """The result of a clip that stopped at an error."""
        message, hint = f"stopped by a bug: {error!r}", ""
        if isinstance(error, MocapError):
            message, hint, traceback = error.message, error.hint, ""
        return ClipResult(
            status="failed", error=message, hint=hint, traceback=traceback, finished=utc_now()
        )


def utc_now() -> str:
    """The time in ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
