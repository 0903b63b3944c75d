"""Files that are damaged, cut off, or no video at all."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from film import film, number_on

from mocap_cli.errors import MocapError
from mocap_cli.video.reader import VideoReader, open_video, probe


def seen(path: Path) -> tuple[list[tuple[int, float]], VideoReader]:
    """(number shown, time) of every frame, and the reader that gave them."""
    with open_video(path) as video:
        return [(number_on(frame.image), frame.time) for frame in video], video


def smashed(path: Path, places: range) -> Path:
    data = bytearray(path.read_bytes())
    for place in places:
        data[place : place + 30] = bytes(255 - byte for byte in data[place : place + 30])
    path.write_bytes(data)
    return path


def test_damaged_frames_are_left_out_counted_and_told_of_once(tmp_path):
    whole = film(tmp_path / "a.mp4", range(120), size=(320, 240), options={"g": "12"})
    size = whole.stat().st_size
    frames, video = seen(smashed(whole, range(size // 4, size // 2, 400)))
    assert 60 < len(frames) < 120
    assert video.corrupt >= 1
    (said,) = video.warnings
    assert said.startswith(f"{video.corrupt} frame")
    after = [(number, t) for number, t in frames if t > 3]
    assert after == [(number, pytest.approx(number / 30)) for number in range(91, 120)]


def test_a_damaged_video_decodes_to_the_same_frames_in_every_pass(tmp_path):
    path = film(tmp_path / "a.mp4", range(90), size=(320, 240), options={"g": "30", "bf": "3"})
    smashed(path, range(path.stat().st_size // 4, path.stat().st_size // 2, 700))
    passes = []
    for _ in range(6):
        with open_video(path) as video:
            frames = [(frame.time, frame.image.tobytes()) for frame in video]
        passes.append((frames, video.corrupt))
    assert passes[0][1] >= 1
    assert all(one == passes[0] for one in passes)


def cut_off(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])
    return path


def test_a_cut_off_video_gives_what_is_there_and_says_so(tmp_path):
    path = film(tmp_path / "a.mkv", range(120), options={"g": "12"})
    frames, video = seen(cut_off(path, 0.5))
    assert [number for number, _ in frames] == list(range(len(frames)))
    assert 30 < len(frames) < 90
    assert any("breaks off" in said for said in video.warnings)


def test_a_whole_video_gives_no_warning(tmp_path):
    _, video = seen(film(tmp_path / "a.mp4", range(60)))
    assert video.warnings == ()
    assert video.corrupt == 0


def bad_file(folder: Path, kind: str) -> Path:
    path = folder / "bad.mp4"
    if kind == "empty":
        path.touch()
    elif kind == "a text":
        path.write_text("no video\n" * 100)
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(20_000))
    elif kind == "a folder":
        path.mkdir()
    elif kind == "cut off before its index":
        cut_off(film(path), 0.6)
    elif kind == "only sound":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=48000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), "fltp", "mono")
            frame.sample_rate = 48000
            container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@pytest.mark.parametrize(
    "kind",
    ["missing", "empty", "a text", "noise", "a folder", "cut off before its index", "only sound"],
)
def test_what_is_no_video_is_refused_by_name_with_a_way_out(tmp_path, kind):
    path = bad_file(tmp_path, kind)
    with pytest.raises(MocapError) as caught:
        probe(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(MocapError, match="not a file"):
        probe(tmp_path / "a.mp4")


def test_pixels_of_an_impossible_shape_count_as_square(tmp_path):
    info = probe(film(tmp_path / "a.mkv", ratio=Fraction(255, 1)))
    assert (info.width, info.height) == (64, 48)
