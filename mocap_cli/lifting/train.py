"""Train the lifter: `python -m mocap_cli.lifting.train MOTION_FOLDER`; docs/lifter.md tells all.

A batch is a pure function of (seed, step), so a resumed run equals one that never stopped.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from mocap_cli.files import written_whole
from mocap_cli.lifting.banks import Moves, Shapes, make_moves, make_shapes
from mocap_cli.lifting.lift import save_lifter
from mocap_cli.lifting.metrics import mpjpe, n_mpjpe, p_mpjpe
from mocap_cli.lifting.network import Lifted, Lifter, LifterConfig
from mocap_cli.lifting.noise import observe
from mocap_cli.lifting.people import draw_people, tumble
from mocap_cli.lifting.recorded import Recorded, draw_recorded, every_other, load_recorded
from mocap_cli.lifting.views import draw_views
from mocap_cli.lifting.windows import Observed, features


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """The recipe; stored with the checkpoint."""

    seed: int = 1
    steps: int = 30_000
    batch: int = 80
    frames: int = 32  # of a window, one to three seconds
    recorded: float = 0.15  # share of windows that real networks saw, where there are recordings
    rate: float = 8e-4
    cool_down: float = 0.35  # share of the steps in which the rate falls to nothing
    warm_up: int = 500
    weight_decay: float = 0.02
    tumbling: float = 0.3  # share of windows turned any way up
    bodies: int = 256


@dataclass(frozen=True, slots=True)
class Batch:
    """What the network is shown, and the truth in the axes it answers in."""

    features: Tensor  # (B, T, FEATURES)
    times: Tensor  # (B, T)
    valid: Tensor  # (B, T)
    joints: Tensor  # (B, T, J, 3) metres about the pelvis
    planted: Tensor  # (B, T, 2)
    tumbled: Tensor  # (B,) turned in space: contacts mean nothing there


@dataclass(frozen=True, slots=True)
class World:
    """Everything that batches are drawn from."""

    shapes: Shapes
    moves: Moves
    recorded: Recorded | None = None


def make_batch(
    world: World, config: TrainConfig, g: torch.Generator, *, clean: bool = False
) -> Batch:
    """Random people before random cameras, seen by networks that err, drawn or recorded."""
    real = round(config.batch * config.recorded) if world.recorded else 0
    people = draw_people(world.shapes, world.moves, config.batch - real, config.frames, g)
    people, tumbled = tumble(people, config.tumbling, g)
    views = draw_views(people, g)
    seen = observe(views, people.times, g, clean=clean)
    drawn = _batch(seen, views.joints, people.planted, tumbled)
    if not (real and world.recorded):
        return drawn
    other = draw_recorded(world.recorded, real, config.frames, g)
    unknown = torch.ones(real, dtype=torch.bool)
    planted = torch.zeros(real, config.frames, 2)
    both = (drawn, _batch(other.seen, other.joints, planted, unknown))
    return Batch(*(torch.cat([getattr(b, name) for b in both]) for name in Batch.__slots__))


def _batch(seen: Observed, joints: Tensor, planted: Tensor, tumbled: Tensor) -> Batch:
    shown, turn = features(seen)
    about = (joints - joints[:, :, :1]) @ turn
    return Batch(shown, seen.times, seen.valid, about, planted, tumbled)


def losses(lifted: Lifted, batch: Batch) -> dict[str, Tensor]:
    """Position, bones, speed, expected error and contacts, each about one part of the answer."""
    shown = batch.valid[..., None].float()
    count = shown.sum() * batch.joints.shape[2]
    off = lifted.joints - batch.joints
    distance = (off.square().sum(-1) + 1e-6).sqrt()
    spread = off - off.mean(2, keepdim=True)
    both = (batch.valid[:, 1:] & batch.valid[:, :-1])[..., None].float()
    step = (off[:, 1:] - off[:, :-1]).square().sum(-1).add(1e-6).sqrt()
    sigma = lifted.log_sigma.exp()
    doubt = distance.detach() / sigma + lifted.log_sigma
    contact = torch.nn.functional.binary_cross_entropy_with_logits(
        lifted.planted, batch.planted, reduction="none"
    )
    known = shown * (~batch.tumbled)[:, None, None]
    return {
        "place": (distance * shown).sum() / count,
        "shape": 0.5 * ((spread.square().sum(-1) + 1e-6).sqrt() * shown).sum() / count,
        "speed": 1.0 * (step * both).sum() / count,
        "doubt": 0.01 * (doubt * shown).sum() / count,
        "contact": 0.02 * (contact * known).sum() / known.sum().clamp(min=1) / 2,
    }


def learning_rate(step: int, config: TrainConfig) -> float:
    """Up in a straight line, level, and down in a straight line."""
    left = (config.steps - step) / (config.cool_down * config.steps)
    return config.rate * min(1.0, (step + 1) / config.warm_up, left)


def train(
    world: World,
    size: LifterConfig,
    config: TrainConfig,
    folder: Path,
    on_step: Callable[[int, dict[str, float]], None],
    device: str = "cpu",
    minutes: float = math.inf,
) -> Lifter:
    """Train to the last step, or go on from the folder's checkpoint."""
    torch.manual_seed(config.seed)
    model = Lifter(size).to(device)
    averaged = Lifter(size).to(device).eval()
    averaged.load_state_dict(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), config.rate, weight_decay=config.weight_decay)
    start = _resume(folder, model, averaged, optimizer)
    began = time.monotonic()
    for step in range(start, config.steps):
        g = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        torch.manual_seed(config.seed * 1_000_003 + step)  # dropout
        batch = _to(make_batch(world, config, g), device)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        with torch.autocast(device, torch.bfloat16):  # 1.4 times as fast on recent CPUs too
            lifted = model(batch.features, batch.times, batch.valid)
        parts = losses(lifted.float(), batch)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        _average(averaged, model, min(0.999, (step + 1) / (step + 10)))
        on_step(step, {name: float(value.detach()) for name, value in parts.items()})
        late = (time.monotonic() - began) / 60 > minutes
        if (step + 1) % 200 == 0 or step + 1 == config.steps or late:
            _save(folder, step + 1, model, averaged, optimizer, size, config)
        if late:
            break
    return averaged


def _to(batch: Batch, device: str) -> Batch:
    return Batch(*(getattr(batch, name).to(device) for name in Batch.__slots__))


@torch.no_grad()
def _average(averaged: Lifter, model: Lifter, keep: float) -> None:
    """The weights' running mean, which is what is shipped."""
    for mean, new in zip(averaged.parameters(), model.parameters(), strict=True):
        mean.lerp_(new, 1 - keep)


def _save(
    folder: Path,
    step: int,
    model: Lifter,
    averaged: Lifter,
    optimizer: torch.optim.Optimizer,
    size: LifterConfig,
    config: TrainConfig,
) -> None:
    with written_whole(folder / "last.pt") as aside:
        torch.save(
            {
                "step": step,
                "model": model.state_dict(),
                "averaged": averaged.state_dict(),
                "optimizer": optimizer.state_dict(),
                "size": asdict(size),
                "config": asdict(config),
            },
            aside,
        )


def _resume(folder: Path, model: Lifter, averaged: Lifter, optimizer: torch.optim.Optimizer) -> int:
    path = folder / "last.pt"
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    model.load_state_dict(saved["model"])
    averaged.load_state_dict(saved["averaged"])
    optimizer.load_state_dict(saved["optimizer"])
    return int(saved["step"])


@torch.no_grad()
def evaluate(
    model: Lifter, world: World, config: TrainConfig, batches: int = 12
) -> dict[str, dict[str, float]]:
    """Millimetres on held-out people: clean and noisy, upright and tumbling apart."""
    table: dict[str, dict[str, float]] = {}
    device = next(model.parameters()).device.type
    for name, tumbling, clean in (
        ("upright, clean", 0.0, True),
        ("upright, noisy", 0.0, False),
        ("tumbling, clean", 1.0, True),
        ("tumbling, noisy", 1.0, False),
    ):
        rows: dict[str, list[Tensor]] = {"MPJPE": [], "N-MPJPE": [], "P-MPJPE": [], "inside": []}
        for i in range(batches):
            g = torch.Generator().manual_seed(77_000 + i)
            case = replace(config, tumbling=tumbling, recorded=0.0)
            b = _to(make_batch(world, case, g, clean=clean), device)
            lifted = model(b.features, b.times, b.valid)
            p, t = lifted.joints[b.valid], b.joints[b.valid]
            rows["MPJPE"].append(mpjpe(p, t).mean() * 1000)
            rows["N-MPJPE"].append(n_mpjpe(p, t).mean() * 1000)
            rows["P-MPJPE"].append(p_mpjpe(p, t).mean() * 1000)
            sigma = lifted.log_sigma[b.valid].exp()
            rows["inside"].append((mpjpe(p, t) < sigma)[:, 1:].float().mean())
        table[name] = {key: float(torch.stack(values).mean()) for key, values in rows.items()}
    return table


@torch.no_grad()
def calibrate(model: Lifter, batches: Iterable[Batch]) -> None:
    """Make 70 % of each joint's errors smaller than the error expected for it."""
    ratios = []
    for b in batches:
        lifted = model(b.features, b.times, b.valid)
        off = (lifted.joints - b.joints).norm(dim=-1)
        ratios.append((off / lifted.log_sigma.exp())[b.valid])
    model.calibration += torch.cat(ratios).quantile(0.7, dim=0).clamp(min=1e-3).log()


def main() -> None:
    """The recipe, from a folder of motion capture to a checkpoint and its table."""
    from mocap_cli.synthesis.bodies import make_body
    from mocap_cli.synthesis.recordings import held_out, read_recordings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("motion", type=Path, help="folder of motion capture")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/lifter"))
    parser.add_argument("--recorded", type=Path, help="what `lifting.recorded` wrote")
    parser.add_argument("--held-out", type=Path, help="the same of held-out subjects")
    parser.add_argument("--steps", type=int, default=TrainConfig().steps)
    parser.add_argument("--batch", type=int, default=TrainConfig().batch)
    parser.add_argument("--width", type=int, default=LifterConfig().width)
    parser.add_argument("--layers", type=int, default=LifterConfig().layers)
    parser.add_argument("--bodies", type=int, default=TrainConfig().bodies)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--minutes", type=float, default=math.inf)
    options = parser.parse_args()
    config = TrainConfig(steps=options.steps, batch=options.batch, bodies=options.bodies)
    size = LifterConfig(width=options.width, layers=options.layers)
    body = make_body(dict.fromkeys(("gender", "age", "muscle", "weight", "height"), 0.5))
    clips = read_recordings(options.motion, body)
    world = World(
        make_shapes(config.bodies, config.seed),
        make_moves([c for c in clips if not held_out(c)], body),
        load_recorded(options.recorded) if options.recorded else None,
    )
    test = World(
        make_shapes(64, config.seed + 1),
        make_moves([c for c in clips if held_out(c)], body),
        every_other(load_recorded(options.held_out), 0) if options.held_out else None,
    )
    options.output.mkdir(parents=True, exist_ok=True)
    log = (options.output / "log.jsonl").open("a")
    began = time.monotonic()

    def on_step(step: int, parts: dict[str, float]) -> None:
        if step % 100 == 0:
            row = {"step": step, "seconds": round(time.monotonic() - began, 1), **parts}
            print(json.dumps(row), file=log, flush=True)

    model = train(world, size, config, options.output, on_step, options.device, options.minutes)
    seeds = (torch.Generator().manual_seed(55_000 + i) for i in range(12))
    calibrate(model, (make_batch(test, config, g) for g in seeds))
    save_lifter(model, options.output / "lifter.safetensors")
    table = evaluate(model, test, config)
    for name, row in table.items():
        print(name, {key: round(value, 2) for key, value in row.items()})
    (options.output / "table.json").write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
