"""Fine-tuning of MoveNet on rendered people. Needs the training extra."""

from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("anny", reason="rendered bodies need the training extra")

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.labels.tuning.movenet import MoveNet
from mocap_cli.labels.tuning.tune import train
from training.keypoints.rendered_crops import RenderedCrops, render_crops
from training.keypoints.train import OPTIONS, as_upstream, keypoint_errors, move_back
from training.synthesis import rendered_shots
from training.synthesis.mocap_clip import PART_NAMES, MocapClip

AT = {name: i for i, name in enumerate(KEYPOINTS)}


@pytest.fixture(scope="module")
def crops():
    turns = np.tile(np.eye(3, dtype=np.float32), (90, len(PART_NAMES), 1, 1))
    root = np.tile(np.array([0, 0.9, 0], np.float32), (90, 1))
    clip = MocapClip("still_1", 30.0, turns, np.zeros((len(PART_NAMES), 3), np.float32), root)
    images, tumbling = zip(*render_crops([clip], shots=1, seed=3), strict=True)
    return RenderedCrops(list(images), np.array(tumbling))


def test_crops_show_the_person_and_come_back_from_their_file(crops, tmp_path):
    crops.save(tmp_path / "crops.npz")
    again = RenderedCrops.load(tmp_path / "crops.npz")
    assert len(again.images) == len(crops.images) == 6
    for image, other in zip(crops.images, again.images, strict=True):
        picture, xy = image.crop()
        assert (xy[image.weight > 0] > 0).all()
        assert (xy[image.weight > 0] < len(picture)).all()
        assert other.crop()[0].tobytes() == picture.tobytes()
        np.testing.assert_array_equal(other.xy, image.xy)


def test_any_number_of_clips_is_drawn_from(monkeypatch):
    drawn = []
    rng = np.random.default_rng(0)
    monkeypatch.setattr(rendered_shots, "make_body", lambda *_, **__: drawn.append(1) or 1 / 0)
    weights = np.random.default_rng(1).uniform(0.5, 15, 150).astype(np.float32)
    with pytest.raises(ZeroDivisionError):
        next(rendered_shots.random_shots(["clip"] * 150, weights, rng))
    assert drawn


def test_hips_are_where_the_upstream_network_has_them_and_wrists_stay(crops):
    image = crops.images[0]
    moved = as_upstream(image).xy - image.xy
    hips = (image.xy[AT["left_hip"]] + image.xy[AT["right_hip"]]) / 2
    trunk = (image.xy[AT["left_shoulder"]] + image.xy[AT["right_shoulder"]]) / 2 - hips
    assert moved[AT["left_hip"]] == pytest.approx(0.056 * trunk, abs=1e-3)
    assert np.linalg.norm(moved[AT["left_knee"]]) == pytest.approx(
        0.03 * np.linalg.norm(trunk), rel=1e-3
    )
    assert not moved[AT["left_wrist"]].any()


def test_weights_are_left_part_of_the_way_to_the_trained_ones(crops):
    network, before = MoveNet.bundled(), MoveNet.bundled()
    how = replace(OPTIONS, steps=4, batch=2, begin=1, average=1, rate=1e-5, frozen=60)
    train(network, (crops.images[:2],), how)
    trained = [p.detach().clone() for p in network.parameters()]
    move_back(network, before, 0.25)
    both = zip(network.parameters(), before.parameters(), trained, strict=True)
    for left, old, new in both:
        torch.testing.assert_close(left, old.lerp(new, 0.25))
    assert any((a != b).any() for a, b in zip(trained, before.parameters(), strict=True))
    assert keypoint_errors(network, crops.images).max() < 0.1
