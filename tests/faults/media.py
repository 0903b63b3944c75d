"""Odd and damaged videos: sizes, codecs, stamps, names, bytes."""

import os
import random
import shlex
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from film import film, picture_of, with_exif
from label_mutations import damage_bytes

from tests.faults.trial import Trial

_SIDES = (1, 2, 3, 5, 7, 8, 15, 16, 17, 33, 64, 100, 255, 256, 640, 1080, 1920, 3840, 8192)
_MAX_PIXELS = 9_000_000
_CODECS = (  # suffix, codec, pixel format, least side, parity of the sides
    (".mp4", "libx264", "yuv420p", 2, 2),
    (".mkv", "libx264", "yuv444p", 2, 1),
    (".avi", "mjpeg", "yuvj420p", 1, 1),
    (".mkv", "ffv1", "bgra", 1, 1),
    (".mkv", "ffv1", "yuv420p10le", 2, 2),
    (".mkv", "ffv1", "gray16le", 1, 1),
    (".mov", "png", "rgba", 1, 1),
    (".mov", "qtrle", "argb", 1, 1),
    (".avi", "rawvideo", "bgr24", 1, 1),
    (".gif", "gif", "rgb8", 1, 1),
    (".mov", "prores_ks", "yuva444p10le", 2, 2),
    (".webm", "libvpx-vp9", "yuva420p", 2, 2),
    (".mp4", "libx265", "yuv420p10le", 16, 2),
    (".ts", "mpeg2video", "yuv420p", 16, 2),
    (".wmv", "wmv2", "yuv420p", 16, 2),
    (".flv", "flv1", "yuv420p", 16, 2),
)
_NAMES = (
    b"a", b"-x", b"a b", b"it's", b"[b]", b"%03d", b"a:b", b"\xff\xfe", "größe".encode(), b"$HOME",
    b"a\nb", b"\x1b[31m", b"concat:a", b".hidden", b"a,b;c", b"*", b"~", b"\xe2\x80\xae",
    b"n" * 240,
)  # fmt: skip


def odd_video(rng: random.Random, folder: Path) -> Trial:
    """A whole video of any size, codec and timing."""
    suffix, codec, pixels, least, parity = rng.choice(_CODECS)
    while True:
        size = [max(least, rng.choice(_SIDES)) // parity * parity for _ in range(2)]
        if 0 < size[0] * size[1] < _MAX_PIXELS and min(size) > 0:
            break
    stamps = rng.choice(_STAMPS)
    interlaced = codec in ("mpeg2video", "libx264") and rng.random() < 0.3
    options = {"flags": "+ildct+ilme"} if interlaced else None
    ratio = rng.choice((None, None, None, Fraction(1, 255), Fraction(255, 1), Fraction(4, 3)))
    path = _named(rng, folder, suffix)
    path = _film(path, stamps, (size[0], size[1]), codec, pixels, options, ratio)
    return _command(rng, path)


_STAMPS = (
    range(4), range(4), range(1), [0, 1, 5, 6], [-9, -8, -7], [0, 0, 1, 1], [3, 2, 1, 0],
    [0, 1, 2, 900], [0, 1, 2, 300_000], [10**9, 10**9 + 1], [0, 1, 2, -2, 3],
)  # fmt: skip


def _film(path, stamps, size, codec, pixels, options=None, ratio=None):  # type: ignore[no-untyped-def]
    """As `_write_film`, or a usual one where the encoder takes no such pictures or stamps."""
    try:
        _write_film(path, stamps, size, codec, pixels, options, ratio)
    except (av.FFmpegError, ValueError, OverflowError):
        path = film(path.with_name("a.mp4"))
    return path


def _write_film(path, stamps, size, codec, pixels, options, ratio, empty=()):  # type: ignore[no-untyped-def]
    """As `film`, but in any pixel format, with stamps in any order and some frames of no bytes."""
    with av.open(os.fsencode(path).decode("utf-8", "surrogateescape"), "w") as container:
        stream = container.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base = Fraction(1, 30)
        if ratio is not None:
            stream.codec_context.sample_aspect_ratio = ratio
        if "10le" in pixels:  # HDR: BT.2020 and the PQ curve
            stream.codec_context.color_primaries = stream.codec_context.colorspace = 9
            stream.codec_context.color_trc = 16
        stream.codec_context.max_b_frames = 0
        packets = []
        for number in range(len(stamps)):
            frame = av.VideoFrame.from_ndarray(picture_of(number, *size)).reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, 30)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for number, stamp in enumerate(stamps[: len(packets)]):
            packet = packets[number]
            if number in empty:
                packet = av.Packet(b"")
                packet.stream = stream
            packet.pts = packet.dts = stamp * 512
            packet.time_base = Fraction(1, 15360)
            container.mux(packet)


def lying_video(rng: random.Random, folder: Path) -> Trial:
    """A video whose head names another size, none at all, or whose frames are empty or change."""
    way = rng.randrange(4)
    if way == 0:  # the size changes within the stream
        sizes = rng.sample(((64, 48), (48, 64), (16, 16), (320, 32)), 2)
        parts = [folder / f"{i}.ts" for i in range(2)]
        for part, size in zip(parts, sizes, strict=True):
            _write_film(part, range(6), size, "mpeg2video", "yuv420p", None, None)
        path = folder / "a.ts"
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        for part in parts:
            part.unlink()
        return _command(rng, path)
    suffix, codec, pixels = rng.choice(
        (
            (".mp4", "libx264", "yuv420p"), (".avi", "mjpeg", "yuvj420p"),
            (".mov", "qtrle", "argb"), (".avi", "rawvideo", "bgr24"),
        )
    )  # fmt: skip
    path = folder / f"a{suffix}"
    empty = rng.sample(range(6), rng.choice((1, 2, 6))) if way == 1 else ()
    _write_film(path, range(6), (64, 48), codec, pixels, None, None, empty)
    if way > 1:
        wrong = rng.choice((0, 1, 63, 65, 8192, 65535)), rng.choice((0, 48, 1, 65535))
        data = path.read_bytes()
        for form in (">2H", "<2i"):  # MP4 and MOV, AVI
            data = data.replace(struct.pack(form, 64, 48), struct.pack(form, *wrong))
        path.write_bytes(data)
    return _command(rng, path)


def damaged_video(rng: random.Random, folder: Path) -> Trial:
    """A video of a few frames with flipped bytes, gaps or a missing end."""
    suffix, codec, pixels, *_ = rng.choice([row for row in _CODECS if row[1] != "libx265"])
    path = folder / f"a{suffix}"
    frames = rng.choice((6, 12, 30))
    path = _film(path, range(frames), (64, 48), codec, pixels)
    for _ in range(rng.choice((1, 1, 2, 5))):
        path.write_bytes(damage_bytes(path.read_bytes(), rng) or b"\0")
    return _command(rng, path)


def no_video(rng: random.Random, folder: Path) -> Trial:
    """Something else under the name of a video."""
    path = _named(rng, folder, rng.choice((".mp4", ".mov", ".mkv", ".gif", ".avi", ".ts")))
    way = rng.randrange(9)
    if way == 0:
        path.touch()
    elif way == 1:
        path.write_bytes(rng.randbytes(rng.choice((1, 10, 5000))))
    elif way == 2:
        path.write_text(
            rng.choice(("#EXTM3U\nhttp://localhost/x\n", "ffconcat version 1.0\nfile x"))
        )
    elif way == 3:
        os.mkfifo(path)
    elif way == 4:
        path.symlink_to(path.name)
    elif way == 5:
        path.symlink_to("/dev/zero")
    elif way == 6:
        path.mkdir()
    elif way == 7:
        with_exif(path, rng.randrange(12))
    else:
        path.write_bytes(cv2.imencode(".png", np.zeros((9, 9, 4), np.uint8))[1].tobytes())
    return _command(rng, path)


def _named(rng: random.Random, folder: Path, suffix: str) -> Path:
    way = rng.random()
    name = rng.choice(_NAMES) if way < 0.3 else _any_name(rng) if way < 0.4 else b"a"
    return folder / os.fsdecode(name + suffix.encode())


def _any_name(rng: random.Random) -> bytes:
    name = rng.randbytes(rng.choice((1, 3, 12, 100))).replace(b"/", b"").replace(b"\0", b"")
    return name or b"a"


def _command(rng: random.Random, path: Path) -> Trial:
    """One of the commands that read a video."""
    name = shlex.quote(path.name if not path.name.startswith("-") else f"./{path.name}")
    way = rng.randrange(12)
    if way < 6:
        outputs = " ".join(f"-o x{s}" for s in rng.sample((".json", ".html", ".png", ".mp4"), 2))
        return Trial(typed=f"track {name} {outputs}")
    if way == 6:
        return Trial(typed=f"track {name}")
    if way == 7:
        return Trial(typed=f"track {name} -o x.json", tracker=True)
    if way == 8:
        span = f"--start {rng.choice((0, 0.05, 9, 1e8))} --end {rng.choice((0.1, 10, 1e9))}"
        return Trial(typed=f"track {name} -o x.json {span}")
    how = rng.choice(("--median", "--split", "--panorama", ""))
    extra = rng.choice(("--video --sheet", "--difference", "", ""))
    people = rng.choice(("", "--no-people", "--no-people"))
    return Trial(typed=f"background {name} -o y.png --samples 3 {how} {extra} {people}")
