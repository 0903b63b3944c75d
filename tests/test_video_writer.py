"""Videos out: the source's timing and sound, whole files or none."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from film import film, number_on

from mocap_cli.errors import MocapError
from mocap_cli.video.reader import open_video, probe
from mocap_cli.video.sound import SoundCopier
from mocap_cli.video.writer import write_video


def copied(source: Path, target: Path, start: float = 0.0, end: float | None = None) -> Path:
    with (
        open_video(source, start, end) as video,
        write_video(target, video.info, start, end) as out,
    ):
        for frame in video:
            out.write(frame.image, frame.time)
    return target


def shown(path: Path) -> list[tuple[int, float]]:
    with open_video(path) as video:
        return [(number_on(frame.image), frame.time) for frame in video]


@pytest.mark.parametrize(
    "interval", [Fraction(1001, 24000), Fraction(1001, 30000), Fraction(1, 50), Fraction(1, 240)]
)
def test_a_copy_shows_every_frame_at_its_time(tmp_path, interval):
    source = film(tmp_path / "a.mp4", range(20), time_base=interval)
    assert shown(copied(source, tmp_path / "b.mp4")) == shown(source)


def test_a_variable_rate_is_kept(tmp_path):
    stamps = np.cumsum([1, 50, 2, 7, 31, 20, 20, 90, 3, 3]).tolist()
    source = film(tmp_path / "a.mp4", stamps, time_base=Fraction(1, 600))
    assert shown(copied(source, tmp_path / "b.mp4")) == shown(source)


def test_a_turned_video_is_written_upright_without_a_flag(tmp_path):
    copy = copied(film(tmp_path / "a.mp4", range(5), rotation=90), tmp_path / "b.mp4")
    info = probe(copy)
    assert (info.width, info.height, info.rotation) == (48, 64, 0)
    assert [number for number, _ in shown(copy)] == [0, 1, 2, 3, 4]


def test_odd_sizes_grow_by_one_and_keep_what_they_show(tmp_path):
    source = film(tmp_path / "a.mp4", range(5), size=(65, 49), pix_fmt="yuv444p")
    copy = copied(source, tmp_path / "b.mp4")
    assert (probe(copy).width, probe(copy).height) == (66, 50)
    assert [number for number, _ in shown(copy)] == [0, 1, 2, 3, 4]


def test_players_find_h264_in_yuv420p_and_opencv_reads_it_all(tmp_path):
    copy = copied(film(tmp_path / "a.mp4", range(30)), tmp_path / "b.mp4")
    with av.open(str(copy)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    video = cv2.VideoCapture(str(copy))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(30)
    assert sum(video.read()[0] for _ in range(40)) == 30


@pytest.mark.parametrize("height", [360, 720])
def test_colours_survive_at_both_definitions(tmp_path, height):
    colours = np.array([[200, 40, 40], [40, 180, 60], [50, 70, 220], [230, 200, 60]], np.uint8)
    image = np.repeat(np.repeat(colours[None], height, 0), 160, 1)
    info = probe(film(tmp_path / "a.mp4", range(2), size=(640, height)))
    with write_video(tmp_path / "b.mp4", info) as out:
        out.write(image, 0.0)
    with open_video(tmp_path / "b.mp4") as video:
        found = next(iter(video)).image
    middles = found[height // 2, 80::160].astype(int)
    assert np.abs(middles - colours).max() <= 6


def pitch(path: Path, at: float) -> float:
    """Hz of the tone that sounds at that second."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", 48000)
        frames = list(container.decode(container.streams.audio[0]))
        pieces = [p.to_ndarray()[0] for frame in frames for p in resampler.resample(frame)]
    first = round((at - frames[0].time) * 48000)
    piece = np.concatenate(pieces)[first - 2048 : first + 2048]
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 16))
    return float(spectrum.argmax()) * 48000 / (1 << 16)


@pytest.mark.parametrize("begin", [0, 15], ids=["from zero", "from half a second"])
@pytest.mark.parametrize("span", [(0.0, None), (1.0, 2.5)], ids=["whole", "cut"])
@pytest.mark.parametrize(
    ("suffix", "sound"), [(".mp4", "aac"), (".mov", "pcm_s16le"), (".mkv", "libopus")]
)
def test_the_sound_stays_with_its_pictures(tmp_path, suffix, sound, span, begin):
    stamps = range(begin, begin + 120)
    source = film(tmp_path / f"a{suffix}", stamps, sound_seconds=5, sound_codec=sound)
    copy = copied(source, tmp_path / "b.mp4", *span)
    moment = begin / 30 + span[0] + 0.75
    assert pitch(copy, 0.75) == pytest.approx(300 + 200 * moment, abs=3)  # 15 ms


def test_the_sound_ends_with_the_span(tmp_path):
    source = film(tmp_path / "a.mp4", range(120), sound_seconds=5)
    with av.open(str(copied(source, tmp_path / "b.mp4", 1.0, 2.0))) as container:
        assert container.duration / 1e6 == pytest.approx(1.0, abs=0.06)


def test_a_block_that_fails_leaves_the_older_file_and_nothing_else(tmp_path):
    info = probe(film(tmp_path / "a.mp4", range(3), sound_seconds=1))
    target = tmp_path / "out" / "b.mp4"
    target.parent.mkdir()
    target.write_bytes(b"older")

    def stop_half_way() -> None:
        with write_video(target, info) as out:
            out.write(np.zeros((48, 64, 3), np.uint8), 0.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_half_way()
    assert [p.name for p in target.parent.iterdir()] == ["b.mp4"]
    assert target.read_bytes() == b"older"


_FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from mocap_cli.errors import MocapError
from mocap_cli.video.probe import probe
from mocap_cli.video.writer import write_video
source, target = map(Path, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
rng = np.random.default_rng(0)
try:
    with write_video(target, probe(source)) as out:
        for number in range(100):
            out.write(rng.integers(0, 255, (48, 64, 3), np.uint8), number / 30)
except MocapError as error:
    print(error.message)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files the POSIX way")
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path):
    source, target = film(tmp_path / "a.mp4", range(3)), tmp_path / "out" / "b.mp4"
    command = [sys.executable, "-c", _FULL, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"cannot write {target}: ")
    assert list(target.parent.iterdir()) == []


def test_a_missing_encoder_is_said_before_anything_is_written(tmp_path, monkeypatch):
    info = probe(film(tmp_path / "a.mp4", range(1)))
    monkeypatch.setattr(av, "codecs_available", frozenset({"mpeg4"}))
    with pytest.raises(MocapError, match=r"no H.264 encoder"), write_video(tmp_path / "b", info):
        pass
    assert not (tmp_path / "b").exists()


def test_a_size_that_the_encoder_does_not_take_is_one_line(tmp_path):
    source = replace(probe(film(tmp_path / "a.mp4")), width=65534, height=48)
    image = np.zeros((48, 65534, 3), np.uint8)
    with (
        pytest.raises(MocapError, match="takes no video of 65534x48"),
        write_video(tmp_path / "b.mp4", source) as writer,
    ):
        writer.write(image, 0.0)
    assert not (tmp_path / "b.mp4").exists()


def test_sound_that_no_mp4_takes_is_one_line(monkeypatch, tmp_path):
    """As the header of a damaged video may describe it."""

    class Refusing:
        def mux(self, packets: object) -> None:
            raise av.ArgumentError(22, "Invalid argument", "a.mp4")

    sound = object.__new__(SoundCopier)
    sound._output, sound._path, sound._next = Refusing(), tmp_path / "a.mp4", (0.0, [])
    with pytest.raises(MocapError, match=r"no such sound as that of .*a.mp4: Invalid argument"):
        sound.write_until(1.0)
