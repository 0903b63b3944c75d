"""Evaluate pretrained models against the ground truth of rendered footage.

    python benchmarks/pretrain.py FOOTAGE RUN/best.safetensors ...

FOOTAGE is a folder made by examples/pretrain_footage.py. For each model: median intersection over
union of its boxes and masks with the person, N-MPJPE of a linear layer from each code to the pose
(on the last quarter of every clip, trained on the rest; and on each person, trained on the others'
clips), and the accuracy of k-means on each code in separating the persons. Several methods are
also ranked. The ridge of the linear layer is the best of four on the test frames.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.optimize import linear_sum_assignment

from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_file import open_model
from mocap_cli.learning.model.spatial_transformer import paste
from mocap_cli.lifting.metrics import n_mpjpe
from mocap_cli.video.reader import open_video

Floats = NDArray[np.floating]
HELD_OUT = 0.25
RIDGES = (10.0, 100.0, 1e3, 1e4)
COMPONENTS = 20  # principal components of a code for k-means
STARTS = 8  # of k-means; the one with the least spread counts
BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Frames and their ground truth."""

    frames: NDArray[np.uint8]  # (T, H, W, 3)
    boxes: Floats  # (T, 4) left, top, right, bottom, 0..1 of the image
    masks: NDArray[np.bool_]  # (T, h, w)
    joints: Floats  # (T, J, 3) metres, camera axes
    who: int


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """The codes, boxes and masks of all frames of all clips."""

    tv: Floats  # (N, tv)
    ti: Floats  # (N, ti), maybe nothing
    boxes: Floats | None  # (N, 4) as the truth has them
    overlap: Floats | None  # (N,) of masks with the truth


def main() -> None:
    """Print one row a model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("footage", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=2, help="take one frame of so many")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    clips: Sequence[Clip] = ()
    print("| model | step | box IoU | mask IoU | pose TV, others | pose TI, others | who TV, TI |")
    print("|---|---|---|---|---|---|---|")
    errors: dict[str, list[tuple[float, float]]] = {}
    for path in options.models:
        model, meta = open_model(path)
        side = max(meta["size"])  # of the frames that it was trained on
        clips = read_clips(options.footage, side, options.every)
        method, (cells, both) = model.config.method, row(model, clips)
        errors.setdefault(method, []).append(both)
        name = f"{path.parent.name} ({method})"
        print("|", " | ".join((name, str(meta.get("step", "")), *cells)), "|", flush=True)
    every, each = 1000 * constant(clips), 1000 * constant(clips, each=True)
    if len(errors) > 1:
        print("\n" + order(errors))
    print(f"\none pose for every frame: {every:.0f} mm; one for each clip: {each:.0f} mm")


@cache
def read_clips(footage: Path, side: int, every: int) -> Sequence[Clip]:
    """All clips of that folder."""
    return [read_clip(path, side, every) for path in sorted(footage.glob("*.mp4"))]


def read_clip(video: Path, side: int, every: int) -> Clip:
    """A clip of that folder, its frames resized to `side` pixels."""
    truth = np.load(video.with_suffix(".truth.npz"))
    H, W = truth["masks"].shape[1:]
    scale = min(1, side / max(H, W))
    size = (round(W * scale), round(H * scale))
    with open_video(video) as reader:
        pictures = [cv2.resize(f.image, size, interpolation=cv2.INTER_AREA) for f in reader]
    return Clip(
        np.stack(pictures[::every]),
        (truth["boxes"] / (W, H, W, H))[::every],
        truth["masks"][::every],
        truth["joints"][::every],
        int(truth["who"]),
    )


def order(errors: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """The methods ranked by pose error, mean and standard deviation over seeds."""
    lines = ["| method | seeds | pose | of others |", "|---|---|---|---|"]
    for method, found in sorted(errors.items(), key=lambda item: np.mean(item[1], axis=0)[0]):
        spread = np.std(found, axis=0, ddof=1 if len(found) > 1 else 0)
        mean = np.mean(found, axis=0)
        cells = [f"{m:.1f} ± {s:.1f}" for m, s in zip(mean, spread, strict=True)]
        lines.append(f"| {method} | {len(found)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def row(model: Model, clips: Sequence[Clip]) -> tuple[tuple[str, ...], tuple[float, float]]:
    """The numbers of one model as text, and the pose errors of its first code, mm."""
    codes = encode(model, clips)
    boxes = np.concatenate([clip.boxes for clip in clips])
    box = "" if codes.boxes is None else f"{np.nanmedian(intersection(codes.boxes, boxes)):.2f}"
    mask = "" if codes.overlap is None else f"{np.nanmedian(codes.overlap):.2f}"
    split = (codes.tv, codes.ti) if codes.ti.shape[1] else (codes.tv,)
    errors = [(pose_error(c, clips), others_error(c, clips)) for c in split]
    poses_read = [f"{own:.0f}, {others:.0f}" for own, others in errors] + [""] * (2 - len(split))
    who = ", ".join(f"{person_accuracy(code, clips):.2f}" for code in split)
    return (box, mask, *poses_read, who), errors[0]


def encode(model: Model, clips: Sequence[Clip]) -> Codes:
    """Run the model over everything."""
    tv, ti, boxes, overlap = [], [], [], []
    for clip in clips:
        for start in range(0, len(clip.frames), BATCH):
            part = slice(start, start + BATCH)
            frames = torch.from_numpy(clip.frames[part]).permute(0, 3, 1, 2)
            v, a, found = model.encode(frames)
            tv.append(v)
            ti.append(a)
            if found is not None:
                boxes.append(found)
            if found is not None and model.decoder is not None:
                overlap.append(mask_overlap(model, v, a, found, clip.masks[part]))
    return Codes(
        torch.cat(tv).numpy(),
        torch.cat(ti).numpy(),
        corners(torch.cat(boxes)) if boxes else None,
        np.concatenate(overlap) if overlap else None,
    )


def mask_overlap(
    model: Model, tv: torch.Tensor, ti: torch.Tensor, boxes: torch.Tensor, truth: NDArray[np.bool_]
) -> Floats:
    """(N,) intersection over union of the mask above one half and the person."""
    _, masks = model.decode(tv, ti)
    drawn = paste(masks, boxes, *truth.shape[1:], beyond="zeros")[:, 0].numpy() > 0.5
    both, either = (drawn & truth).sum((1, 2)), (drawn | truth).sum((1, 2))
    return np.where(truth.any((1, 2)), both / np.maximum(either, 1), np.nan)


def corners(boxes: torch.Tensor) -> Floats:
    """Boxes of the transformer as left, top, right, bottom, 0..1."""
    size, centre = boxes.split(2, dim=-1)
    return ((torch.cat((centre - size, centre + size), dim=-1) + 1) / 2).clamp(0, 1).numpy()


def intersection(a: Floats, b: Floats) -> Floats:
    """(N,) intersection over union of boxes (N, 4)."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    both = np.clip(high - low, 0, None).prod(axis=1)
    areas = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1)
    return both / (areas - both)


def pose_error(codes: Floats, clips: Sequence[Clip]) -> float:
    """N-MPJPE at the end of every clip, trained on the rest of it."""
    return read_error(codes, poses(clips), held_out(clips))


def others_error(codes: Floats, clips: Sequence[Clip]) -> float:
    """N-MPJPE on each person, trained on the labels of the others.

    The paper also keeps the test person out of pretraining; here only the labels are kept out.
    """
    who = persons(clips)
    return float(np.mean([read_error(codes, poses(clips), who == one) for one in set(who)]))


def read_error(codes: Floats, joints: Floats, test: NDArray[np.bool_]) -> float:
    """N-MPJPE in millimetres on the test frames, of the best of four ridges."""
    x = (codes - codes[~test].mean(0)) / (codes[~test].std(0) + 1e-6)
    y = joints.reshape(len(joints), -1)
    middle = y[~test].mean(0)
    square, product = x[~test].T @ x[~test], x[~test].T @ (y[~test] - middle)
    errors = []
    for ridge in RIDGES:
        layer = np.linalg.solve(square + ridge * np.eye(len(square)), product)
        found = (x[test] @ layer + middle).reshape(-1, *joints.shape[1:])
        errors.append(n_error(found, joints[test]))
    return 1000 * min(errors)


def constant(clips: Sequence[Clip], *, each: bool = False) -> float:
    """N-MPJPE of predicting one mean pose for all frames, or one for each clip."""
    joints, test = poses(clips), held_out(clips)
    clip = np.repeat(np.arange(len(clips)) * each, [len(c.frames) for c in clips])
    means = np.stack([joints[~test & (clip == c)].mean(0) for c in range(clip.max() + 1)])
    return n_error(means[clip[test]], joints[test])


def poses(clips: Sequence[Clip]) -> Floats:
    """(N, J, 3) metres about the pelvis."""
    joints = np.concatenate([clip.joints for clip in clips])
    return joints - joints[:, :1]


def held_out(clips: Sequence[Clip]) -> NDArray[np.bool_]:
    """(N,) the last stretch of every clip."""
    lengths = [len(clip.frames) for clip in clips]
    return np.concatenate([np.arange(n) >= (1 - HELD_OUT) * n for n in lengths])


def persons(clips: Sequence[Clip]) -> NDArray[np.int64]:
    """(N,) the person in each frame."""
    return np.repeat([clip.who for clip in clips], [len(clip.frames) for clip in clips])


def n_error(found: Floats, truth: Floats) -> float:
    """N-MPJPE, metres."""
    pair = (torch.from_numpy(np.ascontiguousarray(a)).double() for a in (found, truth))
    return float(n_mpjpe(*pair).mean())


def person_accuracy(codes: Floats, clips: Sequence[Clip]) -> float:
    """Accuracy of k-means, with as many means as persons, in separating the persons."""
    who = persons(clips)
    count = len(set(who.tolist()))
    x = (codes - codes.mean(0)) / (codes.std(0) + 1e-6)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    x = u[:, :COMPONENTS] * s[:COMPONENTS]
    best, share = np.inf, 0.0
    for seed in range(STARTS):
        means, label = kmeans2(x, count, minit="++", seed=seed)
        spread = float(((x - means[label]) ** 2).sum())
        if spread < best:
            table = np.zeros((count, count))
            np.add.at(table, (label, who), 1)
            best, share = spread, table[linear_sum_assignment(-table)].sum() / len(who)
    return share


if __name__ == "__main__":
    main()
