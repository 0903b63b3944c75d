"""Fine-tuning of MoveNet on rendered crops, part of the way.

`python -m training.keypoints.train CROPS.npz ... --held-out TEST.npz --begin UPSTREAM.onnx
-o movenet_thunder.onnx` trains the upstream network of weights/rebuild.py, takes the mean of its
weights before and after, and writes them in the same eight bits. Networks that go the whole way
are better on rendered people and worse on filmed ones.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.onnx_file import OnnxFile
from mocap_cli.keypoints.crop import CROP_SIZE
from mocap_cli.labels.tuning.keypoint_images import KeypointImage
from mocap_cli.labels.tuning.movenet import CELLS, MoveNet
from mocap_cli.labels.tuning.tune import TuneOptions, train
from mocap_cli.types import Float32, Float64
from training.keypoints.rendered_crops import RenderedCrops

OPTIONS = TuneOptions(
    steps=700, batch=16, rate=1.5e-4, begin=50, frozen=24, average=100, bfloat16=True
)
SHARE = 0.2
"""Of the way from the weights before to those after: the least error of upright held-out crops."""
RAISED = {"hip": 0.056, "shoulder": 0.014, "eye": 0.015, "nose": 0.018}
DRAWN_IN = {"knee": ("hip", 0.03), "elbow": ("shoulder", 0.013)}
"""Where the upstream network puts keypoints, against those of rendered bodies: up the trunk, and
towards another keypoint; in lengths of the trunk."""
AT_A_TIME = 16


def as_upstream(image: KeypointImage) -> KeypointImage:
    """The image with keypoints where the upstream network has them."""
    xy = image.xy.copy()
    at = {name: image.xy[i] for i, name in enumerate(KEYPOINTS[: len(xy)])}
    hips, shoulders = ((at[f"left_{p}"] + at[f"right_{p}"]) / 2 for p in ("hip", "shoulder"))
    up = shoulders - hips
    for i, name in enumerate(at):
        side, _, part = name.rpartition("_")
        xy[i] += RAISED.get(part, 0.0) * up
        if part in DRAWN_IN:
            end, share = DRAWN_IN[part]
            bone = at[f"{side}_{end}"] - at[name]
            xy[i] += share * bone * np.linalg.norm(up) / max(float(np.linalg.norm(bone)), 1e-6)
    return replace(image, xy=xy)


@torch.no_grad()
def keypoint_errors(network: MoveNet, images: Sequence[KeypointImage]) -> Float64:
    """(N,) mean distance of keypoints from the truth, in diagonals of the body's box."""
    errors = []
    for start in range(0, len(images), AT_A_TIME):
        part = images[start : start + AT_A_TIME]
        pictures, truth = zip(*(image.crop() for image in part), strict=True)
        found = _located(network, torch.from_numpy(np.stack(pictures)).float())
        for image, xy, own in zip(part, truth, found, strict=True):
            known = image.weight > 0
            size = float(np.linalg.norm(np.ptp(xy[known], axis=0))) or 1.0
            errors.append(float(np.linalg.norm(own - xy, axis=-1)[known].mean()) / size)
    return np.array(errors)


def _located(network: MoveNet, pictures: torch.Tensor) -> Float32:
    """(N, 17, 2) pixels of the crop where the heat is greatest."""
    heat, offsets, _ = network(pictures)
    best = heat.flatten(2).argmax(dim=-1)
    ways = offsets.flatten(3).gather(3, best[:, :, None, None].expand(-1, -1, 2, 1))[..., 0]
    cell = torch.stack((best % CELLS, best // CELLS), dim=-1)
    found = (cell + ways.flip(-1)) * (CROP_SIZE / CELLS)
    return np.asarray(found.numpy(), np.float32)


def move_back(network: MoveNet, before: MoveNet, share: float) -> None:
    """Leave the network that share of the way from its weights before training."""
    for own, old in zip(network.parameters(), before.parameters(), strict=True):
        own.data.lerp_(old.data, 1 - share)


def main() -> None:
    """Train, and write the network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops", type=Path, nargs="+", help="files of rendered_crops")
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--begin", type=Path, required=True, help="the upstream network")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=OPTIONS.steps)
    parser.add_argument("--rate", type=float, default=OPTIONS.rate)
    parser.add_argument("--share", type=float, default=SHARE, help="of the way")
    parser.add_argument("--seed", type=int, default=OPTIONS.seed)
    options = parser.parse_args()
    images = [as_upstream(i) for path in options.crops for i in RenderedCrops.load(path).images]
    test = RenderedCrops.load(options.held_out)
    shown = [as_upstream(image) for image in test.images]
    file = OnnxFile.parse(options.begin.read_bytes())
    network, before = MoveNet(file), MoveNet(file)

    def report(title: str) -> None:
        errors = keypoint_errors(network, shown)
        tumbling, upright = errors[test.tumbling].mean(), errors[~test.tumbling].mean()
        print(f"{title}: tumbling {tumbling:.4f}, upright {upright:.4f}", flush=True)

    began = time.monotonic()

    def on_step(done: int) -> None:
        if done % 50 == 0:
            print(done, f"{(time.monotonic() - began) / done:.2f} s a step", flush=True)

    report("before")
    torch.manual_seed(options.seed)
    how = replace(OPTIONS, steps=options.steps, rate=options.rate, seed=options.seed)
    train(network, (images,), how, on_step)
    report("trained")
    move_back(network, before, options.share)
    report("written")
    with write_atomically(options.output) as aside:
        aside.write_bytes(file.with_constants(network.constants()))


if __name__ == "__main__":
    main()
