"""Suggest: which frames to label next, as pictures with a label file that waits to be filled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.files import readable, written_whole
from mocap_cli.labels.agree import agreed
from mocap_cli.labels.eye import Eye
from mocap_cli.labels.gather import Gathering, codes_of, witness_of
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.match import find_video
from mocap_cli.labels.witness import Witness
from mocap_cli.video.reader import open_video

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

LABEL_FILE = "labels.json"
_MOST = 2400  # frames that are compared with each other, of all videos together
_DOUBTS = (0.25, 4.0)  # of the usual doubt: what the most and the least doubtful frame count
_NOBODY = 0.5  # of the usual doubt: where nobody is seen there may be nobody


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is known of a video's frames before they are labelled."""

    video: Path
    times: Float64  # (T,) seconds
    codes: Float32  # (T, F) what changes in time
    doubt: Float64  # (T,) how unsure the poses are; NaN where nobody is seen
    labelled: NDArray[np.int64]  # (L,) frames that have labels already


def doubt_of(witness: Witness) -> Float64:
    """(T,) the lifter's expected error, larger where the keypoints are unsure as well."""
    unsure = 1.5 - np.clip(witness.seen.score.mean(axis=1), 0, 1).astype(np.float64)
    return np.asarray(witness.pose.sigma.mean(axis=1) * unsure, np.float64)


def suggest(seen: Sequence[Seen], count: int) -> list[NDArray[np.int64]]:
    """For each video the frames whose labels would teach most, `count` in all, in order of time.

    Every frame is told by the labelled frame most like it: the next to label is the one that
    brings all others nearest to a label, doubtful ones counting more.
    """
    step = max(1, -(-sum(len(one.times) for one in seen) // _MOST))
    at = [np.union1d(np.arange(0, len(one.times), step), one.labelled) for one in seen]
    whose = np.repeat(np.arange(len(seen)), [len(frames) for frames in at])
    frames = np.concatenate(at)
    codes = np.concatenate([one.codes[rows] for one, rows in zip(seen, at, strict=True)])
    weight = np.concatenate([_weights(one.doubt)[rows] for one, rows in zip(seen, at, strict=True)])
    known = np.concatenate([np.isin(r, one.labelled) for one, r in zip(seen, at, strict=True)])
    if count > (~known).sum():
        raise MocapError(
            f"{count} frames are more than the {int((~known).sum())} without labels", "ask for less"
        )
    chosen = cover(_apart(codes), weight, known, count)
    return [np.sort(frames[[i for i in chosen if whose[i] == k]]) for k in range(len(seen))]


def find_next(
    said: Sequence[Labels], videos: Sequence[Path], eye: Eye, count: int, how: Gathering
) -> tuple[list[Seen], list[NDArray[np.int64]]]:
    """Look at all videos, and which of their frames to label next, beside those of `said`."""
    known: dict[Path, list[NDArray[np.int64]]] = {}
    witnesses = {video: witness_of(video, how) for video in videos}
    for labels in said:
        video = find_video(labels, videos)
        on = agreed(labels, witnesses[video], how.clock)
        known.setdefault(video, []).append(on.frames)
    seen = []
    for video, witness in witnesses.items():
        codes = codes_of(video, eye, witness, how)
        none = np.array([], np.int64)
        labelled = np.unique(np.concatenate(known.get(video, [none])))
        seen.append(Seen(video, witness.times, codes.tv, doubt_of(witness), labelled))
    return seen, suggest(seen, count)


def _weights(doubt: Float64) -> Float64:
    """(T,) how much each frame's nearness to a label counts: 1 is usual."""
    known = np.isfinite(doubt)
    usual = float(np.median(doubt[known])) if known.any() else 1.0
    weight = np.clip(np.where(known, doubt, np.nan) / max(usual, 1e-9), *_DOUBTS)
    return np.asarray(np.where(known, weight, _NOBODY), np.float64)


def _apart(codes: Float32) -> Float64:
    """(N, N) distances of codes."""
    off = (codes - codes.mean(axis=0)).astype(np.float64)
    square = np.square(off).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(square[:, None] + square - 2 * off @ off.T, 0)))


def cover(
    apart: Float64, weight: Float64, known: NDArray[np.bool_], count: int
) -> NDArray[np.int64]:
    """(count,) rows that bring all rows nearest, one after the other; `known` ones are there."""
    farthest = np.full(len(apart), apart.max() + 1e-9)
    nearest = np.minimum(apart[:, known].min(axis=1, initial=np.inf), farthest)
    chosen: list[int] = []
    free = ~known
    for _ in range(count):
        gain = weight @ np.maximum(nearest[:, None] - apart, 0)
        best = int(np.where(free, gain, -1).argmax())
        chosen.append(best)
        free[best] = False
        nearest = np.minimum(nearest, apart[:, best])
    return np.array(chosen, np.int64)


def write_suggestions(
    seen: Sequence[Seen], chosen: Sequence[NDArray[np.int64]], folder: Path
) -> list[Path]:
    """Pictures VIDEO_000001.png, counted from 1, and a COCO file without a single point."""
    if (folder / LABEL_FILE).exists():
        raise MocapError(
            f"{folder / LABEL_FILE} is there already, and may hold your labels",
            "choose another folder with -o",
        )
    written: list[Path] = []
    images: list[Mapping[str, Any]] = []
    for one, frames in zip(seen, chosen, strict=True):
        for path, picture, time in _pictures(one, frames, folder):
            with written_whole(path) as aside:
                _, png = cv2.imencode(".png", picture[..., ::-1])
                aside.write_bytes(png.tobytes())
            height, width = picture.shape[:2]
            written.append(path)
            images.append({"id": len(images) + 1, "file_name": path.name, "width": width,
                           "height": height, "time": time})  # fmt: skip
    with written_whole(folder / LABEL_FILE) as aside:
        aside.write_bytes(orjson.dumps(_empty(images), option=orjson.OPT_INDENT_2))
    return written


def _pictures(
    one: Seen, frames: NDArray[np.int64], folder: Path
) -> list[tuple[Path, NDArray[np.uint8], float]]:
    if not len(frames):
        return []
    wanted, found = set(frames.tolist()), []
    with open_video(one.video) as reader:
        for frame in reader:
            if frame.index in wanted:
                path = folder / f"{readable(one.video.stem)}_{frame.index + 1:06d}.png"
                found.append((path, frame.image, frame.time))
            if frame.index >= frames[-1]:
                break
    return found


def _empty(images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    person = {"id": 1, "name": "person", "supercategory": "person", "keypoints": KEYPOINTS}
    return {
        "info": {"description": "label one person in each picture"},
        "images": images,
        "annotations": [],
        "categories": [{**person, "skeleton": []}],
    }
