"""Whether a model is better than the default tracker: what is said of it, and when."""

import numpy as np
import pytest

from mocap_cli.labels.fitting.verdict import _Errors, _verdict


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
