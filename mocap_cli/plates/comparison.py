"""Comparison: a video next to its background, as videos and as a contact sheet."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.origin import marked_png
from mocap_cli.plates.background import Background
from mocap_cli.progress import Count, no_progress
from mocap_cli.types import Bool, UInt8
from mocap_cli.video.reader import open_video
from mocap_cli.video.writer import VideoWriter, write_video

_COLUMNS, _TILE = 6, 320  # of the sheet, and their width in pixels
_TALLEST = 1280  # pixels of a tile's height; narrower where the video is a strip
_GAIN = 2  # of the difference: people in grey in front of grey stay visible


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonFiles:
    """Files to write; None is left out."""

    film: Path | None = None  # video of the background of every frame
    difference: Path | None = None  # video of what is not background
    sheet: Path | None = None  # image of input, background and difference of some frames

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return tuple(p for p in (self.film, self.difference, self.sheet) if p is not None)


def write_comparison(
    video: Path,
    background: Background,
    files: ComparisonFiles,
    on_frame: Count = no_progress,
) -> None:
    """Read the video once more and write the files."""
    times = background.camera.times
    places = np.linspace(0, len(times) - 1, min(_COLUMNS, len(times))).round()
    due = [float(time) for time in times[places.astype(int)]]  # of the sheet's columns
    start, end = float(times[0]), float(times[-1])
    columns = []
    with ExitStack() as stack, open_video(video, start, end) as frames:

        def writer(path: Path | None) -> VideoWriter | None:
            opened = write_video(path, frames.info, start, end) if path else None
            return stack.enter_context(opened) if opened else None

        film, difference_film = writer(files.film), writer(files.difference)
        for frame in frames:
            image, known = background.at(frame.time)
            difference = _difference(frame.image, image, known)
            if film:
                film.write(image, frame.time)
            if difference_film:
                difference_film.write(difference, frame.time)
            # By time, not by number: a damaged video may decode to other frames in each pass.
            if files.sheet and due and frame.time >= due[0]:
                columns.append(_column(frame.image, image, known, difference))
                due = [time for time in due if time > frame.time]
            on_frame(frame.index + 1)
    if files.sheet:
        _write_sheet(columns, files.sheet)


def _difference(image: UInt8, background: UInt8, known: Bool) -> UInt8:
    """(H, W, 3) distance of a frame from its background; black where that is not known."""
    distance = np.asarray(cv2.absdiff(image, background), np.uint8)
    return np.asarray(cv2.convertScaleAbs(distance * known[..., None], alpha=_GAIN), np.uint8)


def _column(image: UInt8, background: UInt8, known: Bool, difference: UInt8) -> UInt8:
    """Input, background and difference of one frame; unknown background is chequered."""
    height, width = image.shape[:2]
    scale = min(_TILE / width, _TALLEST / height)
    size = max(round(scale * width), 1), max(round(scale * height), 1)
    rows, columns = np.indices(known.shape)
    cell = max(image.shape[1] // 80, 1)
    chequer = np.where((rows // cell + columns // cell) % 2, 150, 105).astype(np.uint8)
    plain = np.where(known[..., None], background, chequer[..., None])
    tiles = [
        cv2.resize(tile, size, interpolation=cv2.INTER_AREA) for tile in (image, plain, difference)
    ]
    return np.concatenate([np.asarray(tile, np.uint8) for tile in tiles])


def _write_sheet(columns: list[UInt8], path: Path) -> None:
    sheet = cv2.cvtColor(np.concatenate(columns, axis=1), cv2.COLOR_RGB2BGR)
    with write_atomically(path) as aside:
        aside.write_bytes(marked_png(cv2.imencode(".png", sheet)[1].tobytes()))
