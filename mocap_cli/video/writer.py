"""Writer: H.264 MP4 with given frame times and the sound of a source video."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.origin import MARK
from mocap_cli.types import Image
from mocap_cli.video.probe import VideoInfo
from mocap_cli.video.sound import SoundCopier

_CODEC: Final = "libx264"
_BT709, _LIMITED = 1, 1  # AVCOL_SPC_BT709 and AVCOL_RANGE_MPEG: what players expect of HD
_QUALITY = {"preset": "veryfast", "crf": "20"}  # hardly different from the source, 3x real time


@contextmanager
def write_video(
    path: Path, source: VideoInfo, start: float = 0.0, end: float | None = None
) -> Iterator["VideoWriter"]:
    """Write a video with the size, the timing and the sound of `source` between two seconds.

    The file appears when the block ends without an error; otherwise nothing is left behind.
    """
    if _CODEC not in av.codecs_available:
        raise MocapError(
            f"cannot write {path}: this build of PyAV has no H.264 encoder",
            "install PyAV from its wheel: pip install --force-reinstall --only-binary av av",
        )
    with write_atomically(path) as aside:
        writer = VideoWriter(aside, source, start, end)
        try:
            yield writer
            writer.finish()
        finally:
            writer.close()


class VideoWriter:
    """Takes RGB images, each with its time in the source."""

    def __init__(self, path: Path, source: VideoInfo, start: float, end: float | None) -> None:
        self.start = start
        self._time_base = source.time_base
        self._last = -1  # ticks of the latest frame
        self._scaler = VideoReformatter()
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        self._container.metadata["comment"] = MARK
        self._stream = self._video_stream(source)
        self._sound: SoundCopier | None = None
        if source.has_audio:
            self._sound = SoundCopier(source, self._container, start, end)

    def _video_stream(self, source: VideoInfo) -> av.VideoStream:
        rate = Fraction(source.fps).limit_denominator(1001)
        # Players step and scrub better with a key frame a second. B-frames would give the frames
        # of an uneven rate wrong durations, by which Chromium seeks.
        options = {**_QUALITY, "g": str(max(1, round(source.fps))), "bf": "0"}
        stream = self._container.add_stream(_CODEC, rate=rate, options=options)
        stream.width = source.width + source.width % 2
        stream.height = source.height + source.height % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = self._time_base
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        return stream

    def write(self, image: Image, time: float) -> None:
        """Add a frame shown from `time` on, in seconds of the source."""
        frame = self._scaler.reformat(
            av.VideoFrame.from_ndarray(_even(image), "rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        ticks = round((time - self.start) / self._time_base)
        frame.pts = self._last = max(self._last + 1, ticks)
        frame.time_base = self._time_base
        if not self._stream.codec_context.is_open:
            self._open_encoder()
        self._container.mux(self._stream.encode(frame))
        if self._sound is not None:
            self._sound.write_until(time - self.start)

    def _open_encoder(self) -> None:
        try:
            self._stream.codec_context.open()
        except av.FFmpegError as error:
            size = f"{self._stream.width}x{self._stream.height}"
            raise MocapError(
                f"the H.264 encoder takes no video of {size}", "scale the video down first"
            ) from error

    def finish(self) -> None:
        """Flush the encoder and write the index."""
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.write_until(math.inf)
        self._container.close()

    def close(self) -> None:
        """Close the files, finished or not."""
        if self._sound is not None:
            self._sound.close()
        with suppress(av.FFmpegError):  # an error has been raised before
            self._container.close()


def _even(image: Image) -> Image:
    """An even size, as H.264 needs: an odd last row or column is repeated."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return image
