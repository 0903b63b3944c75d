"""Summary of a library: one row for each clip, which is a manifest of the same clips as well."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mocap_cli.clips.clip import Clip, ClipFacts, ClipResult
from mocap_cli.clips.tables import write_table
from mocap_cli.io.atomic import readable

_COLUMNS = (
    "path", "name", "subject", "height", "start", "end", "status", "error", "frames", "duration",
    "fps", "coverage", "verdict", "reasons", "warnings", "space", "tracking_seconds", "finished",
    "version",
)  # fmt: skip


def write_summary(path: Path, clips: Sequence[Clip], results: Mapping[int, ClipResult]) -> None:
    """Write the clips that have a result, in their own order."""
    rows = [_row(clips[number], results[number]) for number in sorted(results)]
    write_table(path, _COLUMNS, rows)


def _row(clip: Clip, result: ClipResult) -> dict[str, Any]:
    point = isinstance(clip.subject, tuple)
    row = {
        "path": readable(str(clip.video)),
        "name": readable(clip.name),
        "subject": ",".join(f"{value:g}" for value in clip.subject) if point else clip.subject,
        "height": clip.height,
        "start": clip.start,
        "end": clip.end,
        "status": result.status,
        "error": readable(result.error),
        "tracking_seconds": round(result.seconds, 3) if result.seconds else None,
        "finished": result.finished,
    }
    values = row | (_measures(result.facts) if result.facts is not None else {})
    return {name: values.get(name) for name in _COLUMNS}


def _measures(facts: ClipFacts) -> dict[str, Any]:
    return {
        "frames": facts.summary.frames,
        "duration": round(facts.summary.seconds, 6),
        "fps": round(facts.summary.fps, 6),
        "coverage": round(facts.summary.coverage, 6),
        "verdict": "needs review" if facts.faults else "good",
        "reasons": "; ".join(facts.faults),
        "warnings": "; ".join(facts.warnings),
        "space": facts.space,
        "version": facts.version,
    }
