"""Browser video: a video in a form that all browsers play, to embed in a page or link from it."""

import base64
import itertools
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.errors import MocapError
from mocap_cli.export.views.source_video import check_source_video, open_source_video
from mocap_cli.progress import Count, no_progress
from mocap_cli.types import UInt8
from mocap_cli.video.probe import VideoInfo, open_container, video_stream
from mocap_cli.video.reader import probe
from mocap_cli.video.writer import write_video

_MAX_BYTES = 64 << 20
"""Largest video to embed in a page; base64 adds a third."""

_MAX_SIDE = 1280  # pixels of the longer side when the video is encoded again
_MAX_UNUSED_SHARE = 0.5  # share outside the motion of a video that is embedded whole
_MEDIA_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm"}
_CODECS = frozenset(("h264", "vp8", "vp9", "av1"))
_PIXEL_FORMATS = frozenset(("yuv420p", "yuvj420p"))


@dataclass(frozen=True, slots=True)
class BrowserVideo:
    """What a page needs to play a video."""

    media_type: str  # MIME type
    offset: float  # time of the motion in seconds when the player is at 0
    data: str | None = None  # the file in base64
    link: str | None = None  # or its address, relative to the page


def browser_video(
    motion: Motion,
    video: Path,
    page: Path,
    *,
    link: bool,
    on_frame: Count = no_progress,
) -> BrowserVideo:
    """The video of a motion for the page at `page`: embedded in it, or linked from it.

    It is encoded again where browsers may not play it or step through it, it is too large, or much
    longer.
    """
    info = probe(video)
    check_source_video(info, motion)
    playable = _browsers_play(info)
    zero = -float(info.start)
    if link:
        if not playable:
            raise MocapError(
                f"browsers do not play {video}", "leave out --link-video to embed it, encoded again"
            )
        return BrowserVideo(_MEDIA_TYPES[video.suffix.lower()], zero, link=_address(video, page))
    if (
        playable
        and not _frames_overlap(info)
        and video.stat().st_size <= _MAX_BYTES
        and _unused_share(info, motion) <= _MAX_UNUSED_SHARE
    ):
        return BrowserVideo(_MEDIA_TYPES[video.suffix.lower()], zero, data=_base64(video))
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.mp4"
        _encode(motion, info, part, on_frame)
        if part.stat().st_size > _MAX_BYTES:
            raise MocapError(
                f"{video} is too long to embed in {page}",
                "link it with --link-video, or choose a span with --start and --end",
            )
        return BrowserVideo(_MEDIA_TYPES[".mp4"], float(motion.times[0]), data=_base64(part))


def _browsers_play(info: VideoInfo) -> bool:
    """Whether Chromium, Firefox and Safari all play the file, by its container and codec.

    A video whose first frame is late is not: Chromium waits for it and Firefox does not.
    """
    if info.path.suffix.lower() not in _MEDIA_TYPES or abs(info.start) > 0.5 / info.fps:
        return False
    with open_container(info.path) as container:
        stream = video_stream(container, info.path)
        context = stream.codec_context
        return context.name in _CODECS | {"libdav1d"} and context.pix_fmt in _PIXEL_FORMATS


def _frames_overlap(info: VideoInfo) -> bool:
    """Whether a frame lasts past the start of the next one, by the durations in the file.

    So it is in videos of uneven rate with B-frames. Chromium seeks by these durations and shows
    the earlier frame.
    """
    with open_container(info.path) as container:
        packets = container.demux(video_stream(container, info.path))
        spans = sorted((p.pts, p.duration or 0) for p in packets if p.pts is not None)
    return any(
        pts + duration / 2 > following
        for (pts, duration), (following, _) in itertools.pairwise(spans)
    )


def _unused_share(info: VideoInfo, motion: Motion) -> float:
    """The share of the video that is outside the motion."""
    if not info.duration:
        return 0.0
    return 1 - float(motion.times[-1] - motion.times[0] + 1 / info.fps) / info.duration


def _address(video: Path, page: Path) -> str:
    """The relative URL from the page to the video."""
    return quote(Path(os.path.relpath(video.absolute(), page.absolute().parent)).as_posix())


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _encode(motion: Motion, info: VideoInfo, path: Path, on_frame: Count) -> None:
    """Write the span of the motion as H.264."""
    start, last = float(motion.times[0]), float(motion.times[-1])
    shrink = min(1.0, _MAX_SIDE / max(info.width, info.height))
    size = (max(2, round(info.width * shrink)), max(2, round(info.height * shrink)))
    smaller = replace(info, width=size[0], height=size[1])
    with (
        open_source_video(info.path, motion) as frames,
        write_video(path, smaller, start, last + 1 / info.fps) as writer,
    ):
        for frame in frames:
            writer.write(_resized(frame.image, size), frame.time)
            on_frame(frame.index + 1)


def _resized(image: UInt8, size: tuple[int, int]) -> UInt8:
    if image.shape[1::-1] == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
