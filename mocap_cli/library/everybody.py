"""Everybody: a clip of several people, each with files of their own (`--subject all`)."""

import re
import time
from itertools import count, takewhile
from pathlib import Path

from mocap_cli import api
from mocap_cli.export.registry import MotionWriter, WriteOptions, check_output
from mocap_cli.io.file_guard import existing_outputs
from mocap_cli.library.clip import Clip, ClipFacts, ClipOptions, ClipResult, PersonResult, utc_now
from mocap_cli.progress import Progress, count_stage
from mocap_cli.video.probe import probe

_ENDING = re.compile(r"(\.overlay|\.coco|\.angles)?\.[^.]*$", re.IGNORECASE)


def track_everybody(clip: Clip, options: ClipOptions, progress: Progress) -> ClipResult:
    """Track everybody in a clip and write NAME.1.bvh, NAME.2.bvh, ... for every output."""
    video = probe(clip.video)
    existed = existing_outputs(_existing(clip), options.overwrite)
    for path in clip.outputs:
        check_output(_numbered(path, 1), {"video": video.path}, video.frames or 0)
    began = time.perf_counter()
    motions = api.track_all(
        clip.video, height=clip.height, start=clip.start, end=clip.end, fps=options.fps,
        focal=options.focal, fov=options.fov, device=options.device, progress=progress,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    people = []
    for number, motion in enumerate(motions, start=1):
        written = WriteOptions(video=clip.video, units=options.units, fps=options.fps)
        writer = MotionWriter(motion, written)
        paths = tuple(_numbered(path, number) for path in clip.outputs)
        for path in paths:
            check_output(path, {"video": video.path}, len(motion.times))
            writer.write(path, count_stage(progress, f"writing {path.name}", len(motion.times)))
        people.append(PersonResult(outputs=paths, facts=ClipFacts.of(motion)))
    return ClipResult(
        status="tracked", facts=people[0].facts, people=tuple(people), replaced=existed,
        seconds=seconds, finished=utc_now(),
    )  # fmt: skip


def _numbered(path: Path, number: int) -> Path:
    """dive.bvh becomes dive.1.bvh, and dive.overlay.mp4 dive.1.overlay.mp4."""
    return path.with_name(_ENDING.sub(rf".{number}\g<0>", path.name))


def _existing(clip: Clip) -> list[Path]:
    """The files of an earlier run, as far as their numbers go on."""
    return [
        found
        for path in clip.outputs
        for found in takewhile(Path.exists, (_numbered(path, n) for n in count(1)))
    ]
