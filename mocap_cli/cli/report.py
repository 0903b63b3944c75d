"""What `track` and `export` report of a motion, and every command of its output files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mocap_cli.cli.display import Line, Report
from mocap_cli.clips.clip import Clip, ClipFacts
from mocap_cli.export.registry import with_companions
from mocap_cli.io.file_guard import existing_outputs, refuse_unwritable
from mocap_cli.io.url import shown
from mocap_cli.quality.measures import Quality
from mocap_cli.quality.summary import Summary, UncertainSpan
from mocap_cli.quality.verdict import quality_faults, quality_readings, verdict
from mocap_cli.workers.job import Result

_MAX_STRETCHES = 5
_SPACES = {
    "world": "world: metres, Y up, ground at 0",
    "camera": "camera axes: metres; the vertical and the ground are unknown",
}
_BLENDER_SCALE = {"cm": "0.01", "m": "1"}


@dataclass(frozen=True, slots=True)
class OutputFiles:
    """The files that a job writes, and those of them that existed before."""

    paths: tuple[Path, ...]
    existed: frozenset[Path]
    sizes: Mapping[Path, int] = field(default_factory=dict)  # bytes, of those that are URLs

    @staticmethod
    def of(paths: Iterable[Path], result: Result[Any]) -> "OutputFiles":
        """Those that were written."""
        files = tuple(file for path in paths for file in with_companions(path))
        return OutputFiles(files, result.replaced, result.sizes)

    @staticmethod
    def plan(paths: Iterable[Path], *, overwrite: bool | None) -> "OutputFiles":
        """Look which files exist, and refuse those that may not be replaced or written."""
        paths = tuple(file for path in paths for file in with_companions(path))
        for path in paths:
            refuse_unwritable(path)
        return OutputFiles(paths, existing_outputs(paths, overwrite))

    def lines(self) -> list[Line]:
        """What was written or replaced, and how large it is."""
        return [
            (
                "replaced" if path in self.existed else "wrote",
                f"{shown(path)} ({_size_text(self._size(path))})",
            )
            for path in self.paths
        ]

    def data(self) -> list[dict[str, Any]]:
        """The same for --json."""
        return [
            {"path": shown(p), "bytes": self._size(p), "replaced": p in self.existed}
            for p in self.paths
        ]

    def _size(self, path: Path) -> int:
        return self.sizes[path] if path in self.sizes else path.stat().st_size


def track_report(clip: Clip, result: Result[ClipFacts], facts: ClipFacts, units: str) -> Report:
    """What was tracked, where the confidence is low, and what was written."""
    if facts.people:
        return _people_report(clip, result, facts)
    summary, size = facts.summary, (facts.source.width, facts.source.height)
    outputs = OutputFiles.of(clip.outputs, result)
    lines = [
        ("verdict", facts.verdict),
        ("tracked", _coverage(summary)),
        ("uncertain", _stretches(summary.uncertain)),
        ("space", _SPACES[facts.space]),
        *(("warning", warning) for warning in facts.warnings),
        *(("note", note) for note in facts.notes),
        *(() if result.status == "skipped" else _output_lines(outputs, units)),
    ]
    data = {
        **_facts_data(facts, outputs),
        "status": result.status,
        "width": size[0],
        "height": size[1],
        "tracking_seconds": round(result.seconds, 3),
    }
    return _track_report(clip, result, facts, lines, data)


def _people_report(clip: Clip, result: Result[ClipFacts], facts: ClipFacts) -> Report:
    """The same of several people."""
    lines: list[Line] = [("people", str(len(facts.people)))]
    people = []
    for number, person in enumerate(facts.people, start=1):
        outputs = OutputFiles.of(person.outputs, result)
        lines += [(f"person {number}", person.facts.verdict), *outputs.lines()]
        people.append(_facts_data(person.facts, outputs))
    data = {
        "status": result.status,
        "width": facts.source.width,
        "height": facts.source.height,
        "tracking_seconds": round(result.seconds, 3),
        "people": people,
    }
    return _track_report(clip, result, facts, lines, data)


def _facts_data(facts: ClipFacts, outputs: OutputFiles) -> Mapping[str, Any]:
    return {
        **_motion_data(facts.summary, outputs),
        "space": facts.space,
        "warnings": list(facts.warnings),
        "notes": list(facts.notes),
        "problems": list(facts.faults),
    }


def _track_report(
    clip: Clip,
    result: Result[ClipFacts],
    facts: ClipFacts,
    lines: Sequence[Line],
    data: Mapping[str, Any],
) -> Report:
    summary, source = facts.summary, facts.source
    done = {
        "tracked": f"tracked at {summary.frames / max(result.seconds, 1e-3):.0f} frames/s",
        "exported": "written from its finished JSON",
        "skipped": "done already (--overwrite tracks it again)",
    }[result.status]
    head = (
        f"{clip.source.name}: {summary.frames} frames, {summary.seconds:.2f} s at {summary.fps:.2f}"
        f" fps, {source.width}x{source.height}, {done}"
    )
    return Report(head, lines, {"input": str(clip.source), **data}, _brief(head, facts))


def export_report(clip: Clip, result: Result[ClipFacts], facts: ClipFacts, units: str) -> Report:
    """The quality of a motion, and what was written from it."""
    summary = facts.summary
    outputs = OutputFiles.of(clip.outputs, result)
    names = ", ".join(map(str, (clip.source, *clip.others)))
    head = f"{names}: {summary.frames} frames, {summary.seconds:.2f} s at {summary.fps:.2f} fps"
    verdicts = [
        (f"person {number}", person.facts.verdict)
        for number, person in enumerate(facts.people, start=1)
    ]
    lines = [
        *(verdicts or [("verdict", _verdict_with_numbers(facts.quality))]),
        *_output_lines(outputs, units),
        *(("note", note) for note in facts.notes),
    ]
    data = {
        **_motion_data(summary, outputs),
        "status": result.status,
        "quality": facts.quality.block(),
        "problems": list(facts.faults),
    }
    for source, person in zip(clip.others, facts.people[1:], strict=True):
        one = {"quality": person.facts.quality.block(), "problems": list(person.facts.faults)}
        data.setdefault("others", []).append({"input": str(source), **one})
    return Report(head, lines, {"input": str(clip.source), **data}, _brief(head, facts))


def _brief(head: str, facts: ClipFacts) -> str:
    return f"{head}; {facts.verdict}" if facts.faults else head


def _motion_data(summary: Summary, outputs: OutputFiles) -> Mapping[str, Any]:
    return {
        "outputs": outputs.data(),
        "frames": summary.frames,
        "seconds": summary.seconds,
        "fps": summary.fps,
        "coverage": summary.coverage,
        "interpolated_frames": summary.filled,
        "uncertain": [
            {"start": s.start, "end": s.end, "reason": s.reason} for s in summary.uncertain
        ],
    }


def _verdict_with_numbers(quality: Quality) -> str:
    """The verdict; of a good motion with the numbers behind it, as far as they are known."""
    if quality_faults(quality):
        return verdict(quality)
    numbers = [f"{label} {value}" for label, value, _ in quality_readings(quality) if value]
    return f"good ({', '.join(numbers)})"


def _output_lines(outputs: OutputFiles, units: str) -> list[Line]:
    lines = outputs.lines()
    if any(path.suffix.lower() == ".bvh" for path in outputs.paths):
        lines.append(
            (
                "Blender",
                f"File > Import > Motion Capture (.bvh), Scale {_BLENDER_SCALE[units]},"
                ' tick "Update Scene FPS" and "Update Scene Duration"',
            )
        )
    return lines


def _coverage(summary: Summary) -> str:
    share = f"{summary.coverage:.0%} of the frames"
    return f"{share} ({summary.filled} of them interpolated)" if summary.filled else share


def _stretches(stretches: Sequence[UncertainSpan]) -> str:
    if not stretches:
        return "nowhere"
    shown = sorted(stretches[:_MAX_STRETCHES], key=lambda s: s.start)
    text = ", ".join(f"{s.start:.2f}-{s.end:.2f} s ({s.reason})" for s in shown)
    more = len(stretches) - len(shown)
    return f"{text}, and {more} shorter" if more else text


def _size_text(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
