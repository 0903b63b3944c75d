"""Ingest: from videos to the data set of a run, decoding what the store lacks."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.json_fields import JsonObject
from mocap_cli.learning.data.dataset import Crowds, Dataset, TrainingClip
from mocap_cli.learning.data.filling import STORING, TRACKING, OpenBar, StoreFilling, fill_store
from mocap_cli.learning.data.random_backgrounds import RandomBackgrounds
from mocap_cli.learning.data.store import StoredClip, StoreRecipe
from mocap_cli.learning.data.subject import ClipSubject, SubjectSource
from mocap_cli.progress import no_progress
from mocap_cli.types import Float32
from mocap_cli.video.probe import VideoInfo, probe
from mocap_cli.weights import Device

RUN = "run.json"

_CAMERAS = "cameras.json"
_CAMERA_NAME = re.compile(r"^(?P<take>.+?)[._-]cam(?P<view>\d+)$", re.IGNORECASE)

"""Opens a progress bar for a video of so many frames; the bar takes the frames done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ClipSource:
    """Where a clip of a run came from; kept so that the run can be resumed."""

    video: str
    address: str  # in the store

    def __post_init__(self) -> None:
        if Path(self.address).name != self.address:  # it may not lead out of the store
            raise ValueError(f"the address {self.address[:40]!r} is not the name of a folder")
        if "\0" in self.video:
            raise ValueError("the name of a video holds a zero byte")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSources:
    """What a run learns from, needed to resume it; kept as run.json."""

    clips: tuple[_ClipSource, ...]
    store: Path
    subject: bool = False  # boxes or 2D labels are kept in subject.npz
    backgrounds: bool = False  # random ones are kept in backgrounds.npz

    @classmethod
    def read(cls, folder: Path) -> "RunSources":
        """Read run.json."""
        path = folder / RUN
        try:
            document = JsonObject.read(path)
            return cls(
                clips=tuple(clip.of_type(_ClipSource) for clip in document.items("clips")),
                store=Path(document.text("store")),
                subject="subject" in document.values and document.get("subject", bool),
                backgrounds="backgrounds" in document.values and document.get("backgrounds", bool),
            )
        except OSError as error:
            raise MocapError(
                f"cannot resume {folder}: cannot read {path.name}: {error.strerror}",
                "begin a new run",
            ) from error
        except ValueError as error:
            raise MocapError(f"{path} is damaged: {error}", "begin a new run") from error

    def write(self, folder: Path) -> None:
        """Write run.json."""
        document = {
            "store": str(self.store.resolve()),
            "subject": self.subject,
            "backgrounds": self.backgrounds,
            "clips": [asdict(source) for source in self.clips],
        }
        with write_atomically(folder / RUN) as aside:
            aside.write_text(json.dumps(document, indent=1))

    def open_clips(self) -> list[StoredClip]:
        """Open the stored clips."""
        clips = []
        for source in self.clips:
            video = Path(source.video)
            if not StoredClip.is_stored(self.store, source.address):
                raise MocapError(
                    f"{self.store} no longer holds {video}",
                    "start the run again without --resume: the video is then decoded again",
                )
            clips.append(StoredClip.open(self.store, source.address))
        return clips

    def dataset(
        self,
        stored: Sequence[StoredClip],
        subjects: Sequence[ClipSubject],
        crowds: Crowds,
        backgrounds: RandomBackgrounds | None,
    ) -> Dataset:
        """The clips with their subjects, and with the cameras that lie next to their videos."""
        clips = []
        for source, clip, subject in zip(self.clips, stored, subjects, strict=True):
            video = Path(source.video)
            take, view = _take_and_view(video.stem)
            rotation = _camera_rotations(video.parent / _CAMERAS).get(view)
            named = f"{video.parent}/{take}"
            clips.append(TrainingClip(video.name, clip, named, view, subject, rotation))
        return Dataset(clips, crowds, backgrounds)

    def reopen(self, folder: Path, crowds: Crowds) -> Dataset:
        """The data set of the run in that folder, for resuming it."""
        stored = self.open_clips()
        none = [ClipSubject.UNKNOWN] * len(stored)
        subjects = ClipSubject.read_all(folder, stored) if self.subject else none
        images = RandomBackgrounds.reopen(folder) if self.backgrounds else None
        return self.dataset(stored, subjects, crowds, images)


@dataclass(frozen=True, slots=True)
class Ingested:
    """The data set of a run, and the videos that could not be used with the reason."""

    dataset: Dataset
    sources: RunSources
    skipped: Mapping[Path, str]

    def write(self, folder: Path) -> None:
        """Write what resuming the run needs; run.json first: it marks the folder as a run's."""
        self.sources.write(folder)
        if self.sources.subject:
            ClipSubject.write_all(folder, [clip.subject for clip in self.dataset.clips])
        if self.dataset.backgrounds is not None:
            self.dataset.backgrounds.write(folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectOptions:
    """What a run takes of the subject, and who finds it."""

    source: SubjectSource
    open_bar: OpenBar
    boxes: bool = False
    labels: bool = False
    device: Device = "auto"

    @property
    def used(self) -> bool:
        """Whether the run takes anything."""
        return self.boxes or self.labels


def probe_videos(videos: Sequence[Path]) -> tuple[dict[Path, VideoInfo], dict[Path, str]]:
    """Probe every video; returns what was found, and the unreadable ones with the reason."""
    infos: dict[Path, VideoInfo] = {}
    skipped: dict[Path, str] = {}
    for video in videos:
        try:
            infos[video] = probe(video)
        except Exception as error:  # whatever is wrong with one file, the others are used
            skipped[video] = _reason(error)
    if not infos:
        raise MocapError(
            f"none of {len(videos)} videos can be read; {next(iter(skipped.values()))}",
            "give videos that play, or a folder of them",
        )
    return infos, skipped


def ingest(
    infos: Mapping[Path, VideoInfo],
    store: Path,
    recipe: StoreRecipe,
    crowds: Crowds,
    open_bar: OpenBar,
    subject: SubjectOptions | None = None,
    backgrounds: RandomBackgrounds | None = None,
    workers: int | None = 1,
) -> Ingested:
    """Decode what the store lacks and open all of it; videos that fail are reported, not used.

    `workers` processes share the decoding and the tracking; None is what cores and memory allow.
    """
    filling = StoreFilling(
        store=store,
        recipe=recipe,
        subject=subject.source if subject and subject.used else None,
        device=subject.device if subject else "auto",
    )
    bars = {STORING: open_bar, TRACKING: subject.open_bar if subject else open_bar}
    stored = fill_store(infos, filling, bars, workers)
    sources, subjects, skipped = [], [], {}
    for video, info in infos.items():
        try:
            if isinstance(address := stored[video], MocapError):
                raise address
            clip = StoredClip.open(store, address)
            subjects.append(_find_subject(info, clip, store, subject))
            sources.append(_ClipSource(video=str(video.absolute()), address=address))
        except Exception as error:  # whatever is wrong with one video, the others are used
            skipped[video] = _reason(error)
    if not sources:
        raise MocapError(f"no video can be used: {next(iter(skipped.values()))}", "give others")
    if subject and subject.labels and not any(np.any(s.labels) for s in subjects):
        raise MocapError(
            "no video has 2D labels in frames that are used",
            "give other --keypoints, or leave them out",
        )
    found = RunSources(
        clips=tuple(sources),
        store=store,
        subject=subject is not None and subject.used,
        backgrounds=backgrounds is not None,
    )
    dataset = found.dataset(found.open_clips(), subjects, crowds, backgrounds)
    return Ingested(dataset, found, skipped)


def _find_subject(
    video: VideoInfo, stored: StoredClip, store: Path, options: SubjectOptions | None
) -> ClipSubject:
    if options is None or not options.used:
        return ClipSubject.UNKNOWN
    found = options.source(video.path, store, options.device, no_progress)  # kept in the store
    subject = found.at(stored, boxes=options.boxes, labels=options.labels)
    if subject.boxes is not None and not np.isfinite(subject.boxes).any():
        raise MocapError("the default tracker finds nobody in it", "leave --boxes tracker out")
    return subject


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, MocapError) else f"stopped by a bug: {error!r}"


def _take_and_view(name: str) -> tuple[str, int]:
    """jump.cam2 is camera 2 of the take jump; any other name is a take of its own."""
    if found := _CAMERA_NAME.match(name):
        return found["take"], int(found["view"])
    return name, 0


def _camera_rotations(path: Path) -> Mapping[int, Float32]:
    """Read cameras.json: by camera number the rotation camera_from_world."""
    if not path.is_file():
        return {}
    try:
        document = JsonObject.read(path)
        rotations = {
            int(number): document.numbers(number, (3, 3), -1e3, 1e3, null=False)
            for number in document.values
        }
        for number, rotation in rotations.items():
            if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
                raise ValueError(f"camera {number} has no rotation of 3x3 numbers")
    except (OSError, ValueError) as error:
        raise MocapError(f"cannot use {path}: {error}", "docs/pretrain.md shows one") from error
    return {number: rotation.astype(np.float32) for number, rotation in rotations.items()}
