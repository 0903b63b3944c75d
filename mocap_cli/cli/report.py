"""The reports: what was followed, what is in doubt, what was written, what to do next."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.text import Text

from mocap_cli.body.motion import Motion
from mocap_cli.export.quality import Quality, measure_quality, quality_faults, quality_readings
from mocap_cli.tracking.summary import Summary, UncertainSpan, summarise

_MOST_STRETCHES = 5
_LABEL_WIDTH = 10


def track_report(
    motion: Motion, outputs: Sequence[Path], units: Literal["cm", "m"], seconds: float
) -> Text:
    """What a person wants to know, as lines for the screen."""
    summary = summarise(motion)
    source = motion.source
    head = (
        f"{source.file}: {summary.frames} frames, {summary.seconds:.2f} s at {summary.fps:.2f}"
        f" fps, {source.width}x{source.height}, tracked at {summary.frames / seconds:.0f} frames/s"
    )
    return labelled_lines(
        head,
        [
            ("followed", _followed(summary)),
            ("in doubt", _doubts(summary.uncertain)),
            ("space", _SPACES[motion.space]),
            *(("warning", warning) for warning in motion.warnings),
            *output_lines(outputs, units),
        ],
    )


def export_report(
    motion: Motion, source: Path, outputs: Sequence[Path], units: Literal["cm", "m"]
) -> Text:
    """What was written from a motion, as lines for the screen."""
    summary = summarise(motion)
    head = f"{source}: {summary.frames} frames, {summary.seconds:.2f} s at {summary.fps:.2f} fps"
    quality = [("quality", _quality(measure_quality(motion)))]
    return labelled_lines(head, [*quality, *output_lines(outputs, units)])


def _quality(quality: Quality) -> str:
    """Fit and the numbers behind it, as far as they are known; or why not."""
    if reasons := quality_faults(quality):
        return f"unfit ({'; '.join(reasons)})"
    numbers = [f"{label} {value}" for label, value, _ in quality_readings(quality) if value]
    return f"fit ({', '.join(numbers)})"


def output_lines(
    outputs: Sequence[Path], units: Literal["cm", "m"] = "cm"
) -> list[tuple[str, str]]:
    """What was written and how large it is, and how Blender takes it."""
    lines = [("wrote", f"{path} ({_size(path)})") for path in outputs]
    if any(path.suffix.lower() == ".bvh" for path in outputs):
        lines.append(("Blender", _blender(units)))
    return lines


def labelled_lines(head: str, lines: Sequence[tuple[str, str]]) -> Text:
    """A headline, and below it labelled lines."""
    text = Text(head, style="bold")
    for label, line in lines:
        style = "yellow" if label == "warning" else "cyan"
        text.append("\n")
        text.append(f"  {label:<{_LABEL_WIDTH}}", style=f"not bold {style}")
        text.append(line, style="not bold")
    return text


_SPACES = {
    "world": "world: metres, Y up, ground at 0",
    "camera": "camera: metres, as the camera saw it; the ground is not known",
}


def _followed(summary: Summary) -> str:
    share = f"{summary.coverage:.0%} of the frames"
    return f"{share} ({summary.filled} of them filled in)" if summary.filled else share


def _doubts(stretches: Sequence[UncertainSpan]) -> str:
    if not stretches:
        return "nothing"
    shown = sorted(stretches[:_MOST_STRETCHES], key=lambda s: s.start)
    text = ", ".join(f"{s.start:.2f}-{s.end:.2f} s ({s.reason})" for s in shown)
    more = len(stretches) - len(shown)
    return f"{text}, and {more} shorter" if more else text


def _blender(units: Literal["cm", "m"]) -> str:
    scale = {"cm": "0.01", "m": "1"}[units]
    return (
        f"File > Import > Motion Capture (.bvh), Scale {scale},"
        ' tick "Update Scene FPS" and "Update Scene Duration"'
    )


def _size(path: Path) -> str:
    size = float(path.stat().st_size)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
