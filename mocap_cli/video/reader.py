"""Reader: the frames of a video with their times, decoded ahead of the consumer."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.packet import Packet
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from mocap_cli.errors import MocapError
from mocap_cli.types import Image
from mocap_cli.video.prefetch import prefetch
from mocap_cli.video.probe import Orientation, VideoInfo, open_container, probe, video_stream
from mocap_cli.video.timestamps import FrameClock

__all__ = ["Frame", "Orientation", "VideoInfo", "VideoReader", "open_video", "probe"]

_AHEAD_BYTES = 64 << 20  # of decoded frames: ten of 1080p, one of 8K
_AHEAD_FRAMES = 8
_BREAK_SECONDS = 1.0  # the frames may end this much before the sound
_UNTAGGED = 2  # AVCOL_SPC_UNSPECIFIED
_SEEK_MARGINS = (0.0, 5.0, math.inf)  # seconds before the wanted start; inf reads it all


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a video, as displayed."""

    index: int  # counts from 0 over the frames that were read
    time: float  # seconds since the stream's start
    image: Image  # (H, W, 3) RGB


def open_video(
    video: Path | VideoInfo, start: float | None = None, end: float | None = None
) -> "VideoReader":
    """Open a video to iterate the frames of `start` <= time <= `end`, in seconds.

    A span without a single frame is a `MocapError` when it is read.
    """
    info = video if isinstance(video, VideoInfo) else probe(video)
    return VideoReader(info, start or 0.0, math.inf if end is None else end)


class VideoReader:
    """The frames of a video between two moments, once through; close it or use `with`.

    Frames that cannot be decoded are left out and counted in `corrupt`. After the last frame,
    `warnings` reports them, and a file that ends before its stated duration.
    """

    def __init__(self, info: VideoInfo, start: float, end: float) -> None:
        self.info = info
        self.start = start
        self.end = end
        self.corrupt = 0
        self._last = 0.0  # seconds: the latest frame that was decoded
        self._ran_out = False  # the file ended before the span did
        self._sought = 0.0  # seconds: where the file was opened
        self._container: av.container.InputContainer | None = None
        size = info.width * info.height * 3
        self._frames = prefetch(self._read(), max(1, min(_AHEAD_FRAMES, _AHEAD_BYTES // size)))

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        """End the decoding thread and close the file."""
        self._frames.close()
        if self._container is not None:
            self._container.close()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Faults of the file, one sentence each."""
        warnings = []
        if self.corrupt:
            frames = "1 frame" if self.corrupt == 1 else f"{self.corrupt} frames"
            warnings.append(f"{frames} of the video could not be decoded and were left out")
        missing = min(self.end, self.info.duration or 0.0) - self._last
        if self._ran_out and missing > max(_BREAK_SECONDS, 2 / self.info.fps):
            warnings.append(
                f"the video breaks off at {self._last:.2f} of {self.info.duration:.2f} s"
            )
        return tuple(warnings)

    def _read(self) -> Iterator[Frame]:
        to_rgb = _RgbConverter(self.info)
        index = 0
        for time, frame in self._timed():
            self._last = time
            if time > self.end:
                break
            if time >= self.start:
                yield Frame(index, time, to_rgb(frame))
                index += 1
        else:
            self._ran_out = True
        if index == 0:
            raise self._nothing()

    def _nothing(self) -> MocapError:
        span = f"between {self.start:g} and {self.end:g} s"
        if math.isinf(self.end):
            span = f"from {self.start:g} s on"
        length = self.info.duration or self._last
        return MocapError(
            f"{self.info.path} has no frame {span}",
            f"give --start and --end within its {length:.2f} s",
        )

    def _timed(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """Decoded frames from somewhere before the start on, each with its time."""
        for margin in _SEEK_MARGINS:
            whole = not self._seek(self.start - margin)
            timed = self._decoded()
            first = next(timed, None)
            if whole or (first is not None and first[0] <= self.start):
                return chain([first] if first else [], timed)
            self.corrupt = 0  # the index led past the start: try again from further back
        raise AssertionError("the last margin reads the whole file")

    def _seek(self, moment: float) -> bool:
        """Open the file anew at the key frame before a time; False when at its beginning."""
        self._sought = moment
        if self._container is not None:
            self._container.close()
        self._container = open_container(self.info.path)
        stream = video_stream(self._container, self.info.path)
        if moment <= 0 or stream.start_time is None:
            return False
        offset = math.floor((moment + float(self.info.start)) / self.info.time_base)
        try:
            self._container.seek(offset, stream=stream)
        except av.FFmpegError:
            return self._seek(-math.inf)
        return True

    def _decoded(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """The frames from where the file was opened on, those that are whole.

        Frame threads decode a damaged file differently in each pass. So from the first damage on
        it is decoded anew on one thread.
        """
        last = -math.inf
        for time, frame in self._decoded_by("AUTO"):
            if self.corrupt:
                break
            last = time
            yield time, frame
        if self.corrupt:
            self.corrupt = 0
            self._seek(self._sought)
            for time, frame in self._decoded_by("NONE"):
                if time > last:
                    yield time, frame

    def _decoded_by(
        self, threads: Literal["AUTO", "NONE"]
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        assert self._container is not None
        stream = video_stream(self._container, self.info.path)
        stream.thread_type = threads
        clock = FrameClock(self.info.start, self.info.fps)
        for packet in self._packets(stream):
            for frame in self._frames_of(packet):
                time = clock.seconds(frame.pts, frame.time_base)
                if frame.is_corrupt:
                    self.corrupt += 1
                else:
                    yield time, frame

    def _packets(self, stream: av.VideoStream) -> Iterator["Packet[av.VideoStream]"]:
        assert self._container is not None
        try:
            yield from self._container.demux(stream)
        except av.FFmpegError:  # cut off: what was decoded so far is all there is
            self.corrupt += 1

    def _frames_of(self, packet: "Packet[av.VideoStream]") -> list[av.VideoFrame]:
        try:
            return packet.decode()
        except av.FFmpegError:
            self.corrupt += 1
            return []


class _RgbConverter:
    """Converts decoded frames to RGB as displayed; the scaler is reused."""

    def __init__(self, info: VideoInfo) -> None:
        self._scaler = VideoReformatter()
        self._size = info.stored_size
        self._orientation = info.orientation

    def __call__(self, frame: av.VideoFrame) -> Image:
        rgb = self._scaler.reformat(
            frame,
            *self._size,
            format="rgb24",
            src_colorspace=self._colorspace(frame),
            src_color_range=frame.color_range,
            dst_color_range=ColorRange.JPEG,
        )
        return self._orientation.apply(np.asarray(rgb.to_ndarray(), np.uint8))

    @staticmethod
    def _colorspace(frame: av.VideoFrame) -> int:
        """The colour matrix; players take untagged HD for BT.709."""
        untagged = frame.colorspace == _UNTAGGED
        return Colorspace.ITU709 if untagged and frame.height >= 720 else frame.colorspace
