"""Everybody: a clip of several people, each with files of their own (`--subject all`)."""

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mocap_cli import api
from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import read_motion
from mocap_cli.clips.clip import Clip, ClipFacts, ClipOptions, PersonResult
from mocap_cli.clips.finished import all_written, finished_motion, is_result, provenance_of
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import MotionWriter, WriteOptions, check_output, with_companions
from mocap_cli.io.file_guard import existing_outputs
from mocap_cli.progress import Progress, count_stage
from mocap_cli.tracking.track import networks_used
from mocap_cli.video.probe import probe
from mocap_cli.workers.job import Result, Status

_MOST_PEOPLE = 1000  # more in a file is damage
_USUAL_PEOPLE = 20  # whose files are held against what is read; more if there are files of more
_ENDING = re.compile(r"(\.overlay|\.coco|\.angles|\.blend)?\.[^.]*$", re.IGNORECASE)


def track_everybody(clip: Clip, options: ClipOptions, progress: Progress) -> Result[ClipFacts]:
    """Track everybody in a clip and write NAME.1.bvh, NAME.2.bvh, ... for every output.

    The first person's JSON is written last: once it is there, all files are.
    """
    if not options.overwrite and (finished := _finished(clip, options)):
        return _result("skipped", clip, finished, frozenset(), 0.0)
    video = probe(clip.source)
    existed = existing_outputs(numbered_files(clip.outputs), options.overwrite)
    for path in clip.outputs:
        check_output(_numbered(path, 1), {"video": video.path}, video.frames or 0)
    began = time.perf_counter()
    motions = api.track_all(
        clip.source, height=clip.height, start=clip.start, end=clip.end, fps=options.fps,
        focal=options.focal, fov=options.fov, quality=options.quality,
        device=options.device, progress=progress,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    provenance = provenance_of(clip, options, len(motions))
    motions = [replace(motion, provenance=provenance) for motion in motions]
    for number, motion in reversed(list(enumerate(motions, start=1))):
        written = WriteOptions(video=clip.source, units=options.units, fps=options.fps)
        writer = MotionWriter(motion, written)
        for path in sorted(_outputs(clip, number), key=is_result):
            check_output(path, {"video": video.path}, len(motion.times))
            existing_outputs({*with_companions(path)} - existed, options.overwrite)
            writer.write(path, count_stage(progress, f"writing {path.name}", len(motion.times)))
    return _result("tracked", clip, motions, existed, seconds)


def _finished(clip: Clip, options: ClipOptions) -> list[Motion]:
    """The results of an earlier run, if all are there and tracking now would give the same."""
    firsts = [path for path in _outputs(clip, 1) if is_result(path)]
    try:
        first = read_motion(firsts[0]).provenance if firsts else None
    except MocapError:
        return []
    people = first.options.get("people") if first is not None else None
    if not isinstance(people, int) or not 1 <= people <= _MOST_PEOPLE:
        return []
    provenance, networks = provenance_of(clip, options, people), networks_used()
    motions = []
    for outputs in (_outputs(clip, number) for number in range(1, people + 1)):
        motion = finished_motion(outputs, provenance, networks)
        if motion is None or not all_written(outputs):
            return []
        motions.append(motion)
    return motions


def _result(
    status: Status,
    clip: Clip,
    motions: Sequence[Motion],
    existed: frozenset[Path],
    seconds: float,
) -> Result[ClipFacts]:
    people = tuple(
        PersonResult(outputs=_outputs(clip, number), facts=ClipFacts.of(motion))
        for number, motion in enumerate(motions, start=1)
    )
    return Result(
        status=status,
        facts=replace(people[0].facts, people=people),
        frames=len(motions[0].times),
        replaced=existed,
        seconds=seconds,
    )


def _outputs(clip: Clip, number: int) -> tuple[Path, ...]:
    return tuple(_numbered(path, number) for path in clip.outputs)


def base_name(path: Path) -> str:
    """The name to which numbers and endings are added: dive of dive.bvh and dive.overlay.mp4."""
    return _ENDING.sub("", path.name)


def _numbered(path: Path, number: int) -> Path:
    """dive.bvh becomes dive.1.bvh, and dive.overlay.mp4 dive.1.overlay.mp4."""
    return path.with_name(_ENDING.sub(rf".{number}\g<0>", path.name))


def numbered_files(outputs: Sequence[Path]) -> tuple[Path, ...]:
    """All files that may be written for these outputs, with those that formats write beside them.

    How many people there are is not known: it is taken that as many as have files already.
    """
    return tuple(
        file
        for path in outputs
        for number in sorted({*range(1, _USUAL_PEOPLE + 1), *_used_numbers(path)})
        for file in with_companions(_numbered(path, number))
    )


def _used_numbers(path: Path) -> Iterator[int]:
    """The numbers of files in the folder that are named as if they belonged to this output."""
    named = re.compile(re.escape(base_name(path)) + r"\.([1-9]\d{0,5})(?!\d)", re.IGNORECASE)
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            if match := named.match(entry.name):
                yield int(match[1])
