"""Evaluate pretrained models against the ground truth of rendered footage.

    python benchmarks/pretrain.py FOOTAGE RUN ... --cache CACHE [--labels 30 300]

FOOTAGE is a folder made by examples/pretrain_footage.py, RUN a run of mocap pretrain on
FOOTAGE/train, or imagenet. On each folder of test clips, FOOTAGE/clips (other motions of the same
persons) and FOOTAGE/persons (the same of other persons): N-MPJPE of a linear layer from the codes
to the pose, trained on a few labels of FOOTAGE/train and on all; its ridge is chosen on a fourth of
the clips of FOOTAGE/train. Also median intersection over union of boxes and masks with the person
in both folders, and the accuracy of k-means on the codes of FOOTAGE/train in telling its persons
apart. Runs NAME-1, NAME-2, ... are the seeds of NAME: their means and spreads come last.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from probe_codes import choose_ridge, linear_layer, n_error, person_accuracy

from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
from mocap_cli.labels.fitting.gather import GatherOptions
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.spatial_transformer import paste
from mocap_cli.tracking.estimate import Estimate

Floats = NDArray[np.floating]
TRAIN, TESTS = "train", ("clips", "persons")
BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip and its ground truth, of every so many frames."""

    video: Path
    frames: NDArray[np.int64]  # (T,) their numbers
    boxes: Floats  # (T, 4) left, top, right, bottom, 0..1 of the image
    masks: NDArray[np.bool_]  # (T, h, w)
    joints: Floats  # (T, J, 3) metres about the pelvis, camera axes
    who: int


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """The codes of all frames of some clips, and how well the person was found."""

    tv: Floats  # (N, tv), with the 2D keypoints that are read from it
    ti: Floats  # (N, ti), maybe nothing
    box: float | None  # median intersection over union; None without a detector
    mask: float | None


def main() -> None:
    """Print one row a model, and the means over seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("footage", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--cache", type=Path, required=True, help="of the default tracker")
    parser.add_argument("--labels", type=int, nargs="+", default=[30, 300])
    parser.add_argument("--every", type=int, default=3, help="take one frame of so many")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    how = GatherOptions(cache=options.cache, device=options.device)
    parts = {name: read_clips(options.footage / name, options.every) for name in (TRAIN, *TESTS)}
    total = len(poses(parts[TRAIN]))
    counts = [*(n for n in options.labels if n < total), total]
    heads = [*(f"{name}, {n} labels" for name in TESTS for n in counts), "TI, all", "box", "mask"]
    heads += ["who from TV", "from TI"]
    print(f"| model | {' | '.join(heads)} |\n{'|---' * (len(heads) + 1)}|")
    rows: dict[str, list[list[float]]] = {}
    for name in options.models:
        found = row(FrozenEncoder.open(name, options.device), parts, counts, how)
        rows.setdefault(re.sub(r"-\d+$", "", Path(name).name), []).append(found)
        print(f"| {Path(name).name} | {' | '.join(map(number, found))} |", flush=True)
    print("\n" + over_seeds(rows))
    errors = {name: references(parts[TRAIN], parts[name], how) for name in TESTS}
    print("\none pose for all frames, default tracker: ", end="")
    print("; ".join(f"{name} {mean:.0f}, {ours:.0f} mm" for name, (mean, ours) in errors.items()))


def read_clips(folder: Path, every: int) -> Sequence[Clip]:
    """The clips of a folder."""
    return [read_clip(path, every) for path in sorted(folder.glob("*.mp4"))]


def read_clip(video: Path, every: int) -> Clip:
    """A clip with the truth beside it."""
    truth = np.load(video.with_suffix(".truth.npz"))
    H, W = truth["masks"].shape[1:]
    chosen = np.arange(0, len(truth["joints"]), every)
    joints = truth["joints"][chosen].astype(np.float64)
    return Clip(
        video,
        chosen,
        (truth["boxes"] / (W, H, W, H))[chosen],
        truth["masks"][chosen],
        joints - joints[:, :1],
        int(truth["who"]),
    )


def row(
    encoder: FrozenEncoder,
    parts: Mapping[str, Sequence[Clip]],
    counts: Sequence[int],
    how: GatherOptions,
) -> list[float]:
    """The numbers of one model; NaN where it has no such part."""
    codes = {name: encode(encoder, clips, how) for name, clips in parts.items()}
    train, learnt = parts[TRAIN], codes[TRAIN]
    found = [
        pose_error(learnt.tv, train, codes[test].tv, parts[test], n)
        for test in TESTS
        for n in counts
    ]
    split = learnt.ti.shape[1] > 0
    first = codes[TESTS[0]]
    found.append(
        pose_error(learnt.ti, train, first.ti, parts[TESTS[0]], counts[-1]) if split else np.nan
    )
    for values in ([codes[t].box for t in TESTS], [codes[t].mask for t in TESTS]):
        found.append(float(np.mean([np.nan if v is None else v for v in values])))
    who = np.repeat([clip.who for clip in train], [len(clip.frames) for clip in train])
    found.append(person_accuracy(learnt.tv, who))
    return [*found, person_accuracy(learnt.ti, who) if split else np.nan]


def encode(encoder: FrozenEncoder, clips: Sequence[Clip], how: GatherOptions) -> Codes:
    """Run the model over everything."""
    model = encoder.model
    tv, ti, boxes, overlap = [], [], [], []
    for clip in clips:
        images, masks = torch.from_numpy(inputs(encoder, clip, how)), clip.masks
        for start in range(0, len(images), BATCH):
            part = slice(start, start + BATCH)
            v, a, found = model.encode(images[part].permute(0, 3, 1, 2))
            if found is not None:
                boxes.append(found)
                if model.decoder is not None:
                    overlap.append(mask_overlap(model, v, a, found, masks[part]))
            tv.append(v if model.pose is None else torch.cat((v, model.pose(v)), dim=-1))
            ti.append(a)
    truth = np.concatenate([clip.boxes for clip in clips])
    return Codes(
        torch.cat(tv).cpu().numpy(),
        torch.cat(ti).cpu().numpy(),
        float(np.nanmedian(intersection(corners(torch.cat(boxes)), truth))) if boxes else None,
        float(np.nanmedian(np.concatenate(overlap))) if overlap else None,
    )


def inputs(encoder: FrozenEncoder, clip: Clip, how: GatherOptions) -> NDArray[np.uint8]:
    """(T, H, W, 3) what the model takes: the whole frame, or the default tracker's square."""
    key = (encoder.cropped, encoder.size, clip.video)
    if key not in _READ:
        squares = tracked(clip.video, how).bounding_squares() if encoder.cropped else None
        _READ[key] = encoder.images(clip.video, clip.frames, squares)
    return _READ[key]


_READ: dict[tuple[bool, tuple[int, int], Path], NDArray[np.uint8]] = {}


@cache
def tracked(video: Path, how: GatherOptions) -> Estimate:
    """What the default tracker finds in a clip."""
    return how.estimate(video)


def mask_overlap(
    model: Model, tv: torch.Tensor, ti: torch.Tensor, boxes: torch.Tensor, truth: NDArray[np.bool_]
) -> Floats:
    """(N,) intersection over union of the mask above one half and the person."""
    _, masks = model.decode(tv, ti)
    drawn = paste(masks, boxes, *truth.shape[1:], beyond="zeros")[:, 0].cpu().numpy() > 0.5
    both, either = (drawn & truth).sum((1, 2)), (drawn | truth).sum((1, 2))
    return np.where(truth.any((1, 2)), both / np.maximum(either, 1), np.nan)


def corners(boxes: torch.Tensor) -> Floats:
    """Boxes of the transformer as left, top, right, bottom, 0..1."""
    size, centre = boxes.split(2, dim=-1)
    found = (torch.cat((centre - size, centre + size), dim=-1) + 1) / 2
    return found.clamp(0, 1).cpu().numpy()


def intersection(a: Floats, b: Floats) -> Floats:
    """(N,) intersection over union of boxes (N, 4)."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    both = np.clip(high - low, 0, None).prod(axis=1)
    areas = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1)
    return both / (areas - both)


def pose_error(
    codes: Floats, clips: Sequence[Clip], others: Floats, scored: Sequence[Clip], count: int
) -> float:
    """N-MPJPE, mm, on scored clips after so many labels of the clips, evenly spread."""
    joints = poses(clips)
    numbers = np.repeat(np.arange(len(clips)), [len(clip.frames) for clip in clips])
    at = np.unique(np.linspace(0, len(joints) - 1, count).round().astype(int))
    ridge = choose_ridge(codes[at], joints[at], numbers[at], n_error)
    return 1000 * n_error(linear_layer(codes[at], joints[at], ridge)(others), poses(scored))


def poses(clips: Sequence[Clip]) -> Floats:
    """(N, J, 3) metres about the pelvis."""
    return np.concatenate([clip.joints for clip in clips])


def references(
    train: Sequence[Clip], scored: Sequence[Clip], how: GatherOptions
) -> tuple[float, float]:
    """N-MPJPE, mm, of the mean pose of the training clips and of the default tracker."""
    truth = poses(scored)
    mean = np.broadcast_to(poses(train).mean(0), truth.shape)
    lifted = [tracked(clip.video, how).pose.joints[clip.frames] for clip in scored]
    return 1000 * n_error(mean, truth), 1000 * n_error(np.concatenate(lifted), truth)


def over_seeds(rows: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """Mean and standard deviation of every number over the seeds of each model."""
    lines = []
    for name, found in sorted(rows.items(), key=lambda item: np.mean(item[1], axis=0)[-6]):
        mean, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=int(len(found) > 1))
        cells = [f"{number(m)} ± {number(s)}" for m, s in zip(mean, spread, strict=True)]
        lines.append(f"| {name}, {len(found)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def number(value: float) -> str:
    """Millimetres to a tenth, shares to a hundredth."""
    return "" if np.isnan(value) else f"{value:.2f}" if value < 2 else f"{value:.1f}"


if __name__ == "__main__":
    main()
