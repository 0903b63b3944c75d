"""Heads learn a known map from few labels, know how far off they are, and keep well in a file."""

import random
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from label_mutations import _node
from poses import motion_of
from safetensors import safe_open
from safetensors.torch import save_file
from witnesses import TIMES, codes_of, labelled, seen_dancing

from mocap_cli.body.recording import Camera
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import WriteOptions, write
from mocap_cli.io import sealed
from mocap_cli.labels.alignment.corrections import align_labels
from mocap_cli.labels.fitting.ensemble import fuse_poses
from mocap_cli.labels.fitting.examples import Examples, _smoothed, head_inputs, mirror_pose
from mocap_cli.labels.fitting.fit_heads import FitOptions, _assign_folds, fit_heads
from mocap_cli.labels.fitting.fitted_model import FittedModel
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
from mocap_cli.labels.fitting.gather import _pseudo_labels
from mocap_cli.labels.fitting.label_efficiency import draw_label_efficiency, label_efficiency
from mocap_cli.labels.labels import bone_scale
from mocap_cli.labels.readers.dispatch import read_labels
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_config import MODEL_PRESETS

SHORT = FitOptions(steps=50, folds=2)


@pytest.fixture(scope="module")
def taught():
    """All labels of a dancer, and what is known of the frames."""
    estimate, truth = seen_dancing()
    codes = codes_of(truth)
    return (
        Examples.of_clip(labelled(truth), codes, estimate, 0, points=False),
        codes,
        truth,
        estimate,
    )


@pytest.fixture(scope="module")
def expert(taught):
    return fit_heads(taught[0].select(np.arange(0, 90, 2)), SHORT)


def off_of(expert, examples):
    joints, sigma = expert.predict(examples.inputs, examples.flipped)
    return np.linalg.norm(joints - examples.joints, axis=-1)[:, 1:], sigma[:, 1:]


@pytest.mark.parametrize("kind", ["A", "B"])
def test_each_head_learns_a_map_that_is_there_to_learn(taught, kind):
    examples = taught[0]
    head = fit_heads(examples.select(np.arange(0, 90, 2)), replace(SHORT, kind=kind))
    still = np.linalg.norm(examples.joints - examples.joints.mean(0), axis=-1)[:, 1:].mean()
    off, _ = off_of(head, examples.select(np.arange(1, 90, 2)))
    assert off.mean() < 0.3 * still


def test_more_labels_are_better_and_the_curve_says_so(taught, tmp_path):
    examples = taught[0]
    points = label_efficiency(
        examples.select(np.arange(0, 90, 2)), examples.select(np.arange(1, 90, 2)), SHORT, (6, 15)
    )
    assert [n for n, _ in points] == [6, 15, 45]
    assert points[0][1] > points[1][1] > points[2][1]
    draw_label_efficiency({"ours": points, "other": [(6, 120.0), (45, 110.0)]}, tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"


def test_seven_in_ten_errors_lie_within_the_expected_ones(taught, expert):
    off, sigma = off_of(expert, taught[0].select(np.arange(1, 90, 2)))
    assert 0.55 < (off < sigma).mean() < 0.95


def test_frames_unlike_all_labels_are_expected_to_be_worse(taught, expert):
    examples = taught[0]
    strange = replace(examples, inputs=-3 * examples.inputs, flipped=-3 * examples.flipped)
    _, usual = off_of(expert, examples)
    _, worse = off_of(expert, strange)
    assert worse.mean() >= usual.mean()


def test_a_mirrored_dancer_gets_the_mirrored_pose(taught, expert):
    examples = taught[0]
    joints, _ = expert.predict(examples.inputs, examples.flipped)
    turned, _ = expert.predict(examples.flipped, examples.inputs)
    np.testing.assert_allclose(turned, mirror_pose(joints), atol=1e-5)


def test_joints_that_were_never_labelled_do_not_disturb_the_others(taught, expert):
    examples = taught[0].select(np.arange(0, 90, 2))
    holes = examples.joints.copy()
    holes[:, 8] = np.nan
    holes[::3, 5] = np.nan
    off, _ = off_of(fit_heads(replace(examples, joints=holes), SHORT), taught[0])
    whole, _ = off_of(expert, taught[0])
    keep = [i - 1 for i in range(1, 19) if i not in (5, 8)]
    assert off[:, keep].mean() < 1.3 * whole[:, keep].mean()


def test_the_same_labels_give_the_same_head(taught, expert):
    again = fit_heads(taught[0].select(np.arange(0, 90, 2)), SHORT)
    for a, b in zip(expert.heads, again.heads, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_with_2d_a_head_is_better_than_the_lifter_that_it_is_told_of(taught):
    _, _, truth, _ = taught
    estimate, _ = seen_dancing(off=0.08)
    codes = codes_of(truth)
    both = Examples.of_clip(labelled(truth), codes, estimate, 0, points=True)
    head = fit_heads(both.select(np.arange(0, 90, 2)), replace(SHORT, points=True))
    off, _ = off_of(head, both.select(np.arange(1, 90, 2)))
    lifter = np.linalg.norm(estimate.pose.joints - truth, axis=-1)[1::2, 1:]
    assert off.mean() < lifter.mean()


def test_too_few_labels_are_refused(taught):
    with pytest.raises(MocapError, match="too few"):
        fit_heads(taught[0].select(np.arange(3)))


def test_clips_are_held_out_whole_and_single_clips_in_stretches(taught):
    examples = taught[0]
    three = replace(examples, clips=np.repeat([0, 1, 2], 30))
    folds = _assign_folds(three, 3)
    assert all(len(set(folds[three.clips == clip])) == 1 for clip in range(3))
    alone = _assign_folds(examples, 3)
    assert (np.diff(alone) >= 0).all()
    assert np.bincount(alone).tolist() == [30, 30, 30]


def test_codes_are_mixed_with_their_neighbours_and_constants_stay():
    times = np.arange(50) / 25
    np.testing.assert_allclose(_smoothed(np.ones((50, 3), np.float32), times), 1, rtol=1e-6)
    noise = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    assert _smoothed(noise, times).std() < 0.75 * noise.std()


def test_the_surer_counts_more_and_what_is_unknown_does_not():
    a, b = np.zeros((1, 19, 3)), np.ones((1, 19, 3))
    one = np.full((1, 19), 0.05)
    joints, sigma = fuse_poses([(a, one), (b, 2 * one)])
    np.testing.assert_allclose(joints, 1 / 17)
    assert ((one < sigma) & (sigma < 2 * one)).all()
    joints, sigma = fuse_poses([(a, one), (np.full_like(b, np.nan), one)])
    np.testing.assert_array_equal(joints, a)
    np.testing.assert_allclose(sigma, one)
    assert bone_scale(2 * taught_body(), taught_body()) == pytest.approx(2)


def taught_body():
    return seen_dancing()[1][:3]


@pytest.fixture(scope="module")
def fitted(taught, expert):
    _, _, truth, estimate = taught
    both = Examples.of_clip(labelled(truth), codes_of(truth), estimate, 0, points=True)
    head = fit_heads(
        both.select(np.arange(0, 90, 6)), replace(SHORT, points=True, folds=2, steps=25)
    )
    return FittedModel(FrozenEncoder.open(FrozenEncoder.IMAGENET), expert, head, {"frames": 45})


def test_a_mocap_file_gives_back_the_same_answers(taught, fitted, tmp_path):
    path = tmp_path / "a.mocap"
    fitted.save(path)
    again = FittedModel.open(path)
    codes, estimate = taught[1], taught[3]
    for (a, s), (b, t) in zip(
        *(
            model.predict_separately(codes, estimate.keypoints, estimate.pose)
            for model in (fitted, again)
        ),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(s, t)
    assert dict(again.about) == {"frames": 45}


def test_changed_cut_and_foreign_files_are_refused(fitted, tmp_path):
    path = tmp_path / "a.mocap"
    fitted.save(path)
    whole = path.read_bytes()
    torn = bytearray(whole)
    torn[-1] ^= 1
    for content, said in (
        (bytes(torn), "SHA-256"),
        (whole[:-100], "not a model"),
        (b"PK\x03", "not a model"),
    ):
        path.write_bytes(content)
        with pytest.raises(MocapError, match=said) as caught:
            FittedModel.open(path)
        assert "label-fit" in caught.value.hint
    save_file({"a": torch.zeros(1)}, path, {"format": "pt"})
    with pytest.raises(MocapError, match="is not a model that was fitted"):
        FittedModel.open(path)
    path.write_bytes(whole)
    with safe_open(path, "pt") as file:
        told = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {**told, "told": told["told"].replace("45", "54")})
    with pytest.raises(MocapError, match="SHA-256"):
        FittedModel.open(path)
    with pytest.raises(MocapError, match="there is no"):
        FittedModel.open(tmp_path / "none.mocap")


def test_the_tracker_teaches_only_where_it_is_sure(tmp_path):
    estimate, _ = seen_dancing(unsure=slice(20, 50))
    estimate.keypoints.score[60:65] = 0.2
    labels = _pseudo_labels(tmp_path / "a.mp4", estimate)
    sure = np.setdiff1d(np.arange(90), [*range(20, 50), *range(60, 65)])
    assert set(labels.frames) <= set(sure.tolist())
    assert len(labels) == len(sure)
    np.testing.assert_array_equal(labels.sigma, estimate.pose.sigma[sure])
    nobody, _ = seen_dancing(unsure=slice(0, None))
    with pytest.raises(MocapError, match="not confident in any frame"):
        _pseudo_labels(tmp_path / "a.mp4", nobody)


@pytest.mark.parametrize("suffix", [".json", ".npz", ".csv", ".trc", ".c3d", ".bvh"])
def test_labels_exported_in_each_form_give_the_same_head_within_noise(
    taught, expert, tmp_path, suffix
):
    examples, codes, truth, estimate = taught
    still = Camera(
        focal_pixels=1500.0,
        centre=(960.0, 540.0),
        world_from_camera=np.tile(np.eye(3, 4, dtype=np.float32), (90, 1, 1)),
    )
    motion = motion_of(truth, TIMES, camera=still, score=np.zeros((90, 21), np.float32))
    source = replace(motion.source, width=1920, height=1080)
    write(replace(motion, source=source), tmp_path / f"a{suffix}", WriteOptions())
    (labels,) = read_labels(tmp_path / f"a{suffix}")
    labels = align_labels(labels, estimate)
    own = Examples.of_clip(labels, codes, estimate, 0, points=False)
    even = np.flatnonzero(labels.frames % 2 == 0)
    head = fit_heads(own.select(even), SHORT)
    said = [e.predict(examples.inputs, examples.flipped)[0] for e in (head, expert)]
    apart = np.linalg.norm(said[0] - said[1], axis=-1).mean()
    off, _ = off_of(expert, examples)
    limit = {".json": 0.02, ".npz": 0.02}.get(suffix, 0.6)
    assert apart < max(limit * off.mean(), 0.002 if limit < 0.1 else 0.02)
    assert head_inputs(codes, estimate.keypoints, None)[0].shape == (90, 24)


def test_damaged_settings_of_a_mocap_file_are_one_line_even_under_a_fresh_seal(fitted, tmp_path):
    model = Model(
        replace(MODEL_PRESETS["small"], method=FrozenEncoder.IMAGENET, crop=32), loss_network=False
    ).eval()
    own = replace(fitted, encoder=FrozenEncoder(model, (32, 32), "x", True))
    own.save(tmp_path / "a.mocap")
    with safe_open(tmp_path / "a.mocap", "pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    refused = 0
    for seed in range(50):
        text = _node(header["told"].encode(), random.Random(seed)).decode()
        seal = sealed._seal({"told": text}, tensors)
        save_file(tensors, tmp_path / "b.mocap", {**header, "told": text, "seal": seal})
        began, message = time.perf_counter(), ""
        try:
            FittedModel.open(tmp_path / "b.mocap")
        except MocapError as error:
            message = error.message
        assert message.isprintable()
        assert len(message) < 500
        assert time.perf_counter() - began < 20
        refused += bool(message)
    assert refused > 20


@pytest.mark.parametrize("name", ["code.mean", "code.growth", "code.head0.linear"])
def test_tensors_of_another_shape_or_type_are_refused_when_a_mocap_file_is_opened(
    fitted, tmp_path, name
):
    fitted.save(tmp_path / "a.mocap")
    with safe_open(tmp_path / "a.mocap", "pt") as file:
        header = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    old = tensors[name]
    for other in (old[:-1].contiguous(), old.to(torch.int64), torch.full_like(old, torch.nan)):
        changed = {**tensors, name: other}
        seal = sealed._seal({"told": header["told"]}, changed)
        save_file(changed, tmp_path / "b.mocap", {**header, "seal": seal})
        with pytest.raises(MocapError, match=r"b\.mocap is damaged"):
            FittedModel.open(tmp_path / "b.mocap")
