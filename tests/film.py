"""Synthetic videos with known truth: every frame shows its own number as a pattern of blocks."""

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

COLUMNS, ROWS = 4, 3  # twelve bits, most significant first, row by row
DARK, BRIGHT = 30, 220


def picture_of(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """The number as 4 by 3 dark and bright blocks that fill the picture."""
    bits = np.array([number >> bit & 1 for bit in reversed(range(COLUMNS * ROWS))])
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    blocks = np.where(bits, BRIGHT, DARK).astype(np.uint8).reshape(ROWS, COLUMNS)
    return np.repeat(blocks[rows][:, columns, None], 3, axis=2)


def number_on(image: NDArray[np.uint8]) -> int:
    """Read the number back from the middles of the blocks, upright or not at all."""
    height, width = image.shape[:2]
    y = ((np.arange(ROWS) + 0.5) * height / ROWS).astype(int)
    x = ((np.arange(COLUMNS) + 0.5) * width / COLUMNS).astype(int)
    bits = image[y][:, x].mean(axis=-1) > (DARK + BRIGHT) / 2
    return int("".join("1" if bit else "0" for bit in bits.ravel()), 2)


def film(
    path: Path,
    stamps: Iterable[int] = range(30),
    *,
    time_base: Fraction = Fraction(1, 30),
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rotation: int = 0,
    mirrored: bool = False,
    ratio: Fraction | None = None,
    sound_seconds: float = 0.0,
    sound_codec: str = "aac",
    options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    numbers: Sequence[int] | None = None,
) -> Path:
    """Write a video whose frame i is shown at stamps[i] and bears the number i.

    `size` is as stored; `rotation` is in degrees counter-clockwise, and the numbers stand
    upright once a player has turned the picture.
    """
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=1 / time_base, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.time_base = time_base
        if ratio is not None:
            stream.codec_context.sample_aspect_ratio = ratio
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        sound = container.add_stream(sound_codec, rate=48000) if sound_seconds else None
        if sound is not None:
            _sing(container, sound, sound_seconds)
        for number, stamp in enumerate(stamps):
            shown = number if numbers is None else numbers[number]
            frame = av.VideoFrame.from_ndarray(_stored(shown, size, rotation, mirrored))
            frame.pts, frame.time_base = stamp, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _stored(number: int, size: tuple[int, int], rotation: int, mirrored: bool) -> NDArray[np.uint8]:
    displayed = size[::-1] if rotation % 180 else size
    upright = picture_of(number, *displayed)
    if mirrored:  # FFmpeg mirrors the picture after it has turned it
        upright = upright[:, ::-1]
    return np.ascontiguousarray(np.rot90(upright, -rotation // 90))


def _sing(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    """A tone whose pitch rises with time, so that a cut shows where it was made."""
    times = np.arange(round(48000 * seconds)) / 48000
    tone = 0.5 * np.sin(2 * np.pi * (300 + 100 * times) * times)
    frame = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def with_exif(path: Path, orientation: int) -> Path:
    """A JPEG of 64x48 whose EXIF block holds that orientation tag."""
    picture = cv2.imencode(".jpg", picture_of(7, 64, 48))[1].tobytes()
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    head = b"\xff\xe1" + struct.pack(">H", len(block) + 2)
    path.write_bytes(picture[:2] + head + block + picture[2:])
    return path


def film_three() -> None:
    """Films of ten frames: in/a.mp4, in/b.mp4 and in/c.mp4."""
    Path("in").mkdir()
    for name in "abc":
        film(Path(f"in/{name}.mp4"), range(10))


def contents(folder: str = "out") -> dict[str, bytes]:
    """The files of a folder and of those in it, by their paths."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in Path(folder).rglob("*.*")}
