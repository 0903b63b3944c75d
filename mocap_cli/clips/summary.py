"""Summary of a library: one row for each clip, which is a manifest of the same clips as well."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mocap_cli.clips.clip import Clip, ClipFacts
from mocap_cli.clips.tables import check_table, write_table
from mocap_cli.io.atomic import readable
from mocap_cli.io.file_guard import existing_outputs, refuse_unwritable
from mocap_cli.io.remote import refuse_remote
from mocap_cli.io.url import is_url
from mocap_cli.keypoints.subject import subject_text
from mocap_cli.workers.job import Result

F = TypeVar("F")


def write_summary(
    path: Path,
    clips: Sequence[Clip],
    results: Mapping[int, Result[F]],
    row: Callable[[F | None], Mapping[str, Any]],
) -> None:
    """Write the clips that have a result, in their own order; `row` gives columns of facts.

    Without any result nothing is written, so that an earlier table stays.
    """
    if not results:
        return
    columns = summary_row(Clip(source=Path()), Result(status="failed"), row)
    rows = [summary_row(clips[number], results[number], row) for number in sorted(results)]
    write_table(path, tuple(columns), rows)


def check_summary(summary: Path | None, overwrite: bool | None) -> None:
    """Refuse, before any work, a summary that could not be written after it."""
    if summary is not None:
        check_table(summary)
        if is_url(summary):
            refuse_remote(summary, overwrite)
        else:
            refuse_unwritable(summary)
            existing_outputs([summary], overwrite)


def summary_row(
    clip: Clip, result: Result[F], row: Callable[[F | None], Mapping[str, Any]]
) -> dict[str, Any]:
    """What became of a clip, as plain values."""
    return {
        "path": readable(str(clip.source)),
        "name": readable(clip.name),
        "subject": subject_text(clip.subject).replace(" ", ";"),
        "height": clip.height,
        "start": clip.start,
        "end": clip.end,
        "status": result.status,
        "error": readable(result.error),
        **row(result.facts),
        "seconds": round(result.seconds, 3) if result.seconds else None,
        "finished": result.finished,
    }


def motion_row(facts: ClipFacts | None) -> dict[str, Any]:
    """Columns of a motion."""
    if facts is None:
        columns = "frames duration fps coverage verdict reasons warnings space version"
        return dict.fromkeys(columns.split())
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
