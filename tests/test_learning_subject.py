"""Boxes and 2D labels that are known before pretraining: from the default tracker or from files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from blob import TINY, film_blob, scenes
from person import estimate_of

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.labels.fitting import gather
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
from mocap_cli.learning import options as options_module
from mocap_cli.learning.data import subject
from mocap_cli.learning.data.subject import ClipSubject, VideoSubject, subject_of
from mocap_cli.learning.loop.metrics_log import MetricsLog
from mocap_cli.learning.loop.settings import PRESETS
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_file import open_model, save_model
from mocap_cli.video.probe import probe

K = len(KEYPOINTS)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("subjects")
    for seed in range(2):
        film_blob(folder / f"blob{seed}.mp4", seed, 2)
    return folder


@pytest.fixture
def mocap(run_mocap, monkeypatch, clips):
    """As `run_mocap`, with a tiny model, and with people whom the tracker is made to see."""
    small = replace(PRESETS["small"], model=TINY)
    monkeypatch.setattr(options_module, "PRESETS", {"small": small})
    monkeypatch.setattr(subject, "estimate", estimate_of)
    monkeypatch.setattr(gather, "estimate", estimate_of)
    monkeypatch.setattr("mocap_cli.learning.data.filling.worker_count", lambda videos: 1)
    Path("videos").symlink_to(clips)
    usual = "--side 96 --batch 2 --preset small --device cpu --background median"
    return lambda typed: run_mocap(f"pretrain {typed} {usual} --store {clips / 'frames'}")


def known_at(label_times, labels, size=(192, 128)) -> VideoSubject:
    times = np.arange(60) / 15
    squares = np.tile([96.0, 64.0, 48.0], (60, 1))
    squares[7] = np.nan
    return VideoSubject(size, times, squares, np.array(label_times), np.array(labels))


def test_squares_of_the_tracker_become_boxes_of_the_stored_frames():
    stored = scenes().stored  # 96x64
    boxes = known_at([], np.zeros((0, K, 3))).at(stored, boxes=True, labels=False).boxes
    assert boxes[0] == pytest.approx([48 / 192, 48 / 128, 0, 0])
    assert np.isnan(boxes[7]).all()
    below_bars = replace(stored, picture=(0, 16, 96, 32))
    boxes = known_at([], np.zeros((0, K, 3)), (192, 64)).at(below_bars, boxes=True, labels=False)
    assert boxes.boxes[0] == pytest.approx([0.25, 24 / 64, 0, 2 * (16 + 32) / 64 - 1])


def test_a_label_of_a_frame_that_is_not_stored_goes_to_the_nearest_one():
    points = np.full((2, K, 3), 1.0)
    points[:, :, :2] = 48, 32
    points[1, 3] = np.nan
    labels = known_at([0.4 / 15, 20 / 15], points).at(scenes().stored, boxes=False, labels=True)
    assert np.flatnonzero(labels.labels[..., 2].any(axis=1)).tolist() == [0, 20]
    assert labels.labels[0, 0] == pytest.approx([0.25, 0.25, 1])
    assert labels.labels[20, 3].tolist() == [0, 0, 0]


def test_only_confident_keypoints_of_the_tracker_become_labels(clips):
    found = estimate_of(probe(clips / "blob0.mp4"))
    found.keypoints.score[:, 4] = 0.4
    found.keypoints.score[5] = 0.1
    seen = subject_of(found)
    assert len(seen.label_times) == len(found.times) - 1
    assert np.isnan(seen.squares[5]).all()
    assert (seen.labels[:, 4, 2] == 0).all()
    assert seen.labels[:, 5, 2] == pytest.approx(0.9)


def test_a_run_keeps_boxes_and_labels_and_refuses_damaged_ones(tmp_path):
    stored = [scenes().stored, scenes(1).stored]
    boxes = np.random.default_rng(0).random((60, 4)).astype(np.float32)
    boxes[3] = np.nan
    ClipSubject.write_all(tmp_path, [ClipSubject(boxes=boxes), ClipSubject.UNKNOWN])
    first, second = ClipSubject.read_all(tmp_path, stored)
    assert np.array_equal(first.boxes, boxes, equal_nan=True)
    assert (first.labels, second.boxes) == (None, None)
    path = tmp_path / "subject.npz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(MocapError, match=r"cannot resume: .*subject\.npz"):
        ClipSubject.read_all(tmp_path, stored)


def test_boxes_of_the_tracker_replace_the_detector_and_are_kept_for_resuming(mocap):
    assert mocap("videos -o runs/a --boxes tracker --steps 2")[0] == 0
    rows = MetricsLog.read(Path("runs/a/metrics.jsonl"))
    assert "pixels" in rows[0]
    assert "prior" not in rows[0]
    model, _ = open_model(Path("runs/a/best.safetensors"))
    assert (model.detector, model.config.boxes) == (None, "given")
    sources = json.loads(Path("runs/a/run.json").read_text())
    assert sources["subject"] is True
    encoder = FrozenEncoder.open(Path("runs/a"))
    assert (encoder.cropped, encoder.size) == (True, (TINY.crop, TINY.crop))


def test_a_run_of_given_boxes_is_resumed_without_the_tracker(mocap, run_mocap, monkeypatch):
    assert mocap("videos -o runs/a --boxes tracker --keypoints auto --steps 1")[0] == 0
    monkeypatch.setattr(subject, "estimate", None)
    assert run_mocap("pretrain -o runs/a --resume --steps 2 --device cpu")[0] == 0
    rows = [row for row in MetricsLog.read(Path("runs/a/metrics.jsonl")) if "labels" in row]
    assert len(rows) == 2


def test_labels_of_files_train_a_pose_head(mocap, clips):
    xy = estimate_of(probe(clips / "blob0.mp4")).keypoints.xy[[3, 9, 20]]
    arrays = {"xy": xy, "joint_names": KEYPOINTS, "frames": [3, 9, 20]}
    np.savez("blob0.npz", source="blob0.mp4", size_pixels=[96, 64], **arrays)
    code, _, err = mocap("videos -o runs/a --keypoints blob0.npz --steps 1")
    assert code == 0, err
    with np.load("runs/a/subject.npz") as kept:
        weights = [kept[f"labels{i}"][..., 2] for i in range(2)]
    assert np.flatnonzero(weights[0].any(axis=1)).tolist() == [3, 9, 20]
    assert (weights[0].sum(), weights[1].sum()) == (3 * K, 0)
    assert open_model(Path("runs/a/best.safetensors"))[0].pose is not None


def test_the_3d_head_gets_the_2d_keypoints_that_the_model_predicts(tmp_path):
    """Eq. 15; without 2D labels in pretraining there are none."""
    crops = torch.rand(2, 3, TINY.crop, TINY.crop)
    assert Model(TINY).encode_pose(crops).shape == (2, TINY.tv)
    model = Model(replace(TINY, keypoints=K)).eval()
    found = model.encode_pose(crops)
    assert found.shape == (2, TINY.tv + 2 * K)
    tv = model.encoder.time_variant(crops)
    assert torch.allclose(found[:, TINY.tv :], model.predict_keypoints(tv[None]).flatten(2)[0])
    save_model(tmp_path / "m.safetensors", model, {"size": [96, 64]})
    assert FrozenEncoder.open(tmp_path / "m.safetensors").model.pose is not None
