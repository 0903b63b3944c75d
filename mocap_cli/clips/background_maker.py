"""Background maker: the background of one clip after the other; those that are done are skipped."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mocap_cli import api
from mocap_cli.body.provenance import Provenance
from mocap_cli.camera.camera_path import CameraKind
from mocap_cli.clips.clip import Clip
from mocap_cli.errors import MocapError
from mocap_cli.io.file_guard import existing_outputs, refuse_overlaps, refuse_unwritable
from mocap_cli.io.inputs import is_file
from mocap_cli.plates.background import Background, BackgroundKind, read_background
from mocap_cli.plates.builder import networks_used
from mocap_cli.plates.comparison import ComparisonFiles, write_comparison
from mocap_cli.plates.surface import SurfaceShape
from mocap_cli.progress import Progress, count_stage
from mocap_cli.video.probe import probe
from mocap_cli.weights import Device
from mocap_cli.workers.job import Do, Result, Status

_EXTRA = {"film": ".mp4", "difference": ".difference.mp4", "sheet": ".sheet.png"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundChoices:
    """Options of `mocap background` that are the same for all clips."""

    kind: BackgroundKind | Literal["auto"] = "auto"
    samples: int | None = None
    focal: float | str | None = None
    fov: float | None = None
    people: bool = True
    device: Device = "auto"
    extra: frozenset[str] = frozenset()  # fields of ComparisonFiles to write as well
    overwrite: bool | None = None  # None replaces files, but skips clips that are done

    def of(self, clip: Clip) -> Mapping[str, Any]:
        """The options of one clip that decide its background."""
        return {
            "kind": self.kind, "samples": self.samples, "start": clip.start, "end": clip.end,
            "focal": self.focal, "fov": self.fov, "people": self.people,
        }  # fmt: skip

    def extra_files(self, image: Path) -> ComparisonFiles:
        """The films and the sheet that belong to an image."""
        return ComparisonFiles(**{name: image.with_suffix(_EXTRA[name]) for name in self.extra})

    def files(self, outputs: tuple[Path, ...]) -> tuple[Path, ...]:
        """What is written as far as it is known: a video of several parts gives more images."""
        return (*outputs, *self.extra_files(outputs[0]).paths)

    def open(self) -> Do[Clip, "BackgroundFacts"]:
        """What makes the backgrounds of clips."""
        return _BackgroundMaker(self).make


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundFacts:
    """What is known of a background, without its images."""

    video: str
    kind: BackgroundKind
    camera: tuple[tuple[CameraKind, float], ...]  # of each part, with its error in pixels
    plates: tuple[tuple[SurfaceShape, tuple[int, int]], ...]  # width and height of each
    frames: int
    duration: float  # seconds
    warnings: tuple[str, ...]
    version: str  # of mocap
    outputs: tuple[Path, ...]  # a video of several parts has several images

    @staticmethod
    def of(made: Background, outputs: tuple[Path, ...]) -> "BackgroundFacts":
        """Look at a background."""
        camera = made.camera
        return BackgroundFacts(
            video=made.video,
            kind=made.kind,
            camera=tuple(zip(camera.kind, camera.reprojection_error, strict=True)),
            plates=tuple((plate.surface.shape, plate.surface.size) for plate in made.plates),
            frames=len(camera.times),
            duration=float(camera.times[-1] - camera.times[0]),
            warnings=made.warnings,
            version=made.model.get("mocap", ""),
            outputs=outputs,
        )


class _BackgroundMaker:
    """Makes backgrounds with the same options."""

    def __init__(self, options: BackgroundChoices) -> None:
        self._options = options

    def make(self, clip: Clip, progress: Progress) -> Result[BackgroundFacts]:
        """Make a background and write its files, the archive last: once it is there, all are."""
        options, image = self._options, clip.outputs[0]
        finished = self._finished(clip)
        comparison = options.extra_files(image)
        if finished is not None:
            files = (*finished.files(image), *comparison.paths)
            if _all_written(files):
                return _result("skipped", finished, files, frozenset(), 0.0)
        probe(clip.source)
        self._check(clip, (*options.files(clip.outputs), *_images_of_parts(image)))
        began = time.perf_counter()
        made = finished or api.background(
            clip.source, **options.of(clip), device=options.device, progress=progress
        )
        seconds = time.perf_counter() - began
        files = (*made.files(image), *comparison.paths)
        existed = self._check(clip, files)
        if comparison.paths:
            stage = f"writing {comparison.paths[0].name}"
            count = count_stage(progress, stage, len(made.camera.times))
            write_comparison(clip.source, made, comparison, count)
        made.save(image)
        return _result("exported" if finished else "made", made, files, existed, seconds)

    def _finished(self, clip: Clip) -> Background | None:
        """The result of an earlier run, if making it now would give the same."""
        archive = clip.outputs[0].with_suffix(".npz")
        if self._options.overwrite or not is_file(archive):
            return None
        try:
            found = read_background(archive)
        except MocapError:  # damaged, or of another version
            return None
        provenance = Provenance.of(clip.source, self._options.of(clip))
        networks = networks_used(people=self._options.people)
        same = found.provenance == provenance and found.model == networks
        return found if same else None

    def _check(self, clip: Clip, files: tuple[Path, ...]) -> frozenset[Path]:
        """Refuse files that may not be replaced or written; those that exist."""
        refuse_overlaps(((path, clip.source) for path in files), [clip.source])
        for path in files:
            refuse_unwritable(path)
        return existing_outputs(files, self._options.overwrite)


def _images_of_parts(image: Path) -> list[Path]:
    """Images that are there and named as those of a video of several parts are."""
    named = re.compile(re.escape(image.stem) + r"-\d+" + re.escape(image.suffix))
    return [path for path in image.parent.glob("*") if named.fullmatch(path.name)]


def _all_written(files: tuple[Path, ...]) -> bool:
    """Whether all files are there, and none was written after the archive, the first of them."""
    try:
        archive, *others = (file.stat().st_mtime_ns for file in files)
    except OSError:
        return False
    return all(time <= archive for time in others)


def _result(
    status: Status,
    made: Background,
    files: tuple[Path, ...],
    replaced: frozenset[Path],
    seconds: float,
) -> Result[BackgroundFacts]:
    facts = BackgroundFacts.of(made, files)
    return Result(
        status=status, facts=facts, frames=facts.frames, replaced=replaced, seconds=seconds
    )
