"""Train the lifter: `python -m training.lifter.train MOTION_FOLDER`; docs/lifter.md describes it.

A batch is a pure function of (seed, step), so a resumed run equals an uninterrupted one.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mocap_cli.lifting.lift import LIFTER_FILE
from mocap_cli.lifting.metrics import safe_norm
from mocap_cli.lifting.network import LifterConfig
from training.lifter.batches import (
    LifterBatch,
    TrainConfig,
    TrainingData,
    batch_to_device,
    make_batch,
)
from training.lifter.evaluation import calibrate, evaluate
from training.lifter.motion_bank import make_body_bank, make_motion_bank
from training.lifter.network import LifterNetwork, LifterTensors
from training.lifter.recorded_shots import load_recorded, split_in_half
from training.lifter.training_state import TrainingState
from training.lifter.uncertainty import fit_uncertainty, laplace_nll


def losses(lifted: LifterTensors, batch: LifterBatch) -> dict[str, Tensor]:
    """Losses of position, shape, velocity, uncertainty and contacts, weighted."""
    shown = batch.valid[..., None].float()
    count = shown.sum() * batch.joints.shape[2]
    off = lifted.joints - batch.joints
    distance = safe_norm(off)
    both = (batch.valid[:, 1:] & batch.valid[:, :-1])[..., None].float()
    step = safe_norm(off[:, 1:] - off[:, :-1])
    sigma_loss = laplace_nll(distance.detach(), lifted.log_sigma)
    contact = torch.nn.functional.binary_cross_entropy_with_logits(
        lifted.contact_logits, batch.planted, reduction="none"
    )
    known = shown * (~batch.tumbled)[:, None, None]
    synthetic = shown * batch.synthetic[:, None, None]
    synthetic_count = synthetic.sum() * sigma_loss.shape[2]
    return {
        "place": (distance * shown).sum() / count,
        "shape": 0.5 * (safe_norm(off - off.mean(2, keepdim=True)) * shown).sum() / count,
        "speed": 1.0 * (step * both).sum() / count,
        "doubt": 0.01 * (sigma_loss * synthetic).sum() / synthetic_count.clamp(min=1),
        "contact": 0.02 * (contact * known).sum() / known.sum().clamp(min=1) / 2,
    }


def learning_rate_factor(step: int, config: TrainConfig) -> float:
    """Learning rate schedule: linear warm-up, constant, linear decay to 0."""
    left = (config.steps - step) / (config.cool_down * config.steps)
    return min(1.0, (step + 1) / config.warm_up, left)


def config_at_step(step: int, config: TrainConfig) -> TrainConfig:
    """The configuration of a step: at first twice the windows of half the length."""
    if step >= config.hurry * config.steps:
        return config
    return replace(config, batch=2 * config.batch, frames=config.frames // 2)


class _BatchDataset(Dataset[LifterBatch]):
    """The batch of every step."""

    def __init__(self, data: TrainingData, config: TrainConfig) -> None:
        self._data, self._config = data, config

    def __getitem__(self, step: int) -> LifterBatch:
        g = torch.Generator().manual_seed(_seed(self._config, step))
        return make_batch(self._data, config_at_step(step, self._config), g)


def _seed(config: TrainConfig, step: int) -> int:
    return config.seed * 1_000_003 + step


def batches(
    data: TrainingData, config: TrainConfig, start: int, workers: int
) -> Iterable[LifterBatch]:
    """The batches from step `start` on, made by worker processes if there are any."""
    steps = range(start, config.steps)
    return DataLoader(
        _BatchDataset(data, config), batch_size=None, sampler=steps, num_workers=workers
    )


def train(
    data: TrainingData,
    size: LifterConfig,
    config: TrainConfig,
    folder: Path,
    on_step: Callable[[int, dict[str, float]], None],
    device: str = "cpu",
    minutes: float = math.inf,
    begin: Path | None = None,
    workers: int = 0,
) -> LifterNetwork:
    """Train to the last step, from the folder's checkpoint, other weights or from scratch."""
    torch.manual_seed(config.seed)
    model = LifterNetwork.load(begin).train() if begin else LifterNetwork(size)
    state = TrainingState.new(model.to(device), config)
    start = state.resume(folder)
    began = time.monotonic()
    for step, made in enumerate(batches(data, config, start, workers), start):
        torch.manual_seed(_seed(config, step))  # dropout
        batch = batch_to_device(made, device)
        with torch.autocast(device, torch.bfloat16):  # 1.4 times as fast on recent CPUs too
            lifted = state.model(batch.features, batch.times, batch.valid)
        parts = losses(lifted.float(), batch)
        state.step(
            torch.stack(list(parts.values())).sum(), learning_rate_factor(step, config), step
        )
        on_step(step, {name: float(value.detach()) for name, value in parts.items()})
        late = (time.monotonic() - began) / 60 > minutes
        if (step + 1) % 200 == 0 or step + 1 == config.steps or late:
            state.save(folder, step + 1, config)
        if late:
            break
    return state.averaged


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("motion", type=Path, help="folder of motion capture")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/lifter"))
    parser.add_argument("--recorded", type=Path, help="file of `training.lifter.recorded_shots`")
    parser.add_argument("--aside", type=Path, help="another such file, to fit the uncertainty")
    parser.add_argument("--held-out", type=Path, help="another such file, of held-out subjects")
    parser.add_argument(
        "--seed", type=int, default=TrainConfig().seed, help="of bodies and batches"
    )
    parser.add_argument("--steps", type=int, default=TrainConfig().steps)
    parser.add_argument("--batch", type=int, default=TrainConfig().batch)
    parser.add_argument("--rate", type=float, default=TrainConfig().rate)
    parser.add_argument("--warm-up", type=int, default=TrainConfig().warm_up, help="steps")
    parser.add_argument("--width", type=int, default=LifterConfig().width)
    parser.add_argument("--layers", type=int, default=LifterConfig().layers)
    parser.add_argument("--bodies", type=int, default=TrainConfig().bodies)
    parser.add_argument("--begin", type=Path, help="weights of a lifter to start from")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches")
    parser.add_argument("--minutes", type=float, default=math.inf)
    return parser.parse_args()


def main() -> None:
    """Train on a folder of motion capture; write the lifter and its evaluation."""
    from training.synthesis.body_model import make_body
    from training.synthesis.mocap_dataset import is_held_out, read_mocap_folder

    options = _options()
    config = TrainConfig(
        seed=options.seed,
        steps=options.steps,
        batch=options.batch,
        rate=options.rate,
        warm_up=options.warm_up,
        bodies=options.bodies,
    )
    size = LifterConfig(width=options.width, layers=options.layers)
    body = make_body(dict.fromkeys(("gender", "age", "muscle", "weight", "height"), 0.5))
    clips = read_mocap_folder(options.motion, body)
    data = TrainingData(
        make_body_bank(config.bodies, config.seed),
        make_motion_bank([c for c in clips if not is_held_out(c)], body),
        load_recorded(options.recorded) if options.recorded else None,
    )
    test = TrainingData(
        make_body_bank(64, config.seed + 1),
        make_motion_bank([c for c in clips if is_held_out(c)], body),
        split_in_half(load_recorded(options.held_out), 0) if options.held_out else None,
    )
    options.output.mkdir(parents=True, exist_ok=True)
    log = (options.output / "log.jsonl").open("a")
    began = time.monotonic()

    def on_step(step: int, parts: dict[str, float]) -> None:
        if step % 100 == 0:
            row = {"step": step, "seconds": round(time.monotonic() - began, 1), **parts}
            print(json.dumps(row), file=log, flush=True)

    model = train(
        data,
        size,
        config,
        options.output,
        on_step,
        device=options.device,
        minutes=options.minutes,
        begin=options.begin,
        workers=options.workers,
    )
    if options.aside:
        fit_uncertainty(model, replace(data, recorded=load_recorded(options.aside)), config)
    seeds = (torch.Generator().manual_seed(55_000 + i) for i in range(12))
    calibrate(model, (make_batch(test, config, g) for g in seeds))
    model.save(options.output / LIFTER_FILE)
    table = evaluate(model, test, config)
    for name, row in table.items():
        print(name, {key: round(value, 2) for key, value in row.items()})
    (options.output / "table.json").write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
