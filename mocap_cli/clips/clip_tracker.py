"""Clip tracker: tracks one clip after the other, and skips those that are done."""

import time
from dataclasses import replace
from pathlib import Path

from mocap_cli import api
from mocap_cli.body.motion import Motion
from mocap_cli.clips.clip import Clip, ClipFacts, ClipOptions
from mocap_cli.clips.everybody import track_everybody
from mocap_cli.clips.finished import all_written, finished_motion, is_result, provenance_of
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import (
    MotionWriter,
    WriteOptions,
    check_output,
    with_companions,
)
from mocap_cli.io.file_guard import existing_outputs
from mocap_cli.io.inputs import is_file
from mocap_cli.progress import Progress, count_stage, no_progress
from mocap_cli.tracking.given_keypoints import GivenKeypoints
from mocap_cli.tracking.track import networks_used
from mocap_cli.video.probe import probe
from mocap_cli.workers.job import Result, Status


class ClipTracker:
    """Tracks clips with the same options; networks and model are opened once."""

    def __init__(self, options: ClipOptions) -> None:
        self._options = options
        self._model, self._keypoints = None, None
        if options.keypoints is not None:
            self._keypoints = GivenKeypoints.open(options.keypoints)
        if options.model is not None:
            from mocap_cli.labels.pose_models import open_pose_model

            self._model = open_pose_model(options.model, options.device)

    def track(self, clip: Clip, progress: Progress = no_progress) -> Result[ClipFacts]:
        """Track a clip and write its files, the JSON last: once it is there, all are."""
        if self._options.everybody:
            return track_everybody(clip, self._options, progress)
        finished = self._finished(clip)
        if finished is not None and all_written(clip.outputs):
            return _result("skipped", finished, frozenset(), 0.0)
        existed = self._check(clip)
        began = time.perf_counter()
        motion = finished or self._motion(clip, progress)
        seconds = time.perf_counter() - began
        written = WriteOptions(video=clip.source, units=self._options.units, fps=self._options.fps)
        writer = MotionWriter(motion, written)
        failed: MocapError | None = None
        for path in sorted(clip.outputs, key=is_result):
            count = count_stage(progress, f"writing {path.name}", len(motion.times))
            try:
                existing_outputs({*with_companions(path)} - existed, self._options.overwrite)
                writer.write(path, count)
            except MocapError as error:  # the JSON still saves the work
                failed = failed or error
        if failed is not None:
            raise failed
        return _result("exported" if finished else "tracked", motion, existed, seconds)

    def _motion(self, clip: Clip, progress: Progress) -> Motion:
        options = self._options
        motion = api.track(
            clip.source, **options.of(clip), keypoints=self._keypoints, model=self._model,
            device=options.device, progress=progress,
        )  # fmt: skip
        return replace(motion, provenance=provenance_of(clip, options))

    def _finished(self, clip: Clip) -> Motion | None:
        """The result of an earlier run, if tracking the clip now would give the same."""
        if self._options.overwrite or not any(is_file(path) for path in _results(clip)):
            return None  # without reading the whole video
        networks = networks_used(self._model, self._keypoints)
        return finished_motion(clip.outputs, provenance_of(clip, self._options), networks)

    def _check(self, clip: Clip) -> frozenset[Path]:
        """Refuse, before the work, what could not be written after it; the files that exist."""
        info = probe(clip.source)
        for path in clip.outputs:
            check_output(path, {"video": info.path}, info.frames or 0)
        files = [file for path in clip.outputs for file in with_companions(path)]
        return existing_outputs(files, self._options.overwrite)


def _results(clip: Clip) -> list[Path]:
    return [path for path in clip.outputs if is_result(path)]


def _result(
    status: Status, motion: Motion, replaced: frozenset[Path], seconds: float
) -> Result[ClipFacts]:
    return Result(
        status=status,
        facts=ClipFacts.of(motion),
        frames=len(motion.times),
        replaced=replaced,
        seconds=seconds,
    )
