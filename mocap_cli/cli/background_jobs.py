"""What `mocap background` asks for, and what it reports of each background."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from mocap_cli.cli.display import Report
from mocap_cli.cli.output_request import is_folder, refuse_several
from mocap_cli.cli.report import OutputFiles
from mocap_cli.clips.background_maker import BackgroundFacts
from mocap_cli.clips.clip import Clip
from mocap_cli.clips.plan import OutputRequest
from mocap_cli.io.url import output_path
from mocap_cli.workers.job import Result

_IMAGE, _ARCHIVE = ".background.png", ".background.npz"
_METHODS = {
    "median": "median of each pixel",
    "split": "half of the first frame and half of the last",
    "panorama": "panorama, median of each pixel",
}
_CAMERAS = {
    "fixed": "fixed",
    "turning": "pans or zooms: points match within {:.1f} pixels",
    "walking": "moves along, or much moves in front of it: points match within {:.1f} pixels only",
}


def background_request(given: str | None, inputs: Sequence[Path]) -> OutputRequest:
    """An image and an archive for each video, beside it unless a place is given."""
    if given is None or is_folder(given):
        folder = None if given is None else output_path(given)
        return OutputRequest(suffixes=(_IMAGE, _ARCHIVE), folder=folder)
    output = output_path(given)
    if output.suffix.lower() not in (".png", ".npz"):
        raise typer.BadParameter("give a file (empty.png), or a folder (out/)", param_hint="-o")
    files = output.with_suffix(".png"), output.with_suffix(".npz")
    refuse_several(files, inputs)
    return OutputRequest(files=files)


def background_report(
    clip: Clip, result: Result[BackgroundFacts], facts: BackgroundFacts
) -> Report:
    """How a background was made, and what was written."""
    outputs = OutputFiles.of(facts.outputs, result)
    sizes = ", ".join(
        f"{width}x{height}" + (" on a cylinder" if shape == "cylinder" else "")
        for shape, (width, height) in facts.plates
    )
    lines = [
        ("camera", _camera(facts)),
        ("method", f"{_METHODS[facts.kind]}, {sizes}"),
        *(("warning", warning) for warning in facts.warnings),
        *(() if result.status == "skipped" else outputs.lines()),
    ]
    data = {
        "input": str(clip.source),
        "outputs": outputs.data(),
        "status": result.status,
        "frames": facts.frames,
        "method": facts.kind,
        "camera": [kind for kind, _ in facts.camera],
        "warnings": list(facts.warnings),
    }
    done = {
        "made": f"in {result.seconds:.1f} s",
        "exported": "written from its finished archive",
        "skipped": "done already (--overwrite makes it again)",
    }[result.status]
    return Report(f"{facts.video}: {facts.frames} frames {done}", lines, data)


def background_row(facts: BackgroundFacts | None) -> Mapping[str, Any]:
    """Columns of the summary."""
    if facts is None:
        return dict.fromkeys(["frames", "duration", "method", "camera", "warnings", "version"])
    return {
        "frames": facts.frames,
        "duration": round(facts.duration, 6),
        "method": facts.kind,
        "camera": _camera(facts),
        "warnings": "; ".join(facts.warnings),
        "version": facts.version,
    }


def _camera(facts: BackgroundFacts) -> str:
    return "; ".join(dict.fromkeys(_CAMERAS[kind].format(error) for kind, error in facts.camera))
