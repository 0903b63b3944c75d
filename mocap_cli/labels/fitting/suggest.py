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
from mocap_cli.io.atomic import readable, write_atomically
from mocap_cli.labels.alignment.corrections import align_labels
from mocap_cli.labels.alignment.video_match import find_video
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
from mocap_cli.labels.fitting.gather import GatherOptions, encode_clip, estimate_of
from mocap_cli.labels.labels import Labels
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float32, Float64
from mocap_cli.video.reader import open_video

LABEL_FILE = "labels.json"
_MAX_FRAMES = 2400  # frames that are compared with each other, of all videos together
_WEIGHT_RANGE = (0.25, 4.0)  # of the usual doubt: what the most and the least doubtful frame count
_EMPTY_WEIGHT = 0.5  # of the usual doubt: where nobody is seen there may be nobody


@dataclass(frozen=True, slots=True, eq=False)
class CandidateFrames:
    """What is known of a video's frames before they are labelled."""

    video: Path
    times: Float64  # (T,) seconds
    codes: Float32  # (T, F) what changes in time
    doubt: Float64  # (T,) how unsure the poses are; NaN where nobody is seen
    labelled: NDArray[np.int64]  # (L,) frames that have labels already


def _frame_uncertainty(estimate: Estimate) -> Float64:
    """(T,) the lifter's expected error, larger where the keypoints are unsure as well."""
    unsure = 1.5 - np.clip(estimate.keypoints.score.mean(axis=1), 0, 1).astype(np.float64)
    return np.asarray(estimate.pose.sigma.mean(axis=1) * unsure, np.float64)


def _choose_frames(seen: Sequence[CandidateFrames], count: int) -> list[NDArray[np.int64]]:
    """For each video the frames whose labels would teach most, `count` in all, in order of time.

    Every frame is told by the labelled frame most like it: the next to label is the one that
    brings all others nearest to a label, doubtful ones counting more.
    """
    step = max(1, -(-sum(len(one.times) for one in seen) // _MAX_FRAMES))
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
    chosen = _greedy_cover(_pairwise_distances(codes), weight, known, count)
    return [np.sort(frames[[i for i in chosen if whose[i] == k]]) for k in range(len(seen))]


def suggest_frames(
    said: Sequence[Labels],
    videos: Sequence[Path],
    eye: FrozenEncoder,
    count: int,
    how: GatherOptions,
) -> tuple[list[CandidateFrames], list[NDArray[np.int64]]]:
    """Look at all videos, and which of their frames to label next, beside those of `said`."""
    known: dict[Path, list[NDArray[np.int64]]] = {}
    estimates = {video: estimate_of(video, how) for video in videos}
    for labels in said:
        video = find_video(labels, videos)
        on = align_labels(labels, estimates[video], how.clock)
        known.setdefault(video, []).append(on.frames)
    seen = []
    for video, estimate in estimates.items():
        codes = encode_clip(video, eye, estimate, how)
        none = np.array([], np.int64)
        labelled = np.unique(np.concatenate(known.get(video, [none])))
        seen.append(
            CandidateFrames(video, estimate.times, codes.tv, _frame_uncertainty(estimate), labelled)
        )
    return seen, _choose_frames(seen, count)


def _weights(doubt: Float64) -> Float64:
    """(T,) how much each frame's nearness to a label counts: 1 is usual."""
    known = np.isfinite(doubt)
    usual = float(np.median(doubt[known])) if known.any() else 1.0
    weight = np.clip(np.where(known, doubt, np.nan) / max(usual, 1e-9), *_WEIGHT_RANGE)
    return np.asarray(np.where(known, weight, _EMPTY_WEIGHT), np.float64)


def _pairwise_distances(codes: Float32) -> Float64:
    """(N, N) distances of codes."""
    off = (codes - codes.mean(axis=0)).astype(np.float64)
    square = np.square(off).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(square[:, None] + square - 2 * off @ off.T, 0)))


def _greedy_cover(
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
    seen: Sequence[CandidateFrames], chosen: Sequence[NDArray[np.int64]], folder: Path
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
            with write_atomically(path) as aside:
                _, png = cv2.imencode(".png", picture[..., ::-1])
                aside.write_bytes(png.tobytes())
            height, width = picture.shape[:2]
            written.append(path)
            images.append({"id": len(images) + 1, "file_name": path.name, "width": width,
                           "height": height, "time": time})  # fmt: skip
    with write_atomically(folder / LABEL_FILE) as aside:
        aside.write_bytes(orjson.dumps(_empty_coco(images), option=orjson.OPT_INDENT_2))
    return written


def _pictures(
    one: CandidateFrames, frames: NDArray[np.int64], folder: Path
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


def _empty_coco(images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    person = {"id": 1, "name": "person", "supercategory": "person", "keypoints": KEYPOINTS}
    return {
        "info": {"description": "label one person in each picture"},
        "images": images,
        "annotations": [],
        "categories": [{**person, "skeleton": []}],
    }
