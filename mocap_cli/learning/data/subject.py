"""Subject: where the person of a clip is, and their 2D keypoints, as known before pretraining.

Both are given for the frames of a video; a run keeps them for its stored frames, in subject.npz.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.npz import checked_array, load_npz, seal_of, without_seal
from mocap_cli.learning.data.store import StoredClip
from mocap_cli.progress import Count
from mocap_cli.tracking.estimate import Estimate, EstimateOptions, estimate
from mocap_cli.types import Float32, Float64
from mocap_cli.video.probe import probe
from mocap_cli.weights import Device

SUBJECT = "subject.npz"
_REACH = 0.6  # of the time between stored frames: labels nearer than that are of the frame
_BOXES, _LABELS = "boxes", "labels"


@dataclass(frozen=True, slots=True, eq=False)
class VideoSubject:
    """The subject in the frames of one video."""

    size: tuple[int, int]  # width and height of the video, displayed pixels
    times: Float64  # (T,) seconds
    squares: Float64  # (T, 3) middle and side of a square around the person, pixels; or NaN
    label_times: Float64  # (M,) seconds, of labelled frames alone
    labels: Float64  # (M, K, 3) x, y in displayed pixels, and the weight 0..1

    def at(self, clip: StoredClip, *, boxes: bool, labels: bool) -> "ClipSubject":
        """The subject in the stored frames."""
        return ClipSubject(
            self._boxes(clip) if boxes else None, self._labels(clip) if labels else None
        )

    def square_at(self, time: float) -> Float64:
        """(3,) the square at any time, interpolated where the person is not found."""
        known = np.isfinite(self.squares).all(axis=1)
        times, squares = self.times[known], self.squares[known]
        return np.array([np.interp(time, times, column) for column in squares.T])

    def _boxes(self, clip: StoredClip) -> Float32:
        nearest, _ = _nearest(self.times, clip.times)
        x, y, side = self.squares[nearest].T
        scale, offset = _placement(clip, self.size)
        half = side[:, None] / 2 * scale
        centre = np.column_stack((x, y)) * scale + offset
        return np.concatenate((2 * half, 2 * centre - 1), axis=1).astype(np.float32)

    def _labels(self, clip: StoredClip) -> Float32:
        found = np.zeros((len(clip), len(KEYPOINTS), 3), np.float32)
        if not len(self.label_times):
            return found
        nearest, distance = _nearest(self.label_times, clip.times)
        gap = float(np.median(np.diff(clip.times))) if len(clip) > 1 else 1.0
        near = distance <= _REACH * gap
        scale, offset = _placement(clip, self.size)
        labels = self.labels[nearest[near]]
        known = np.isfinite(labels).all(axis=-1, keepdims=True)
        xy = np.where(known, labels[..., :2] * scale + offset, 0)
        weight = np.where(known, labels[..., 2:], 0)
        found[near] = np.concatenate((xy, weight), axis=-1)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class ClipSubject:
    """The subject in the N stored frames of a clip; None where a run does not use it."""

    UNKNOWN: ClassVar["ClipSubject"]

    boxes: Float32 | None = None  # (N, 4) as in spatial_transformer.py; NaN without a person
    labels: Float32 | None = None  # (N, K, 3) x, y (0..1 of the FRAME), weight

    @staticmethod
    def write_all(folder: Path, subjects: Sequence["ClipSubject"]) -> None:
        """Write those of all clips of a run."""
        arrays: dict[str, NDArray[Any]] = {}
        for i, subject in enumerate(subjects):
            for name in (_BOXES, _LABELS):
                if (values := getattr(subject, name)) is not None:
                    arrays[f"{name}{i}"] = values
        with write_atomically(folder / SUBJECT) as aside, aside.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays, **seal_of(arrays))

    @staticmethod
    def read_all(folder: Path, clips: Sequence[StoredClip]) -> list["ClipSubject"]:
        """Those of all clips of a run."""
        path = folder / SUBJECT
        try:
            arrays = without_seal(load_npz(path))
            return [ClipSubject._checked(arrays, i, len(clip)) for i, clip in enumerate(clips)]
        except (OSError, ValueError) as error:
            raise MocapError(f"cannot resume: {path}: {error}", "begin a new run") from error

    @staticmethod
    def _checked(arrays: Mapping[str, NDArray[Any]], i: int, count: int) -> "ClipSubject":
        boxes, labels = (
            checked_array(arrays, f"{name}{i}", shape, nan=name == _BOXES)
            if f"{name}{i}" in arrays
            else None
            for name, shape in ((_BOXES, (count, 4)), (_LABELS, (count, len(KEYPOINTS), 3)))
        )
        return ClipSubject(boxes, labels)


ClipSubject.UNKNOWN = ClipSubject()


class SubjectSource(Protocol):
    """Finds the subject of a video: by the default tracker, or from labels."""

    def __call__(self, video: Path, cache: Path, device: Device, on_frame: Count) -> VideoSubject:
        """The subject; the cache is a folder where what takes minutes is kept."""


def track_subject(video: Path, cache: Path, device: Device, on_frame: Count) -> VideoSubject:
    """The subject as the default tracker finds it; its confident keypoints are the labels."""
    return subject_of(estimate(probe(video), EstimateOptions(device=device), on_frame, cache=cache))


def subject_of(found: Estimate) -> VideoSubject:
    """The subject of an estimate; its confident keypoints are the labels."""
    keypoints = found.keypoints
    weight = np.where(keypoints.confident[:, None], keypoints.trusted_score, 0)
    labels = np.concatenate((keypoints.xy.astype(np.float64), weight[..., None]), axis=-1)
    any_trusted = weight.any(axis=1)
    return VideoSubject(
        size=found.size,
        times=found.times,
        squares=np.where(keypoints.confident[:, None], found.bounding_squares(), np.nan),
        label_times=found.times[any_trusted],
        labels=labels[any_trusted],
    )


def _nearest(times: Float64, moments: Float64) -> tuple[NDArray[np.intp], Float64]:
    """For each moment, the index of the nearest of the ascending times, and how far it is."""
    after = np.clip(np.searchsorted(times, moments), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    distance = np.abs(times[np.stack((before, after))] - moments)
    return np.where(distance[0] < distance[1], before, after), distance.min(axis=0)


def _placement(clip: StoredClip, size: tuple[int, int]) -> tuple[Float64, Float64]:
    """Factor and offset from pixels of the video to 0..1 of the stored frame, letterboxed."""
    left, top, width, height = clip.picture
    _, frame_height, frame_width, _ = clip.frames.shape
    frame = np.array([frame_width, frame_height], np.float64)
    return np.array([width / size[0], height / size[1]]) / frame, np.array([left, top]) / frame
