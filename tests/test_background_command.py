"""`mocap background` as a user types it."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import typer
from pan import seen, turned, wall, with_subject, write_clip
from typer.testing import CliRunner

from mocap_cli.cli.app import app
from mocap_cli.cli.background_jobs import background_request
from mocap_cli.errors import MocapError
from mocap_cli.plates.background import read_background


def _run(*words: str) -> None:
    done = CliRunner().invoke(app, ["background", *words, "--no-people", "-q"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output


@pytest.fixture
def video(tmp_path: Path) -> Path:
    scene = seen(wall(), turned(0))
    frames = [with_subject(scene, 12 * i - 40, 100) for i in range(28)]
    return write_clip(tmp_path / "passer.mkv", frames)


def test_picture_and_archive_appear_beside_the_video(video: Path) -> None:
    _run(str(video))
    picture = cv2.imread(str(video.with_name("passer.background.png")), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (240, 320, 4)
    image, known = read_background(video.with_name("passer.background.npz")).at(0.4)
    np.testing.assert_array_equal(picture[..., 2::-1][known], image[known])


def test_films_and_sheet_are_made_on_request(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "empty.png"
    _run(str(video), "-o", str(out), "--median", "--video", "--difference", "--sheet")
    with av.open(str(out.with_suffix(".mp4"))) as film:
        pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(pictures) == 28
    apart = np.abs(pictures[14].astype(int) - seen(wall(), turned(0)))
    assert np.median(apart) < 8
    with av.open(str(out.with_suffix(".difference.mp4"))) as film:
        frame = [f.to_ndarray(format="rgb24") for f in film.decode(video=0)][14]
    subject = frame[105:185, 132:164]
    assert subject.mean() > 4 * frame[:90].mean() + 20
    assert cv2.imread(str(out.with_suffix(".sheet.png"))).shape[1] == 6 * 320


@pytest.mark.parametrize("folder", ["plates.png/", "out.v2/", "out"])
def test_a_slash_or_no_suffix_makes_a_folder(folder: str) -> None:
    request = background_request(folder, [Path("a.mp4")])
    assert (request.files, request.folder) == ((), Path(folder))


@pytest.mark.parametrize("given", [".png", "out.v2", ".mp4"])
def test_another_suffix_and_a_bare_one_are_bad_usage(given: str) -> None:
    with pytest.raises(typer.BadParameter, match="give a file"):
        background_request(given, [Path("a.mp4")])


def test_the_films_are_not_taken_for_videos_of_the_folder(video: Path) -> None:
    _run(str(video), "--video", "--difference")
    _run(str(video.parent))
    assert not list(video.parent.glob("*.background.background.*"))


def test_the_video_itself_is_never_overwritten(video: Path) -> None:
    again = write_clip(video.with_name("film.mkv"), [seen(wall(), turned(0))] * 3)
    film = again.rename(again.with_suffix(".mp4"))
    with pytest.raises(MocapError, match="would overwrite the input"):
        _run(str(film), "-o", str(film.with_suffix(".png")), "--video")


def test_two_kinds_at_once_are_refused(video: Path) -> None:
    done = CliRunner().invoke(app, ["background", str(video), "--median", "--split"])
    assert done.exit_code == 2


@pytest.mark.parametrize("way", ["sub/../film.png", "../{folder}/film.png", "linked/film.png"])
def test_the_video_is_never_overwritten_by_another_name_of_its_folder(
    video: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    folder = video.parent
    monkeypatch.chdir(folder)
    again = write_clip(folder / "film.mkv", [seen(wall(), turned(0))] * 3)
    film = again.rename(again.with_suffix(".mp4"))
    (folder / "sub").mkdir()
    (folder / "linked").symlink_to(folder, target_is_directory=True)
    before = film.read_bytes()
    with pytest.raises(MocapError, match="would overwrite the input"):
        _run("film.mp4", "-o", way.format(folder=folder.name), "--video")
    assert film.read_bytes() == before


def test_a_film_of_one_video_does_not_overwrite_another_input(video: Path) -> None:
    other = write_clip(video.with_name("film.mkv"), [seen(wall(), turned(0))] * 3)
    other = other.rename(video.with_name("passer.background.mp4"))
    with pytest.raises(MocapError, match="would overwrite the input"):
        _run(str(video), str(other), "--video")


def test_an_output_that_cannot_be_is_refused_before_the_work(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*values: object) -> None:
        raise AssertionError("the long work has begun")

    monkeypatch.setattr("mocap_cli.plates.builder.make_background", never)
    with pytest.raises(MocapError, match="cannot write"):
        _run(str(video), "-o", "/proc/nothing/a.png")
    (video.parent / "film.mp4").mkdir()
    with pytest.raises(MocapError, match="is a folder"):
        _run(str(video), "-o", str(video.parent / "film.png"), "--video")
