"""The report as a picture, and the frames that it chooses to show."""

from io import BytesIO

import numpy as np
import pytest
from film import film, number_on
from person import standing
from PIL import Image
from poses import dance, motion_of, somersault, t_pose, wobbling

from mocap_cli.errors import MocapError
from mocap_cli.export.views import canvas
from mocap_cli.export.views.canvas import _PAPER, Canvas, text_width, truncate_text
from mocap_cli.export.views.figure import SIDE_COLOURS
from mocap_cli.export.views.key_poses import KeyPoses
from mocap_cli.export.views.motion_report import _WIDTH, write_report
from mocap_cli.export.views.plots import _ticks
from mocap_cli.export.views.projection import OrthographicView
from mocap_cli.video.reader import probe

LEFT, RIGHT = SIDE_COLOURS["left"], SIDE_COLOURS["right"]
TIMES = np.arange(90) / 30


def near(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """(N, 2) rows and columns of the pixels of about that colour."""
    return np.argwhere(np.abs(image.astype(int) - colour).max(axis=-1) <= 12)


def test_key_poses_lie_where_the_movement_is():
    joints = np.concatenate((t_pose(60), somersault(TIMES[:30])))
    joints[:60] += joints[60] - joints[59]
    chosen = KeyPoses.choose(motion_of(wobbling(joints, size=0.003), TIMES), 7).frames
    assert chosen[0] == 0
    assert chosen[-1] == 89
    assert sum(t >= 58 for t in chosen) >= 5


def test_a_motionless_clip_is_shown_evenly():
    chosen = KeyPoses.choose(motion_of(wobbling(t_pose(90), size=0.003), TIMES), 7).frames
    np.testing.assert_allclose(chosen, np.linspace(0, 89, 7), atol=3)


def test_key_poses_are_never_frames_without_a_person():
    joints = dance(TIMES)
    joints[20:50] = np.nan
    chosen = KeyPoses.choose(motion_of(joints, TIMES), 7).frames
    assert len(chosen) == len(set(chosen)) == 7
    assert not set(chosen) & set(range(20, 50))
    assert KeyPoses.choose(motion_of(joints[48:53], TIMES[:5]), 7).frames == [2, 3, 4]
    assert KeyPoses.choose(motion_of(joints[20:30], TIMES[:10]), 7).frames == []


def test_a_drawn_figure_is_upright_has_its_left_where_the_camera_sees_it_and_stands_on_the_line():
    joints = t_pose(1)
    joints[..., 1] -= joints[..., 1].min()
    motion = motion_of(joints, TIMES[:1])
    (front,) = KeyPoses(motion, [0]).drawings(OrthographicView.CAMERA, (300, 230))
    left, right = near(front, LEFT), near(front, RIGHT)
    assert left[:, 1].mean() > 150 > right[:, 1].mean()
    assert left[:, 0].min() < 115 < left[:, 0].max()  # a foot below, a hand above
    (side,) = KeyPoses(motion, [0]).drawings(OrthographicView.SIDE, (300, 230))
    toe = near(side, LEFT)
    lowest = toe[toe[:, 0] > toe[:, 0].max() - 3]
    # Seen from the camera's right, somebody who faces the camera looks to the left.
    assert lowest[:, 1].mean() < 150


def test_the_pictures_show_the_frames_of_the_video_at_the_times_of_the_motion(tmp_path):
    video = film(tmp_path / "v.mp4", range(40), size=(320, 240))
    motion = standing(probe(video), np.arange(20) / 15)  # another rate than the video's
    hidden = {"joints": motion.joints * np.nan, "xy": motion.xy * np.nan}
    plain = standing(probe(video), motion.times, **hidden)
    frames = [0, 7, 19]
    pictures = KeyPoses(plain, frames).crops(video, (384, 288))
    # Without anybody the whole picture is shown, with air around it.
    inside = [p[24:264, 32:352] for p in pictures]
    assert [number_on(picture) for picture in inside] == [0, 14, 38]


def test_the_person_is_in_the_middle_of_the_picture_at_a_legible_size(tmp_path):
    video = film(tmp_path / "v.mp4", range(3), size=(640, 480))
    motion = standing(probe(video), np.arange(3) / 30)
    (picture,) = KeyPoses(motion, [1]).crops(video, (200, 280))
    painted = np.concatenate((near(picture, LEFT), near(picture, RIGHT)))
    assert painted.mean(axis=0) == pytest.approx((140, 100), abs=40)
    assert np.ptp(painted[:, 0]) > 140


@pytest.mark.parametrize("frames", [1, 3, 90])
def test_the_report_is_a_png_with_and_without_a_video(tmp_path, frames):
    video = film(tmp_path / "v.mp4", range(90))
    motion = standing(probe(video), TIMES[:frames])
    for given in (None, video):
        write_report(motion, tmp_path / "r.png", given)
        with Image.open(tmp_path / "r.png") as picture:
            assert picture.format == "PNG"
            assert picture.width == _WIDTH


def test_a_report_of_nobody_can_be_written(tmp_path):
    nobody = motion_of(np.full((20, 19, 3), np.nan), TIMES[:20])
    write_report(nobody, tmp_path / "r.png")
    assert (tmp_path / "r.png").stat().st_size > 0


def test_the_report_of_another_video_is_refused_and_leaves_nothing(tmp_path):
    motion = standing(probe(film(tmp_path / "v.mp4")), TIMES[:10])
    other = film(tmp_path / "other.mp4", size=(96, 64))
    with pytest.raises(MocapError, match=r"other\.mp4 is 96x64"):
        write_report(motion, tmp_path / "r.png", other)
    assert not (tmp_path / "r.png").exists()


def test_words_and_lines_are_where_they_were_put():
    sheet = Canvas(200, 100)
    sheet.text((150, 50), "words", 20, (0, 0, 0), "right")
    sheet.line([(10, 90), (190, 90)], (255, 0, 0), 2)
    image = np.asarray(Image.open(BytesIO(sheet.png())))
    dark = near(image, (0, 0, 0))
    assert 150 - text_width("words", 20) - 2 <= dark[:, 1].min() <= dark[:, 1].max() <= 150
    assert 30 < dark[:, 0].min() <= dark[:, 0].max() <= 51
    assert near(image, (255, 0, 0))[:, 0].mean() == pytest.approx(89.5, abs=1)
    assert (image[:20] == _PAPER).all()


def test_a_long_name_is_cut_to_its_room():
    short = truncate_text("a" * 300, 20, 200)
    assert short.endswith("...")
    assert text_width(short, 20) <= 200
    assert truncate_text("dive", 20, 200) == "dive"


@pytest.mark.parametrize(("low", "high"), [(-6.2, 2.3), (0.0, 0.031), (-181, 179), (1e-9, 2e-9)])
def test_ticks_are_round_few_and_inside(low, high):
    made = _ticks(low, high, 4)
    assert 2 <= len(made) <= 6
    assert all(low - 1e-9 <= value <= high + 1e-9 for value, _ in made)
    assert [float(text) for _, text in made] == pytest.approx([value for value, _ in made])


def test_a_word_of_thousands_of_letters_is_cut_after_few_measurements(monkeypatch):
    measured = []

    def counted(text, size):
        measured.append(text)
        return text_width(text, size)

    monkeypatch.setattr(canvas, "text_width", counted)
    cut = truncate_text("x" * 4000, 16, 300)
    assert cut.endswith("...")
    assert text_width(cut, 16) <= 300 < text_width("x" + cut, 16)
    assert len(measured) < 20
