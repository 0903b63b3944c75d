"""Original: the video that a motion was read from; another one is refused."""

from mocap_cli.body.motion import Motion
from mocap_cli.errors import MocapError
from mocap_cli.video.probe import VideoInfo


def refuse_other(info: VideoInfo, motion: Motion) -> None:
    """Raise when the video cannot be the motion's: what is drawn over it would be elsewhere."""
    source = motion.source
    if (info.width, info.height) != (source.width, source.height):
        raise MocapError(
            f"{info.path} is {info.width}x{info.height}, but the motion was tracked in"
            f" {source.file} of {source.width}x{source.height}",
            "give the video that the motion was made from",
        )
