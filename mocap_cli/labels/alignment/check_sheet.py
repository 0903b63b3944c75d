"""Check: labels drawn on their frames, so that a shift or swapped sides are seen at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.export.views.canvas import DIM, Canvas, Colour, truncate_text
from mocap_cli.export.views.figure import SIDE_COLOURS, Figure, draw_figure, limb_side
from mocap_cli.io.atomic import write_atomically
from mocap_cli.labels.alignment.corrections import align_labels
from mocap_cli.labels.alignment.projection import (
    joints_as_keypoints,
    keypoint_distance,
    project_onto_keypoints,
)
from mocap_cli.labels.alignment.video_match import assign_frames, find_video
from mocap_cli.labels.fitting.gather import GatherOptions, estimate_of
from mocap_cli.labels.labels import Labels
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float64
from mocap_cli.video.reader import open_video

Image = NDArray[np.uint8]

_COLUMNS, _CELL, _CAPTION, _GAP = 4, 300, 22, 10  # pictures in a row; pixels
_MAX_CELLS = 12  # pictures on a sheet
_MARKED_ERROR = 0.35  # of the body's size between label and keypoints, from which it is marked
_ALERT: Colour = (200, 30, 30)
_MARGIN = 1.5  # a cell is that much larger than the person


@dataclass(frozen=True, slots=True, eq=False)
class _Overlay:
    """A label as it lies in its picture, and what the tracker sees there."""

    xy: Float64  # (N, 21, 2) clicks, pixels; NaN where there are none
    joints: Float64  # (N, 19, 2) 3D labels as the camera sees them; NaN where there are none
    seen: Float64  # (N, 21, 2) the tracker's keypoints
    off: Float64  # (N,) between label and keypoints, in sizes of the body; NaN where unknown


def _overlay_of(labels: Labels, estimate: Estimate) -> _Overlay:
    """Where labels that know their frames lie in the pictures."""
    seen = estimate.keypoints.xy[labels.frames].astype(np.float64)
    score = estimate.keypoints.score[labels.frames].astype(np.float64)
    hold = np.where(labels.has_2d[..., None], labels.xy, seen)
    joints = labels.joints if labels.in_camera else np.full_like(labels.joints, np.nan)
    shown = project_onto_keypoints(
        joints, hold, np.where(labels.has_2d, 1.0, score), estimate.camera
    )
    ours = np.where(labels.has_2d[..., None], labels.xy, joints_as_keypoints(shown))
    off = np.where(estimate.confident[labels.frames], keypoint_distance(ours, seen), np.nan)
    return _Overlay(labels.xy, shown, seen, off)


@dataclass(frozen=True, slots=True, eq=False)
class CheckedLabels:
    """What came of labels: on their frames, where these could be told."""

    labels: Labels
    refused: str  # why they cannot be used; nothing where they can
    sheet: Path | None  # where they are drawn


def draw_check_sheets(
    said: Sequence[Labels], videos: Sequence[Path], folder: Path, how: GatherOptions
) -> list[CheckedLabels]:
    """Draw every label file on its video, those that are refused as well, a sheet each."""
    names: set[str] = set()
    checked = []
    for labels in said:
        try:
            video = find_video(labels, videos)
        except MocapError as error:
            checked.append(CheckedLabels(labels, error.message, None))
            continue
        estimate = estimate_of(video, how)
        name = _name(labels, video, names)
        labels, refused = _placed(labels, estimate, how)
        inside = (labels.frames >= 0) & (labels.frames < len(estimate.times))
        if refused and inside.any():
            labels = labels.select(np.flatnonzero(inside))  # those that can be drawn
        sheet = folder / name if inside.any() else None
        if sheet is not None:
            _write_sheet(labels, video, estimate, sheet, refused)
        checked.append(CheckedLabels(labels, refused, sheet))
    return checked


def _placed(labels: Labels, estimate: Estimate, how: GatherOptions) -> tuple[Labels, str]:
    """Labels as they would be used, or as they are and why they are refused."""
    try:
        return align_labels(labels, estimate, how.clock), ""
    except MocapError as error:
        try:
            placed = assign_frames(labels, estimate.times) if labels.synchronous else labels
        except MocapError:
            placed = labels
        return placed, error.message


def _name(labels: Labels, video: Path, taken: set[str]) -> str:
    """VIDEO.check.png; with the labels' own name where a video has several."""
    name = f"{video.stem}.check.png"
    if name in taken:
        name = f"{video.stem}.{labels.path.name}.check.png"
    taken.add(name)
    return name


def _frames_to_draw(marks: _Overlay, most: int = _MAX_CELLS) -> NDArray[np.intp]:
    """Rows to look at: one in three those that fit worst, the others evenly spread."""
    count = len(marks.off)
    if count <= most:
        return np.arange(count)
    worst = np.argsort(-np.nan_to_num(marks.off, nan=-1.0), kind="stable")[: most // 3]
    others = np.setdiff1d(np.arange(count), worst)
    even = np.linspace(0, len(others) - 1, most - len(worst)).round().astype(int)
    return np.union1d(worst, others[even])


def _write_sheet(
    labels: Labels, video: Path, estimate: Estimate, path: Path, refused: str = ""
) -> float:
    """A PNG of labels that know their frames; how far off they are, NaN where unknown.

    `refused` says why they cannot be used, where that is so.
    """
    marks = _overlay_of(labels, estimate)
    rows = _frames_to_draw(marks)
    cells = _cells(marks, labels, rows, video)
    lines = [(truncate_text(note, 14, _sheet_width() - 20), DIM) for note in labels.notes[:4]]
    if refused:
        lines.insert(0, (truncate_text(f"REFUSED: {refused}", 14, _sheet_width() - 20), _ALERT))
    top = 64 + 20 * len(lines)
    high = top + -(-len(rows) // _COLUMNS) * (_CELL + _CAPTION + _GAP) + _GAP
    sheet = Canvas(_sheet_width(), high)
    _draw_heading(sheet, labels, video, marks, lines)
    for i, (row, cell) in enumerate(zip(rows, cells, strict=True)):
        x = _GAP + (i % _COLUMNS) * (_CELL + _GAP)
        y = top + (i // _COLUMNS) * (_CELL + _CAPTION + _GAP)
        sheet.paste((x, y), cell)
        _draw_caption(sheet, (x, y + _CELL + 16), labels, marks, int(row))
    with write_atomically(path) as aside:
        aside.write_bytes(sheet.png())
    return _median_error(marks)


def _median_error(marks: _Overlay) -> float:
    known = marks.off[np.isfinite(marks.off)]
    return float(np.median(known)) if len(known) else float("nan")


def _sheet_width() -> int:
    return _COLUMNS * (_CELL + _GAP) + _GAP


def _draw_heading(
    sheet: Canvas, labels: Labels, video: Path, marks: _Overlay, lines: Sequence[tuple[str, Colour]]
) -> None:
    said = f"{labels.path.name} on {video.name}: {len(labels)} labelled frames"
    sheet.text((_GAP, 26), truncate_text(said, 18, _sheet_width() - 340), 18)
    off = _median_error(marks)
    far = "" if np.isnan(off) else f"; {off:.2f} bodies beside what the tracker sees (dots)"
    sheet.text((_GAP, 50), f"lines are labels{far}", 14, _ALERT if off > _MARKED_ERROR else DIM)
    for i, (name, colour) in enumerate(
        (("the person's left", SIDE_COLOURS["left"]), ("right", SIDE_COLOURS["right"]))
    ):
        sheet.fill((_sheet_width() - 240 + 150 * i, 14, _sheet_width() - 226 + 150 * i, 28), colour)
        sheet.text((_sheet_width() - 220 + 150 * i, 26), name, 14)
    for i, (line, colour) in enumerate(lines):
        sheet.text((_GAP, 72 + 20 * i), line, 14, colour)


def _draw_caption(
    sheet: Canvas, at: tuple[int, int], labels: Labels, marks: _Overlay, row: int
) -> None:
    off = float(marks.off[row])
    said = f"frame {labels.frames[row]}, {labels.times[row]:.3f} s"
    sheet.text(
        at,
        said if np.isnan(off) else f"{said}: {off:.2f}",
        13,
        _ALERT if off > _MARKED_ERROR else DIM,
    )


def _cells(marks: _Overlay, labels: Labels, rows: NDArray[np.intp], video: Path) -> list[Image]:
    wanted = {int(labels.frames[row]): int(row) for row in rows}
    cells: dict[int, Image] = {}
    with open_video(video) as reader:
        for frame in reader:
            if frame.index in wanted:
                cells[wanted[frame.index]] = _cell(frame.image, marks, wanted[frame.index])
            if len(cells) == len(wanted):
                break
    return [cells.get(int(row), np.zeros((_CELL, _CELL, 3), np.uint8)) for row in rows]


def _cell(image: Image, marks: _Overlay, row: int) -> Image:
    """The person's square of the picture, enlarged, with the label over it."""
    points = np.concatenate((marks.xy[row], marks.joints[row], marks.seen[row]))
    points = points[np.isfinite(points).all(axis=-1)]
    height, width = image.shape[:2]
    low, high = (points.min(0), points.max(0)) if len(points) else (np.zeros(2), (width, height))
    side = max(float(np.max(np.subtract(high, low))) * _MARGIN, 16.0)
    corner = (np.add(low, high) - side) / 2
    scale = _CELL / side
    place = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    place[:, 2] += 0.5 * scale - 0.5  # a pixel's middle is at 0.5 for us, at 0 for cv2
    cell = np.asarray(cv2.warpAffine(image, place, (_CELL, _CELL), flags=cv2.INTER_AREA), np.uint8)
    xy, joints, seen = (scale * (p[row] - corner) for p in (marks.xy, marks.joints, marks.seen))
    _draw(cell, xy, joints, seen)
    return cell


def _draw(cell: Image, xy: Float64, joints: Float64, seen: Float64) -> None:
    clicked = np.isfinite(xy).all(axis=-1)
    if not clicked.any():  # 3D alone: its limbs in the colours of their sides
        xy = joints_as_keypoints(joints[None])[0]
        clicked = np.isfinite(xy).all(axis=-1)
    figure = Figure(
        xy=xy.astype(np.float32),
        score=np.asarray(clicked, np.float32),
        joints=joints,
        contacts=np.zeros(2, np.float32),
        detected=True,
    )
    draw_figure(cell, figure)
    for name, at in zip(KEYPOINTS, seen, strict=True):
        if np.isfinite(at).all() and name not in KEYPOINTS[1:5]:
            x, y = (at - 0.5).round().astype(int).tolist()
            cv2.circle(cell, (x, y), 5, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(cell, (x, y), 3, SIDE_COLOURS[limb_side(name, "")], -1, cv2.LINE_AA)
