"""The effect of the free-fall losses: how soon the diver is detected with and without them.

    python benchmarks/pretrain_gravity.py FOOTAGE/dives -o OUT [--steps 50] [--seeds 3]

FOOTAGE is a folder made by examples/pretrain_footage.py. Trains on the dives in the free-fall stage
for so many steps, and without it for five times as many, both from the same initial weights; prints
over the steps the median intersection over union of boxes and diver and the share of boxes whose
centre lies on the diver, and plots the latter. OUT receives numbers, frames and gravity.png.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pretrain import Clip, corners, intersection, read_clip

from mocap_cli.cli.display import Display
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.ingest import ingest, probe_videos
from mocap_cli.learning.loop.distributed import Distributed
from mocap_cli.learning.loop.settings import STORED_SIDE, Settings
from mocap_cli.learning.loop.training import Hooks, train
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.options import PretrainOptions
from mocap_cli.learning.pretraining import _with_measured_prior

LONGER = 5  # times as many steps without the free-fall losses
EVALUATIONS = 10  # of the boxes, in as many steps as the free-fall stage has
EVERY = 3  # one frame of so many is evaluated
Curve = list[tuple[int, float, float]]  # steps, box IoU, share of boxes found
COLOURS = {"with gravity": (31, 98, 179), "without": (200, 90, 40)}
INK = (60, 60, 60)
MOST = 0.8  # share of boxes on the diver from which it counts as found


def main() -> None:
    """Train both ways, print the table, plot the curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("footage", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=50, help="of the free-fall stage")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4)
    options = parser.parse_args()
    videos = sorted(options.footage.glob("*.mp4"))
    clips = [read_clip(path, STORED_SIDE["small"], EVERY) for path in videos]
    footage, settings = prepare(videos, options.output / "frames", options.batch)
    curves: dict[str, list[Curve]] = {name: [] for name in COLOURS}
    for seed in range(1, options.seeds + 1):
        for name, steps in zip(COLOURS, (options.steps, LONGER * options.steps), strict=True):
            fall = steps if name == "with gravity" else 0
            run = replace(settings, seed=seed, steps=steps, fall_steps=fall)
            run = replace(run, save_every=steps, check_every=steps)
            run = _with_measured_prior(run, footage)
            folder = options.output / f"{name.replace(' ', '-')}-{seed}"
            curves[name].append(
                curve(footage, run, folder, clips, max(1, options.steps // EVALUATIONS))
            )
            (options.output / "gravity.json").write_text(json.dumps(curves))
    print(table(curves, options.steps))
    image = plot(curves)
    cv2.imwrite(str(options.output / "gravity.png"), image[..., ::-1])


def prepare(videos: Sequence[Path], store: Path, batch: int) -> tuple[Dataset, Settings]:
    """The dives decoded, and the settings of `mocap pretrain --preset small` for them."""
    infos, _ = probe_videos(videos)
    settings, recipe = PretrainOptions(preset="small", batch=batch).settle(infos, "cpu")
    with Display("benchmark", quiet=False, as_json=False) as screen:
        found = ingest(infos, store, recipe, "skip", lambda video, n: screen.bar(video.name, n))
    return found.dataset, settings


def curve(
    footage: Dataset, settings: Settings, folder: Path, clips: Sequence[Clip], every: int
) -> Curve:
    """Train, and evaluate the boxes now and then."""
    found: Curve = []
    folder.mkdir(parents=True, exist_ok=True)

    def on_preview(step: int, model: Model) -> None:
        if step % every == 0:
            found.append((step, *evaluated(model, clips)))
            print(folder.name, step, *(f"{value:.3f}" for value in found[-1][1:]), flush=True)

    train(footage, settings, folder, Distributed(), Hooks(on_preview=on_preview), resume=False)
    return found


@torch.no_grad()
def evaluated(model: Model, clips: Sequence[Clip]) -> tuple[float, float]:
    """Median intersection over union with the true boxes, and the share of centres inside one.

    The prior shrinks boxes to the diver's size over the first steps, wherever they are: there the
    second number says more.
    """
    model.eval()
    frames = [torch.from_numpy(clip.frames).permute(0, 3, 1, 2) for clip in clips]
    boxes = [model.encode(part)[2] for part in frames]
    model.train()
    found = corners(torch.cat([b for b in boxes if b is not None]))
    truth = np.concatenate([c.boxes for c in clips])
    middle = (found[:, :2] + found[:, 2:]) / 2
    inside = ((middle > truth[:, :2]) & (middle < truth[:, 2:])).all(axis=1)
    return float(np.nanmedian(intersection(found, truth))), float(inside.mean())


def table(curves: dict[str, list[Curve]], steps: int) -> str:
    """The numbers at chosen steps, mean over seeds, and when each seed found the diver."""
    at = sorted({steps * i // 5 for i in range(1, 5)} | {steps * i for i in range(1, LONGER + 1)})
    lines = ["| steps | " + " | ".join(map(str, at)) + " |", "|---" * (len(at) + 1) + "|"]
    for name, runs in curves.items():
        for number, what in enumerate(("box IoU", "found"), start=1):
            cells = [mean_at(runs, step, number) for step in at]
            lines.append(f"| {name}, {what} | " + " | ".join(cells) + " |")
    lines.append("")
    for name, runs in curves.items():
        first = [next((str(s) for s, _, hit in run if hit >= MOST), "never") for run in runs]
        lines.append(f"{name}: {MOST:.0%} found after {', '.join(first)} steps")
    return "\n".join(lines)


def mean_at(runs: Sequence[Curve], step: int, number: int) -> str:
    """The mean over runs at a step, empty where no run got that far."""
    values = [row[number] for run in runs for row in run if row[0] == step]
    return f"{np.mean(values):.2f}" if values else ""


def plot(curves: dict[str, list[Curve]]) -> NDArray[np.uint8]:
    """All curves in one plot: the share of boxes on the diver over steps."""
    width, height, left, low = 720, 360, 60, 320
    last = max(step for runs in curves.values() for run in runs for step, *_ in run)
    canvas = np.full((height, width, 3), 255, np.uint8)

    def at(step: float, share: float) -> tuple[int, int]:
        return round(left + step / last * (width - left - 20)), round(low - share * (low - 30))

    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        cv2.line(canvas, at(0, tick), at(last, tick), (225, 225, 225), 1)
        write(canvas, f"{tick:.2f}", (16, at(0, tick)[1] + 4))
    for step in np.linspace(0, last, 6):
        write(canvas, f"{step:.0f}", (at(step, 0)[0] - 12, low + 20))
    write(canvas, "share of boxes on the diver, over steps", (left, 20))
    for i, (name, runs) in enumerate(curves.items()):
        for run in runs:
            line = np.array([at(step, hit) for step, _, hit in run], np.int32)
            cv2.polylines(canvas, [line], False, COLOURS[name], 2, cv2.LINE_AA)
        write(canvas, name, (width - 320 + 150 * i, 20), COLOURS[name])
    return canvas


def write(
    canvas: NDArray[np.uint8], text: str, at: tuple[int, int], colour: tuple[int, int, int] = INK
) -> None:
    """Small text."""
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)


if __name__ == "__main__":
    main()
