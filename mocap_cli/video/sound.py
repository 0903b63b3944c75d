"""Sound: copy a span of a video's sound into another video, unchanged where possible."""

import math
from collections.abc import Iterator
from fractions import Fraction

import av
from av.packet import Packet

from mocap_cli.errors import MocapError
from mocap_cli.video.probe import VideoInfo, open_container

_COPIED = {"aac", "ac3", "alac", "eac3", "mp3"}  # what players expect in an MP4
_SEEK_MARGIN = 1.0  # seconds before the wanted start, so that nothing is missed
_RATE = 48000

_Timed = tuple[float, "list[Packet[av.AudioStream]]"]  # seconds from the start of the span


class SoundCopier:
    """The sound of `source` from `start` to `end`, written along with the frames."""

    def __init__(
        self,
        source: VideoInfo,
        output: av.container.OutputContainer,
        start: float,
        end: float | None,
    ) -> None:
        self._output = output
        self._path = source.path
        self._input = open_container(source.path)
        self._stream = next(s for s in self._input.streams.audio if s.codec_context is not None)
        self._start = float(source.start) + start  # seconds, by the file's own count
        self._length = math.inf if end is None else end - start
        if self._stream.codec_context.codec.canonical_name in _COPIED:
            self._target = output.add_stream_from_template(self._stream)
            self._timed = self._copied()
        else:
            self._target = output.add_stream("aac", rate=_RATE)
            self._timed = self._recoded()
        self._next: _Timed | None = (0.0, [])

    def write_until(self, seconds: float) -> None:
        """Write the sound up to that second of the span."""
        while self._next is not None and self._next[0] <= seconds:
            try:
                self._output.mux(self._next[1])
            except (av.ArgumentError, av.InvalidDataError) as error:
                raise MocapError(
                    f"an MP4 takes no such sound as that of {self._path}: {error.strerror}",
                    "re-encode the video as H.264 MP4, or without its sound",
                ) from error
            self._next = next(self._timed, None)

    def close(self) -> None:
        """Close the source."""
        self._input.close()

    def _packets(self) -> Iterator["tuple[float, Packet[av.AudioStream]]"]:
        """The packets that begin within the span and their seconds, counted from its start."""
        tick = self._stream.time_base or Fraction(1, _RATE)
        shift = round(self._start / tick)
        try:
            if self._start > _SEEK_MARGIN:
                self._input.seek(shift - round(_SEEK_MARGIN / tick), stream=self._stream)
            for packet in self._input.demux(self._stream):
                if packet.pts is None:
                    continue  # the end marker, or a packet without a time
                packet.pts -= shift
                packet.dts = packet.pts if packet.dts is None else packet.dts - shift
                if packet.pts * tick >= self._length:
                    return
                if packet.pts >= 0:
                    yield float(packet.pts * tick), packet
        except av.FFmpegError:
            return  # the sound ends here; the video may go on

    def _copied(self) -> Iterator[_Timed]:
        for seconds, packet in self._packets():
            packet.stream = self._target
            yield seconds, [packet]

    def _recoded(self) -> Iterator[_Timed]:
        resampler = av.AudioResampler("fltp", "stereo", _RATE)
        for seconds, packet in self._packets():
            for frame in self._frames(packet):
                for piece in resampler.resample(frame):
                    yield seconds, self._target.encode(piece)
        for piece in resampler.resample(None):
            yield self._length, self._target.encode(piece)
        yield self._length, self._target.encode(None)

    @staticmethod
    def _frames(packet: "Packet[av.AudioStream]") -> list[av.AudioFrame]:
        try:
            return packet.decode()
        except av.FFmpegError:
            return []  # a moment of silence
