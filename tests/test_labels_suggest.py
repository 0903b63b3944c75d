"""Which frames to label next: those that bring all others nearest to a label."""

from pathlib import Path

import numpy as np
import orjson
import pytest

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.labels.fitting.suggest import (
    LABEL_FILE,
    _CandidateFrames,
    _choose_frames,
    _greedy_cover,
    _write_suggestions,
    suggest_frames,
)
from mocap_cli.labels.readers.dispatch import read_labels
from mocap_cli.video.reader import open_video

WALK = Path(__file__).parents[1] / "examples" / "walk.mp4"
SURE = np.array([], np.int64)


def seen_as(codes, doubt=None, labelled=SURE, video=WALK):
    T = len(codes)
    doubt = np.full(T, 0.1) if doubt is None else doubt
    return _CandidateFrames(video, detected(T), np.asarray(codes, np.float32), doubt, labelled)


def detected(count):
    """Keypoints that move by a pixel a frame; the nose is uncertain, the left toe is outside."""
    K = len(KEYPOINTS)
    xy = np.arange(K)[:, None] * [4.0, 6.0] + 20 + np.arange(count)[:, None, None]
    xy[:, KEYPOINTS.index("left_toe")] = -5
    score = np.full((count, K), 0.9)
    score[:, 0] = 0.1
    return Keypoints(
        times=np.arange(count) / 30,
        xy=xy.astype(np.float32),
        score=score.astype(np.float32),
        detected=np.ones(count, bool),
        cut=np.zeros(count, bool),
    )


def in_poses(*counts):
    """Codes of a body that holds one pose after another, each for so many frames."""
    places = np.eye(8)[: len(counts)]
    still = np.repeat(places, counts, axis=0)
    return still + np.random.default_rng(0).normal(scale=0.01, size=still.shape)


def test_each_pose_is_asked_for_once_before_any_is_asked_for_again():
    (chosen,) = _choose_frames([seen_as(in_poses(200, 10, 40, 5))], 4)
    assert np.searchsorted([200, 210, 250], chosen, side="right").tolist() == [0, 1, 2, 3]


def test_poses_that_are_labelled_are_not_asked_for_again():
    (chosen,) = _choose_frames([seen_as(in_poses(50, 50, 50), labelled=np.array([10, 120]))], 1)
    assert 50 <= chosen[0] < 100


def test_of_two_poses_the_doubtful_one_is_asked_for_first():
    doubt = np.repeat([0.05, 0.2, 0.05], 30)
    (chosen,) = _choose_frames([seen_as(in_poses(30, 30, 30), doubt)], 1)
    assert 30 <= chosen[0] < 60


def test_frames_without_anybody_count_less_than_frames_with_somebody():
    doubt = np.repeat([np.nan, 0.1], 30)
    (chosen,) = _choose_frames([seen_as(in_poses(30, 30), doubt)], 1)
    assert chosen[0] >= 30


def test_frames_are_chosen_among_all_videos_together():
    alike, varied = seen_as(in_poses(100)), seen_as(in_poses(0, 30, 30, 30))
    chosen = _choose_frames([alike, varied], 4)
    assert [len(frames) for frames in chosen] == [1, 3]


def test_every_choice_brings_all_frames_nearer_and_less_than_the_one_before():
    points = np.random.default_rng(1).normal(size=(60, 3))
    apart = np.linalg.norm(points[:, None] - points, axis=-1)
    chosen = _greedy_cover(apart, np.ones(60), np.zeros(60, bool), 10)
    left = [apart[:, chosen[: i + 1]].min(axis=1).sum() for i in range(10)]
    gains = -np.diff(left)
    assert len(set(chosen.tolist())) == 10
    assert (gains > 0).all()
    assert (np.diff(gains) <= 1e-9).all()


def test_more_frames_than_there_are_cannot_be_suggested():
    with pytest.raises(MocapError, match="more than the 4"):
        _choose_frames([seen_as(in_poses(5), labelled=np.array([2]))], 5)


def test_suggested_pictures_come_back_as_labels_of_the_same_frames(tmp_path):
    one = seen_as(in_poses(60, 60))
    (written,) = _write_suggestions([one], [np.array([3, 70])], tmp_path).values()
    assert [path.name for path in written] == ["walk_000004.png", "walk_000071.png"]
    document = orjson.loads((tmp_path / LABEL_FILE).read_bytes())
    assert document["annotations"] == []
    with pytest.raises(MocapError, match="labels nothing"):
        read_labels(tmp_path)
    mark = {"id": 1, "image_id": 2, "category_id": 1, "keypoints": [5.0, 6.0, 2] * len(KEYPOINTS)}
    for image in document["images"]:
        del image["time"]  # many programs drop what they do not know
    filled = {**document, "annotations": [mark]}
    (tmp_path / LABEL_FILE).write_bytes(orjson.dumps(filled))
    (labels,) = read_labels(tmp_path)
    assert (labels.video, labels.frames.tolist()) == ("walk", [70])


def test_a_folder_with_labels_is_refused_before_the_videos_are_looked_at(tmp_path):
    (tmp_path / LABEL_FILE).write_text("{}")
    with pytest.raises(MocapError, match="may hold your labels"):
        suggest_frames([], [tmp_path / "none.mp4"], None, 3, tmp_path, None)


def test_two_videos_of_one_name_are_refused_before_they_are_looked_at(tmp_path):
    videos = [tmp_path / "a" / "jump.mp4", tmp_path / "b" / "Jump.mov"]
    with pytest.raises(MocapError, match="the same names") as caught:
        suggest_frames([], videos, None, 3, tmp_path, None)
    assert all(str(video) in caught.value.message for video in videos)


def test_labels_of_another_video_are_refused_before_the_videos_are_looked_at(tmp_path):
    path, xy = tmp_path / "dive.npz", np.ones((1, len(KEYPOINTS), 2))
    np.savez(path, xy=xy, frames=[0], joint_names=KEYPOINTS, source="dive.mp4")
    with pytest.raises(MocapError, match="not among the videos"):
        suggest_frames(read_labels(path), [WALK], None, 3, tmp_path / "next", None)


def test_more_frames_than_a_video_has_are_refused_before_it_is_tracked(tmp_path):
    with open_video(WALK) as video:
        count = sum(1 for _ in video)
    with pytest.raises(MocapError, match=f"more than the {count} to choose from"):
        suggest_frames([], [WALK], None, 2 * count, tmp_path, None)


def test_suggested_pictures_are_the_frames_themselves_and_filled_labels_stay(tmp_path):
    from PIL import Image

    one = seen_as(in_poses(60, 60))
    ((path,),) = _write_suggestions([one], [np.array([7])], tmp_path).values()
    with open_video(WALK) as video:
        wanted = next(frame.image for frame in video if frame.index == 7)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), wanted)
    with pytest.raises(MocapError, match="exists already"):
        _write_suggestions([one], [np.array([8])], tmp_path)
