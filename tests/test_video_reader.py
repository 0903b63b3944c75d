"""Frames in, with their true times: synthetic videos whose every frame shows its own number."""

import subprocess
import sys
import threading
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from film import BRIGHT, DARK, film, number_on, picture_of, with_exif

from mocap_cli.errors import MocapError
from mocap_cli.video.reader import open_video, probe


def seen(path: Path, start: float | None = None, end: float | None = None):
    """(number shown, time) of every frame, and the reader that gave them."""
    with open_video(path, start, end) as video:
        return [(number_on(frame.image), frame.time) for frame in video], video


@pytest.mark.parametrize(
    "interval",
    [
        Fraction(1001, 24000),
        Fraction(1, 25),
        Fraction(1001, 30000),
        Fraction(1001, 60000),
        Fraction(1, 120),
        Fraction(1, 240),
    ],
    ids=lambda interval: f"{float(1 / interval):.3f} fps",
)
def test_frames_carry_their_exact_times_at_every_usual_rate(tmp_path, interval):
    frames, video = seen(film(tmp_path / "a.mp4", range(20), time_base=interval))
    assert [number for number, _ in frames] == list(range(20))
    np.testing.assert_allclose([t for _, t in frames], np.arange(20) * float(interval), atol=1e-9)
    assert video.info.fps == pytest.approx(float(1 / interval))
    assert video.info.frames == 20


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_times_count_from_the_first_frame_when_stamps_do_not_begin_at_zero(tmp_path, suffix):
    frames, _ = seen(film(tmp_path / f"a{suffix}", range(45, 65)))
    assert [number for number, _ in frames] == list(range(20))
    rounded = 6e-4 if suffix == ".mkv" else 1e-9  # Matroska stamps are whole milliseconds
    np.testing.assert_allclose([t for _, t in frames], np.arange(20) / 30, atol=rounded)


def test_a_variable_rate_keeps_each_frames_own_time(tmp_path):
    stamps = np.cumsum([1, 50, 2, 7, 31, 20, 20, 90, 3, 3]).tolist()
    frames, _ = seen(film(tmp_path / "a.mp4", stamps, time_base=Fraction(1, 600)))
    wanted = (np.array(stamps) - stamps[0]) / 600
    np.testing.assert_allclose([t for _, t in frames], wanted, atol=1e-9)
    assert [number for number, _ in frames] == list(range(10))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_pictures_stand_as_a_player_shows_them(tmp_path, rotation, mirrored):
    path = film(tmp_path / "a.mp4", range(3), rotation=rotation, mirrored=mirrored)
    frames, video = seen(path)
    assert [number for number, _ in frames] == [0, 1, 2]
    assert (video.info.width, video.info.height) == ((48, 64) if rotation % 180 else (64, 48))
    if not mirrored:
        assert video.info.rotation == rotation


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_opencv_turns_the_same_way(tmp_path, rotation):
    path = film(tmp_path / "a.mp4", range(1), rotation=rotation, numbers=[0b110100100001])
    read, theirs = cv2.VideoCapture(str(path)).read()
    assert read
    with open_video(path) as video:
        ours = next(iter(video)).image
    assert np.abs(ours.astype(int) - theirs[..., ::-1]).max() <= 6


@pytest.mark.parametrize(
    ("ratio", "displayed"), [(Fraction(16, 11), (93, 48)), (Fraction(1, 2), (64, 96))]
)
def test_anamorphic_pixels_are_made_square(tmp_path, ratio, displayed):
    frames, video = seen(film(tmp_path / "a.mp4", range(3), ratio=ratio))
    assert (video.info.width, video.info.height) == displayed
    assert [number for number, _ in frames] == [0, 1, 2]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_start_and_end_cut_exactly_whatever_lies_between_key_frames(tmp_path, suffix):
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    path = film(tmp_path / f"a{suffix}", range(200), codec=codec, options={"g": "60"})
    frames, _ = seen(path, start=3.05, end=4.55)
    assert [number for number, _ in frames] == list(range(92, 137))
    np.testing.assert_allclose([t for _, t in frames], np.arange(92, 137) / 30, atol=6e-4)


def test_a_stream_without_stamps_is_counted_at_its_rate(tmp_path):
    frames, video = seen(film(tmp_path / "a.h264", range(50), options={"g": "10"}), start=1.0)
    first = round(video.info.fps)
    assert [number for number, _ in frames] == list(range(first, 50))
    assert frames[0][1] == pytest.approx(1.0)


@pytest.mark.parametrize("span", [(9.0, None), (0.35, 0.36)])
def test_a_span_without_a_frame_says_how_long_the_video_is(tmp_path, span):
    with pytest.raises(MocapError, match=r"has no frame") as caught:
        seen(film(tmp_path / "a.mp4"), *span)
    assert "1.00 s" in caught.value.hint


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "size", "suffix"),
    [
        ("libx264", "yuv420p", (8, 8), ".mp4"),
        ("libx264", "yuv444p", (65, 49), ".mp4"),
        ("libx264", "yuv420p10le", (64, 48), ".mp4"),
        ("mjpeg", "yuvj420p", (64, 48), ".mov"),
        ("ffv1", "bgra", (63, 47), ".mkv"),
        ("ffv1", "gray", (64, 48), ".mkv"),
        ("gif", "rgb8", (64, 48), ".gif"),
        ("libvpx-vp9", "yuv420p", (64, 48), ".webm"),
    ],
)
def test_any_size_depth_and_container_is_read(tmp_path, codec, pix_fmt, size, suffix):
    path = film(tmp_path / f"a{suffix}", range(4), codec=codec, pix_fmt=pix_fmt, size=size)
    frames, video = seen(path)
    assert [number for number, _ in frames] == [0, 1, 2, 3]
    assert (video.info.width, video.info.height) == size


def test_an_8k_video_is_read(tmp_path):
    path = film(tmp_path / "a.mov", range(2), size=(7680, 4320), codec="mjpeg", pix_fmt="yuvj420p")
    assert [number for number, _ in seen(path)[0]] == [0, 1]


def test_a_single_frame_is_a_video(tmp_path):
    frames, _ = seen(film(tmp_path / "a.mp4", range(1)))
    assert frames == [(0, 0.0)]


def test_levels_come_out_as_they_were_filmed(tmp_path):
    with open_video(film(tmp_path / "a.mp4", range(1), numbers=[0b101010101010])) as video:
        image = next(iter(video)).image
    truth = picture_of(0b101010101010, 64, 48)
    assert np.abs(image.astype(int) - truth).max() <= 4
    assert {DARK, BRIGHT} == set(np.unique(truth).tolist())


def test_sound_is_told_of_and_left_alone(tmp_path):
    frames, video = seen(film(tmp_path / "a.mp4", range(5), sound_seconds=2))
    assert [number for number, _ in frames] == [0, 1, 2, 3, 4]
    assert video.info.has_audio
    assert not probe(film(tmp_path / "b.mp4", range(5))).has_audio


def test_cover_art_is_no_video(tmp_path):
    song = tmp_path / "song.mkv"
    picture = cv2.imencode(".png", np.zeros((400, 400, 3), np.uint8))[1].tobytes()
    with av.open(str(song), "w") as container:
        container.add_attachment("cover.png", "image/png", picture)
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(MocapError, match="only sound"):
        probe(song)


def test_the_lens_is_read_from_a_phones_tag(tmp_path):
    tag = {"com.apple.quicktime.camera.focal_length.35mm_equivalent": "27"}
    info = probe(film(tmp_path / "a.mov", range(2), size=(48, 64), metadata=tag))
    assert info.focal_pixels == pytest.approx(27 / 36 * 64)
    assert probe(film(tmp_path / "b.mov", range(2))).focal_pixels is None


def test_a_colon_in_a_name_is_no_address(tmp_path):
    frames, _ = seen(film(tmp_path / "a.mp4", range(2)).rename(tmp_path / "clip:1 [b].mp4"))
    assert len(frames) == 2


def decoding_threads() -> int:
    return sum(thread.name == "mocap-ahead" for thread in threading.enumerate())


def test_stopping_early_ends_the_decoding_thread(tmp_path):
    with open_video(film(tmp_path / "a.mp4", range(100))) as video:
        assert [frame.index for frame in islice(video, 3)] == [0, 1, 2]
        assert decoding_threads() == 1
    assert decoding_threads() == 0


def test_a_reader_that_was_never_read_closes(tmp_path):
    open_video(film(tmp_path / "a.mp4", range(3))).close()
    assert decoding_threads() == 0


_PEAK = """
import resource, sys
from pathlib import Path
from mocap_cli.video.reader import open_video
from mocap_cli.video.writer import write_video
source = Path(sys.argv[1])
with open_video(source) as video, write_video(source.with_suffix(".out.mp4"), video.info) as out:
    for frame in video:
        out.write(frame.image, frame.time)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_megabytes(path: Path) -> float:
    command = [sys.executable, "-c", _PEAK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) / (1024 if sys.platform == "linux" else 1024**2)


def test_memory_does_not_grow_with_the_length_of_the_video(tmp_path):
    options = {"preset": "ultrafast"}
    short, long = (
        film(tmp_path / f"{n}.mp4", range(n), size=(320, 240), options=options) for n in (100, 700)
    )
    grown = peak_megabytes(long) - peak_megabytes(short)
    assert grown < 40  # the 600 frames more are 138 MB


@pytest.mark.parametrize(("tag", "turned"), [(1, 0), (3, 180), (6, 270), (8, 90)])
def test_pictures_with_exif_are_read_and_turned_as_their_tag_says(tmp_path, tag, turned):
    info = probe(with_exif(tmp_path / "a.jpg", tag))
    assert info.rotation == turned
    assert (info.width, info.height) == ((48, 64) if turned % 180 else (64, 48))
