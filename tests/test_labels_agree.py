"""Slips in labels are found, named, and mended or refused; a careful label is left alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from witnesses import TIMES, labelled, seen_dancing

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from mocap_cli.errors import MocapError
from mocap_cli.labels.alignment.corrections import align_labels
from mocap_cli.labels.alignment.projection import _project_onto_keypoints, reprojection_error
from mocap_cli.labels.alignment.time_alignment import TimeBase, assign_frames, find_video
from mocap_cli.labels.fitting.gather import GatheredLabels, LabelledClip

BODY_SIDE, POINT_SIDE = list(mirror_indices(BODY.names)), list(mirror_indices(KEYPOINTS))
TURN = Rotation.from_euler("yxz", (2.1, 0.4, 1.0)).as_matrix()


@pytest.fixture(scope="module")
def seen():
    return seen_dancing()


def clicks_of(estimate, truth, **more):
    """Careful clicks on every second frame."""
    xy = estimate.keypoints.xy[::2].astype(float)
    xy[estimate.keypoints.score[::2] == 0] = np.nan
    frames = np.arange(0, len(truth), 2)
    return labelled(np.full_like(truth[::2], np.nan), frames=frames, xy=xy, **more)


def about(labels):
    return labels.joints - labels.joints[:, :1]


def test_true_labels_are_taken_as_they_are(seen):
    estimate, truth = seen
    labels = align_labels(labelled(truth), estimate)
    np.testing.assert_array_equal(about(labels), truth)
    np.testing.assert_array_equal(labels.times, TIMES)
    assert labels.notes == ()
    clicks = clicks_of(estimate, truth)
    assert align_labels(clicks, estimate).notes == ()


@pytest.mark.parametrize("step", [1, -1, 3, 12])
def test_labels_that_are_some_frames_off_are_shifted_back(seen, step):
    estimate, truth = seen
    late = truth[step:] if step > 0 else truth[:step]
    right = np.arange(len(truth))[step:] if step > 0 else np.arange(len(truth))[:step]
    labels = align_labels(labelled(late, frames=right - step), estimate)
    assert any(f"{abs(step)} frame" in note and "shifted" in note for note in labels.notes)
    np.testing.assert_array_equal(about(labels), truth[labels.frames])


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (lambda j: j[:, BODY_SIDE], "left and right are swapped"),
        (lambda j: j[:, BODY_SIDE] * (-1, 1, 1), "joints are of the mirrored video"),
        (lambda j: j * (-1, 1, 1), "joints are in left-handed axes"),
        (lambda j: j * (1, -1, -1), "joints have Y down and Z ahead"),
    ],
)
def test_swapped_sides_mirrors_and_other_axes_are_mended(seen, slip, said):
    estimate, truth = seen
    labels = align_labels(labelled(slip(truth)), estimate)
    assert labels.notes == (said,)
    np.testing.assert_allclose(about(labels), truth, atol=1e-12)


def test_clicks_with_swapped_sides_or_on_the_mirrored_video_are_mended(seen):
    estimate, truth = seen
    clicks = clicks_of(estimate, truth)
    swapped = align_labels(replace(clicks, xy=clicks.xy[:, POINT_SIDE]), estimate)
    assert swapped.notes == ("left and right are swapped",)
    np.testing.assert_array_equal(swapped.xy, clicks.xy)
    turned = (clicks.xy * (-1, 1) + (1920, 0))[:, POINT_SIDE]
    again = align_labels(replace(clicks, xy=turned), estimate)
    assert again.notes == ("2D labels are of the mirrored video",)
    np.testing.assert_allclose(again.xy, clicks.xy)


def test_labels_in_a_room_are_turned_to_how_the_camera_saw_them(seen):
    estimate, truth = seen
    labels = align_labels(labelled(truth @ TURN.T + 5.0, in_camera=False), estimate)
    assert labels.in_camera
    assert np.linalg.norm(about(labels) - truth, axis=-1).mean() < 0.02


def test_labels_of_another_video_are_refused(seen):
    estimate, _ = seen
    _, other = seen_dancing(seed=3)
    with pytest.raises(MocapError, match="does not match the video") as caught:
        align_labels(labelled(other), estimate)
    assert "--check" in caught.value.hint
    with pytest.raises(MocapError, match="does not match the video"):
        align_labels(labelled(other, in_camera=False), estimate)
    clicks = clicks_of(seen_dancing(seed=3)[0], other)
    with pytest.raises(MocapError, match="does not match the video"):
        align_labels(replace(clicks, xy=clicks.xy + 400), estimate)


def test_labels_of_somebody_else_than_is_followed_name_the_frame_and_the_person_to_follow(seen):
    estimate, truth = seen
    every = clicks_of(estimate, truth)
    clicks = every.select(np.arange(12, 19))
    clip = LabelledClip(Path("race.mp4"), clicks, estimate)
    assert GatheredLabels((clip,), {}).warnings == []
    away = replace(clicks, xy=clicks.xy + 900 * (np.arange(7) > 2)[:, None, None])
    (warning,) = GatheredLabels((replace(clip, labels=away),), {}).warnings
    x, y = np.nanmean(away.xy[3], axis=0)
    assert warning.startswith("race.mp4: no label lies on the followed person in 4 of 7 labelled")
    assert "first in frame 30" in warning
    assert warning.endswith(f"--subject {x:.0f},{y:.0f}@{TIMES[30]:.2f}")
    with pytest.raises(MocapError, match="first in frame 0"):
        align_labels(replace(every, xy=every.xy + 900), estimate)


def test_true_labels_stand_where_the_tracker_has_the_person_wrong_and_says_so():
    estimate, truth = seen_dancing(unsure=slice(6, None))
    labels = align_labels(labelled(truth), estimate)
    np.testing.assert_array_equal(about(labels), truth)
    assert labels.notes == ("not checked: the tracker is uncertain of these frames",)
    half, truth = seen_dancing(unsure=slice(40, None))
    np.testing.assert_array_equal(about(align_labels(labelled(truth), half)), truth)


def test_clicks_on_smaller_pictures_are_scaled_and_on_other_shapes_refused(seen):
    estimate, truth = seen
    clicks = clicks_of(estimate, truth)
    small = align_labels(replace(clicks, xy=clicks.xy / 3, size=(640, 360)), estimate)
    np.testing.assert_allclose(small.xy, clicks.xy)
    assert any("640x360" in note for note in small.notes)
    with pytest.raises(MocapError, match="640x480"):
        align_labels(replace(clicks, size=(640, 480)), estimate)


def test_a_session_is_found_in_time_by_how_the_body_folds(seen):
    estimate, truth = seen
    fine = np.arange(1.0, 2.8, 0.01)
    flat = [np.interp(fine, TIMES, column) for column in truth.reshape(len(truth), -1).T]
    session = np.stack(flat, axis=1).reshape(len(fine), *truth.shape[1:]) @ TURN.T + 2.0
    labels = labelled(session, times=fine + 32.0, in_camera=False, synchronous=False)
    placed = align_labels(labels, estimate)
    assert any(
        "session begins at 1.0" in note or "session begins at 0.9" in note for note in placed.notes
    )
    assert np.linalg.norm(about(placed) - truth[placed.frames], axis=-1).mean() < 0.06
    given = align_labels(labels, estimate, TimeBase(1.0, 1.0))
    assert np.linalg.norm(about(given) - truth[given.frames], axis=-1).mean() < 0.03
    with pytest.raises(MocapError, match="do not overlap"):
        align_labels(labels, estimate, TimeBase(99.0, 1.0))


def test_labels_beyond_the_video_are_left_out_and_mostly_beyond_refused(seen):
    estimate, truth = seen
    frames = np.arange(len(truth)) + 10
    placed = assign_frames(labelled(truth, frames=frames), estimate.times)
    assert len(placed) == len(truth) - 10
    assert any("10 of 90 labels" in note for note in placed.notes)
    with pytest.raises(MocapError, match="90 frames"):
        assign_frames(labelled(truth, frames=frames + 70), estimate.times)
    faster = labelled(np.repeat(truth, 2, axis=0), times=np.arange(180) / 50, in_camera=True)
    assert len(assign_frames(faster, estimate.times)) == len(TIMES)


def test_labels_lie_where_the_person_is_seen(seen):
    estimate, truth = seen
    frames = np.arange(len(truth))
    off = reprojection_error(truth, None, estimate, frames)
    assert np.median(off) < 0.08
    camera = estimate.camera
    there = truth + np.array((0.3, -0.1, -6.0))
    xy = np.zeros((len(truth), len(KEYPOINTS), 2))
    for k, name in enumerate(KEYPOINTS):
        if name in BODY.names:
            xy[:, k] = camera.project(there)[:, BODY.index(name)]
    score = np.array([float(name in BODY.names) for name in KEYPOINTS])[None].repeat(len(xy), 0)
    seen_at = _project_onto_keypoints(truth, xy, score, camera)
    np.testing.assert_allclose(seen_at, camera.project(there), atol=2.0)


def test_videos_are_found_by_name_and_never_by_chance(tmp_path, seen):
    _, truth = seen
    a, b = tmp_path / "a.mp4", tmp_path / "b.mp4"
    assert find_video(labelled(truth), [a, b]) == a
    with pytest.raises(MocapError, match="not among the videos"):
        find_video(labelled(truth), [b])
    nameless = replace(labelled(truth), path=tmp_path / "labels.json", video="labels")
    assert find_video(nameless, [b]) == b
    with pytest.raises(MocapError, match="not among"):
        find_video(nameless, [a, b])
