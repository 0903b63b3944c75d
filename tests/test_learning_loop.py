"""The training loop: resuming, kills, several processes, and numbers that are not finite."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from blob import TINY, scenes, settings
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mocap_cli.errors import MocapError
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.loader import _DeviceDataset
from mocap_cli.learning.data.sampling import BatchIndices, BatchSampler
from mocap_cli.learning.loop import training as loop
from mocap_cli.learning.loop.checkpoint import read_checkpoint_state
from mocap_cli.learning.loop.distributed import Distributed
from mocap_cli.learning.loop.losses import LossWeights
from mocap_cli.learning.loop.metrics_log import MetricsLog, PendingMetrics
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.loop.training import BEST, LAST, Hooks
from mocap_cli.learning.model.methods import METHODS
from mocap_cli.learning.model.model_file import open_model

TESTS = Path(__file__).parent
RANDOM = {
    "fall_steps": 1, "shrink_steps": 2, "averaged": 0.9,
    "model": replace(TINY, stray=0.1, mirrored=True),
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return Dataset([scenes(0), scenes(1)])


@pytest.fixture(scope="module")
def unbroken(dataset, tmp_path_factory) -> Path:
    """A run of four steps with a free-fall stage and every random augmentation."""
    folder = tmp_path_factory.mktemp("unbroken")
    train(dataset, folder, **RANDOM)
    return folder


def train(dataset, folder, *, resume=False, hooks=None, **changes):
    place = read_checkpoint_state(folder / LAST)[1].step if resume else 0
    with MetricsLog(folder, place) as journal:
        usual = Hooks(on_step=journal.log_step, on_validation=journal.log_validation)
        run = settings(**changes)
        return loop.train(dataset, run, folder, Distributed(), hooks or usual, resume=resume)


def assert_same_weights(one: Path, other: Path) -> None:
    a, b = load_file(one), load_file(other)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_resumed_equals_unbroken_bit_for_bit(dataset, unbroken, tmp_path):
    train(dataset, tmp_path, **RANDOM, steps=2)
    train(dataset, tmp_path, **RANDOM, resume=True)
    assert_same_weights(tmp_path / LAST, unbroken / LAST)
    assert_same_weights(tmp_path / BEST, unbroken / BEST)
    both = [[{**row, "seconds": 0, "waited": 0} for row in MetricsLog.read(folder / MetricsLog.NAME)
             if "held_out" not in row] for folder in (tmp_path, unbroken)]  # fmt: skip
    assert both[0] == both[1]


def test_resumed_equals_unbroken_with_a_fused_optimizer_too(dataset, tmp_path, monkeypatch):
    """Fused Adam walks weights and state in memory order, so the two must be laid out alike."""
    adam = torch.optim.Adam
    monkeypatch.setattr(
        torch.optim, "Adam", lambda weights, lr, fused: adam(weights, lr, fused=True)
    )
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    train(dataset, tmp_path / "whole", **RANDOM)
    train(dataset, tmp_path / "broken", **RANDOM, steps=2)
    train(dataset, tmp_path / "broken", **RANDOM, resume=True)
    assert_same_weights(tmp_path / "whole" / LAST, tmp_path / "broken" / LAST)


class SlowDevice(Distributed):
    """Its numbers come a while after they are asked for, as from a GPU with queued work."""

    def mean(self, values):
        time.sleep(0.2)
        return values


def test_the_time_of_a_step_includes_waiting_for_the_device_and_not_what_follows():
    pending = PendingMetrics(SlowDevice())
    for step in (1, 2):
        pending.add(step, 0.0, {"pixels": torch.zeros(())})
    first = pending.read()
    assert [m.step for m in first] == [1, 2]
    assert all(0.2 <= m.seconds < 0.3 for m in first)
    time.sleep(0.3)  # validation, saving
    pending.restart_clock()
    pending.add(3, 0.0, {"pixels": torch.zeros(())})
    assert pending.read()[0].seconds < 0.3


def test_a_checkpoint_of_before_the_seal_is_checked_by_its_old_hash(dataset, unbroken, tmp_path):
    with safe_open(unbroken / LAST, framework="pt") as file:
        header = file.metadata()
    tensors = load_file(unbroken / LAST)
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())
    header = {k: v for k, v in header.items() if k != "seal"} | {"sha256": digest.hexdigest()}
    save_file(tensors, tmp_path / LAST, header)
    assert train(dataset, tmp_path, **RANDOM, steps=5, resume=True).step == 5
    save_file(tensors, tmp_path / LAST, header | {"sha256": "0"})
    with pytest.raises(MocapError, match="is damaged"):
        train(dataset, tmp_path, **RANDOM, steps=6, resume=True)


def test_bfloat16_is_used_only_where_the_gpu_has_it(monkeypatch):
    asked = []

    def supported(including_emulation=True):
        asked.append(including_emulation)
        return including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert not loop._autocast(torch.device("cuda"))._enabled
    assert asked == [False]


def test_a_stopped_run_is_saved_at_the_step_it_stopped_at(dataset, unbroken, tmp_path):
    asked = iter([False, False, True])
    end = train(dataset, tmp_path, **RANDOM, hooks=Hooks(should_stop=lambda: next(asked)))
    assert end.step == read_checkpoint_state(tmp_path / LAST)[1].step == 3
    train(dataset, tmp_path, **RANDOM, resume=True)
    assert_same_weights(tmp_path / LAST, unbroken / LAST)


def test_the_free_fall_stage_comes_first_and_has_no_contrast(unbroken):
    first, second = MetricsLog.read(unbroken / MetricsLog.NAME)[:2]
    assert {"acceleration", "order", "scale"} <= first.keys()
    assert "contrast" not in first
    assert "contrast" in second
    assert "order" not in second


def test_a_tiny_clip_is_overfitted(tmp_path):
    """The reconstruction leaves an eighth of the squared error of the bare background."""
    clip, steps = Dataset([scenes(3, 4)]), 90
    model = replace(TINY, crop=32, tv=32, widths=(32, 24, 16, 8), dropout=0, jitter=0)
    weights = LossWeights(pixels=20, prior_size=(0.45, 0.8))
    every = {"save_every": steps, "check_every": steps, "shrink_steps": 5}
    train(clip, tmp_path, steps=steps, batch=1, model=model, weights=weights, **every)
    learnt, _ = open_model(tmp_path / BEST)
    all_four = BatchIndices(
        *(np.array([row]) for row in ([0] * 4, range(4), [0.0, 0.1, 0.2, 0.3], [0] * 4))
    )
    batch = clip.gather(all_four)
    with torch.no_grad():
        drawn = learnt(batch, METHODS["ours"]).composite * 255
    wall_misses = (batch.plates.float() - batch.frames).square()
    figure = wall_misses > 12**2
    assert (drawn - batch.frames).square()[figure].mean() < wall_misses[figure].mean() / 8


def test_the_moving_average_is_the_best_model_and_a_checkpoint_has_both(unbroken):
    last, best = load_file(unbroken / LAST), load_file(unbroken / BEST)
    name = "encoder.varying.weight"
    assert torch.equal(best[name], last[f"mean.{name}"])
    assert not torch.equal(best[name], last[f"model.{name}"])


def test_the_best_model_has_the_lowest_held_out_loss(dataset, tmp_path, monkeypatch):
    found = iter([3.0, 1.0, 2.0, 1.5])
    monkeypatch.setattr(loop, "_validation_loss", lambda *args: next(found))
    end = train(dataset, tmp_path, check_every=1)
    assert (end.best, end.best_step) == (1.0, 2)
    assert open_model(tmp_path / BEST)[1]["step"] == 2


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(
    dataset, tmp_path, monkeypatch
):
    whole = loop.losses

    def broken(outputs, batch, method, weights):
        found = whole(outputs, batch, method, weights)
        last_step = read_checkpoint_state(tmp_path / LAST)[1].step == 2
        return {**found, "features": found["features"] * float("nan")} if last_step else found

    monkeypatch.setattr(loop, "losses", broken)
    with pytest.raises(MocapError, match="'features' became nan in step 3"):
        train(dataset, tmp_path)
    assert read_checkpoint_state(tmp_path / LAST)[1].step == 2
    assert all(torch.isfinite(t).all() for t in load_file(tmp_path / LAST).values())


def test_a_held_out_loss_that_is_not_finite_stops_the_run_and_saves_nothing(
    dataset, tmp_path, monkeypatch
):
    monkeypatch.setattr(loop, "_validation_loss", lambda *args: float("nan"))
    with pytest.raises(MocapError, match="'held out' became nan in step 2") as error:
        train(dataset, tmp_path, steps=2)
    assert "--rate" in error.value.hint
    assert not (tmp_path / BEST).exists()
    assert read_checkpoint_state(tmp_path / LAST)[1].step == 0


def test_weights_that_are_not_finite_are_not_saved(dataset, tmp_path, monkeypatch):
    whole = loop.train_step

    def breaks(model, *rest):
        parts = whole(model, *rest)
        if rest[-1] == 1:
            with torch.no_grad():
                next(iter(model.parameters())).fill_(float("nan"))
        return parts

    monkeypatch.setattr(loop, "train_step", breaks)
    monkeypatch.setattr(loop, "_validation_loss", lambda *args: 1.0)
    with pytest.raises(MocapError, match="in step 2"):
        train(dataset, tmp_path, steps=2, check_every=100)
    assert read_checkpoint_state(tmp_path / LAST)[1].step == 0


def test_an_out_of_memory_error_names_a_batch_that_fits(dataset, tmp_path, monkeypatch):
    whole = loop.train_step

    def learn(model, optimizer, batch, *rest):
        if len(batch) > 2:
            raise torch.OutOfMemoryError
        return whole(model, optimizer, batch, *rest)

    monkeypatch.setattr(loop, "train_step", learn)
    with pytest.raises(MocapError) as error:
        train(dataset, tmp_path, batch=9)
    assert error.value.hint == "pass --batch 2, which does"


class Wrapped(torch.nn.Module):
    """Stands for the model that waits for other processes in every step."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.bare = model

    def forward(self, *values):
        return self.bare(*values)


class Two(Distributed):
    """One process of several, without the others."""

    def wrap(self, model, *, all_used):
        return Wrapped(model)


def test_a_process_out_of_memory_searches_a_batch_size_on_the_bare_model(
    dataset, tmp_path, monkeypatch
):
    whole, tried = loop.train_step, []

    def learn(model, optimizer, batch, *rest):
        tried.append((type(model), len(batch)))
        if len(batch) > 2:
            raise torch.OutOfMemoryError
        return whole(model, optimizer, batch, *rest)

    monkeypatch.setattr(loop, "train_step", learn)
    with pytest.raises(MocapError, match="does not fit"):
        loop.train(dataset, settings(batch=4), tmp_path, Two(), Hooks(), resume=False)
    assert tried == [(Wrapped, 4), (loop.Model, 2)]


class Payload:
    """What a foreign file would run if it were unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("ran",))


def test_a_foreign_or_damaged_checkpoint_is_refused_and_runs_no_code(
    dataset, unbroken, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    whole = (unbroken / LAST).read_bytes()
    with safe_open(unbroken / LAST, framework="pt") as file:
        header = file.metadata()
    tensors = load_file(unbroken / LAST)
    name = next(name for name in tensors if name.startswith("model.encoder"))
    path = tmp_path / LAST

    def refused(what: str) -> None:
        with pytest.raises(MocapError, match=what):
            train(dataset, tmp_path, steps=9, fall_steps=1, resume=True)

    path.write_bytes(pickle.dumps(Payload()))
    refused("is not a checkpoint")
    torch.save({"model": Payload()}, path)
    refused("is not a checkpoint")
    save_file(tensors, path)
    refused("is not a checkpoint of `mocap pretrain` of this program")
    path.write_bytes(whole[: len(whole) // 2])
    refused("is not a checkpoint")
    path.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    refused("is damaged")
    save_file({k: v for k, v in tensors.items() if k != name}, path, header)
    refused("is damaged")
    save_file(tensors, path, header | {"place": '{"step": 1}'})
    refused("is damaged")
    save_file(tensors, path, header | {"settings": '{"steps": "many"}'})
    refused("damaged metadata")
    assert not Path("ran").exists()


def test_a_checkpoint_of_another_model_is_refused(dataset, unbroken, tmp_path):
    (tmp_path / LAST).write_bytes((unbroken / LAST).read_bytes())
    with pytest.raises(MocapError, match="does not fit this run"):
        train(dataset, tmp_path, steps=9, resume=True, model=replace(TINY, tv=24))


def test_settings_survive_a_round_trip_through_json():
    wanted = settings(fall_steps=3, seed=9)
    assert Settings.from_json(wanted.to_json()) == wanted


def test_a_truncated_line_and_steps_after_the_checkpoint_are_dropped(tmp_path):
    rows = [{"step": i, "pixels": i / 10} for i in range(1, 6)]
    text = "".join(json.dumps(row) + "\n" for row in rows) + '{"step": 6, "pix'
    (tmp_path / MetricsLog.NAME).write_text(text)
    with MetricsLog(tmp_path, 4) as journal:
        journal.log_validation(5, 0.25)
    assert MetricsLog.read(tmp_path / MetricsLog.NAME) == [*rows[:4], {"step": 5, "held_out": 0.25}]


def test_a_data_set_in_device_memory_gives_the_same_batches(dataset):
    run = settings()
    sampler = BatchSampler(dataset.training_frames(), run.gaps)
    drawn = sampler.batch(run.method_at(0).slots, 5, (1, 2))
    a, b = dataset.gather(drawn), _DeviceDataset(dataset, "cpu").gather(drawn)
    for field in ("frames", "plates", "known", "times", "views", "clips"):
        assert torch.equal(getattr(a, field), getattr(b, field))


SCRIPT = """
import sys, torch
from pathlib import Path
from blob import TINY, scenes, settings
from dataclasses import replace
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.loop.distributed import Distributed
from mocap_cli.learning.loop.metrics_log import MetricsLog
from mocap_cli.learning.loop.training import Hooks, train
torch.set_num_threads(1)
folder, steps = Path(sys.argv[1]), int(sys.argv[2])
# Each process draws its own random numbers inside the networks.
run = settings(steps=steps, batch=4, check_every=steps, model=replace(TINY, dropout=0, jitter=0))
clips = Dataset([scenes(0), scenes(1)])
with Distributed.join("cpu") as distributed:
    if distributed.is_main:
        with MetricsLog(folder, 0) as log:
            hooks = Hooks(on_step=log.log_step, on_validation=log.log_validation)
            train(clips, run, folder, distributed, hooks, resume=False)
    else:
        train(clips, run, folder, distributed, Hooks(), resume=False)
"""

SLOW_MAIN = """
import sys, time, torch
from datetime import timedelta
from functools import partial
from pathlib import Path
from torch import distributed as dist
from mocap_cli.learning.loop.distributed import Distributed
dist.init_process_group = partial(dist.init_process_group, timeout=timedelta(seconds=2))
stored = Path(sys.argv[1]) / "stored"
with Distributed.join("cpu") as distributed:
    with distributed.main_first():
        if distributed.is_main:
            time.sleep(3.5)
            stored.touch()
        assert stored.exists()
    assert distributed.mean(torch.tensor([float(distributed.rank)])).item() == 0.5
"""


def start(folder: Path, steps: int, script: str = SCRIPT, **environment: str) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    path = os.pathsep.join((str(TESTS), str(TESTS.parent)))
    everything = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder), str(steps)], env=everything, text=True,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def test_two_processes_have_the_losses_of_one_on_the_same_batch(dataset, tmp_path, unused_tcp_port):
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(unused_tcp_port), "WORLD_SIZE": "2"}
    both = [start(tmp_path / "two", 2, RANK=str(i), LOCAL_RANK=str(i), **shared) for i in range(2)]
    (tmp_path / "one").mkdir()
    still = replace(TINY, dropout=0, jitter=0)
    train(dataset, tmp_path / "one", steps=2, batch=4, check_every=2, model=still)
    for process in both:
        assert process.wait(120) == 0, process.stderr.read()
    one, two = (MetricsLog.read(tmp_path / name / MetricsLog.NAME) for name in ("one", "two"))
    assert len(one) == len(two) == 3
    for a, b in zip(one, two, strict=True):
        for name in a.keys() - {"seconds", "waited"}:
            assert a[name] == pytest.approx(b[name], rel=2e-3), name
    assert (tmp_path / "two" / BEST).exists()


def test_the_other_processes_wait_for_the_main_one_longer_than_the_groups_time_out(
    tmp_path, unused_tcp_port
):
    """While the main process decodes, for hours maybe; the time-out here is two seconds."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(unused_tcp_port), "WORLD_SIZE": "2"}
    both = [
        start(tmp_path, 0, SLOW_MAIN, RANK=str(i), LOCAL_RANK=str(i), **shared) for i in range(2)
    ]
    for process in both:
        assert process.wait(120) == 0, process.stderr.read()


@pytest.fixture
def unused_tcp_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_a_kill_loses_at_most_the_steps_since_the_last_save_and_no_file(tmp_path):
    folder = tmp_path / "killed"
    process = start(folder, 10_000)
    log = folder / MetricsLog.NAME
    until = time.monotonic() + 60
    while not log.exists() or not MetricsLog.read(log):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until, process.kill()
        time.sleep(0.05)
    time.sleep(time.time() % 0.7)  # any moment, be it in the middle of a save
    process.kill()
    process.wait(20)
    run, place = read_checkpoint_state(folder / LAST)
    done = max(row["step"] for row in MetricsLog.read(log))
    assert 0 <= done - place.step <= run.save_every
    again = settings(steps=place.step + 1, batch=4, model=run.model)
    end = loop.train(
        Dataset([scenes(0), scenes(1)]), again, folder, Distributed(), Hooks(), resume=True
    )
    assert end.step == place.step + 1
