"""Suggestion of frames to label next: images, a COCO file, and a page to label them on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.coco import COCO_LIMBS
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.file_guard import refuse_unwritable
from mocap_cli.io.origin import marked_png
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.labels.alignment.corrections import align_labels
from mocap_cli.labels.alignment.time_alignment import find_video
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
from mocap_cli.labels.fitting.gather import GatherOptions
from mocap_cli.labels.label_page import FrameToLabel, write_label_page
from mocap_cli.labels.labels import Labels
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Bool, Float32, Float64, Int64
from mocap_cli.video.probe import probe
from mocap_cli.video.reader import Frame, open_video

_PROBED = 1.1  # times the number of frames that a file states, which need not be exact
LABEL_FILE = "labels.json"
LABEL_PAGE = "labels.html"
_FOOT_LIMBS = ((16, 18), (18, 20), (16, 20), (17, 19), (19, 21), (17, 21))  # counted from 1
_MAX_FRAMES = 2400  # frames that are compared with each other, of all videos together
_WEIGHT_RANGE = (0.25, 4.0)  # weight of certain and uncertain frames, by the usual uncertainty
_EMPTY_WEIGHT = 0.5  # where no person was detected there may be none


@dataclass(frozen=True, slots=True, eq=False)
class _CandidateFrames:
    """Features and uncertainty of the frames of a video without labels."""

    video: Path
    keypoints: Keypoints  # what the tracker detected, in T frames
    features: Float32  # (T, F) time-variant features
    uncertainty: Float64  # (T,) of the poses; NaN where no person was detected
    labelled: Int64  # (L,) frames that have labels already

    def __len__(self) -> int:
        return len(self.keypoints)


def _frame_uncertainty(found: Estimate) -> Float64:
    """(T,) the lifter's mean sigma, larger where the keypoints are uncertain as well."""
    factor = 1.5 - np.clip(found.keypoints.score.mean(axis=1), 0, 1).astype(np.float64)
    return np.asarray(found.pose.sigma.mean(axis=1) * factor, np.float64)


def _choose_frames(candidates: Sequence[_CandidateFrames], count: int) -> list[Int64]:
    """For each video the frames that are most worth a label, `count` in all, in order of time.

    A frame is represented by the labelled frame nearest to it in feature space: the next to label
    is the one that brings all others nearest to a label, weighted by their uncertainty.
    """
    step = max(1, -(-sum(len(one) for one in candidates) // _MAX_FRAMES))
    rows = [np.union1d(np.arange(0, len(one), step), one.labelled) for one in candidates]
    pairs = list(zip(candidates, rows, strict=True))
    whose = np.repeat(np.arange(len(candidates)), [len(frames) for frames in rows])
    frames = np.concatenate(rows)
    features = np.concatenate([one.features[at] for one, at in pairs])
    weight = np.concatenate([_weights(one.uncertainty)[at] for one, at in pairs])
    known = np.concatenate([np.isin(at, one.labelled) for one, at in pairs])
    if count > (~known).sum():
        raise MocapError(
            f"{count} frames are more than the {int((~known).sum())} without labels",
            "give a smaller number to --suggest",
        )
    chosen = _greedy_cover(_pairwise_distances(features), weight, known, count)
    return [np.sort(frames[[i for i in chosen if whose[i] == k]]) for k in range(len(rows))]


def suggest_frames(
    labels: Sequence[Labels],
    videos: Sequence[Path],
    encoder: FrozenEncoder,
    count: int,
    folder: Path,
    how: GatherOptions,
) -> dict[Path, list[Path]]:
    """Write the frames that are most worth a label, beside those that have labels.

    Gives the images by video.
    """
    _refuse_existing(folder)
    _refuse_equal_names(videos)
    videos_of = [find_video(one, videos) for one in labels]
    _refuse_more_than_there_are(count, videos)
    known: dict[Path, list[Int64]] = {}
    estimates = {video: how.estimate(video) for video in videos}
    for one, video in zip(labels, videos_of, strict=True):
        aligned = align_labels(one, estimates[video], how.time_base)
        known.setdefault(video, []).append(aligned.frames)
    candidates = []
    for video, found in estimates.items():
        features = how.encode(video, encoder, found).time_variant
        labelled = np.unique(np.concatenate(known.get(video, [np.array([], np.int64)])))
        uncertainty = _frame_uncertainty(found)
        candidates.append(_CandidateFrames(video, found.keypoints, features, uncertainty, labelled))
    return _write_suggestions(candidates, _choose_frames(candidates, count), folder)


def _weights(uncertainty: Float64) -> Float64:
    """(T,) weight of each frame's distance to a label: 1 is usual."""
    known = np.isfinite(uncertainty)
    usual = float(np.median(uncertainty[known])) if known.any() else 1.0
    weight = np.clip(np.where(known, uncertainty, np.nan) / max(usual, 1e-9), *_WEIGHT_RANGE)
    return np.asarray(np.where(known, weight, _EMPTY_WEIGHT), np.float64)


def _pairwise_distances(features: Float32) -> Float64:
    """(N, N) Euclidean distances."""
    centred = (features - features.mean(axis=0)).astype(np.float64)
    square = np.square(centred).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(square[:, None] + square - 2 * centred @ centred.T, 0)))


def _greedy_cover(distances: Float64, weight: Float64, known: Bool, count: int) -> Int64:
    """(count,) rows that bring all rows nearest to one of them or of the `known` ones."""
    farthest = np.full(len(distances), distances.max() + 1e-9)
    nearest = np.minimum(distances[:, known].min(axis=1, initial=np.inf), farthest)
    chosen: list[int] = []
    free = ~known
    for _ in range(count):
        gain = weight @ np.maximum(nearest[:, None] - distances, 0)
        best = int(np.where(free, gain, -1).argmax())
        chosen.append(best)
        free[best] = False
        nearest = np.minimum(nearest, distances[:, best])
    return np.array(chosen, np.int64)


def _write_suggestions(
    candidates: Sequence[_CandidateFrames], chosen: Sequence[Int64], folder: Path
) -> dict[Path, list[Path]]:
    """Write images VIDEO_000001.png, counted from 1, a COCO file without annotations and the page.

    Gives the images by video.
    """
    _refuse_existing(folder)
    written: dict[Path, list[Path]] = {}
    images: list[Mapping[str, Any]] = []
    frames: list[FrameToLabel] = []
    for one, wanted in zip(candidates, chosen, strict=True):
        for frame in _frames(one.video, wanted):
            path = folder / f"{one.video.stem}_{frame.index + 1:06d}.png"
            with write_atomically(path) as aside:
                _, png = cv2.imencode(".png", frame.image[..., ::-1])
                aside.write_bytes(marked_png(png.tobytes()))
            height, width = frame.image.shape[:2]
            written.setdefault(one.video, []).append(path)
            frames.append(FrameToLabel.of(frame.image, one.keypoints, frame.index))
            images.append({"id": len(images) + 1, "file_name": path.name, "width": width,
                           "height": height, "time": frame.time})  # fmt: skip
    document = _empty_coco(images)
    write_label_page(folder / LABEL_PAGE, document, frames)
    with write_atomically(folder / LABEL_FILE) as aside:
        aside.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    return written


def _refuse_existing(folder: Path) -> None:
    """Before the work, and again after it: labels may have been saved meanwhile."""
    for path in (folder / LABEL_FILE, folder / LABEL_PAGE):
        refuse_unwritable(path)
        if path.exists():
            raise MocapError(
                f"{path} exists already and may hold your labels", "choose another folder with -o"
            )


def _refuse_equal_names(videos: Sequence[Path]) -> None:
    """The images of a video are named by its stem, and some file systems ignore letter case."""
    first: dict[str, Path] = {}
    for video in videos:
        other = first.setdefault(video.stem.casefold(), video)
        if other != video:
            raise MocapError(
                f"the images of {other} and {video} would have the same names",
                "rename one of them, or give them one by one",
            )


def _refuse_more_than_there_are(count: int, videos: Sequence[Path]) -> None:
    """Before the videos are tracked; after it those with labels do not count any more."""
    frames = [probe(video).frames for video in videos]
    known = sum(number for number in frames if number is not None)
    most = _MAX_FRAMES if None in frames else min(known, _MAX_FRAMES)
    if count > _PROBED * most:
        raise MocapError(
            f"{count} frames are more than the {most} to choose from",
            "give a smaller number to --suggest",
        )


def _frames(video: Path, chosen: Int64) -> Iterator[Frame]:
    wanted = set(chosen.tolist())
    with open_video(video) as reader:
        for frame in reader:
            if not wanted:
                break
            if frame.index in wanted:
                wanted.remove(frame.index)
                yield frame


def _empty_coco(images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    person = {"id": 1, "name": "person", "supercategory": "person", "keypoints": KEYPOINTS}
    return {
        "info": {"description": "label one person in each picture"},
        "images": images,
        "annotations": [],
        "categories": [{**person, "skeleton": (*COCO_LIMBS, *_FOOT_LIMBS)}],
    }
