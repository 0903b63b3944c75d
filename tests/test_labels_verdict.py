"""Whether a model is better than the default tracker: what is said of it, and when."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mocap_cli.labels.fitting.verdict import _Errors, _split, _verdict


def errors(model: float, *, sure: float = 40.0, frames: int = 60) -> _Errors:
    """Thirty sure and thirty unsure frames; the default tracker is off by 40 and 100 mm."""
    rng = np.random.default_rng(0)
    unsure = np.arange(frames) % 2 == 1
    return _Errors(
        np.where(unsure, "unsure", "sure"),
        np.where(unsure, 100.0, 40.0) + rng.normal(0, 3, frames),
        np.where(unsure, model, sure) + rng.normal(0, 3, frames),
        np.arange(frames) // 6,
    )


@pytest.mark.parametrize(
    ("model", "sure", "better"),
    [(80, 40, True), (80, 41, True), (80, 45, False), (99, 40, False), (120, 40, False)],
)
def test_better_is_clearly_better_where_the_tracker_is_unsure_and_harmless_elsewhere(
    model, sure, better
):
    found = _verdict(errors(model, sure=sure), ("a.mp4",), degraded=False)
    assert found.better is better
    assert found.kinds["unsure"].default == pytest.approx(100, abs=3)
    assert found.lines()[-1].startswith("better" if better else "NO better")


def test_a_gain_in_one_second_alone_is_chance():
    found = errors(100)
    lucky = found.block == 0
    spared = _Errors(found.kind, found.default, np.where(lucky, 0, found.model), found.block)
    assert not _verdict(spared, ("a.mp4",), degraded=False).better


def test_few_frames_say_nothing():
    assert _verdict(errors(80, frames=10), ("a.mp4",), degraded=True) is None


class Labels(list):
    """So many pseudo-labels of a video."""

    path = property(lambda self: self[0])


def test_a_video_with_hardly_any_labels_is_not_the_one_held_out():
    counts = {"a.mp4": 167, "b.gif": 5, "c.mp4": 174, "d.mp4": 7}
    clips = [
        SimpleNamespace(video=Path(v), labels=Labels([Path(v)] * n)) for v, n in counts.items()
    ]
    fitted_to, held_out = _split(clips)
    assert [clip.video.name for clip in held_out] == ["c.mp4"]
    assert len(fitted_to) == 3
