"""Fast tracking: people are detected in some frames and interpolated in the others."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import mocap_cli as mocap
from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.pose_networks import PoseNetworks
from mocap_cli.keypoints.thinned_frames import ThinnedFrames

EXAMPLES = Path(__file__).parents[1] / "examples"
FRAMES, FPS = 20, 30.0
CUT = 13
BODY = np.random.default_rng(1).uniform(100, 300, (len(KEYPOINTS), 2))
TRUTH = BODY + 4.0 * np.arange(FRAMES)[:, None, None]  # moves diagonally at constant speed


@dataclass(frozen=True)
class Frame:
    time: float
    image: np.ndarray


def thinned(fps: float = FPS, spin: float | None = 0.0) -> tuple[ThinnedFrames, list[int]]:
    """The thinned frames, and the indices of those that were chosen."""
    image = np.zeros((4, 4, 3), np.uint8)
    video = ((Frame(t / fps, image), t == CUT) for t in range(FRAMES))
    frames = ThinnedFrames(video, None if spin is None else lambda: spin)
    return frames, [round(frame.time * fps) for frame, _ in frames]


def detected(chosen: list[int], missed: tuple[int, ...] = ()) -> Keypoints:
    xy = TRUTH[chosen].astype(np.float32)
    seen = np.array([t not in missed for t in chosen])
    xy[~seen] = np.nan
    score = np.where(seen[:, None], 0.6, 0).repeat(len(KEYPOINTS), axis=1).astype(np.float32)
    times = np.array(chosen) / FPS
    cut = np.array([t == CUT for t in chosen])
    return Keypoints(times=times, xy=xy, score=score, detected=seen, cut=cut)


@pytest.mark.parametrize(("fps", "step"), [(10.0, 1), (30.0, 3), (60.0, 6)])
def test_frames_are_chosen_by_time_with_every_cut_and_the_last(fps, step):
    _, chosen = thinned(fps)
    assert chosen == sorted({*range(0, CUT, step), *range(CUT, FRAMES, step), FRAMES - 1})


@pytest.mark.parametrize(("spin", "step"), [(1.0, 3), (3.0, 2), (9.0, 1), (None, 1)])
def test_the_faster_somebody_rotates_the_more_frames_are_chosen(spin, step):
    _, chosen = thinned(spin=spin)
    assert chosen == sorted({*range(0, CUT, step), *range(CUT, FRAMES, step), FRAMES - 1})


def test_a_person_at_constant_speed_is_restored_in_every_frame_but_not_across_a_cut():
    frames, chosen = thinned()
    found = frames.restore(detected(chosen))
    before_cut = slice(max(t for t in chosen if t < CUT) + 1, CUT)
    assert np.isnan(found.xy[before_cut]).all()
    known = np.ones(FRAMES, bool)
    known[before_cut] = False
    assert found.detected.tolist() == known.tolist()
    np.testing.assert_allclose(found.xy[known], TRUTH[known], atol=0.01)
    np.testing.assert_allclose(found.score[known], 0.6)


def test_frames_beside_a_missed_detection_stay_empty():
    frames, chosen = thinned()
    found = frames.restore(detected(chosen, missed=(3,)))
    assert np.isnan(found.xy[1:6]).all()
    assert not found.detected[1:6].any()
    assert np.isfinite(found.xy[6:10]).all()


def test_fast_tracking_gives_nearly_the_same_motion_with_less_than_half_of_the_detections(
    monkeypatch,
):
    runs: list[int] = []
    run = PoseNetworks.run
    monkeypatch.setattr(PoseNetworks, "run", lambda *a: (runs.append(0), run(*a))[1])
    motions, counts = [], []
    for quality in ("balanced", "fast"):
        runs.clear()
        motions.append(mocap.track(EXAMPLES / "walk.mp4", height=1.7, end=1.0, quality=quality))
        counts.append(len(runs))
    balanced, fast = motions
    assert counts[1] < 0.5 * counts[0]
    assert fast.detected.all()
    off = np.linalg.norm(
        (fast.joints - fast.joints[:, :1]) - (balanced.joints - balanced.joints[:, :1]), axis=-1
    )
    assert off.mean() < 0.03
    assert fast.provenance is not None
    assert fast.provenance.options["quality"] == "fast"


def test_an_unknown_quality_is_reported_with_the_choices_alone(run_mocap):
    code, _, err = run_mocap("track a.mp4 --quality finest")
    assert code == 2
    assert "'--quality': 'finest' is not one of" in " ".join(err.replace("│", " ").split())
