"""Playable: a video in a form that every browser plays, to be put into a page or linked from it."""

import base64
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.errors import MocapError
from mocap_cli.export.original import refuse_other
from mocap_cli.video.probe import Image, VideoInfo, open_container, video_stream
from mocap_cli.video.reader import open_video, probe
from mocap_cli.video.writer import write_video

_MAX_BYTES = 64 << 20
"""Bytes of a video that is still put into a page; base64 makes a third more of them."""

_MAX_SIDE = 1280  # pixels of a video that has to be encoded anew
_MAX_UNUSED_SHARE = (
    0.5  # share of a video outside the motion above which only the motion's part is taken
)
_MEDIA_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm"}
_CODECS = frozenset(("h264", "vp8", "vp9", "av1"))
_PIXEL_FORMATS = frozenset(("yuv420p", "yuvj420p"))
_HAIR = 1e-6  # seconds: keeps rounding from dropping the first or the last frame


@dataclass(frozen=True, slots=True)
class BrowserVideo:
    """What a page needs to play a video."""

    media_type: str  # of media, for the browser
    offset: float  # seconds in the motion's clock when the player's clock is at 0
    data: str | None = None  # the whole file in base64
    link: str | None = None  # or its address, seen from the page


def browser_video(
    motion: Motion,
    video: Path,
    page: Path,
    *,
    link: bool,
    on_frame: Callable[[int], None] = lambda done: None,
) -> BrowserVideo:
    """The video of a motion for the page at `page`: inside it, or linked from it.

    What browsers may not play, is too large, or lasts much longer than the motion, is encoded anew.
    """
    info = probe(video)
    refuse_other(info, motion)
    as_it_is = _browsers_play(info)
    zero = -float(info.start)
    if link:
        if not as_it_is:
            raise MocapError(
                f"browsers do not play {video} as it is", "leave --link-video out to have it put in"
            )
        return BrowserVideo(_MEDIA_TYPES[video.suffix.lower()], zero, link=_address(video, page))
    if (
        as_it_is
        and video.stat().st_size <= _MAX_BYTES
        and _unused_share(info, motion) <= _MAX_UNUSED_SHARE
    ):
        return BrowserVideo(_MEDIA_TYPES[video.suffix.lower()], zero, data=_base64(video))
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.mp4"
        _encode(motion, info, part, on_frame)
        if part.stat().st_size > _MAX_BYTES:
            raise MocapError(
                f"{video} is too long to be put into {page}",
                "link it with --link-video, or choose a part with --start and --end",
            )
        return BrowserVideo(_MEDIA_TYPES[".mp4"], float(motion.times[0]), data=_base64(part))


def _browsers_play(info: VideoInfo) -> bool:
    """Whether Chromium, Firefox and Safari all play the file, as far as its outside tells.

    Of a first frame that comes late Chromium waits for it and Firefox does not.
    """
    if info.path.suffix.lower() not in _MEDIA_TYPES or abs(info.start) > 0.5 / info.fps:
        return False
    with open_container(info.path) as container:
        stream = video_stream(container, info.path)
        context = stream.codec_context
        return context.name in _CODECS | {"libdav1d"} and context.pix_fmt in _PIXEL_FORMATS


def _unused_share(info: VideoInfo, motion: Motion) -> float:
    """The share of the video that is not of the motion."""
    if not info.duration:
        return 0.0
    return 1 - float(motion.times[-1] - motion.times[0] + 1 / info.fps) / info.duration


def _address(video: Path, page: Path) -> str:
    """The way from the page to the video, as a link."""
    return quote(Path(os.path.relpath(video.absolute(), page.absolute().parent)).as_posix())


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _encode(motion: Motion, info: VideoInfo, path: Path, on_frame: Callable[[int], None]) -> None:
    """Write the motion's part of the video as H.264; it begins with the motion."""
    start, last = float(motion.times[0]), float(motion.times[-1])
    shrink = min(1.0, _MAX_SIDE / max(info.width, info.height))
    size = (max(2, round(info.width * shrink)), max(2, round(info.height * shrink)))
    smaller = replace(info, width=size[0], height=size[1])
    with (
        open_video(info.path, start - _HAIR, last + _HAIR) as frames,
        write_video(path, smaller, start, last + 1 / info.fps) as writer,
    ):
        for frame in frames:
            writer.write(_resized(frame.image, size), frame.time)
            on_frame(frame.index + 1)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    if image.shape[1::-1] == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
