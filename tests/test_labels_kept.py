"""What is seen of a video once: again when anything that matters changes, or is damaged."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from film import film
from witnesses import seen_dancing

from mocap_cli.keypoints import pose_networks
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.labels import witness
from mocap_cli.labels.fitting.cache import cached
from mocap_cli.labels.fitting.frozen_encoder import encode_video, open_encoder


@pytest.fixture
def looks(tmp_path):
    """Looks at a video, and tells how often somebody had to."""
    video, keypoints, done = tmp_path / "a.mp4", seen_dancing()[0].seen, []
    video.write_bytes(b"a video")

    def see():
        done.append(1)
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


def test_keypoints_are_looked_at_anew_when_the_follower_changed(tmp_path, monkeypatch):
    video, looked = film(tmp_path / "a.mp4"), []
    monkeypatch.setattr(witness, "follow", lambda *_: (looked.append(1), seen_dancing()[0].seen)[1])
    shutil.copytree(Path(pose_networks.__file__).parent, tmp_path / "package")
    monkeypatch.setattr(pose_networks, "_PACKAGE", tmp_path / "package")
    for _ in range(2):
        witness.watch(video, tmp_path / "cache")
    assert len(looked) == 1
    with (tmp_path / "package/follow.py").open("a") as source:
        source.write("# another way to follow")
    witness.watch(video, tmp_path / "cache")
    assert len(looked) == 2


def test_codes_of_other_crops_are_not_taken_from_the_cache(tmp_path):
    video, eye = film(tmp_path / "a.mp4", range(3)), open_encoder("imagenet")
    left, right = (np.tile((x, 24.0, 24.0), (3, 1)) for x in (12.0, 52.0))
    first = encode_video(video, eye, tmp_path / "cache", left)
    assert not np.array_equal(encode_video(video, eye, tmp_path / "cache", right).tv, first.tv)
    assert np.array_equal(encode_video(video, eye, tmp_path / "cache", left).tv, first.tv)
