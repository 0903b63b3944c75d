"""Motion exporter: other files from one motion after the other."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import read_motion
from mocap_cli.clips.clip import Clip, ClipFacts, PersonResult
from mocap_cli.errors import MocapError
from mocap_cli.export.edits import Edits, apply_edits
from mocap_cli.export.registry import (
    MotionWriter,
    WriteOptions,
    check_output,
    check_rig,
    check_several,
    format_of,
    with_companions,
)
from mocap_cli.io.file_guard import existing_outputs, refuse_overlaps
from mocap_cli.io.inputs import VIDEOS, is_file
from mocap_cli.progress import Progress, count_stage
from mocap_cli.workers.job import Do, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionExport:
    """Edits, format options and checks that are the same for all motions."""

    edits: Edits
    options: WriteOptions
    video: Path | None  # or the folder that holds it
    check: bool  # fail, and write nothing, if quality checks fail
    overwrite: bool | None
    films: tuple[Path, ...] = ()  # that all motions write, and none may read

    def open(self) -> Do[Clip, ClipFacts]:
        """What exports motions."""
        return self._export

    def _export(self, clip: Clip, progress: Progress) -> Result[ClipFacts]:
        began = time.perf_counter()
        original = _read(clip.source)
        video = self._video(clip, original)
        existed = self._check(clip, original, video)
        edits = replace(self.edits, start=clip.start, end=clip.end, height=clip.height)
        # Planted feet slide under a body that is kept in place: that is no fault.
        people = {clip.source: original, **{path: _read(path) for path in clip.others}}
        judged = {p: apply_edits(m, replace(edits, in_place=False)) for p, m in people.items()}
        facts = replace(self._facts(judged), notes=self._notes(clip, original, video))
        placed = [apply_edits(m, edits) for m in people.values()] if edits.in_place else None
        motion, *others = placed or judged.values()
        shown = None if edits.mirror else video  # no video shows a mirrored motion
        writer = MotionWriter(motion, replace(self.options, video=shown, fps=edits.fps), others)
        for path in clip.outputs:
            writer.write(path, count_stage(progress, f"writing {path.name}", len(motion.times)))
        return Result(
            status="exported",
            facts=facts,
            frames=len(motion.times),
            replaced=existed,
            seconds=time.perf_counter() - began,
        )

    def _facts(self, judged: Mapping[Path, Motion]) -> ClipFacts:
        """What is known of the motions; with --check all must be good."""
        people = [PersonResult(outputs=(), facts=ClipFacts.of(m)) for m in judged.values()]
        for source, person in zip(judged, people, strict=True):
            if self.check and person.facts.faults:
                raise _unfit(source, person.facts)
        return replace(people[0].facts, people=tuple(people) if len(people) > 1 else ())

    def _video(self, clip: Clip, motion: Motion) -> Path | None:
        """The video, if a format of the outputs needs it, or shows it where it is found."""
        uses = {format_of(path).video for path in clip.outputs}
        if "needed" in uses or ("welcome" in uses and self.video is not None):
            return find_video(clip.source, motion, self.video)
        beside = _beside(clip.source, motion)
        return beside if "welcome" in uses and is_file(beside) else None

    def _check(self, clip: Clip, motion: Motion, video: Path | None) -> frozenset[Path]:
        """Refuse, before anything is written, what could not be; the files that exist."""
        inputs = {"motion": clip.source}
        if video is not None:
            inputs["video"] = video
            refuse_overlaps(((film, film) for film in self.films), [video])
        for path in clip.outputs:
            check_rig(path, self.options.rig)
            if clip.others:
                check_several(path, self.options.rig)
            check_output(path, inputs, len(motion.times))
        files = [file for path in clip.outputs for file in with_companions(path)]
        return existing_outputs(files, self.overwrite)

    def _notes(self, clip: Clip, motion: Motion, video: Path | None) -> tuple[str, ...]:
        shows = any(format_of(path).video == "welcome" for path in clip.outputs)
        if video is not None or self.edits.mirror or not shows:
            return ()
        return (f"without {_video_name(motion)}: give it with --video",)


def find_video(source: Path, motion: Motion, given: Path | None) -> Path:
    """The video that was given, or the one of that name in the folder that was, or beside it."""
    found = _beside(source, motion) if given is None else given
    if found.is_dir():
        found = found / _video_name(motion)
    if not is_file(found):
        raise MocapError(
            f"cannot find {found}, the video of {source}", "give it, or its folder, with --video"
        )
    return found


def _read(source: Path) -> Motion:
    if source.suffix.lower() in VIDEOS.suffixes and source.is_file():
        raise MocapError(
            f"{source} is a video, not a motion",
            f"track it first: mocap track {source} -o {source.stem}.json",
        )
    return read_motion(source)


def _beside(source: Path, motion: Motion) -> Path:
    return source.parent / _video_name(motion)


def _video_name(motion: Motion) -> str:
    """The name without folders, so that a motion file cannot point outside of its folder."""
    return Path(motion.source.file).name


def _unfit(source: Path, facts: ClipFacts) -> MocapError:
    lines = "".join(f"\n  {reason}" for reason in facts.faults)
    return MocapError(
        f"{source} fails the quality checks:{lines}",
        f"look at it with: mocap export {source} -o .html",
    )
