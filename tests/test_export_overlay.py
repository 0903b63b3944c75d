"""The overlay: the right colours at the right places, the source's frames, times and sound."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from film import film, number_on
from person import standing

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.export.views.figure import CONTACT_COLOUR, SIDE_COLOURS, Figure, draw_figure
from mocap_cli.export.views.overlay import (
    OverlayOptions,
    _draw_trail,
    write_overlay,
)
from mocap_cli.export.views.panel import Panel
from mocap_cli.export.views.projection import project_joints
from mocap_cli.video.reader import open_video, probe

GREY = 90
LEFT, RIGHT = SIDE_COLOURS["left"], SIDE_COLOURS["right"]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overlay")
    return film(folder / "a.mp4", range(60), size=(640, 480), sound_seconds=3)


@pytest.fixture(scope="module")
def motion(video):
    return standing(probe(video), np.arange(30, 51) / 30)


def drawn(motion, **changes) -> np.ndarray:
    values = {
        "xy": motion.xy[0],
        "score": motion.score[0],
        "joints": np.full((19, 2), np.nan),
        "contacts": motion.contacts[0],
        "detected": True,
    }
    image = np.full((480, 640, 3), GREY, np.uint8)
    draw_figure(image, Figure(**{**values, **changes}))
    return image


def between(motion, a: str, b: str) -> tuple[int, int]:
    """(row, column) of the pixel half way between two keypoints."""
    x, y = motion.xy[0, [KEYPOINTS.index(a), KEYPOINTS.index(b)]].mean(axis=0)
    return int(y), int(x)


@pytest.mark.parametrize("limb", [("shoulder", "elbow"), ("hip", "knee"), ("knee", "ankle")])
@pytest.mark.parametrize(("side", "colour"), [("left", LEFT), ("right", RIGHT)])
def test_each_side_has_its_colour_where_the_limb_is(motion, limb, side, colour):
    a, b = (f"{side}_{end}" for end in limb)
    found = drawn(motion)[between(motion, a, b)].astype(int)
    # Scores of 0.9 are drawn opaque.
    assert np.abs(found - colour).max() <= 3


def test_the_less_sure_the_fainter_until_nothing_is_drawn(motion):
    spot = between(motion, "left_hip", "left_knee")
    distances = []
    for score in (0.9, 0.5, 0.3, 0.1):
        image = drawn(motion, score=np.full_like(motion.score[0], score))
        distances.append(np.abs(image[spot].astype(int) - GREY).sum())
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] == 0 < distances[-2]


def test_only_planted_feet_are_green(motion):
    def green(contacts):
        image = drawn(motion, contacts=np.array(contacts, np.float32)).astype(int)
        return (np.abs(image - CONTACT_COLOUR).max(axis=-1) <= 3).nonzero()[1]

    assert len(green((0, 0))) == 0
    assert green((1, 0)).min() > 320  # the person faces us: the left foot is on the right
    assert green((0, 1)).max() < 320


def test_nobody_is_drawn_where_nobody_is_known(motion):
    nothing = np.full_like(motion.xy[0], np.nan)
    assert (drawn(motion, xy=nothing, score=np.zeros(21, np.float32)) == GREY).all()


@pytest.mark.parametrize("shift", [(-300, 0), (300, 0), (0, 260), (2000, 2000)])
def test_people_half_or_wholly_out_of_the_picture_are_drawn_as_far_as_they_reach(motion, shift):
    moved = motion.xy[0] + np.array(shift, np.float32)
    image = drawn(motion, xy=moved)
    assert (image == GREY).all() == (shift == (2000, 2000))


@pytest.mark.parametrize("size", [(8, 8), (8, 480), (65, 49)])
def test_the_smallest_pictures_take_a_figure(tmp_path, size):
    info = probe(film(tmp_path / "b.mp4", range(2), size=size, pix_fmt="yuv444p"))
    write_overlay(standing(info, np.arange(2) / 30), info.path, tmp_path / "c.mp4")
    with open_video(tmp_path / "c.mp4") as video:
        assert len(list(video)) == 2


def test_the_3d_joints_fall_on_the_keypoints_that_show_them(motion):
    joints = project_joints(motion)
    for name in ("left_hip", "right_wrist", "left_ankle"):
        keypoint = motion.xy[:, KEYPOINTS.index(name)]
        np.testing.assert_allclose(
            joints[:, motion.skeleton.index(name)], keypoint, atol=1e-3, err_msg=name
        )


def test_the_overlay_has_the_tracked_span_with_its_times_and_sound(motion, video, tmp_path):
    done: list[int] = []
    write_overlay(motion, video, tmp_path / "b.mp4", on_frame=done.append)
    with open_video(tmp_path / "b.mp4") as overlay:
        times = [frame.time for frame in overlay]
    assert done == list(range(1, 22))
    np.testing.assert_allclose(times, np.arange(21) / 30, atol=1e-6)
    with av.open(str(tmp_path / "b.mp4")) as container:
        (sound,) = container.streams.audio
        assert float(sound.duration * sound.time_base) == pytest.approx(0.7, abs=0.05)


def test_every_frame_of_the_overlay_is_its_own_frame_of_the_video(tmp_path):
    info = probe(film(tmp_path / "a.mp4", range(90), size=(320, 240)))
    motion = standing(info, np.arange(40, 80) / 30)
    nobody = {"xy": motion.xy * np.nan, "joints": motion.joints * np.nan}
    write_overlay(standing(info, motion.times, **nobody), info.path, tmp_path / "b.mp4")
    with open_video(tmp_path / "b.mp4") as video:
        assert [number_on(frame.image) for frame in video] == list(range(40, 80))


def test_another_video_than_the_motions_own_is_refused(motion, tmp_path):
    other = film(tmp_path / "other.mp4", range(60))
    with pytest.raises(MocapError, match=r"64x48.*640x480"):
        write_overlay(motion, other, tmp_path / "b.mp4")
    assert not Path(tmp_path / "b.mp4").exists()


def test_beside_the_video_is_the_panel_and_the_video_is_as_without_it(motion, video, tmp_path):
    write_overlay(motion, video, tmp_path / "b.mp4")
    write_overlay(motion, video, tmp_path / "c.mp4", options=OverlayOptions(panel=True))
    with open_video(tmp_path / "b.mp4") as plain, open_video(tmp_path / "c.mp4") as wide:
        pairs = list(zip(plain, wide, strict=True))
    for one, other in pairs:
        assert other.image.shape == (480, 640 + 216, 3)
        assert one.time == other.time
        apart = np.abs(one.image[:, :620].astype(int) - other.image[:, :620])
        assert apart.mean() < 2  # H.264 is lossy
    with av.open(str(tmp_path / "c.mp4")) as container:
        assert len(container.streams.audio) == 1


def colours_in(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """(row, column) of the pixels of that colour."""
    return np.argwhere(np.abs(image.astype(int) - colour).max(axis=-1) <= 3)


def test_the_panel_shows_left_and_right_where_they_are(motion):
    panel = Panel(motion, 1080)
    image = panel.draw(0)
    side, above = image[: round(0.44 * 1080)], image[round(0.44 * 1080) : round(0.74 * 1080)]
    # The person faces the camera, which is at the bottom of the view from above.
    assert colours_in(above, LEFT)[:, 1].min() > colours_in(above, RIGHT)[:, 1].max()
    assert np.ptp(colours_in(above, LEFT)[:, 0]) < 30  # the made-up person is flat
    # From the camera's right the nearer arm and leg, the left ones, hide the others.
    assert len(colours_in(side, RIGHT)) < len(colours_in(side, LEFT))
    head, feet = (
        colours_in(side, (240, 240, 240))[:, 0].min(),
        colours_in(side, CONTACT_COLOUR)[:, 0].max(),
    )
    scale = len(image[0]) / (1.3 * 1.7)
    assert feet - head == pytest.approx(1.72 * scale, rel=0.05)


def test_the_panel_plots_an_angle_where_it_is_known(motion):
    joints = motion.joints.copy()
    joints[10:] = np.nan
    panel = Panel(replace(motion, joints=joints), 1080)
    rows = slice(round(0.74 * 1080), 1080)
    known, unknown = (panel.draw(t)[rows, :110] for t in (5, 15))
    assert len(colours_in(known, LEFT)) > 20 < len(colours_in(known, RIGHT))
    assert len(colours_in(unknown, LEFT)) == 0 == len(colours_in(unknown, RIGHT))


def test_the_trail_is_where_the_centre_of_mass_was(motion):
    way = np.linspace(0, 0.8, len(motion.times), dtype=np.float32)
    joints = motion.joints + way[:, None, None] * np.array((1, 0, 0), np.float32)
    moving = replace(motion, joints=joints)
    image = np.full((480, 640, 3), GREY, np.uint8)
    _draw_trail(image, moving, 20)
    row, column = (np.abs(image.astype(int) - GREY).max(axis=-1) > 20).nonzero()
    focal, x = motion.camera.focal_pixels, 320
    assert column.min() == pytest.approx(x, abs=8)
    assert column.max() == pytest.approx(x + focal * 0.8 / 4, abs=8)
    assert np.ptp(row) < 20
    nobody = replace(motion, joints=joints * np.nan)
    blank = np.full((480, 640, 3), GREY, np.uint8)
    _draw_trail(blank, nobody, 20)
    assert (blank == GREY).all()


@pytest.mark.parametrize("size", [(8, 8), (65, 49)])
def test_the_smallest_pictures_take_all_extras(tmp_path, size):
    info = probe(film(tmp_path / "b.mp4", range(2), size=size, pix_fmt="yuv444p"))
    motion = standing(info, np.arange(2) / 30)
    extras = OverlayOptions(trail=True, panel=True)
    write_overlay(motion, info.path, tmp_path / "c.mp4", options=extras)
    with open_video(tmp_path / "c.mp4") as video:
        assert len(list(video)) == 2
