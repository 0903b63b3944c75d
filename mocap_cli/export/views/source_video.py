"""The video that a motion was tracked in: its frames for views; another video is refused."""

from pathlib import Path

from mocap_cli.body.motion import Motion
from mocap_cli.errors import MocapError
from mocap_cli.video.probe import VideoInfo
from mocap_cli.video.reader import VideoReader, open_video

_ROUNDING = 1e-6  # seconds: keeps the first and the last frame despite rounding


def check_source_video(info: VideoInfo, motion: Motion) -> None:
    """Raise when the video has another size than the motion's: drawings would be misplaced."""
    source = motion.source
    if (info.width, info.height) != (source.width, source.height):
        raise MocapError(
            f"{info.path} is {info.width}x{info.height}, but the motion was tracked in"
            f" {source.file} of {source.width}x{source.height}",
            "give the video that the motion was made from",
        )


def open_source_video(video: Path, motion: Motion) -> VideoReader:
    """The frames of the motion's span, the first and the last included."""
    first, last = float(motion.times[0]), float(motion.times[-1])
    frames = open_video(video, first - _ROUNDING, last + _ROUNDING)
    check_source_video(frames.info, motion)
    return frames
