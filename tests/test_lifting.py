"""The lifter: what it is shown, how it is trained, what it answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from stick import stick_body, swinging_clip

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.lifting.lift import lift
from mocap_cli.lifting.metrics import mpjpe, n_mpjpe, p_mpjpe
from mocap_cli.lifting.network import Lifter, LifterConfig
from mocap_cli.lifting.windows import _look_at
from training.lifter import evaluation
from training.lifter.average import average
from training.lifter.batches import TrainConfig, TrainingData, make_batch
from training.lifter.evaluation import calibrate
from training.lifter.motion_bank import BodyBank, make_motion_bank, stack_bodies
from training.lifter.network import LifterNetwork
from training.lifter.observed_windows import ObservedWindows
from training.lifter.recorded_shots import _rolled
from training.lifter.train import batches, config_at_step, learning_rate_factor, losses, train
from training.synthesis.body_model import transform_anchors

TINY = LifterConfig(width=32, layers=2, heads=2, dropout=0.1)
SHIPPED = Path(__file__).parent.parent / "weights" / "lifter.safetensors"
QUICK = TrainConfig(steps=6, batch=6, frames=8, warm_up=2)


@pytest.fixture(scope="module")
def world() -> TrainingData:
    body = stick_body()
    shapes: BodyBank = stack_bodies([body])
    return TrainingData(shapes, make_motion_bank([swinging_clip()], body))


def keypoints(fps: float = 30.0, seconds: float = 2.0, camera_turn=None) -> Keypoints:
    """The swinging stick four metres before a camera."""
    clip = swinging_clip(seconds=seconds, fps=fps)
    points = transform_anchors(stick_body().keypoints, stick_body().transforms(clip))
    points = points @ Rotation.from_euler("y", 0.7).as_matrix().T + (0.3, -1.0, -5.0)
    if camera_turn is not None:
        points = points @ camera_turn
    T, K = points.shape[:2]
    return Keypoints(
        times=np.arange(T) / fps,
        xy=Pinhole(900, (640, 360)).project(points).astype(np.float32),
        score=np.full((T, K), 0.8, np.float32),
        detected=np.ones(T, np.bool_),
        cut=np.zeros(T, np.bool_),
    )


def observed(seen: Keypoints) -> ObservedWindows:
    rays = Pinhole(900, (640, 360)).rays(seen.xy)[None, ..., :2].astype(np.float32)
    T = len(seen)
    return ObservedWindows(
        torch.from_numpy(rays),
        torch.from_numpy(seen.score)[None],
        torch.from_numpy(seen.times.astype(np.float32))[None],
        torch.ones(1, T, dtype=torch.bool),
    )


def test_looking_at_a_ray_turns_the_camera_onto_it_and_nothing_else():
    rays = torch.randn(50, 2)
    turn = torch.from_numpy(_look_at(rays.numpy()))
    ahead = torch.cat((rays, -torch.ones(50, 1)), 1)
    torch.testing.assert_close(
        turn @ torch.tensor([0.0, 0, -1]), ahead / ahead.norm(dim=1, keepdim=True)
    )
    torch.testing.assert_close(turn @ turn.mT, torch.eye(3).expand(50, 3, 3), atol=1e-5, rtol=0)
    assert (torch.linalg.det(turn) > 0).all()


def test_what_the_lifter_is_shown_does_not_depend_on_where_in_the_picture_the_person_is():
    aside = Rotation.from_euler("xy", (0.15, 0.3)).as_matrix()
    shown, _ = observed(keypoints()).features()
    turned, _ = observed(keypoints(camera_turn=aside)).features()
    # Looking at the person leaves at most a small roll between the two.
    assert (shown - turned)[..., :42].abs().max() < 0.08 * shown[..., :42].abs().max()


def test_unseen_frames_and_points_leave_no_trace_and_no_nan():
    seen = keypoints()
    seen.xy[3] = np.nan
    seen.score[3] = 0
    seen.xy[5, 4] = np.nan
    seen.score[5, 4] = 0
    shown, turn = observed(seen).features()
    assert shown.isfinite().all()
    assert turn.isfinite().all()
    assert (shown[0, 3, :63] == 0).all()


def test_the_shipped_lifter_answers_a_mirrored_question_with_the_mirrored_answer():
    model = Lifter.load(SHIPPED)
    seen, camera = keypoints(), Pinhole(900, (640, 360))
    flip = seen.xy[:, list(mirror_indices(KEYPOINTS))] * (-1, 1) + (1280, 0)
    other = replace(seen, xy=flip.astype(np.float32))
    a, b = lift(seen, camera, model), lift(other, camera, model)
    back = b.joints[:, list(mirror_indices(BODY.names))] * (-1, 1, 1)
    np.testing.assert_allclose(a.joints, back, atol=2e-3)
    np.testing.assert_allclose(a.contacts, b.contacts[:, ::-1], atol=2e-2)


def test_the_shipped_lifter_sees_the_swinging_stick_rightly():
    model = Lifter.load(SHIPPED)
    clip = swinging_clip(seconds=2, fps=30)
    truth = transform_anchors(stick_body().joints, stick_body().transforms(clip))
    truth = truth @ Rotation.from_euler("y", 0.7).as_matrix().T
    pose = lift(keypoints(), Pinhole(900, (640, 360)), model)
    error = p_mpjpe(torch.from_numpy(pose.joints).float(), torch.from_numpy(truth).float())
    assert error.mean() < 0.08
    assert np.abs(pose.joints[:, 0]).max() < 1e-6


def test_twice_the_frame_rate_gives_the_same_poses():
    model = Lifter.load(SHIPPED)
    camera = Pinhole(900, (640, 360))
    slow, fast = (lift(keypoints(fps), camera, model).joints for fps in (30.0, 60.0))
    assert np.linalg.norm(slow - fast[::2], axis=-1).mean() < 0.02


def test_the_network_in_numpy_gives_the_joints_of_the_one_in_torch_within_a_hundredth_mm(world):
    batch = make_batch(world, replace(QUICK, frames=32), torch.Generator().manual_seed(3))
    batch.valid[1, 20:] = False
    model = LifterNetwork.load(SHIPPED)
    with torch.inference_mode():
        trained = model(batch.features, batch.times, batch.valid)
    run = Lifter.load(SHIPPED)(
        batch.features.numpy(), batch.times.numpy(), batch.valid.numpy().astype(bool)
    )
    np.testing.assert_allclose(run.joints, trained.joints.numpy(), atol=1e-5)
    np.testing.assert_allclose(run.log_sigma, trained.log_sigma.numpy(), atol=1e-4)
    np.testing.assert_allclose(run.contact_logits, trained.contact_logits.numpy(), atol=1e-3)


def test_frames_where_nobody_is_known_stay_empty_and_one_frame_is_enough():
    model = LifterNetwork(TINY).in_numpy()
    seen = keypoints()
    seen.xy[10:20] = np.nan
    pose = lift(seen, Pinhole(900, (640, 360)), model)
    assert np.isnan(pose.joints[10:20]).all()
    assert np.isfinite(np.delete(pose.joints, np.arange(10, 20), axis=0)).all()
    alone = lift(keypoints(seconds=1 / 30), Pinhole(900, (640, 360)), model)
    assert np.isfinite(alone.joints).all()


def test_a_batch_is_a_pure_function_of_its_seed(world):
    a, b, c = (make_batch(world, QUICK, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(a.features, b.features)
    assert torch.equal(a.joints, b.joints)
    assert not torch.equal(a.features, c.features)
    assert a.features.isfinite().all()


def test_other_processes_make_the_same_batches_in_the_same_order(world):
    alone, helped = (list(batches(world, QUICK, 2, workers)) for workers in (0, 2))
    assert len(alone) == len(helped) == QUICK.steps - 2
    for one, other in zip(alone, helped, strict=True):
        assert torch.equal(one.features, other.features)
        assert torch.equal(one.joints, other.joints)


def test_truth_and_what_is_shown_agree_where_nothing_errs(world):
    config = replace(QUICK, tumbling=0.0)
    batch = make_batch(world, config, torch.Generator().manual_seed(1), clean=True)
    wrist, knee = (BODY.index(n) for n in ("left_wrist", "right_knee"))
    shown = batch.features[..., : len(KEYPOINTS) * 2].unflatten(-1, (-1, 2))
    for joint, name in ((wrist, "left_wrist"), (knee, "right_knee")):
        spot = shown[:, :, KEYPOINTS.index(name)]
        hips = shown[:, :, [KEYPOINTS.index(n) for n in ("left_hip", "right_hip")]].mean(2)
        a, b = (spot - hips).flatten(), batch.joints[:, :, joint, :2].flatten()
        assert torch.corrcoef(torch.stack((a, b)))[0, 1] > 0.95


def test_a_resumed_training_equals_one_that_never_stopped(world, tmp_path):
    def weights(folder: Path, *stops: int) -> dict[str, torch.Tensor]:
        for steps in stops:
            config = replace(QUICK, steps=steps, cool_down=1e-6, hurry=1.0)
            model = train(world, TINY, config, folder, lambda step, parts: None)
        return model.state_dict()

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    once, twice = weights(tmp_path / "a", 6), weights(tmp_path / "b", 3, 6)
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_training_learns_one_persons_walk(world, tmp_path):
    seen: list[float] = []
    config = TrainConfig(steps=60, batch=8, frames=12, warm_up=5, rate=1e-2, tumbling=0.0)
    train(world, TINY, config, tmp_path, lambda step, parts: seen.append(parts["place"]))
    assert np.mean(seen[-5:]) < 0.35 * np.mean(seen[:3])


def test_calibration_puts_seven_errors_in_ten_within_what_is_expected(world):
    model = LifterNetwork(replace(TINY, dropout=0.0)).eval()
    batches = [make_batch(world, QUICK, torch.Generator().manual_seed(i)) for i in range(8)]
    calibrate(model, batches)
    inside = []
    for b in batches:
        lifted = model(b.features, b.times, b.valid)
        off = (lifted.joints - b.joints).norm(dim=-1)[b.valid]
        inside.append((off < lifted.log_sigma.exp()[b.valid])[:, 1:].float())
    assert abs(torch.cat(inside).mean() - 0.7) < 0.02


def test_calibration_moves_every_batch_to_where_the_model_is(world, monkeypatch):
    moved = []
    monkeypatch.setattr(
        evaluation, "batch_to_device", lambda batch, to: (moved.append(to), batch)[1]
    )
    batches = [make_batch(world, QUICK, torch.Generator().manual_seed(i)) for i in range(2)]
    calibrate(LifterNetwork(TINY).eval(), batches)
    assert moved == ["cpu", "cpu"]


def test_the_rate_rises_stays_and_falls_to_nothing_over_longer_windows():
    config = TrainConfig(steps=1000, warm_up=100, cool_down=0.3, hurry=0.7)
    assert learning_rate_factor(0, config) == pytest.approx(0.01)
    assert learning_rate_factor(400, config) == 1.0
    assert learning_rate_factor(999, config) < 0.01
    early, late = config_at_step(699, config), config_at_step(700, config)
    assert late == config
    assert (early.batch, early.frames) == (2 * config.batch, config.frames // 2)


def test_every_part_of_the_loss_is_zero_or_least_for_the_right_answer(world):
    batch = make_batch(world, QUICK, torch.Generator().manual_seed(2))
    model = LifterNetwork(TINY).eval()
    answer = model(batch.features, batch.times, batch.valid)
    right = replace(answer, joints=batch.joints, contact_logits=(batch.planted * 2 - 1) * 20)
    wrong, good = losses(answer, batch), losses(right, batch)
    assert all(good[name] < wrong[name] for name in ("place", "shape", "speed", "contact"))
    assert good["place"] < 0.002


def test_distances_forgive_just_what_their_names_say():
    truth = torch.randn(4, 19, 3)
    turn = torch.from_numpy(Rotation.random(rng=np.random.default_rng(1)).as_matrix()).float()
    assert mpjpe(truth + 3.0, truth).max() < 1e-5
    assert n_mpjpe(1.7 * truth, truth).max() < 1e-5
    assert mpjpe(1.7 * truth, truth).mean() > 0.5
    assert p_mpjpe(1.3 * truth @ turn + 2, truth).max() < 1e-5
    assert n_mpjpe(truth @ turn, truth).mean() > 0.3
    assert p_mpjpe(truth * torch.tensor([-1.0, 1, 1]), truth).mean() > 0.3


def test_a_lifter_written_and_read_gives_the_same_answers(tmp_path, world):
    model = LifterNetwork(TINY).eval()
    model.save(tmp_path / "a.safetensors")
    again = LifterNetwork.load(tmp_path / "a.safetensors")
    batch = make_batch(world, QUICK, torch.Generator().manual_seed(2))
    with torch.inference_mode():
        a, b = (m(batch.features, batch.times, batch.valid).joints for m in (model, again))
    torch.testing.assert_close(a, b, atol=5e-3, rtol=0)  # half precision on disk


@pytest.mark.parametrize("content", [b"", b"not weights", b"\x80\x04\x95pickle"])
def test_a_foreign_file_is_no_lifter_and_is_never_run(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(MocapError, match="not a lifter"):
        Lifter.load(tmp_path / "x.safetensors")


def test_a_rolled_camera_sees_a_rolled_person():
    g = torch.Generator().manual_seed(1)
    joints = torch.randn(2, 5, 19, 3, generator=g) * 0.4 - torch.tensor([0.0, 0, 4])
    rays = joints[:, :, :5, :2] / -joints[:, :, :5, 2:]
    score, times = torch.ones(2, 5, 5), torch.zeros(2, 5)
    seen = ObservedWindows(rays, score, times, torch.ones(2, 5, dtype=torch.bool))
    rolled, turned = _rolled(seen, joints, torch.tensor([0.4, -2.0]))
    torch.testing.assert_close(rolled.rays, turned[:, :, :5, :2] / -turned[:, :, :5, 2:])
    assert not torch.allclose(rolled.rays, rays, atol=0.05)


def test_averaged_lifters_have_the_mean_of_their_weights(tmp_path):
    lifters = [LifterNetwork(TINY), LifterNetwork(TINY)]
    mean = average(lifters).state_dict()
    one, other = (lifter.state_dict() for lifter in lifters)
    for name, value in mean.items():
        torch.testing.assert_close(value, (one[name] + other[name]) / 2)
