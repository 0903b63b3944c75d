"""An eye is tuned end to end: the picture and the pose turn alike, the rest is never seen."""

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from film import film
from witnesses import TIMES, codes_of, labelled, seen_dancing

from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.labels.fitting import fine_tuning
from mocap_cli.labels.fitting.augmentation import (
    AugmentationOptions,
    LabelledImages,
    _crop,
    _rotate_poses,
)
from mocap_cli.labels.fitting.fine_tuning import FineTuneOptions
from mocap_cli.labels.fitting.fit_heads import FitOptions
from mocap_cli.labels.fitting.fitted_model import FittedModel
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip, clip_examples
from mocap_cli.labels.label_fit import fit_model
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_config import MODEL_PRESETS

QUICK = FineTuneOptions(steps=40, batch=6, look=20, begin=10)
STILL = AugmentationOptions(degraded=0, colours=0, rotation=0, shift=0)
PLAIN = replace(QUICK, augmentation=STILL, steps=60, batch=8, look=60)
SHORT = FitOptions(steps=25, folds=2, copies=0)


def drawn(joints: np.ndarray, side: int = 32) -> np.ndarray:
    """Poses (N, J, 3) as dots in pictures: red is what is right of the person."""
    pictures = np.zeros((len(joints), side, side, 3), np.uint8)
    for picture, pose in zip(pictures, joints, strict=True):
        for name, (x, y, _) in zip(BODY.names, pose, strict=True):
            at = round(side * (0.5 + x / 2.4)), round(side * (0.5 - y / 2.4))
            cv2.circle(
                picture, at, side // 20, (255, 60, 60) if "right" in name else (60, 255, 160), -1
            )
    return pictures


def test_a_turned_camera_sees_the_turned_pose():
    _, truth = seen_dancing()
    pose, turn = torch.from_numpy(truth[:1]).float(), torch.tensor([0.6])
    frames = torch.from_numpy(drawn(truth[:1], 48)).permute(0, 3, 1, 2)
    whole = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    seen = _crop(frames, whole, turn, 48)[0].permute(1, 2, 0).numpy()

    def likeness(pose):
        return np.corrcoef(seen.ravel(), drawn(pose.numpy(), 48)[0].ravel())[0, 1]

    assert likeness(_rotate_poses(pose, turn)) > 0.8
    assert likeness(_rotate_poses(pose, -turn)) < 0.5
    assert likeness(pose) < 0.5
    still = _crop(frames, whole, torch.zeros(1), 48)
    np.testing.assert_allclose(255 * still, frames, atol=0.01)


@pytest.fixture
def clip(monkeypatch, tmp_path):
    """A dancer whose pictures show the pose, with codes that know nothing."""
    estimate, truth = seen_dancing()
    film(tmp_path / "a.mp4", range(len(TIMES)), size=(64, 48))
    monkeypatch.setattr(FrozenEncoder, "encode", lambda *_, **__: codes_of(0 * truth))
    shown = drawn(truth)
    monkeypatch.setattr(FrozenEncoder, "images", lambda own, video, frames, crops: shown[frames])
    return LabelledClip(tmp_path / "a.mp4", labelled(truth), estimate)


@pytest.fixture(scope="module")
def eye():
    """ImageNet's features of small pictures."""
    return FrozenEncoder(
        Model(
            replace(MODEL_PRESETS["small"], method=FrozenEncoder.IMAGENET, crop=32),
            loss_network=False,
        ).eval(),
        (32, 32),
        "x",
        True,
    )


def test_a_tuned_eye_reads_what_was_kept_from_it_better(eye, monkeypatch):
    _, truth = seen_dancing()
    frames = torch.from_numpy(drawn(truth)).permute(0, 3, 1, 2)
    joints, weight = torch.from_numpy(truth).float(), torch.ones(90, 19)
    album = LabelledImages(frames, torch.tensor([[1.0, 1, 0, 0]]).repeat(90, 1), joints, weight)
    even, odd = torch.arange(0, 90, 2), torch.arange(1, 90, 2)
    looks: list[float] = []
    error = fine_tuning._error
    monkeypatch.setattr(fine_tuning, "_error", lambda *a: looks.append(error(*a)) or looks[-1])
    steps: list[int] = []
    model = fine_tuning._train(
        eye.model, album.select(even), album.select(odd), SHORT, PLAIN, steps.append
    )
    assert min(looks) < 0.95 * looks[0]
    assert steps == list(range(len(steps)))
    before, after = (dict(m.encoder.named_parameters()) for m in (eye.model, model))
    assert any(not torch.equal(before[n], after[n]) for n in before)
    assert not any(p.requires_grad for p in after.values())


def test_a_tuned_eye_is_the_same_every_time(clip, eye):
    one, two = (
        fine_tuning.fine_tune(
            eye, [clip], GatherOptions(cache=None), SHORT, replace(QUICK, steps=3, look=3)
        )
        for _ in range(2)
    )
    assert one.digest == two.digest != eye.digest
    assert one.tuned


def test_a_tuned_eye_lies_in_the_mocap_file_and_its_errors_are_of_what_it_never_saw(
    clip, eye, tmp_path
):
    own = fine_tuning.fine_tune(
        eye, [clip], GatherOptions(cache=None), SHORT, replace(QUICK, steps=1, look=1)
    )
    fitted = fit_model([clip], own, GatherOptions(cache=None), SHORT)
    examples = clip_examples([clip], own, GatherOptions(cache=None), points=False)
    assert fitted.image_heads.calibration.counted == SHORT.held_out(examples).sum() < len(examples)
    fitted.save(tmp_path / "a.mocap")
    again = FittedModel.open(tmp_path / "a.mocap").encoder
    assert again.digest == own.digest
    frames = torch.from_numpy(drawn(seen_dancing()[1])[:2]).permute(0, 3, 1, 2)
    for a, b in zip(again.model.encode(frames), own.model.encode(frames), strict=True):
        assert (a is None and b is None) or torch.equal(a, b)


def test_too_few_labels_do_not_tune(clip, eye):
    few = replace(clip, labels=clip.labels.select(np.arange(5)))
    with pytest.raises(MocapError, match="5 labelled frames are too few"):
        fine_tuning.fine_tune(eye, [few], GatherOptions(cache=None), SHORT, QUICK)


def test_pictures_of_frames_come_in_the_order_asked_for(tmp_path):
    film(tmp_path / "a.mp4", range(12), size=(64, 48))
    eye = FrozenEncoder.open(FrozenEncoder.IMAGENET)
    told = partial(eye.images, tmp_path / "a.mp4", crops=None)
    both = told(np.array([9, 2]))
    np.testing.assert_array_equal(both[0], told(np.array([9]))[0])
    np.testing.assert_array_equal(both[1], told(np.array([2]))[0])
    assert (both[0] != both[1]).any()
