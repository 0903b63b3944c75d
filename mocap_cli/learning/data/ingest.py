"""Ingest: from videos to the data set of a run, decoding what the store lacks."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mocap_cli.body.motion import read_motion
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.json_fields import JsonObject
from mocap_cli.learning.data.dataset import Crowds, Dataset, TrainingClip
from mocap_cli.learning.data.decoding import store_video
from mocap_cli.learning.data.store import StoredClip, StoreRecipe
from mocap_cli.progress import Count
from mocap_cli.types import Float32
from mocap_cli.video.probe import VideoInfo, probe

RUN = "run.json"

_CAMERAS = "cameras.json"
_CAMERA_NAME = re.compile(r"^(?P<take>.+?)[._-]cam(?P<view>\d+)$", re.IGNORECASE)

_OpenBar = Callable[[Path, int | None], AbstractContextManager[Count]]
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
    keypoints: bool

    @classmethod
    def read(cls, folder: Path) -> "RunSources":
        """Read run.json."""
        path = folder / RUN
        try:
            document = JsonObject.read(path)
            return cls(
                clips=tuple(clip.of_type(_ClipSource) for clip in document.items("clips")),
                store=Path(document.text("store")),
                keypoints=document.get("keypoints", bool),
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
            "keypoints": self.keypoints,
            "clips": [asdict(source) for source in self.clips],
        }
        with write_atomically(folder / RUN) as aside:
            aside.write_text(json.dumps(document, indent=1))

    def open_dataset(self, crowds: Crowds) -> Dataset:
        """Open stored clips with the labels and cameras that lie next to their videos."""
        clips = []
        for source in self.clips:
            video = Path(source.video)
            if not StoredClip.is_stored(self.store, source.address):
                raise MocapError(
                    f"{self.store} no longer holds {video}",
                    "start the run again without --resume: the video is then decoded again",
                )
            stored = StoredClip.open(self.store, source.address)
            take, view = _take_and_view(video.stem)
            labels = _labels(video.with_suffix(".json"), stored) if self.keypoints else None
            rotation = _camera_rotations(video.parent / _CAMERAS).get(view)
            clips.append(
                TrainingClip(video.name, stored, f"{video.parent}/{take}", view, labels, rotation)
            )
        if self.keypoints and all(clip.labels is None for clip in clips):
            raise MocapError(
                "no video has keypoints next to it",
                "run `mocap track` on them first, with -o .json",
            )
        return Dataset(clips, crowds)


@dataclass(frozen=True, slots=True)
class Ingested:
    """The data set of a run, and the videos that could not be used with the reason."""

    dataset: Dataset
    sources: RunSources
    skipped: Mapping[Path, str]


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
    open_bar: _OpenBar,
    *,
    keypoints: bool = False,
) -> Ingested:
    """Decode what the store lacks and open all of it; videos that fail are reported, not used."""
    sources, skipped = [], {}
    for video, info in infos.items():
        try:
            with open_bar(video, info.frames) as on_frame:
                address = store_video(video, store, recipe, on_frame)
            sources.append(_ClipSource(video=str(video.absolute()), address=address))
        except Exception as error:  # whatever is wrong with one video, the others are used
            skipped[video] = _reason(error)
    if not sources:
        raise MocapError(f"no video can be used: {next(iter(skipped.values()))}", "give others")
    found = RunSources(clips=tuple(sources), store=store, keypoints=keypoints)
    return Ingested(found.open_dataset(crowds), found, skipped)


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, MocapError) else f"stopped by a bug: {error!r}"


def _take_and_view(name: str) -> tuple[str, int]:
    """jump.cam2 is camera 2 of the take jump; any other name is a take of its own."""
    if found := _CAMERA_NAME.match(name):
        return found["take"], int(found["view"])
    return name, 0


def _labels(path: Path, stored: StoredClip) -> Float32 | None:
    """Keypoints that `mocap track` wrote, at the times of the stored frames: (N, K, 3)."""
    if not path.is_file():
        return None
    motion = read_motion(path)
    after = np.clip(np.searchsorted(motion.times, stored.times), 0, len(motion.times) - 1)
    before = np.maximum(after - 1, 0)
    distance = np.abs(motion.times[[before, after]] - stored.times)
    nearest = np.where(distance[0] < distance[1], before, after)
    left, top, width, height = stored.picture
    _, frame_height, frame_width, _ = stored.frames.shape
    scale = np.array([width / motion.source.width, height / motion.source.height])
    xy = (motion.xy[nearest] * scale + (left, top)) / (frame_width, frame_height)
    known = np.isfinite(xy).all(axis=-1, keepdims=True)
    weight = np.where(known, np.nan_to_num(motion.score[nearest])[..., None], 0)
    return np.concatenate((np.nan_to_num(xy), weight), axis=-1).astype(np.float32)


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
