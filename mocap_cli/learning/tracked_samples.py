"""Tracked samples: what the default tracker finds in some of the clips, to choose settings by."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mocap_cli.errors import MocapError
from mocap_cli.learning.data.filling import OpenBar
from mocap_cli.tracking.estimate import Estimate, EstimateOptions, estimate
from mocap_cli.video.probe import VideoInfo
from mocap_cli.weights import Device

_CLIPS, _SECONDS = 4, 10.0  # that are tracked; more would take longer than it tells


def track_samples(
    infos: Mapping[Path, VideoInfo], device: str, open_bar: OpenBar
) -> list[Estimate]:
    """Track the middle of a few videos; those in which tracking fails are left out."""
    videos = list(infos.values())
    chosen = np.unique(np.linspace(0, len(videos) - 1, _CLIPS).round().astype(int))
    tracked_on: Device = "cuda" if device.startswith("cuda") else "cpu"
    found: list[Estimate] = []
    for info in (videos[i] for i in chosen):
        with open_bar(info.path, None) as on_frame:
            try:
                found.append(estimate(info, _middle(info, tracked_on), on_frame))
            except MocapError:
                continue  # the others tell enough
    return found


def _middle(info: VideoInfo, device: Device) -> EstimateOptions:
    """The middle of a video."""
    start = max(0.0, ((info.duration or 0.0) - _SECONDS) / 2)
    return EstimateOptions(start=start or None, end=start + _SECONDS, device=device)
