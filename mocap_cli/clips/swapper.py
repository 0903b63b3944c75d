"""Swapper: one video after the other redrawn with the appearance of another person."""

import time
from dataclasses import dataclass
from pathlib import Path

from mocap_cli import api
from mocap_cli.body.motion_json import read_motion
from mocap_cli.clips.clip import Clip
from mocap_cli.clips.motion_exporter import find_video
from mocap_cli.export.swap_video import SwapResult
from mocap_cli.io.file_guard import existing_outputs, refuse_overlaps, refuse_unwritable
from mocap_cli.progress import Progress
from mocap_cli.workers.job import Do, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Options of `mocap export --appearance` that are the same for all videos."""

    appearance: Path
    model: Path
    panel: bool
    video: Path | None
    overwrite: bool | None
    films: tuple[Path, ...] = ()  # that are written, and may not be read

    def open(self) -> Do[Clip, SwapResult]:
        """What redraws videos."""
        return self._redraw

    def _redraw(self, clip: Clip, progress: Progress) -> Result[SwapResult]:
        began = time.perf_counter()
        video = self._video(clip)
        refuse_unwritable(clip.outputs[0])
        existed = existing_outputs(clip.outputs, self.overwrite)
        made = api.swap_appearance(
            video, self.appearance, clip.outputs[0], model=self.model, start=clip.start,
            end=clip.end, panel=self.panel, progress=progress,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        return Result(
            status="made", facts=made, frames=made.frames, replaced=existed, seconds=seconds
        )

    def _video(self, clip: Clip) -> Path:
        """The video; a motion stands for the one that it was tracked from."""
        if clip.source.suffix.lower() != ".json":
            return clip.source
        found = find_video(clip.source, read_motion(clip.source), self.video)
        refuse_overlaps(((film, film) for film in self.films), [found])
        return found
