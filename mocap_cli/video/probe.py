"""Probe: the displayed size, frame rate, sound and lens of a video."""

import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.errors import MocapError
from mocap_cli.types import Image

_FALLBACK_FPS = 25.0  # for a single image, or a file without a frame rate
_SQUARE = 0.02  # log of a pixel's aspect ratio that counts as square: GIF rounds it to 1/64
_MAX_THREADS = 4  # of a decoder: on many cores one process for each would hold too many frames
_OBLONG = math.log(10)  # log of a ratio beyond which the file is damaged: pixels count as square
_MAX_PIXELS = 1 << 28  # of a frame; 8K has 2 ** 25
_AGAIN = "copy it again from the camera, or re-encode it as H.264 MP4"
_TEXT_AS_PICTURES = {"tty", "bin", "xbin", "idf", "adf"}  # FFmpeg renders text files as video
_PACKETS_UNTIL_A_PICTURE = 1000
_FOCAL_TAG = "focal_length.35mm_equivalent"
_WIDTH_OF_35_MM = 36.0


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a player rotates the stored image: transpose first, then flip."""

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @staticmethod
    def of_matrix(matrix: NDArray[np.int32]) -> "Orientation":
        """From FFmpeg's 3x3 display matrix, rounded to quarter turns."""
        (a, b), (c, d) = matrix[0, :2].tolist(), matrix[1, :2].tolist()
        if abs(a) >= abs(b):
            return Orientation(False, a < 0, d < 0)
        return Orientation(True, c < 0, b < 0)

    @staticmethod
    def of_rotation(degrees: int) -> "Orientation":
        """From degrees counter-clockwise, rounded to quarter turns."""
        turns = round(degrees / 90) % 4
        return Orientation(turns % 2 == 1, turns in (2, 3), turns in (1, 2))

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise; of a mirrored picture, those after the mirroring."""
        if self.transposed:
            return 90 if self.flip_y else 270
        return 180 if self.flip_y else 0

    def apply(self, image: Image) -> Image:
        """The image as a player shows it."""
        if self.transposed:
            image = np.asarray(cv2.transpose(image), np.uint8)
        if not (self.flip_x or self.flip_y):
            return image
        code = {(True, True): -1, (True, False): 1, (False, True): 0}[self.flip_x, self.flip_y]
        return np.asarray(cv2.flip(image, code), np.uint8)


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """The properties of a video whose first frame can be decoded."""

    path: Path
    width: int  # pixels as displayed: after the rotation flag, and square
    height: int
    orientation: Orientation
    fps: float  # mean rate by the file
    frames: int | None  # about how many
    duration: float | None  # seconds
    start: Fraction  # seconds: zero of the file's timestamps
    time_base: Fraction  # seconds in one tick of the file's timestamps
    has_audio: bool
    focal_pixels: float | None  # if the file has it

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise that a player rotates the stored image."""
        return self.orientation.rotation

    @property
    def stored_size(self) -> tuple[int, int]:
        """(width, height) of the stored image with square pixels."""
        size = (self.width, self.height)
        return size[::-1] if self.orientation.transposed else size

    def frames_between(self, start: float | None, end: float | None) -> int | None:
        """About how many frames lie between two times, in seconds."""
        if self.duration is None:
            return self.frames
        stop = self.duration if end is None else min(end, self.duration)
        return max(1, round((stop - (start or 0.0)) * self.fps))


def probe(path: Path) -> VideoInfo:
    """Open a video and decode its first frame."""
    with open_container(path) as container:
        stream = video_stream(container, path)
        frame = _first_frame(container, stream)
        if frame is None:
            raise MocapError(f"no frame of {path} can be decoded", _AGAIN)
        return _info(path, container, stream, frame)


def open_container(path: Path) -> av.container.InputContainer:
    """Open a file for reading, or raise a MocapError that says why not."""
    try:
        if path.is_dir():
            raise MocapError(f"{path} is a folder", "give a video file")
        if not stat.S_ISREG((status := path.stat()).st_mode):
            raise MocapError(f"{path} is a pipe or a device, not a file", "give a video file")
        if status.st_size == 0:
            raise MocapError(f"{path} is empty", "copy it again from the camera")
        # The prefix keeps FFmpeg from taking a name like "a:b.mp4" for an address.
        container = av.open(f"file:{path}", metadata_errors="replace")
    except FileNotFoundError as error:
        raise MocapError(f"{path} does not exist", "check the path") from error
    except PermissionError as error:
        raise MocapError(f"cannot read {path}: permission denied", "check its rights") from error
    except av.InvalidDataError as error:
        raise MocapError(f"{path} is not a video, or is cut off or damaged", _AGAIN) from error
    except (av.FFmpegError, OSError) as error:
        raise MocapError(f"cannot read {path} as video: {error.strerror}", _AGAIN) from error
    if container.format.name in _TEXT_AS_PICTURES:
        container.close()
        raise MocapError(f"{path} is a text file, not a video", "give a video file")
    return container


def video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """The largest video stream; cover art does not count."""
    cover = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & cover]
    if not streams:
        kind = "only sound" if container.streams.audio else "no video stream"
        raise MocapError(f"{path} holds {kind}", "give a file with a video stream")
    known = [s for s in streams if s.codec_context is not None]
    if not known:
        raise MocapError(
            f"{path} is coded in a way that cannot be read here", "re-encode it as H.264 MP4"
        )
    stream: av.VideoStream = max(known, key=lambda s: s.width * s.height)
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = min(os.cpu_count() or 1, _MAX_THREADS)
    return stream


def _first_frame(
    container: av.container.InputContainer, stream: av.VideoStream
) -> av.VideoFrame | None:
    try:
        for number, packet in enumerate(container.demux(stream)):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                frames = []
            if frames or number == _PACKETS_UNTIL_A_PICTURE:
                return frames[0] if frames else None
    except av.FFmpegError:
        pass  # the file ends here
    return None


def _info(
    path: Path,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    frame: av.VideoFrame,
) -> VideoInfo:
    orientation = _orientation(frame)
    width, height = _square_size(frame.width, frame.height, stream.sample_aspect_ratio)
    if width * height > _MAX_PIXELS:
        raise MocapError(f"{path} has frames of {width}x{height} pixels", "make them smaller")
    if orientation.transposed:
        width, height = height, width
    time_base = stream.time_base or Fraction(1, 1000)
    first = stream.start_time if stream.start_time is not None else frame.pts or 0
    fps = _fps(stream)
    duration = _duration(container, stream)
    return VideoInfo(
        path=path,
        width=width,
        height=height,
        orientation=orientation,
        fps=fps,
        frames=round(duration * fps) if duration else stream.frames or None,
        duration=duration,
        start=first * time_base,
        time_base=time_base,
        has_audio=any(s.codec_context is not None for s in container.streams.audio),
        focal_pixels=_focal({**container.metadata, **stream.metadata}, max(width, height)),
    )


def _orientation(frame: av.VideoFrame) -> Orientation:
    try:
        side_data: Any = frame.side_data  # its published types leave most keys out
    except ValueError:  # PyAV cannot list side data of a kind that it does not know, such as EXIF
        return Orientation.of_rotation(frame.rotation)
    if "DISPLAYMATRIX" not in side_data:
        return Orientation()
    matrix = np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), np.int32)
    return Orientation.of_matrix(matrix.reshape(3, 3))


def _square_size(width: int, height: int, ratio: Fraction | None) -> tuple[int, int]:
    """The size after making anamorphic pixels square; the finer direction is kept."""
    if not ratio or not _SQUARE <= abs(math.log(ratio)) <= _OBLONG:
        return width, height
    if ratio > 1:
        return round(width * ratio), height
    return width, round(height / ratio)


def _fps(stream: av.VideoStream) -> float:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0.1 <= rate <= 1000:
            return float(rate)
    return _FALLBACK_FPS


def _duration(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _focal(metadata: Mapping[str, str], longer_side: int) -> float | None:
    """Pixels, from a phone's tag of the focal length that suits a 36 mm wide film."""
    for key, value in metadata.items():
        if key.endswith(_FOCAL_TAG):
            try:
                millimetres = float(value)
            except ValueError:
                return None
            return millimetres / _WIDTH_OF_35_MM * longer_side if millimetres > 0 else None
    return None
