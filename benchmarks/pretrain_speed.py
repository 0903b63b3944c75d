"""Speed of `mocap pretrain` on this machine: steps a second, share of waiting for data, memory.

    python benchmarks/pretrain_speed.py [--preset small] [--device auto] [--batch N] [--steps 40]
                                        [--compile] [--from-disk]

The loop is the command's, on frames of noise at the preset's size, with boxes settled as in all but
the first steps of a run. A step's time includes waiting for the GPU. The paper gives 250 000 steps
of 32 in 4.5 days on a V100: 0.64 steps/s.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mocap_cli.learning.data import loader
from mocap_cli.learning.data.dataset import Dataset, TrainingClip
from mocap_cli.learning.data.store import StoredClip
from mocap_cli.learning.loop.distributed import Distributed, resolve_device
from mocap_cli.learning.loop.metrics_log import StepMetrics
from mocap_cli.learning.loop.settings import PRESETS, STORED_SIDE
from mocap_cli.learning.loop.training import Hooks, train
from mocap_cli.learning.model import backbones
from mocap_cli.learning.model.backbones import Backbone

PAPER = 250_000 / (4.5 * 86400)  # steps/s
FRAMES, CLIPS = 300, 4
READ_OUT = 10  # steps between two read-outs of a GPU


@dataclass(frozen=True, slots=True)
class Speed:
    """Speed and memory of a run."""

    steps_a_second: float
    waiting: float  # share of the time, for data
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
    parser.add_argument("--from-disk", action="store_true", help="keep no frames in GPU memory")
    options = parser.parse_args()
    if options.from_disk:
        loader._MAX_SHARE = 0.0
    device = resolve_device(options.device)
    name = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    print(f"torch {torch.__version__}, {device}: {name}")
    print("preset  batch  steps/s  of the paper's  waiting  GPU memory")
    presets = options.preset or list(PRESETS)
    if "full" in presets and not Backbone.weights_available("resnet50"):
        print("ImageNet's ResNets cannot be fetched: full uses random weights, which are as fast")
        resnet = backbones._torchvision_resnet
        backbones._torchvision_resnet = lambda name, *, pretrained: resnet(name, pretrained=False)
    for preset in presets:
        batch = options.batch or PRESETS[preset].batch
        speed = measure(preset, device, batch, options.steps, options.warm_up, options.compile)
        memory = "-" if speed.gigabytes is None else f"{speed.gigabytes:.1f} GB"
        print(
            f"{preset:6}  {batch:5}  {speed.steps_a_second:7.2f}"
            f"  {speed.steps_a_second / PAPER:13.1f}x  {speed.waiting:6.1%}  {memory}"
        )
        sys.stdout.flush()


def measure(
    preset: str, device: str, batch: int, steps: int, warm_up: int, compiled: bool
) -> Speed:
    """Train on noise, and average over the steps after the first ones."""
    metrics: list[StepMetrics] = []
    warm_up = -(-warm_up // READ_OUT) * READ_OUT  # steps between read-outs share one mean time
    end = warm_up + steps
    run = replace(
        PRESETS[preset], steps=end, batch=batch, save_every=end, check_every=end, shrink_steps=0
    )
    dataset = noise(STORED_SIDE[preset])
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        hooks = Hooks(on_step=metrics.append)
        train(
            dataset,
            run,
            Path(folder),
            Distributed(device=device),
            hooks,
            resume=False,
            compiled=compiled,
        )
    counted = metrics[warm_up:]
    seconds = sum(step.seconds for step in counted)
    peak = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None
    return Speed(len(counted) / seconds, sum(s.data_seconds for s in counted) / seconds, peak)


def noise(side: int) -> Dataset:
    """Clips of 16:9 noise."""
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
