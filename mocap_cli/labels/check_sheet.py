"""Check sheets: labels drawn on their frames, so that mistakes are found by eye."""

import itertools
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
from mocap_cli.io.file_guard import refuse_unwritable
from mocap_cli.labels.alignment.corrections import align_labels
from mocap_cli.labels.alignment.projection import (
    LabelOverlay,
    joints_as_keypoints,
)
from mocap_cli.labels.alignment.time_alignment import assign_frames, find_video
from mocap_cli.labels.fitting.gather import GatherOptions
from mocap_cli.labels.labels import Labels
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float64, UInt8
from mocap_cli.video.reader import open_video

_COLUMNS, _CELL, _CAPTION, _GAP = 4, 300, 22, 10  # images in a row; pixels
_MAX_CELLS = 12  # images on a sheet
_MARKED_ERROR = 0.35  # body sizes between label and keypoints, from which it is marked
_ALERT: Colour = (200, 30, 30)
_MARGIN = 1.5  # a cell is that much larger than the person


@dataclass(frozen=True, slots=True, eq=False)
class CheckedLabels:
    """Labels of one file after alignment."""

    labels: Labels  # on their frames, where these could be found
    refused: str  # why they cannot be used; empty where they can
    sheet: Path | None  # where they are drawn


def draw_check_sheets(
    labels: Sequence[Labels], videos: Sequence[Path], folder: Path, how: GatherOptions
) -> list[CheckedLabels]:
    """Draw every label file on its video, those that are refused as well, a sheet each."""
    refuse_unwritable(folder / "labels.check.png")
    names: set[str] = set()
    checked = []
    for one in labels:
        try:
            video = find_video(one, videos)
        except MocapError as error:
            checked.append(CheckedLabels(one, error.message, None))
            continue
        estimate = how.estimate(video)
        name = _name(one, video, names)
        placed, refused = _placed(one, estimate, how)
        inside = (placed.frames >= 0) & (placed.frames < len(estimate.times))
        if refused and inside.any():
            placed = placed.select(np.flatnonzero(inside))  # those that can be drawn
        sheet = folder / name if inside.any() else None
        if sheet is not None:
            _write_sheet(placed, video, estimate, sheet, refused)
        checked.append(CheckedLabels(placed, refused, sheet))
    return checked


def _placed(labels: Labels, estimate: Estimate, how: GatherOptions) -> tuple[Labels, str]:
    """Labels as they would be used, or as they are and why they are refused."""
    try:
        return align_labels(labels, estimate, how.time_base), ""
    except MocapError as error:
        try:
            placed = assign_frames(labels, estimate.times) if labels.synchronous else labels
        except MocapError:
            placed = labels
        return placed, error.message


def _name(labels: Labels, video: Path, taken: set[str]) -> str:
    """VIDEO.check.png; with the labels' own name where a video has several, then with a number."""
    own = f"{video.stem}.{labels.path.name}"
    numbered = (f"{own}.{number}" for number in itertools.count(2))
    names = (f"{stem}.check.png" for stem in itertools.chain((video.stem, own), numbered))
    name = next(name for name in names if name.casefold() not in taken)
    taken.add(name.casefold())
    return name


def _frames_to_draw(overlay: LabelOverlay, most: int = _MAX_CELLS) -> NDArray[np.intp]:
    """Rows to draw: a third with the largest errors, the others evenly spread."""
    count = len(overlay.errors)
    if count <= most:
        return np.arange(count)
    worst = np.argsort(-np.nan_to_num(overlay.errors, nan=-1.0), kind="stable")[: most // 3]
    others = np.setdiff1d(np.arange(count), worst)
    even = np.linspace(0, len(others) - 1, most - len(worst)).round().astype(int)
    return np.union1d(worst, others[even])


def _write_sheet(
    labels: Labels, video: Path, estimate: Estimate, path: Path, refused: str = ""
) -> None:
    """Write a PNG of labels that know their frames; `refused` says why they cannot be used."""
    overlay = LabelOverlay.of(labels, estimate)
    rows = _frames_to_draw(overlay)
    cells = _cells(overlay, labels, rows, video)
    lines = [(truncate_text(note, 14, _sheet_width() - 20), DIM) for note in labels.notes[:4]]
    if refused:
        lines.insert(0, (truncate_text(f"REFUSED: {refused}", 14, _sheet_width() - 20), _ALERT))
    top = 64 + 20 * len(lines)
    high = top + -(-len(rows) // _COLUMNS) * (_CELL + _CAPTION + _GAP) + _GAP
    sheet = Canvas(_sheet_width(), high)
    _draw_heading(sheet, labels, video, overlay, lines)
    for i, (row, cell) in enumerate(zip(rows, cells, strict=True)):
        x = _GAP + (i % _COLUMNS) * (_CELL + _GAP)
        y = top + (i // _COLUMNS) * (_CELL + _CAPTION + _GAP)
        sheet.paste((x, y), cell)
        _draw_caption(sheet, (x, y + _CELL + 16), labels, overlay, int(row))
    with write_atomically(path) as aside:
        aside.write_bytes(sheet.png())


def _median_error(overlay: LabelOverlay) -> float:
    known = overlay.errors[np.isfinite(overlay.errors)]
    return float(np.median(known)) if len(known) else float("nan")


def _sheet_width() -> int:
    return _COLUMNS * (_CELL + _GAP) + _GAP


def _draw_heading(
    sheet: Canvas,
    labels: Labels,
    video: Path,
    overlay: LabelOverlay,
    lines: Sequence[tuple[str, Colour]],
) -> None:
    title = f"{labels.path.name} on {video.name}: {len(labels)} labelled frames"
    sheet.text((_GAP, 26), truncate_text(title, 18, _sheet_width() - 340), 18)
    error = _median_error(overlay)
    far = "" if np.isnan(error) else f"; {error:.2f} body sizes off the keypoints (dots)"
    sheet.text((_GAP, 50), f"lines are labels{far}", 14, _ALERT if error > _MARKED_ERROR else DIM)
    for i, (name, colour) in enumerate(
        (("the person's left", SIDE_COLOURS["left"]), ("right", SIDE_COLOURS["right"]))
    ):
        sheet.fill((_sheet_width() - 240 + 150 * i, 14, _sheet_width() - 226 + 150 * i, 28), colour)
        sheet.text((_sheet_width() - 220 + 150 * i, 26), name, 14)
    for i, (line, colour) in enumerate(lines):
        sheet.text((_GAP, 72 + 20 * i), line, 14, colour)


def _draw_caption(
    sheet: Canvas, at: tuple[int, int], labels: Labels, overlay: LabelOverlay, row: int
) -> None:
    error = float(overlay.errors[row])
    caption = f"frame {labels.frames[row]}, {labels.times[row]:.3f} s"
    sheet.text(
        at,
        caption if np.isnan(error) else f"{caption}: {error:.2f}",
        13,
        _ALERT if error > _MARKED_ERROR else DIM,
    )


def _cells(
    overlay: LabelOverlay, labels: Labels, rows: NDArray[np.intp], video: Path
) -> list[UInt8]:
    wanted = {int(labels.frames[row]): int(row) for row in rows}
    cells: dict[int, UInt8] = {}
    with open_video(video) as reader:
        for frame in reader:
            if frame.index in wanted:
                cells[wanted[frame.index]] = _cell(frame.image, overlay, wanted[frame.index])
            if len(cells) == len(wanted):
                break
    return [cells.get(int(row), np.zeros((_CELL, _CELL, 3), np.uint8)) for row in rows]


def _cell(image: UInt8, overlay: LabelOverlay, row: int) -> UInt8:
    """The crop of the person, enlarged, with the label over it."""
    points = np.concatenate((overlay.xy[row], overlay.joints[row], overlay.keypoints[row]))
    points = points[np.isfinite(points).all(axis=-1)]
    height, width = image.shape[:2]
    low, high = (points.min(0), points.max(0)) if len(points) else (np.zeros(2), (width, height))
    side = max(float(np.max(np.subtract(high, low))) * _MARGIN, 16.0)
    corner = (np.add(low, high) - side) / 2
    scale = _CELL / side
    place = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    place[:, 2] += 0.5 * scale - 0.5  # pixel centres are at 0.5 here, at 0 in cv2
    cell = np.asarray(cv2.warpAffine(image, place, (_CELL, _CELL), flags=cv2.INTER_AREA), np.uint8)
    xy, joints, keypoints = (
        scale * (p[row] - corner) for p in (overlay.xy, overlay.joints, overlay.keypoints)
    )
    _draw(cell, xy, joints, keypoints)
    return cell


def _draw(cell: UInt8, xy: Float64, joints: Float64, keypoints: Float64) -> None:
    known = np.isfinite(xy).all(axis=-1)
    if not known.any():  # 3D labels only: limbs in the colours of their sides
        xy = joints_as_keypoints(joints[None])[0]
        known = np.isfinite(xy).all(axis=-1)
    figure = Figure(
        xy=xy.astype(np.float32),
        score=np.asarray(known, np.float32),
        joints=joints,
        contacts=np.zeros(2, np.float32),
        detected=True,
    )
    draw_figure(cell, figure)
    for name, at in zip(KEYPOINTS, keypoints, strict=True):
        if np.isfinite(at).all() and name not in KEYPOINTS[1:5]:
            x, y = (at - 0.5).round().astype(int).tolist()
            cv2.circle(cell, (x, y), 5, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(cell, (x, y), 3, SIDE_COLOURS[limb_side(name, "")], -1, cv2.LINE_AA)
