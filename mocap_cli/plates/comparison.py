"""Show: a video beside its background, as films and as a sheet of pictures."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.io.atomic import write_atomically
from mocap_cli.plates.background import Background
from mocap_cli.types import UInt8
from mocap_cli.video.reader import open_video
from mocap_cli.video.writer import VideoWriter, write_video

_COLUMNS, _TILE = 6, 320  # pictures side by side, and their width
_LOUDER = 2  # times: people in grey before grey can be told


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonFiles:
    """What to make; None is left out."""

    film: Path | None = None  # the background of every frame
    difference: Path | None = None  # what is not background
    sheet: Path | None = None  # input, background and difference of some frames

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return tuple(p for p in (self.film, self.difference, self.sheet) if p is not None)


def write_comparison(
    video: Path,
    background: Background,
    wanted: ComparisonFiles,
    on_frame: Callable[[int], None] = lambda done: None,
) -> None:
    """Read the video once more and write what is wanted of it."""
    times = background.camera.times
    places = np.linspace(0, len(times) - 1, min(_COLUMNS, len(times))).round()
    tiled = set(places.astype(int).tolist())
    start, end = float(times[0]), float(times[-1])
    columns = []
    with ExitStack() as stack, open_video(video, start, end) as frames:

        def writer(path: Path | None) -> VideoWriter | None:
            cut = start or 0.0
            film = write_video(path, frames.info, cut, end) if path else None
            return stack.enter_context(film) if film else None

        film, film_of_difference = writer(wanted.film), writer(wanted.difference)
        for frame in frames:
            image, known = background.at(frame.time)
            apart = _difference(frame.image, image, known)
            if film:
                film.write(image, frame.time)
            if film_of_difference:
                film_of_difference.write(apart, frame.time)
            if wanted.sheet and frame.index in tiled:
                columns.append(_column(frame.image, image, known, apart))
            on_frame(frame.index + 1)
    if wanted.sheet:
        _write_sheet(columns, wanted.sheet)


def _difference(image: UInt8, background: UInt8, known: NDArray[np.bool_]) -> UInt8:
    """(H, W, 3) by how much a frame is not its background; black where that is not known."""
    apart = np.asarray(cv2.absdiff(image, background), np.uint8)
    return np.asarray(cv2.convertScaleAbs(apart * known[..., None], alpha=_LOUDER), np.uint8)


def _column(image: UInt8, background: UInt8, known: NDArray[np.bool_], apart: UInt8) -> UInt8:
    """The three pictures of one frame; unknown places of the background are chequered."""
    size = (_TILE, max(round(_TILE * image.shape[0] / image.shape[1]), 1))
    rows, columns = np.indices(known.shape)
    cell = max(image.shape[1] // 80, 1)
    chequer = np.where((rows // cell + columns // cell) % 2, 150, 105).astype(np.uint8)
    plain = np.where(known[..., None], background, chequer[..., None])
    tiles = [
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (image, plain, apart)
    ]
    return np.concatenate([np.asarray(tile, np.uint8) for tile in tiles])


def _write_sheet(columns: list[UInt8], path: Path) -> None:
    sheet = cv2.cvtColor(np.concatenate(columns, axis=1), cv2.COLOR_RGB2BGR)
    with write_atomically(path) as aside:
        aside.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
