"""A converted data set: the folder of clips, labels and manifest that `mocap` commands read."""

import itertools
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mocap_cli.body.rotation import nearest_rotation
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import aside_of
from mocap_cli.io.damage import damage_at
from mocap_cli.types import Float64
from training.datasets.clips import Clip, ImageSequence
from training.synthesis.mp4 import write_mp4

_CRF = 14  # of videos made of images: no visible loss
_MAX_RESIDUAL = 0.03  # metres between poses of two cameras, above which they are of other moments


def write_folder(
    clips: Sequence[Clip], out: Path, source: str, on_clip: Callable[[Clip], None]
) -> None:
    """Link or encode the videos, write labels, cameras.json and manifest.json.

    The folder appears when all of it is written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise MocapError(f"{out} is not empty", "remove it, or choose another folder with -o")
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = aside_of(out)
    aside.mkdir()
    try:
        for clip in clips:
            _write_clip(clip, aside)
            on_clip(clip)
        _write_cameras(clips, aside)
        document = {"source": source, "clips": [_entry(clip) for clip in clips]}
        (aside / "manifest.json").write_text(json.dumps(document, indent=1))
        aside.replace(out)
    except OSError as error:
        raise MocapError(
            f"cannot write {out}: {error.strerror or error}",
            "free some space, or choose another -o",
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _video_of(clip: Clip) -> Path:
    suffix = ".mp4" if isinstance(clip.footage, ImageSequence) else clip.footage.suffix
    return Path(clip.split) / clip.group / f"{clip.name}{suffix}"


def _labels_of(clip: Clip) -> Path:
    return Path("labels") / clip.split / f"{clip.name}.npz"


def _entry(clip: Clip) -> dict[str, Any]:
    labelled = len(clip.frames) > 0
    return {
        "video": _video_of(clip).as_posix(),
        "labels": _labels_of(clip).as_posix() if labelled else None,
        "split": clip.split,
        "subject": clip.subject,
        "take": clip.take,
        "camera": clip.camera,
        "labelled_frames": len(clip.frames),
    }


def _write_clip(clip: Clip, folder: Path) -> None:
    video, labels = folder / _video_of(clip), folder / _labels_of(clip)
    video.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(clip.footage, ImageSequence):
        _encode(clip.footage, video)
    else:
        video.symlink_to(clip.footage.resolve())
    if len(clip.frames):
        labels.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            labels,
            joints=clip.joints.astype(np.float32),
            joint_names=np.array(clip.joint_names),
            frames=clip.frames,
            space="camera",
            source=video.name,
        )


def _encode(images: ImageSequence, video: Path) -> None:
    pictures = _pictures(images)
    first = next(pictures)
    size = first.shape[1], first.shape[0]
    ticks = [number - images.numbers[0] for number in images.numbers]
    write_mp4(itertools.chain((first,), pictures), video, images.fps, size, _CRF, ticks)


def _pictures(sequence: ImageSequence) -> Iterator[NDArray[np.uint8]]:
    """Images of one size, cropped to even width and height as H.264 needs."""
    size = None
    for path in sequence.images:
        with damage_at(path), Image.open(path) as image:
            picture = np.asarray(image.convert("RGB"))
            size = size or picture.shape
            if picture.shape != size:
                raise ValueError(
                    f"it is {picture.shape[1]}x{picture.shape[0]}, others {size[1]}x{size[0]}"
                )
        yield picture[: size[0] // 2 * 2, : size[1] // 2 * 2]


def _write_cameras(clips: Sequence[Clip], folder: Path) -> None:
    """cameras.json of each group that several standing cameras filmed."""
    groups: dict[Path, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.cameras_stand and len(clip.frames):
            groups[_video_of(clip).parent].append(clip)
    for place, members in groups.items():
        rotations = _camera_rotations(members)
        if len(rotations) > 1:
            document = {str(number): turn.tolist() for number, turn in rotations.items()}
            (folder / place / "cameras.json").write_text(json.dumps(document))


def _camera_rotations(clips: Sequence[Clip]) -> dict[int, Float64]:
    """Rotations from the axes of the first camera to those of each.

    They follow from the joints, which are rigid copies of each other, without a calibration file.
    """
    by_camera: dict[int, dict[str, Clip]] = defaultdict(dict)
    for clip in clips:
        by_camera[clip.camera][clip.take] = clip
    first = min(by_camera)
    rotations = {first: np.eye(3)}
    for camera in sorted(by_camera.keys() - {first}):
        shared = by_camera[first].keys() & by_camera[camera].keys()
        if shared:
            pairs = [(by_camera[first][take], by_camera[camera][take]) for take in sorted(shared)]
            rotations[camera] = _rotation_between(pairs)
    return rotations


def _rotation_between(pairs: Sequence[tuple[Clip, Clip]]) -> Float64:
    """The rotation from the axes of one camera to those of another."""
    starts, ends = [], []
    for one, other in pairs:
        _, at, also = np.intersect1d(one.frames, other.frames, return_indices=True)
        starts.append((one.joints[at] - one.joints[at, :1]).reshape(-1, 3))
        ends.append((other.joints[also] - other.joints[also, :1]).reshape(-1, 3))
    start, end = np.concatenate(starts), np.concatenate(ends)
    known = np.isfinite(start).all(axis=-1) & np.isfinite(end).all(axis=-1)
    start, end = start[known], end[known]
    rotation = nearest_rotation(end.T @ start)
    if np.linalg.norm(end - start @ rotation.T, axis=-1).mean() > _MAX_RESIDUAL:
        one, other = pairs[0]
        raise MocapError(
            f"the poses of {one.name} and {other.name} are not of the same moments",
            "check that the annotations of all cameras were copied whole",
        )
    return rotation
