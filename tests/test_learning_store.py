"""The store: every frame once, at its own time, over its own background; whole or not at all."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction

import cv2
import numpy as np
import pytest
from blob import FPS, SIZE, film_blob, scenes, wall
from film import film, number_on

from mocap_cli.errors import MocapError
from mocap_cli.io.video_cache import video_sha256
from mocap_cli.learning.data import decoding as filling
from mocap_cli.learning.data.decoding import store_video
from mocap_cli.learning.data.ingest import (
    _CAMERAS,
    RunSources,
    _ClipSource,
    ingest,
    probe_videos,
)
from mocap_cli.learning.data.store import StoredClip, StoreRecipe
from mocap_cli.learning.options import _default_gaps, _frame_size
from mocap_cli.plates import builder
from mocap_cli.video.probe import probe
from mocap_cli.video.reader import open_video

RECIPE = StoreRecipe(width=64, height=48, fps=15)


class Wall:
    """A background as `mocap background` gives it; it can change from frame to frame."""

    warnings = ("the wall is painted",)

    def __init__(self, changes: bool = False) -> None:
        self.changes = changes

    def at(self, time, size):
        image = cv2.resize(wall(0), size, interpolation=cv2.INTER_AREA)
        known = np.ones(size[::-1], bool)
        known[:, : size[0] // 4] = False
        return (np.roll(image, round(time * FPS), 0) if self.changes else image), known


@pytest.fixture(autouse=True)
def background(monkeypatch):
    """No video of these needs a background made."""
    monkeypatch.setattr(filling, "_open_background", lambda *given: Wall())


def stored(video, store, recipe=RECIPE):
    return StoredClip.open(store, store_video(video, store, recipe, lambda done: None))


def test_stored_frames_are_the_videos_own_at_their_own_times(tmp_path):
    video = film(tmp_path / "a.mp4", time_base=Fraction(1, 30))
    clip = stored(video, tmp_path / "store")
    assert [number_on(frame) for frame in clip.frames] == list(range(0, 30, 2))
    assert clip.times == pytest.approx(np.arange(0, 30, 2) / 30)


def test_a_slow_video_keeps_all_its_frames(tmp_path):
    video = film(tmp_path / "a.mp4", range(10), time_base=Fraction(1, 10))
    assert len(stored(video, tmp_path / "store")) == 10


def test_a_video_is_decoded_once_whatever_it_is_called(tmp_path, monkeypatch):
    video = film(tmp_path / "a.mp4")
    address = store_video(video, tmp_path / "store", RECIPE, lambda done: None)
    monkeypatch.setattr(filling, "open_video", None)  # whoever decodes now, fails
    copy = shutil.copy(video, tmp_path / "b.mp4")
    assert store_video(copy, tmp_path / "store", RECIPE, lambda done: None) == address
    other = film(tmp_path / "c.mp4", numbers=range(1, 31))
    with pytest.raises(TypeError):
        store_video(other, tmp_path / "store", RECIPE, lambda done: None)


def test_of_two_who_store_the_same_video_at_once_one_decodes_it(tmp_path, monkeypatch):
    video, whole, decoded = film(tmp_path / "a.mp4"), filling._decode, []

    def decode(*given):
        decoded.append(given)
        time.sleep(0.2)  # the other comes meanwhile
        return whole(*given)

    monkeypatch.setattr(filling, "_decode", decode)
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(stored, video, tmp_path / "store") for _ in range(2)]
        assert len({clip.result().address for clip in both}) == 1
    assert len(decoded) == 1
    assert len(list((tmp_path / "store").iterdir())) == 2  # the clip, and the hashes of videos


def test_an_edited_video_of_the_same_name_is_another(tmp_path):
    video = film(tmp_path / "a.mp4")
    first = video_sha256(video, tmp_path / "store")
    assert video_sha256(video, tmp_path / "store") == first
    film(video, numbers=range(1, 31))
    assert video_sha256(video, tmp_path / "store") != first


def test_hashes_of_many_videos_are_written_once_and_damaged_ones_computed_again(tmp_path):
    store = tmp_path / "store"
    videos = [tmp_path / f"{n}.mp4" for n in range(30)]
    for video in videos:
        video.write_text(video.name)
    first = [video_sha256(video, store) for video in videos]
    files = [path for path in store.rglob("*") if path.is_file()]
    written = {path: path.stat().st_mtime_ns for path in files}
    assert sum(path.stat().st_size for path in files) < 100 * len(videos)
    files[0].write_bytes(b"\xff" * 64)
    files[1].write_text("")
    assert [video_sha256(video, store) for video in videos] == first
    assert [p for p in files if p.stat().st_mtime_ns != written[p]] == files[:2]


def test_another_size_is_another_address(tmp_path):
    video = film(tmp_path / "a.mp4")
    small = StoreRecipe(width=32, height=24, fps=15)
    store = tmp_path / "store"
    assert stored(video, store).frames.shape[1:] == (48, 64, 3)
    assert stored(video, store, small).frames.shape[1:] == (24, 32, 3)


def test_a_portrait_clip_among_landscape_ones_is_letterboxed(tmp_path):
    clip = stored(film(tmp_path / "a.mp4", size=(48, 64)), tmp_path / "store")
    left, top, width, height = clip.picture
    assert (left, top, width, height) == (14, 0, 36, 48)
    inside = clip.frames[3][top : top + height, left : left + width]
    assert number_on(inside) == 6
    assert clip.frames[:, :, :left].max() == clip.frames[:, :, left + width :].max() == 0
    assert clip.known[0, :, : left - 1].all()  # black is black: there is nothing to find out


def test_the_most_common_shape_is_the_shape_of_all_stored_frames(tmp_path):
    wide = [probe(film(tmp_path / f"{i}.mp4", size=(64, 36))) for i in range(2)]
    tall = probe(film(tmp_path / "tall.mp4", size=(36, 64)))
    assert _frame_size([tall, *wide], 128) == (128, 72)


def test_a_video_is_decoded_twice_for_its_frames_and_its_background(tmp_path, monkeypatch):
    video = film_blob(tmp_path / "a.mp4", seconds=1)
    opened = []

    def counting(*span):
        opened.append(span)
        return open_video(*span)

    monkeypatch.setattr(filling, "_open_background", lambda *given: None)
    monkeypatch.setattr(filling, "open_video", counting)
    monkeypatch.setattr(builder, "open_video", counting)
    clip = stored(video, tmp_path / "store")
    assert len(opened) == 2
    background = builder.make_background(video)
    left, top, width, height = clip.picture
    image, _ = background.at(0.0, (width, height))
    plate = clip.plates[clip.plate_of[0]]
    np.testing.assert_array_equal(plate[top : top + height, left : left + width], image)


def test_a_static_plate_is_stored_once_and_a_moving_one_for_every_frame(tmp_path, monkeypatch):
    video = film_blob(tmp_path / "a.mp4", seconds=1)
    recipe = StoreRecipe(width=SIZE[0], height=SIZE[1], fps=15)
    still = stored(video, tmp_path / "still", recipe)
    assert len(still.plates) == len(still.known) == 1
    monkeypatch.setattr(filling, "_open_background", lambda *given: Wall(changes=True))
    moving = stored(video, tmp_path / "moving", recipe)
    assert len(moving.plates) == len(moving.times) == 15
    assert (moving.plates[moving.plate_of[3]] == np.roll(wall(0), 3, 0)).all()
    assert (still.plates[0] == wall(0)).all()
    assert not still.known[0, :, : SIZE[0] // 4].any()
    assert still.known[0, :, SIZE[0] // 4 :].all()


def test_a_person_is_foreground_and_the_plate_itself_is_not(tmp_path):
    recipe = StoreRecipe(width=SIZE[0], height=SIZE[1], fps=15)
    video = film_blob(tmp_path / "a.mp4", seconds=1)
    assert (stored(video, tmp_path / "store", recipe).moved > 0.05).all()
    empty = film_blob(tmp_path / "b.mp4", seconds=1, nobody=True)
    assert (stored(empty, tmp_path / "store", recipe).moved < 0.002).all()


@pytest.mark.parametrize("when", [1, 20])
def test_an_interrupted_clip_leaves_nothing(tmp_path, when):
    def interrupt(done: int) -> None:
        if done == when:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_video(film(tmp_path / "a.mp4"), tmp_path / "store", RECIPE, interrupt)
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["hashes"]


def test_the_error_of_a_damaged_store_names_the_folder_to_remove(tmp_path):
    address = store_video(film(tmp_path / "a.mp4"), tmp_path, RECIPE, lambda done: None)
    with (tmp_path / address / "frames.u8").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(MocapError, match="is damaged") as error:
        StoredClip.open(tmp_path, address)
    assert "remove that folder" in error.value.hint


def test_corrupt_videos_are_reported_and_the_rest_is_used(tmp_path):
    good = film(tmp_path / "good.mp4")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    infos, skipped = probe_videos([good, tmp_path / "empty.mp4", tmp_path / "noise.mp4"])
    assert list(infos) == [good]
    assert {path.name for path in skipped} == {"empty.mp4", "noise.mp4"}
    found = gathered(infos, tmp_path)
    assert [clip.name for clip in found.dataset.clips] == ["good.mp4"]
    assert "the wall is painted" in found.dataset.clips[0].stored.warnings


def test_a_folder_without_a_readable_video_is_one_error(tmp_path):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(MocapError, match=r"none of 1 videos can be read; .*empty.mp4 is empty"):
        probe_videos([tmp_path / "empty.mp4"])


@contextmanager
def nullbar(video, frames):
    yield lambda done: None


def gathered(infos, folder, **options):
    return ingest(infos, folder / "store", RECIPE, "skip", nullbar, **options)


def test_several_workers_store_what_one_does_and_name_the_videos_that_fail(tmp_path, monkeypatch):
    monkeypatch.undo()  # workers are other processes: they make backgrounds
    videos = [film_blob(tmp_path / f"{n}.mp4", n, 1) for n in range(2)]
    infos, _ = probe_videos([*videos, film(tmp_path / "short.mp4", range(3))])
    (tmp_path / "short.mp4").write_bytes(b"no video any more")
    recipe = StoreRecipe(width=64, height=48, fps=15, background="median")
    made = {}
    for workers in (2, 1):
        store = tmp_path / f"store{workers}"
        found = ingest(infos, store, recipe, "skip", nullbar, workers=workers)
        assert [path.name for path in found.skipped] == ["short.mp4"]
        assert "is not a video" in next(iter(found.skipped.values()))
        files = store.rglob("*.*")
        made[workers] = {path.relative_to(store): path.read_bytes() for path in files}
    assert made[1] == made[2]
    assert len({path.parent for path in made[1]}) == 2


def test_cameras_json_gives_the_rotations_of_views(tmp_path):
    for view in (1, 2):
        film(tmp_path / f"jump.cam{view}.mp4", numbers=range(view, view + 30))
    quarter = [[0, 0, -1], [0, 1, 0], [1, 0, 0]]
    (tmp_path / _CAMERAS).write_text(json.dumps({"1": np.eye(3).tolist(), "2": quarter}))
    footage = gathered(probe_videos(sorted(tmp_path.glob("*.mp4")))[0], tmp_path).dataset
    assert [clip.view for clip in footage.clips] == [1, 2]
    assert len({clip.take for clip in footage.clips}) == 1
    assert (footage.clips[1].rotation == np.array(quarter)).all()
    (tmp_path / _CAMERAS).write_text(json.dumps({"1": [[2, 0, 0], [0, 1, 0], [0, 0, 1]]}))
    with pytest.raises(MocapError, match="camera 1 has no rotation"):
        gathered(probe_videos([tmp_path / "jump.cam1.mp4"])[0], tmp_path)


def test_a_run_whose_stored_frames_were_removed_cannot_be_resumed(tmp_path):
    clips = (_ClipSource(video="a.mp4", address="gone"),)
    sources = RunSources(clips=clips, store=tmp_path)
    with pytest.raises(MocapError, match="no longer holds"):
        sources.reopen(tmp_path, "skip")


def test_far_and_near_shrink_with_short_clips(tmp_path):
    long, short = (film(tmp_path / f"{n}.mp4", range(n)) for n in (600, 45))
    assert _default_gaps(probe_videos([long])[0]).far == 4.0
    assert _default_gaps(probe_videos([long])[0]).near == pytest.approx(0.2)
    gaps = _default_gaps(probe_videos([short])[0])
    assert gaps.far == pytest.approx(0.375)
    assert 0 < gaps.near < gaps.far / 4


def test_a_clip_made_by_hand_is_like_one_from_a_video(tmp_path):
    """The other tests learn from clips without a video: they must be what the store gives."""
    recipe = StoreRecipe(width=SIZE[0], height=SIZE[1], fps=15)
    video = stored(film_blob(tmp_path / "a.mp4", seconds=1), tmp_path / "store", recipe)
    made = scenes(0, 15).stored
    assert made.frames.shape == video.frames.shape
    off = np.abs(made.frames.astype(int) - video.frames).mean()
    assert off < 12  # H.264 and its halved colours
