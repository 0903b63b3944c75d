"""Check: labels drawn on their frames, so that a shift or swapped sides are seen at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.export.figure import LEFT, RIGHT, Figure, draw_figure, side_colour
from mocap_cli.export.sheet import DIM, Colour, Sheet, shortened
from mocap_cli.files import written_whole
from mocap_cli.labels.agree import agreed
from mocap_cli.labels.gather import Gathering, witness_of
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.match import find_video, on_frames
from mocap_cli.labels.shown import as_points, beside, projected
from mocap_cli.labels.witness import Witness
from mocap_cli.video.reader import open_video

Float64 = NDArray[np.float64]
Image = NDArray[np.uint8]

COLUMNS, CELL, UNDER, GAP = 4, 300, 22, 10  # pictures in a row; pixels
MOST = 12  # pictures on a sheet
OFF = 0.35  # of the body's size between label and keypoints, from which it is marked
ALARM: Colour = (200, 30, 30)
_ROOM = 1.5  # a cell is that much larger than the person


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """A label as it lies in its picture, and what the tracker sees there."""

    xy: Float64  # (N, 21, 2) clicks, pixels; NaN where there are none
    joints: Float64  # (N, 19, 2) 3D labels as the camera sees them; NaN where there are none
    seen: Float64  # (N, 21, 2) the tracker's keypoints
    off: Float64  # (N,) between label and keypoints, in sizes of the body; NaN where unknown


def marks_of(labels: Labels, witness: Witness) -> Marks:
    """Where labels that know their frames lie in the pictures."""
    seen = witness.seen.xy[labels.frames].astype(np.float64)
    score = witness.seen.score[labels.frames].astype(np.float64)
    hold = np.where(labels.clicked[..., None], labels.xy, seen)
    joints = labels.joints if labels.in_camera else np.full_like(labels.joints, np.nan)
    shown = projected(joints, hold, np.where(labels.clicked, 1.0, score), witness.camera)
    ours = np.where(labels.clicked[..., None], labels.xy, as_points(shown))
    off = np.where(witness.sure[labels.frames], beside(ours, seen), np.nan)
    return Marks(labels.xy, shown, seen, off)


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What came of labels: on their frames, where these could be told."""

    labels: Labels
    refused: str  # why they cannot be used; nothing where they can
    sheet: Path | None  # where they are drawn


def draw_checks(
    said: Sequence[Labels], videos: Sequence[Path], folder: Path, how: Gathering
) -> list[Checked]:
    """Draw every label file on its video, those that are refused as well, a sheet each."""
    names: set[str] = set()
    checked = []
    for labels in said:
        try:
            video = find_video(labels, videos)
        except MocapError as error:
            checked.append(Checked(labels, error.message, None))
            continue
        witness = witness_of(video, how)
        name = _name(labels, video, names)
        labels, refused = _placed(labels, witness, how)
        inside = (labels.frames >= 0) & (labels.frames < len(witness.times))
        if refused and inside.any():
            labels = labels.only(np.flatnonzero(inside))  # those that can be drawn
        sheet = folder / name if inside.any() else None
        if sheet is not None:
            write_check(labels, video, witness, sheet, refused)
        checked.append(Checked(labels, refused, sheet))
    return checked


def _placed(labels: Labels, witness: Witness, how: Gathering) -> tuple[Labels, str]:
    """Labels as they would be used, or as they are and why they are refused."""
    try:
        return agreed(labels, witness, how.clock), ""
    except MocapError as error:
        try:
            placed = on_frames(labels, witness.times) if labels.synchronous else labels
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


def chosen_frames(marks: Marks, most: int = MOST) -> NDArray[np.intp]:
    """Rows to look at: one in three those that fit worst, the others evenly spread."""
    count = len(marks.off)
    if count <= most:
        return np.arange(count)
    worst = np.argsort(-np.nan_to_num(marks.off, nan=-1.0), kind="stable")[: most // 3]
    others = np.setdiff1d(np.arange(count), worst)
    even = np.linspace(0, len(others) - 1, most - len(worst)).round().astype(int)
    return np.union1d(worst, others[even])


def write_check(
    labels: Labels, video: Path, witness: Witness, path: Path, refused: str = ""
) -> float:
    """A PNG of labels that know their frames; how far off they are, NaN where unknown.

    `refused` says why they cannot be used, where that is so.
    """
    marks = marks_of(labels, witness)
    rows = chosen_frames(marks)
    cells = _cells(marks, labels, rows, video)
    lines = [(shortened(note, 14, _wide() - 20), DIM) for note in labels.notes[:4]]
    if refused:
        lines.insert(0, (shortened(f"REFUSED: {refused}", 14, _wide() - 20), ALARM))
    top = 64 + 20 * len(lines)
    high = top + -(-len(rows) // COLUMNS) * (CELL + UNDER + GAP) + GAP
    sheet = Sheet(_wide(), high)
    _head(sheet, labels, video, marks, lines)
    for i, (row, cell) in enumerate(zip(rows, cells, strict=True)):
        x = GAP + (i % COLUMNS) * (CELL + GAP)
        y = top + (i // COLUMNS) * (CELL + UNDER + GAP)
        sheet.picture((x, y), cell)
        _under(sheet, (x, y + CELL + 16), labels, marks, int(row))
    with written_whole(path) as aside:
        aside.write_bytes(sheet.png())
    return _usual(marks)


def _usual(marks: Marks) -> float:
    known = marks.off[np.isfinite(marks.off)]
    return float(np.median(known)) if len(known) else float("nan")


def _wide() -> int:
    return COLUMNS * (CELL + GAP) + GAP


def _head(
    sheet: Sheet, labels: Labels, video: Path, marks: Marks, lines: Sequence[tuple[str, Colour]]
) -> None:
    said = f"{labels.path.name} on {video.name}: {len(labels)} labelled frames"
    sheet.text((GAP, 26), shortened(said, 18, _wide() - 340), 18)
    off = _usual(marks)
    far = "" if np.isnan(off) else f"; {off:.2f} bodies beside what the tracker sees (dots)"
    sheet.text((GAP, 50), f"lines are labels{far}", 14, ALARM if off > OFF else DIM)
    for i, (name, colour) in enumerate((("the person's left", LEFT), ("right", RIGHT))):
        sheet.fill((_wide() - 240 + 150 * i, 14, _wide() - 226 + 150 * i, 28), colour)
        sheet.text((_wide() - 220 + 150 * i, 26), name, 14)
    for i, (line, colour) in enumerate(lines):
        sheet.text((GAP, 72 + 20 * i), line, 14, colour)


def _under(sheet: Sheet, at: tuple[int, int], labels: Labels, marks: Marks, row: int) -> None:
    off = float(marks.off[row])
    said = f"frame {labels.frames[row]}, {labels.times[row]:.3f} s"
    sheet.text(at, said if np.isnan(off) else f"{said}: {off:.2f}", 13, ALARM if off > OFF else DIM)


def _cells(marks: Marks, labels: Labels, rows: NDArray[np.intp], video: Path) -> list[Image]:
    wanted = {int(labels.frames[row]): int(row) for row in rows}
    cells: dict[int, Image] = {}
    with open_video(video) as reader:
        for frame in reader:
            if frame.index in wanted:
                cells[wanted[frame.index]] = _cell(frame.image, marks, wanted[frame.index])
            if len(cells) == len(wanted):
                break
    return [cells.get(int(row), np.zeros((CELL, CELL, 3), np.uint8)) for row in rows]


def _cell(image: Image, marks: Marks, row: int) -> Image:
    """The person's square of the picture, enlarged, with the label over it."""
    points = np.concatenate((marks.xy[row], marks.joints[row], marks.seen[row]))
    points = points[np.isfinite(points).all(axis=-1)]
    height, width = image.shape[:2]
    low, high = (points.min(0), points.max(0)) if len(points) else (np.zeros(2), (width, height))
    side = max(float(np.max(np.subtract(high, low))) * _ROOM, 16.0)
    corner = (np.add(low, high) - side) / 2
    scale = CELL / side
    place = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    place[:, 2] += 0.5 * scale - 0.5  # a pixel's middle is at 0.5 for us, at 0 for cv2
    cell = np.asarray(cv2.warpAffine(image, place, (CELL, CELL), flags=cv2.INTER_AREA), np.uint8)
    xy, joints, seen = (scale * (p[row] - corner) for p in (marks.xy, marks.joints, marks.seen))
    _draw(cell, xy, joints, seen)
    return cell


def _draw(cell: Image, xy: Float64, joints: Float64, seen: Float64) -> None:
    clicked = np.isfinite(xy).all(axis=-1)
    if not clicked.any():  # 3D alone: its limbs in the colours of their sides
        xy = as_points(joints[None])[0]
        clicked = np.isfinite(xy).all(axis=-1)
    figure = Figure(
        xy=xy.astype(np.float32),
        score=np.asarray(clicked, np.float32),
        joints=joints,
        contacts=np.zeros(2, np.float32),
        seen=True,
    )
    draw_figure(cell, figure)
    for name, at in zip(KEYPOINTS, seen, strict=True):
        if np.isfinite(at).all() and name not in KEYPOINTS[1:5]:
            x, y = (at - 0.5).round().astype(int).tolist()
            cv2.circle(cell, (x, y), 5, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(cell, (x, y), 3, side_colour((name, "")), -1, cv2.LINE_AA)
