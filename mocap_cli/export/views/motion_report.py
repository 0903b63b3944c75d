"""Report: one image that summarises a motion: key poses, timeline, curves and quality."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mocap_cli.body.anatomy import centre_of_mass
from mocap_cli.body.joint_angles import joint_angles
from mocap_cli.body.motion import Motion
from mocap_cli.body.skeleton import BODY
from mocap_cli.export.views.canvas import DIM, INK, Canvas, Colour, text_width, truncate_text
from mocap_cli.export.views.key_poses import KeyPoses
from mocap_cli.export.views.plots import Curve, TimePlots
from mocap_cli.export.views.projection import OrthographicView
from mocap_cli.io.atomic import write_atomically
from mocap_cli.quality.measures import Quality, measure_quality
from mocap_cli.quality.verdict import quality_faults, quality_readings
from mocap_cli.types import Float64

_WIDTH, _MARGIN, _GAP = 1600, 44, 14
_POSES = 7
_VIDEO_ROW, _DRAWN_ROW = 280, 210  # heights of the two rows of key poses in pixels
_TIMELINE, _PLOT = 118, 190
_PLOTTED = (
    "knee_flexion",
    "hip_flexion",
    "elbow_flexion",
    "shoulder_elevation",
    "trunk_inclination",
)
_GOOD: Colour = (20, 132, 62)
_BAD: Colour = (178, 106, 0)
_LINE = 24  # pixels from one line of text to the next
_ROWS = 14  # lines of text below the plots


def write_report(motion: Motion, path: Path, video: Path | None = None) -> None:
    """Write the report as PNG, with key poses from the video where it is given."""
    quality = measure_quality(motion)
    poses = KeyPoses.choose(motion, _POSES)
    tops = _tops()
    canvas = Canvas(_WIDTH, tops["end"])
    _draw_head(canvas, motion, quality)
    _draw_poses(canvas, tops["poses"], poses, video)
    plots = TimePlots(motion, quality.doubtful, [float(motion.times[t]) for t in poses.frames])
    box = (_MARGIN, tops["timeline"], _WIDTH - _MARGIN, tops["timeline"] + _TIMELINE)
    plots.draw_timeline(canvas, box)
    _draw_plots(canvas, tops["plots"], plots)
    _draw_text(canvas, tops["text"], motion, quality)
    with write_atomically(path) as aside:
        aside.write_bytes(canvas.png())


def _tops() -> dict[str, int]:
    """The top of each part in pixels."""
    poses = 124
    timeline = poses + _VIDEO_ROW + 6 + _DRAWN_ROW + 44
    plots = timeline + _TIMELINE + 34
    text = plots + 2 * (_PLOT + 26) + 22
    return {
        "poses": poses,
        "timeline": timeline,
        "plots": plots,
        "text": text,
        "end": text + (_ROWS + 1) * _LINE + _MARGIN - 10,
    }


def _draw_head(canvas: Canvas, motion: Motion, quality: Quality) -> None:
    source = motion.source
    name = truncate_text(source.file, 34, _WIDTH - 2 * _MARGIN - 260)
    canvas.text((_MARGIN, 66), name, 34)
    facts = (
        f"{quality.frames} frames, {quality.seconds:.2f} s at {quality.fps:.2f} fps"
        f"{'' if quality.even else ' (uneven)'}, {source.width} x {source.height}"
    )
    canvas.text((_MARGIN, 98), facts, 17, DIM)
    reasons = quality_faults(quality)
    colour = _BAD if reasons else _GOOD
    word = "needs review" if reasons else "good"
    canvas.text((_WIDTH - _MARGIN, 64), word, 24, colour, "right")
    room = _WIDTH - 2 * _MARGIN - text_width(facts, 17) - 40
    canvas.text(
        (_WIDTH - _MARGIN, 98), truncate_text("; ".join(reasons), 15, room), 15, colour, "right"
    )


def _draw_poses(canvas: Canvas, top: int, poses: KeyPoses, video: Path | None) -> None:
    """Two rows, from the camera and from the side, numbered as on the timeline."""
    if not poses.frames:
        canvas.text((_WIDTH / 2, top + _VIDEO_ROW), "no person was found", 24, DIM, "middle")
        return
    width = (_WIDTH - 2 * _MARGIN - (_POSES - 1) * _GAP) // _POSES
    if video is None:
        first = poses.drawings(OrthographicView.CAMERA, (width, _VIDEO_ROW))
    else:
        first = poses.crops(video, (width, _VIDEO_ROW))
    second = poses.drawings(OrthographicView.SIDE, (width, _DRAWN_ROW))
    for number, (t, upper, lower) in enumerate(zip(poses.frames, first, second, strict=True)):
        left = _MARGIN + number * (width + _GAP)
        canvas.paste((left, top), upper)
        canvas.paste((left, top + _VIDEO_ROW + 6), lower)
        y = top + _VIDEO_ROW + 6 + _DRAWN_ROW + 20
        canvas.text((left, y), f"{number + 1}", 16)
        canvas.text((left + width, y), f"{poses.motion.times[t]:.2f} s", 15, DIM, "right")


def _draw_plots(canvas: Canvas, top: int, plots: TimePlots) -> None:
    """Three by two plots of heights and angles."""
    width = (_WIDTH - 2 * _MARGIN - 2 * 30) // 3
    height = "height, m" if plots.motion.space == "world" else "height in camera axes, m"
    shown = [(height, _heights(plots.motion), 0.5)]
    angles = joint_angles(plots.motion)
    shown += [(f"{n.replace('_', ' ')}, degrees", _sides(angles, n), 20.0) for n in _PLOTTED]
    for number, (title, curves, min_range) in enumerate(shown):
        left = _MARGIN + (number % 3) * (width + 30)
        above = top + (number // 3) * (_PLOT + 26)
        box = (left, above, left + width, above + _PLOT)
        plots.draw_plot(canvas, box, title, curves, min_range)


def _heights(motion: Motion) -> list[Curve]:
    height = motion.joints[..., 1].astype(np.float64)
    return [
        Curve("centre of mass", centre_of_mass(motion.joints)[:, 1], "middle"),
        Curve("left foot", height[:, BODY.index("left_toe")], "left"),
        Curve("right foot", height[:, BODY.index("right_toe")], "right"),
    ]


def _sides(angles: Mapping[str, Float64], name: str) -> list[Curve]:
    if name in angles:
        return [Curve("", angles[name], "middle")]
    return [
        Curve("left", angles[f"left_{name}"], "left"),
        Curve("right", angles[f"right_{name}"], "right"),
    ]


def _draw_text(canvas: Canvas, top: int, motion: Motion, quality: Quality) -> None:
    """Three columns: quality, spans to review, warnings."""
    columns = [_MARGIN, _MARGIN + 400, _MARGIN + 800]
    titles = ("Quality", "Review", "Warnings and notes")
    for left, title in zip(columns, titles, strict=True):
        canvas.text((left, top), title, 15, DIM)
    for row, (label, value, kept) in enumerate(quality_readings(quality), 1):
        canvas.text((columns[0], top + row * _LINE), label, 16)
        colour = INK if kept else _BAD
        canvas.text((columns[0] + 180, top + row * _LINE), value or "unknown", 16, colour)
    spans = [f"{s.start:.2f} to {s.end:.2f} s: {s.reason}" for s in quality.doubtful]
    _draw_lines(canvas, columns[1], top, spans or ["nothing"], 370)
    texts = (*motion.warnings, *motion.notes)
    _draw_lines(
        canvas,
        columns[2],
        top,
        _wrapped(texts, 16, _WIDTH - _MARGIN - columns[2]),
    )


def _draw_lines(canvas: Canvas, left: int, top: int, lines: list[str], width: int = _WIDTH) -> None:
    shown = (
        lines
        if len(lines) <= _ROWS
        else [*lines[: _ROWS - 1], f"and {len(lines) - _ROWS + 1} more"]
    )
    for row, line in enumerate(shown, 1):
        canvas.text((left, top + row * _LINE), truncate_text(line, 16, width), 16)


def _wrapped(texts: tuple[str, ...], size: int, width: float) -> list[str]:
    """The texts as lines that fit, each text starting a new line."""
    lines: list[str] = []
    for text in texts:
        line = ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if line and text_width(longer, size) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return lines
