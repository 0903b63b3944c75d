"""Collect: from videos to the footage of a run, decoding what the store does not have yet."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import read_motion
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.learning.data.dataset import (
    Crowds,
    Dataset,
    TrainingClip,
    parse_camera_rotations,
    take_and_view,
)
from mocap_cli.learning.data.decoding import frame_size, store_video
from mocap_cli.learning.data.sampling import Gaps
from mocap_cli.learning.data.store import StoredClip, StoreRecipe, is_stored, open_clip
from mocap_cli.video.probe import VideoInfo, probe

RUN, CAMERAS = "run.json", "cameras.json"

_NEAR, _FAR = 0.2, 4.0  # seconds, as the paper has them for everyday motion
_FAR_SHARE = 0.25  # of a clip: of a dive even its quarter is far
_NEAR_SHARE = 1 / 7  # of far; the paper's lie between a sixth and a twentieth
_NEAR_FRAMES = 2  # stored frames that should lie within near
_FPS = (15.0, 60.0)  # the least and the most that are stored a second

_OpenBar = Callable[[Path, int | None], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSource:
    """Where a clip of a run came from, kept so that a run can be gone on with."""

    video: str
    address: str


@dataclass(frozen=True, slots=True)
class Ingested:
    """The footage of a run, and which videos could not be used and why."""

    dataset: Dataset
    sources: tuple[ClipSource, ...]
    skipped: Mapping[Path, str]


def probe_videos(videos: Sequence[Path]) -> tuple[dict[Path, VideoInfo], dict[Path, str]]:
    """Look at every video; those that cannot be read, and why."""
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


def default_gaps(infos: Mapping[Path, VideoInfo]) -> Gaps:
    """How far apart near and far are where nobody says: the paper's, less where clips are short."""
    length = float(np.median([info.duration or 0.0 for info in infos.values()]))
    far = min(_FAR, max(_FAR_SHARE * length, 0.2))
    near = min(_NEAR, _NEAR_SHARE * far)
    return Gaps(near=near, far=far, fall=(near, 2 * near))


def choose_recipe(
    infos: Mapping[Path, VideoInfo], side: int, gaps: Gaps, fps: float | None, background: str
) -> StoreRecipe:
    """How to store these videos."""
    width, height = frame_size(infos.values(), side)
    wanted = min(max(_NEAR_FRAMES / gaps.near, _FPS[0]), _FPS[1]) if fps is None else fps
    return StoreRecipe(width=width, height=height, fps=wanted, background=background)


def ingest(
    infos: Mapping[Path, VideoInfo],
    store: Path,
    recipe: StoreRecipe,
    crowds: Crowds,
    watch: _OpenBar,
    *,
    keypoints: bool = False,
) -> Ingested:
    """Decode what is missing; a video that breaks on the way is named and left out."""
    sources, skipped = [], {}
    for video, info in infos.items():
        try:
            with watch(video, info.frames) as on_frame:
                address = store_video(video, store, recipe, on_frame)
            sources.append(ClipSource(video=str(video.absolute()), address=address))
        except Exception as error:  # whatever is wrong with one video, the others are used
            skipped[video] = _reason(error)
    if not sources:
        raise MocapError(
            f"nothing can be learnt from: {next(iter(skipped.values()))}", "give other videos"
        )
    footage = open_dataset(sources, store, crowds, keypoints=keypoints)
    return Ingested(footage, tuple(sources), skipped)


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, MocapError) else f"stopped by a bug: {error!r}"


def open_dataset(
    sources: Sequence[ClipSource], store: Path, crowds: Crowds, *, keypoints: bool
) -> Dataset:
    """Open what is stored, with labels and cameras from beside the videos."""
    clips = []
    for source in sources:
        video = Path(source.video)
        if not is_stored(store, source.address):
            raise MocapError(
                f"{store} does not hold {video} any more",
                "begin the run anew: without --resume the video is decoded again",
            )
        stored = open_clip(store, source.address)
        take, view = take_and_view(video.stem)
        labels = _labels(video.with_suffix(".json"), stored) if keypoints else None
        turn = _turns(video.parent / CAMERAS).get(view)
        clips.append(TrainingClip(video.name, stored, f"{video.parent}/{take}", view, labels, turn))
    if keypoints and all(clip.labels is None for clip in clips):
        raise MocapError(
            "no video has keypoints beside it", "run `mocap track` on them first, with -o .json"
        )
    return Dataset(clips, crowds)


def write_sources(
    folder: Path, sources: Sequence[ClipSource], store: Path, keypoints: bool
) -> None:
    """Keep what a run learns from, for going on with it."""
    document = {
        "store": str(store.resolve()),
        "keypoints": keypoints,
        "clips": [asdict(source) for source in sources],
    }
    with write_atomically(folder / RUN) as aside:
        aside.write_text(json.dumps(document, indent=1))


def read_sources(folder: Path) -> tuple[list[ClipSource], Path, bool]:
    """What `write_sources` wrote."""
    path = folder / RUN
    try:
        document = json.loads(path.read_text())
        sources = [ClipSource(**clip) for clip in document["clips"]]
        return sources, Path(document["store"]), bool(document["keypoints"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MocapError(
            f"cannot go on with {folder}: {path.name} is missing or damaged", "begin a new run"
        ) from error


def _labels(path: Path, stored: StoredClip) -> NDArray[np.float32] | None:
    """Keypoints that `mocap track` found, at the times of the stored frames: (N, K, 3)."""
    if not path.is_file():
        return None
    motion = read_motion(path)
    at = np.clip(np.searchsorted(motion.times, stored.times), 0, len(motion.times) - 1)
    before = np.maximum(at - 1, 0)
    closer = np.abs(motion.times[before] - stored.times) < np.abs(motion.times[at] - stored.times)
    at = np.where(closer, before, at)
    left, top, width, height = stored.picture
    _, frame_height, frame_width, _ = stored.frames.shape
    scale = np.array([width / motion.source.width, height / motion.source.height])
    xy = (motion.xy[at] * scale + (left, top)) / (frame_width, frame_height)
    known = np.isfinite(xy).all(axis=-1, keepdims=True)
    weight = np.where(known, np.nan_to_num(motion.score[at])[..., None], 0)
    return np.concatenate((np.nan_to_num(xy), weight), axis=-1).astype(np.float32)


def _turns(path: Path) -> Mapping[int, NDArray[np.float32]]:
    if not path.is_file():
        return {}
    try:
        return parse_camera_rotations(json.loads(path.read_text()))
    except ValueError as error:
        raise MocapError(f"cannot use {path}: {error}", "docs/pretrain.md shows one") from error
