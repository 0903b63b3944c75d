"""How fast `mocap pretrain` learns here: steps a second, the share spent waiting, memory.

    python benchmarks/pretrain_speed.py [--preset small] [--device auto] [--batch N] [--steps 40]

The loop is the one of the command, on frames of noise in a store of the preset's size. The paper
gives 250 000 steps of 32 in 4.5 days on a V100: 0.64 steps/s.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mocap_cli.learning.data.dataset import Dataset, TrainingClip
from mocap_cli.learning.data.store import StoredClip
from mocap_cli.learning.imagenet import open_resnet, weights_available
from mocap_cli.learning.loop.distributed import Distributed, resolve_device
from mocap_cli.learning.loop.settings import PRESET_TRAINING, Settings
from mocap_cli.learning.loop.training import Hooks, pretrain
from mocap_cli.learning.model import backbones
from mocap_cli.learning.model.model import PRESETS
from mocap_cli.learning.tally import StepMetrics

PAPER = 250_000 / (4.5 * 86400)  # steps/s
FRAMES, CLIPS = 300, 4


@dataclass(frozen=True, slots=True)
class Speed:
    """What a run of some steps took."""

    steps_a_second: float
    waited: float  # share of the time
    gigabytes: float | None  # of GPU memory at most


def main() -> None:
    """Measure and print one line a preset."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--preset", choices=PRESETS, action="append")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--warm-up", type=int, default=10)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    device = resolve_device(options.device)
    name = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    print(f"torch {torch.__version__}, {device}: {name}")
    print("preset  batch  steps/s  of the paper's  waited  GPU memory")
    if not weights_available("resnet50"):
        print("ImageNet's ResNets cannot be fetched: full learns from random weights, as fast")
        backbones.open_residual = lambda name, *, taught: open_resnet(name, taught=False)
    for preset in options.preset or list(PRESETS):
        batch = options.batch or PRESET_TRAINING[preset].batch
        speed = measure(preset, device, batch, options.steps, options.warm_up, options.compile)
        memory = "-" if speed.gigabytes is None else f"{speed.gigabytes:.1f} GB"
        print(
            f"{preset:6}  {batch:5}  {speed.steps_a_second:7.2f}"
            f"  {speed.steps_a_second / PAPER:13.1f}x  {speed.waited:6.1%}  {memory}"
        )
        sys.stdout.flush()


def measure(
    preset: str, device: str, batch: int, steps: int, warm_up: int, compiled: bool
) -> Speed:
    """Learn from noise, and look at the clock after the first steps."""
    told: list[StepMetrics] = []
    run = Settings(
        steps=warm_up + steps, batch=batch, save_every=warm_up + steps,
        check_every=warm_up + steps, model=replace(PRESETS[preset]),
    )  # fmt: skip
    footage = noise(PRESET_TRAINING[preset].side)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        hooks = Hooks(on_step=told.append)
        pretrain(
            footage,
            run,
            Path(folder),
            Distributed(device=device),
            hooks,
            resume=False,
            compiled=compiled,
        )
    counted = told[warm_up:]
    seconds = sum(step.seconds for step in counted)
    peak = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None
    return Speed(len(counted) / seconds, sum(s.data_seconds for s in counted) / seconds, peak)


def noise(side: int) -> Dataset:
    """Clips of 16:9 that show nothing."""
    rng = np.random.default_rng(0)
    height, width = side * 9 // 16 // 8 * 8, side
    clips = []
    for i in range(CLIPS):
        stored = StoredClip(
            address="",
            frames=rng.integers(0, 255, (FRAMES, height, width, 3), np.uint8),
            plates=rng.integers(0, 255, (1, height, width, 3), np.uint8),
            known=np.ones((1, height, width), bool),
            plate_of=np.zeros(FRAMES, np.int64),
            times=np.arange(FRAMES) / 15,
            moved=np.ones(FRAMES),
            people=np.ones(FRAMES, np.int64),
            picture=(0, 0, width, height),
            warnings=(),
        )
        clips.append(TrainingClip(f"noise-{i}", stored, str(i), 0))
    return Dataset(clips)


if __name__ == "__main__":
    main()
