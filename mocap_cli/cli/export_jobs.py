"""What `mocap export` asks for, and what it reports of videos redrawn with another appearance."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from mocap_cli.cli.display import Report
from mocap_cli.cli.output_request import parse_outputs
from mocap_cli.cli.report import OutputFiles
from mocap_cli.clips.clip import Clip
from mocap_cli.clips.plan import OutputRequest
from mocap_cli.export.registry import FORMATS
from mocap_cli.export.swap_video import SwapResult
from mocap_cli.io.inputs import SWAP
from mocap_cli.workers.job import Result


def export_request(output: Sequence[str], inputs: Sequence[Path], *, check: bool) -> OutputRequest:
    """The files to make from each motion; with --check none unless -o names some."""
    return parse_outputs(output, FORMATS, () if check else (".bvh",), inputs, motions=True)


def swap_request(output: Sequence[str], inputs: Sequence[Path]) -> OutputRequest:
    """The video to make from each."""
    request = parse_outputs(output, (".mp4",), (".mp4",), inputs)
    endings = {path.suffix.lower() for path in request.files}
    if len(request.files) > 1 or endings - {".mp4"}:
        raise typer.BadParameter("give one .mp4, or a folder (out/)", param_hint="-o")
    return replace(request, video_ending=SWAP)


def films_of(clips: Sequence[Clip]) -> tuple[Path, ...]:
    """The videos that are written."""
    return tuple(
        path for clip in clips for path in clip.outputs if path.name.lower().endswith(".mp4")
    )


def refuse_mirrored(films: Sequence[Path]) -> None:
    """A video shows the person as filmed."""
    if films:
        raise typer.BadParameter(
            "the video itself is not mirrored; leave out -o .mp4", param_hint="--mirror"
        )


def swap_report(clip: Clip, result: Result[SwapResult], made: SwapResult) -> Report:
    """What was redrawn."""
    files = OutputFiles.of(clip.outputs, result)
    lines = [
        ("model", f"{made.model}, {made.step} training steps"),
        *(("warning", warning) for warning in made.warnings),
        *files.lines(),
    ]
    data = {
        "input": str(clip.source),
        "outputs": files.data(),
        "status": result.status,
        "frames": made.frames,
        "model": str(made.model),
        "training_steps": made.step,
        "warnings": list(made.warnings),
    }
    return Report(f"{clip.source}: {made.frames} frames redrawn", lines, data)


def swap_row(made: SwapResult | None) -> Mapping[str, Any]:
    """Columns of the summary."""
    if made is None:
        return dict.fromkeys(["frames", "model", "training_steps", "warnings"])
    return {
        "frames": made.frames,
        "model": str(made.model),
        "training_steps": made.step,
        "warnings": "; ".join(made.warnings),
    }
