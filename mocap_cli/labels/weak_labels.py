"""Weak 2D labels for pretraining: labels of any format that label fitting reads, in pixels."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from mocap_cli.errors import MocapError
from mocap_cli.labels.alignment.corrections import align_labels
from mocap_cli.labels.alignment.projection import labelled_keypoints
from mocap_cli.labels.alignment.time_alignment import find_video
from mocap_cli.labels.fitting.gather import GatherOptions
from mocap_cli.labels.label_fit import AUTO
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.readers.dispatch import read_labels
from mocap_cli.learning.data.subject import VideoSubject, subject_of
from mocap_cli.progress import Count
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float64
from mocap_cli.weights import Device


class WeakLabels:
    """2D keypoints of label files; "auto" adds the default tracker's where a video has none.

    3D labels are projected: the person is placed where the tracker sees them.
    """

    def __init__(self, labels: Sequence[Path | str], videos: Sequence[Path]) -> None:
        self._auto = AUTO in map(str, labels)
        self._labels: dict[Path, list[Labels]] = {}
        for path in labels:
            for one in [] if str(path) == AUTO else read_labels(Path(path)):
                self._labels.setdefault(find_video(one, videos), []).append(one)
        if not self._labels and not self._auto:
            raise MocapError("--keypoints names no labels", "give label files, or auto")

    def __call__(self, video: Path, cache: Path, device: Device, on_frame: Count) -> VideoSubject:
        """The subject of a video as the tracker finds it, with the labels' keypoints."""
        how = GatherOptions(
            cache=cache, device=device, bar=lambda label, total: nullcontext(on_frame)
        )
        found = how.estimate(video)
        subject, own = subject_of(found), self._labels.get(video, [])
        if self._auto and not own:
            return subject
        parts = [_labelled_points(align_labels(one, found), found) for one in own]
        times = np.concatenate([np.zeros(0), *(times for times, _ in parts)])
        points = np.concatenate([np.zeros((0, *subject.labels.shape[1:])), *(p for _, p in parts)])
        order = np.argsort(times, kind="stable")
        return replace(subject, label_times=times[order], labels=points[order])


def _labelled_points(labels: Labels, found: Estimate) -> tuple[Float64, Float64]:
    """Times (M,) and keypoints (M, 21, 3) of aligned labels, with a weight of 1 where known."""
    xy = labelled_keypoints(labels, found)
    weight = np.isfinite(xy).all(axis=-1, keepdims=True).astype(np.float64)
    return found.times[labels.frames], np.concatenate((xy, weight), axis=-1)
