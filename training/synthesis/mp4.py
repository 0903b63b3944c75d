"""MP4 writer: images as H.264 with tagged colours, so that all players show the same."""

import itertools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from mocap_cli.io.atomic import write_atomically

_BT709, _LIMITED = 1, 1  # AVCOL_SPC_BT709 and AVCOL_RANGE_MPEG


def write_mp4(
    pictures: Iterable[NDArray[np.uint8]],
    path: Path,
    fps: int,
    size: tuple[int, int],
    crf: int,
    ticks: Iterable[int] | None = None,
) -> None:
    """Write RGB images (H, W, 3) of even width and height at a constant rate.

    With rising `ticks` each image is shown at its tick of the rate instead.
    """
    scaler = VideoReformatter()
    with write_atomically(path) as aside, av.open(str(aside), "w", format="mp4") as file:
        stream = file.add_stream("libx264", fps, {"crf": str(crf), "preset": "slow"})
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, fps)
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        for tick, picture in zip(ticks or itertools.count(), pictures, strict=False):
            frame = scaler.reformat(
                av.VideoFrame.from_ndarray(picture, "rgb24"),
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
            )
            frame.pts, frame.time_base = tick, context.time_base
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
