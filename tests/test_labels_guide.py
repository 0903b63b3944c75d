"""Where the 2D networks are lost, a model's box is looked into, if it is right elsewhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from film import film
from witnesses import TIMES, codes_of, seen_dancing

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.detection import Detection
from mocap_cli.labels.fitting import fitted_tracker
from mocap_cli.labels.fitting.fitted_tracker import FittedTracker, _boxes_agree
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder


@pytest.fixture
def lost():
    """Keypoints of a dancer whom the networks lose in ten frames, and boxes that hold him."""
    estimate, truth = seen_dancing()
    seen = replace(estimate.keypoints, detected=estimate.keypoints.detected.copy())
    low, high = seen.xy.min(axis=1), seen.xy.max(axis=1)
    seen.detected[20:30] = False
    return seen, np.concatenate((low, high), axis=1), truth


def test_boxes_are_trusted_where_they_hold_the_body_that_is_seen(lost):
    seen, boxes, _ = lost
    assert _boxes_agree(boxes, seen)
    assert not _boxes_agree(boxes + 700, seen)
    assert not _boxes_agree(np.full_like(boxes, np.nan), seen)
    nobody = replace(seen, detected=np.zeros(len(TIMES), bool))
    assert not _boxes_agree(boxes, nobody)


@pytest.mark.parametrize("right", [True, False])
def test_lost_frames_are_looked_at_again_inside_the_box(lost, monkeypatch, tmp_path, right):
    seen, boxes, truth = lost
    film(tmp_path / "a.mp4", range(len(TIMES)))
    found = seen.xy[25] + 1
    looked = []

    def look(networks, image, crop):
        looked.append((crop.x, crop.y))
        sure = np.full(len(KEYPOINTS), 0.9, np.float32)
        return Detection(
            movenet=found[:17], movenet_score=sure[:17], blazepose=found, blazepose_score=sure,
            appearance=np.zeros((1, 3)), crop=crop, confidence=0.9, xy=found[:17], next_crop=crop,
            stature=1.0,
        )  # fmt: skip

    codes = replace(codes_of(truth), boxes=(boxes + (0 if right else 900)).astype(np.float32))
    monkeypatch.setattr(FrozenEncoder, "encode", lambda *_, **__: codes)
    monkeypatch.setattr(fitted_tracker, "PoseNetworks", lambda device: None)
    monkeypatch.setattr(fitted_tracker, "detect", look)
    model = type("Fit", (), {"encoder": FrozenEncoder(None, (1, 1), "", False)})()
    done: list[int] = []
    counsel = FittedTracker(model, "x.mocap", "0").analyse(
        Path(tmp_path / "a.mp4"), seen, (None, None), "cpu", done.append
    )
    assert done == sorted(done)
    assert done[-1] == len(TIMES)
    if not right:
        assert counsel.keypoints is seen
        assert not looked
        return
    assert counsel.keypoints.detected.all()
    assert len(looked) == 10
    assert len(done) > len(TIMES)  # a look at each frame
    middle = (boxes[25, :2] + boxes[25, 2:]) / 2
    np.testing.assert_allclose(looked[5], middle, atol=1.0)
    np.testing.assert_allclose(counsel.keypoints.xy[25], found, atol=3.0)
    kept = np.setdiff1d(np.arange(90), np.arange(20, 30))
    np.testing.assert_array_equal(counsel.keypoints.xy[kept], seen.xy[kept])
