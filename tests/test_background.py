"""Backgrounds of rendered patterns whose truth is known, and of damaged videos."""

import errno
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pan import psnr, seen, turned, wall, with_subject, write_clip

from mocap_cli.errors import MocapError
from mocap_cli.plates import builder
from mocap_cli.plates.background import Background, read_background
from mocap_cli.plates.builder import BackgroundOptions, make_background
from mocap_cli.plates.comparison import _column
from mocap_cli.plates.median import _masked_median, static_plate
from mocap_cli.plates.sample_store import SampleStore
from mocap_cli.plates.surface import Surface
from mocap_cli.video.reader import open_video


def _made(path: Path, **options: object) -> Background:
    return make_background(path, BackgroundOptions(people=False, **options))  # type: ignore[arg-type]


def test_the_median_is_numpys_where_nobody_is_masked() -> None:
    for count in (1, 2, 7, 10):
        samples = np.random.default_rng(count).integers(0, 256, (count, 5, 6, 4), dtype=np.uint8)
        samples[..., 3] = 255
        # Halves are rounded up.
        expected = np.floor(np.median(samples[..., :3], axis=0) + 0.5)
        np.testing.assert_array_equal(_masked_median(samples)[..., :3], expected)


def test_masked_samples_do_not_count_and_always_occluded_pixels_are_transparent() -> None:
    samples = np.full((9, 1, 3, 4), 255, np.uint8)
    samples[:6, 0, 0] = (200, 0, 0, 9)  # somebody stands there most of the time
    samples[6:, 0, 0] = (10, 20, 30, 255)
    samples[:, 0, 1] = (50, 60, 70, 9)  # and there all the time
    samples[:, 0, 2] = 0  # nothing is seen there
    result = _masked_median(samples)
    assert result[0, 0].tolist() == [10, 20, 30, 255]
    assert result[0, 1, :3].tolist() == [50, 60, 70]
    assert result[0, 1, 3] < 10
    assert result[0, 2].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("shape", ["plane", "cylinder"])
def test_surfaces_lead_from_rays_to_pixels_and_back(shape: str) -> None:
    turn = turned(20, tilt=10, roll=5) @ np.linalg.inv(turned(0))
    surface = Surface(shape, 500.0, (-300.0, -200.0), (600, 400), np.linalg.inv(turn))  # type: ignore[arg-type]
    pixels = np.random.default_rng(0).uniform(0, 400, (50, 2))
    np.testing.assert_allclose(surface.pixels(surface.rays(pixels)), pixels, atol=1e-9)


def test_a_still_camera_gives_the_wall_behind_a_passer_by(tmp_path: Path) -> None:
    scene = seen(wall(), turned(0))
    frames = [with_subject(scene, 8 * i - 40, 100) for i in range(45)]
    background = _made(write_clip(tmp_path / "passer.mkv", frames))
    image, known = background.at(0.7)
    assert background.kind == "median"
    assert known.all()
    assert psnr(image, scene, known) > 45
    assert not background.warnings


def test_a_panned_camera_gives_each_frame_its_background(tmp_path: Path) -> None:
    angles = [*np.linspace(0, 24, 40), *np.linspace(24, 0, 40)]
    cameras = [turned(a, zoom=1 + 0.1 * np.sin(a / 8), roll=a / 12) for a in angles]
    clean = [seen(wall(), camera) for camera in cameras]
    frames = [with_subject(c, 100 + 2 * i % 130, 80) for i, c in enumerate(clean)]
    background = _made(write_clip(tmp_path / "pan.mkv", frames))
    assert background.kind == "panorama"
    assert background.camera.kind == ("turning",)
    covered = np.abs(frames[30].astype(int) - clean[30]).max(axis=-1) > 0
    image, known = background.at(30 / 25)
    assert (known & covered).sum() > 0.95 * covered.sum()
    assert psnr(image, clean[30], known & covered) > 30
    corners = np.array([[0, 0, 1], [320, 0, 1], [320, 240, 1], [0, 240, 1.0]])
    for frame in (10, 40, 79):
        found = corners @ background.camera.homography(frame, 0).T
        truth = corners @ (np.linalg.inv(cameras[0]) @ cameras[frame]).T
        apart = found[:, :2] / found[:, 2:] - truth[:, :2] / truth[:, 2:]
        assert np.linalg.norm(apart, axis=1).max() < 1.0
    turn = background.camera.rotations()
    angle = np.degrees(np.arccos((np.trace(turn[40]) - 1) / 2))
    assert angle == pytest.approx(24, abs=0.7)


def test_a_wide_pan_is_laid_on_a_cylinder(tmp_path: Path) -> None:
    cameras = [turned(a) for a in np.linspace(-45, 45, 60)]
    clean = [seen(wall(), camera) for camera in cameras]
    background = _made(write_clip(tmp_path / "wide.mkv", clean))
    assert background.plates[0].surface.shape == "cylinder"
    image, known = background.at(10 / 25)
    assert known.mean() > 0.9
    assert psnr(image, clean[10], known) > 30


def test_any_size_can_be_asked_for_and_shows_the_same(tmp_path: Path) -> None:
    scene = seen(wall(), turned(0))
    background = _made(write_clip(tmp_path / "still.mkv", [scene] * 5))
    small, known = background.at(0, (80, 60))
    assert small.shape == (60, 80, 3)
    assert known.shape == (60, 80)
    expected = scene.reshape(60, 4, 80, 4, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    assert psnr(small, expected, known) > 40


def test_an_archive_gives_back_the_background(tmp_path: Path) -> None:
    clean = [seen(wall(), turned(a)) for a in np.linspace(0, 12, 25)]
    background = _made(write_clip(tmp_path / "pan.mkv", clean))
    background.write(tmp_path / "pan.npz")
    again = read_background(tmp_path / "pan.npz")
    for time in (0.0, 0.5):
        for a, b in zip(background.at(time), again.at(time), strict=True):
            np.testing.assert_array_equal(a, b)
    assert again.kind == background.kind


def test_a_brighter_exposure_is_evened_out_and_given_back(tmp_path: Path) -> None:
    cameras = [turned(a) for a in np.linspace(0, 20, 40)]
    gains = np.linspace(0.8, 1.2, 40)
    clean = [
        np.clip(seen(wall(), camera) * gain, 0, 255).astype(np.uint8)
        for camera, gain in zip(cameras, gains, strict=True)
    ]
    background = _made(write_clip(tmp_path / "exposure.mkv", clean))
    np.testing.assert_allclose(
        background.camera.gain[39] / background.camera.gain[0], 1.5, rtol=0.1
    )
    for frame in (2, 37):
        image, known = background.at(frame / 25)
        unclipped = known & (clean[frame].max(axis=-1) < 200)
        assert psnr(image, clean[frame], unclipped) > 26


def test_a_cut_begins_another_background(tmp_path: Path) -> None:
    first, second = seen(wall(seed=1), turned(0)), 255 - seen(wall(seed=2), turned(0)) // 2
    background = _made(write_clip(tmp_path / "cut.mkv", [first] * 12 + [second] * 12))
    assert len(background.plates) == 2
    assert "cut" in " ".join(background.warnings)
    assert psnr(background.at(0.1)[0], first, np.ones(first.shape[:2], bool)) > 40
    assert psnr(background.at(0.9)[0], second, np.ones(first.shape[:2], bool)) > 40


def test_split_takes_the_half_below_at_first_and_the_half_above_at_last(tmp_path: Path) -> None:
    scene = seen(wall(), turned(0))
    frames = [with_subject(scene, 140, 10 + 14 * i, height=80) for i in range(11)]
    image, _ = _made(write_clip(tmp_path / "dive.mkv", frames), kind="split").at(0)
    np.testing.assert_array_equal(image, scene)


def test_split_accepts_a_shot_of_a_single_frame(tmp_path: Path) -> None:
    first, flash = seen(wall(seed=1), turned(0)), 255 - seen(wall(seed=2), turned(0)) // 2
    frames = [first] * 8 + [flash] + [first] * 8
    background = _made(write_clip(tmp_path / "flash.mkv", frames), kind="split")
    assert np.bincount(background.camera.part).tolist() == [8, 1, 8]
    np.testing.assert_array_equal(background.at(8 / 25)[0], flash)


class _LosesFrames:
    """Opens videos like `open_video`, but each time without other frames, as damage does."""

    def __init__(self, *lost: Collection[int]) -> None:
        self._lost = iter(lost)

    def __call__(self, *span: Any) -> Any:
        video, lost = open_video(*span), next(self._lost)
        kept = (frame for frame in video if round(frame.time * 25) not in lost)
        video._frames = (replace(frame, index=i) for i, frame in enumerate(kept))  # type: ignore[assignment]
        video.close = lambda: None  # type: ignore[method-assign]
        return video


def test_a_damaged_video_that_decodes_to_other_frames_each_time_gives_a_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras = [turned(a) for a in np.linspace(0, 20, 40)]
    clean = [seen(wall(), camera) for camera in cameras]
    path = write_clip(tmp_path / "damaged.mkv", clean)
    monkeypatch.setattr(builder, "open_video", _LosesFrames([7], [3, 4, 39]))
    background = _made(path)
    assert "left 3 sampled frames out of the background" in " ".join(background.warnings)
    for frame in (3, 20, 38):  # samples at other frames' places would shift the panorama
        image, known = background.at(frame / 25)
        assert psnr(image, clean[frame], known) > 30


def test_a_shot_that_cannot_be_decoded_again_is_left_transparent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = seen(wall(seed=1), turned(0)), 255 - seen(wall(seed=2), turned(0)) // 2
    path = write_clip(tmp_path / "damaged.mkv", [first] * 12 + [second] * 12)
    monkeypatch.setattr(builder, "open_video", _LosesFrames([], range(12)))
    background = _made(path)
    assert not background.at(0.1)[1].any()
    assert background.at(0.9)[1].all()


def test_a_walking_camera_is_reported(tmp_path: Path) -> None:
    texture, frames = wall(seed=3), []
    for i in range(30):
        picture = np.empty((240, 320, 3), np.uint8)
        for number, top in enumerate(range(0, 240, 30)):  # the lower, the nearer, the faster
            shift = 100 + (1 + number) * i
            picture[top : top + 30] = texture[200 + top : 230 + top, shift : shift + 320]
        frames.append(picture)
    background = _made(write_clip(tmp_path / "walk.mkv", frames))
    assert background.camera.kind == ("walking",)
    assert "the camera translates" in " ".join(background.warnings)


def test_a_pan_behind_spectators_who_move_is_a_pan(tmp_path: Path) -> None:
    texture, crowd, frames = wall(seed=3), wall(seed=4), []
    for i in range(30):
        picture = seen(texture, turned(0.4 * i))
        for left in range(0, 320, 40):  # each moves up and down by itself
            top = 200 + int(12 * np.sin(0.2 * i + left))
            picture[96:, left : left + 40] = crowd[top : top + 144, 3 * left : 3 * left + 40]
        frames.append(picture)
    background = _made(write_clip(tmp_path / "stands.mkv", frames))
    assert background.camera.kind == ("turning",)
    assert background.camera.reprojection_error[0] < 1


def test_frames_that_change_under_a_fixed_camera_are_reported_as_a_misfit(tmp_path: Path) -> None:
    scene, other = seen(wall(), turned(0)), seen(wall(seed=5), turned(0))
    frames = [np.uint8(scene * (1 - w) + other * w) for w in np.linspace(0, 1, 24)]
    background = _made(write_clip(tmp_path / "fade.mkv", frames), kind="median")
    assert "do not match their background" in " ".join(background.warnings)


def test_cuts_are_reported_in_one_line(tmp_path: Path) -> None:
    scenes = [seen(wall(seed=i), turned(0)) for i in range(3)]
    background = _made(write_clip(tmp_path / "cuts.mkv", [s for s in scenes for _ in range(12)]))
    cuts = [warning for warning in background.warnings if "cut" in warning]
    assert cuts == ["the video cuts at 0.48, 0.96 s: new parts begin"]


BAD = {
    "one picture": [seen(wall(), turned(0))],
    "two pictures": [seen(wall(), turned(0)), seen(wall(), turned(3))],
    "black": [np.zeros((240, 320, 3), np.uint8)] * 8,
    "snow": [np.full((240, 320, 3), 240, np.uint8) + np.uint8(i % 2) for i in range(8)],
    "a whip pan": [seen(wall(), turned(a)) for a in (0, 0, 0, 30, -40, 10, 10, 10)],
}


@pytest.mark.parametrize("name", BAD)
def test_videos_without_matches_still_give_a_background(name: str, tmp_path: Path) -> None:
    background = _made(write_clip(tmp_path / "bad.mkv", BAD[name]))
    image, known = background.at(0)
    assert image.shape == (240, 320, 3)
    assert known.any()
    if name in ("black", "snow"):
        assert "texture" in " ".join(background.warnings)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (7, 5), (3, 200), (200, 3), (2000, 16)])
def test_thin_and_tiny_videos_have_a_background(size: tuple[int, int], tmp_path: Path) -> None:
    frames = [np.ascontiguousarray(wall(2100)[: size[1], i : i + size[0]]) for i in range(8)]
    background = _made(write_clip(tmp_path / "thin.mkv", frames))
    assert background.at(0.1)[0].shape == (size[1], size[0], 3)


def test_other_files_than_archives_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.npz").write_bytes(b"no archive")
    np.savez(tmp_path / "other.npz", a=1)
    (tmp_path / "half.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:100])
    for name in ("no.npz", "other.npz", "half.npz", "missing.npz"):
        with pytest.raises(MocapError, match=name):
            read_background(tmp_path / name)


def test_a_person_who_never_moves_is_in_the_image_but_not_known_background(tmp_path: Path) -> None:
    frames = [np.full((40, 60, 3), 90, np.uint8)] * 6
    free = np.full((40, 60), 255, np.uint8)
    free[10:30, 20:30] = 0
    with SampleStore((60, 40)) as stack:
        for frame in frames:
            stack.add(frame, free)
        surface = Surface("plane", 60.0, (-30.0, -20.0), (60, 40), np.eye(3))
        plate = static_plate(stack, range(6), [None] * 6, surface)
    np.testing.assert_array_equal(plate.known, free == 255)
    assert (plate.image[..., :3] == 90).all()
    assert plate.occluded_share == pytest.approx(200 / 2400)


@pytest.mark.parametrize("size", [(2, 2), (7, 5), (200, 3), (3, 200)])
def test_a_video_of_a_few_pixels_has_a_background(size: tuple[int, int], tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (8, size[1], size[0], 3))
    path = write_clip(tmp_path / "thin.mkv", list(noise.astype(np.uint8)))
    assert make_background(path, BackgroundOptions(people=False)).camera.size == size


def test_no_room_for_temporary_files_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with SampleStore((4, 3)) as stack:
        monkeypatch.setattr(stack, "_file", SimpleNamespace(write=full, close=int))
        with pytest.raises(MocapError, match="temporary file: No space left") as error:
            stack.add(np.zeros((3, 4, 3), np.uint8))
    assert "TMPDIR" in error.value.hint


def test_an_archive_whose_version_is_an_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, mocap_background=np.ones((1000, 1000)))
    with pytest.raises(MocapError, match="not a background of format"):
        read_background(path)


def test_the_sheet_of_a_narrow_strip_stays_small() -> None:
    strip = np.zeros((640, 2, 3), np.uint8)
    column = _column(strip, strip, np.ones((640, 2), np.bool_), strip)
    assert column.shape[0] < 4000
