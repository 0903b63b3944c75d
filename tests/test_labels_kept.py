"""What is seen of a video once: again when anything that matters changes, or is damaged."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from film import film
from witnesses import TIMES, seen_dancing

import mocap_cli
from mocap_cli.io import video_cache
from mocap_cli.io.video_cache import cached
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.tracking import estimate
from mocap_cli.tracking.estimate import EstimateOptions
from mocap_cli.video.probe import probe


@pytest.fixture
def looks(tmp_path):
    """Looks at a video, and tells how often somebody had to."""
    video, keypoints, done = tmp_path / "a.mp4", seen_dancing()[0].keypoints, []
    video.write_bytes(b"a video")

    def see():
        done.append(1)
        time.sleep(0.02)  # another may come meanwhile
        return keypoints

    def look(*how, cache=tmp_path / "cache"):
        return cached(Keypoints, video, cache, list(how), see), len(done)

    return look


def test_a_video_is_looked_at_once(looks):
    first, _ = looks()
    kept, count = looks()
    assert count == 1
    for name in ("times", "xy", "score", "detected", "cut"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(first, name))


def test_of_two_who_look_at_once_one_waits_for_the_other(looks):
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(looks) for _ in range(2)]
        assert [one.result()[1] for one in both] == [1, 1]


def test_it_is_looked_at_anew_in_another_way_or_when_it_has_changed(looks, tmp_path):
    looks("a network")
    assert looks("another network")[1] == 2
    (tmp_path / "a.mp4").write_bytes(b"another video")
    assert looks("a network")[1] == 3
    assert looks("a network", cache=None)[1] == 4


@pytest.mark.parametrize("left", [0, 100, 2000])
def test_what_is_damaged_is_made_anew(looks, tmp_path, left):
    whole, _ = looks()
    (kept,) = (tmp_path / "cache").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:left])
    again, count = looks()
    assert count == 2
    np.testing.assert_array_equal(again.xy, whole.xy)
    assert looks()[1] == 2


def test_a_video_is_tracked_again_when_the_options_or_the_code_changed(tmp_path, monkeypatch):
    video, tracked = probe(film(tmp_path / "a.mp4")), []
    (keypoints, _) = seen_dancing()
    same = replace(keypoints.keypoints, cut=np.zeros(len(TIMES), bool))
    monkeypatch.setattr(
        estimate, "follow", lambda frames, *_, **__: ([*frames], tracked.append(1), same)[2]
    )
    shutil.copytree(Path(mocap_cli.__file__).parent / "keypoints", tmp_path / "mocap/keypoints")
    monkeypatch.setattr(video_cache, "_PACKAGE", tmp_path / "mocap")

    def count(**options):
        estimate.estimate(video, EstimateOptions(**options), cache=tmp_path / "cache")
        return len(tracked)

    assert [count(), count()] == [1, 1]
    assert [count(subject="largest"), count(subject="largest")] == [2, 2]
    assert [count(focal=500.0), count(focal=500.0)] == [3, 3]
    assert count(end=1.0) == 4
    with (tmp_path / "mocap/keypoints/follow.py").open("a") as source:
        source.write("# another way to follow")
    assert [count(), count()] == [5, 5]


def test_an_estimate_from_the_cache_is_the_same(tmp_path, monkeypatch):
    video = probe(film(tmp_path / "a.mp4"))
    first, again = (
        estimate.estimate(video, EstimateOptions(), cache=tmp_path / "cache") for _ in range(2)
    )
    assert first.camera == again.camera
    assert first.warnings == again.warnings
    for name in ("times", "xy", "score", "detected", "cut"):
        np.testing.assert_array_equal(
            getattr(first.keypoints, name), getattr(again.keypoints, name)
        )
