"""Clip: one video or a span of it, the files to make from it, and what is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mocap_cli.body.motion import Motion
from mocap_cli.body.recording import Source
from mocap_cli.keypoints.subject import Subject
from mocap_cli.keypoints.thinned_frames import Quality as DetectionQuality
from mocap_cli.quality.measures import Quality, measure_quality
from mocap_cli.quality.summary import Summary
from mocap_cli.quality.verdict import quality_faults, verdict
from mocap_cli.weights import Device
from mocap_cli.workers.job import Do, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip(Job):
    """One video or motion, or a span of it, and the files to make from it."""

    name: str = ""  # of its files, without folder and suffix
    subject: Subject = "auto"
    height: float | None = None  # metres
    start: float | None = None  # seconds of the video
    end: float | None = None
    others: tuple[Path, ...] = ()  # motions of further people, for the same files


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipOptions:
    """Options of `mocap track` that are the same for all clips."""

    focal: float | str | None = None
    fov: float | None = None
    fps: float | None = None
    units: Literal["cm", "m"] = "cm"  # of .bvh
    quality: DetectionQuality = "balanced"
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

    def open(self) -> Do[Clip, "ClipFacts"]:
        """Open the model once, to track any number of clips."""
        from mocap_cli.clips.clip_tracker import ClipTracker  # late: it takes seconds to import

        return ClipTracker(self).track


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFacts:
    """What is known of a motion, without its frames; of several people the first's."""

    source: Source
    space: Literal["world", "camera"]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    summary: Summary
    quality: Quality
    version: str  # of mocap
    people: tuple["PersonResult", ...] = ()  # where there are several

    @staticmethod
    def of(motion: Motion) -> "ClipFacts":
        """Measure a motion."""
        return ClipFacts(
            source=motion.source,
            space=motion.space,
            warnings=motion.warnings,
            summary=Summary.of(motion),
            notes=motion.notes,
            quality=measure_quality(motion),
            version=motion.model.get("mocap", ""),
        )

    @property
    def verdict(self) -> str:
        """Good, or needs review and why."""
        return verdict(self.quality)

    @property
    def faults(self) -> tuple[str, ...]:
        """Quality checks that fail."""
        return quality_faults(self.quality)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonResult:
    """One of several people in a clip."""

    outputs: tuple[Path, ...]
    facts: ClipFacts
