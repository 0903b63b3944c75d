"""Evaluate pretrained models against the ground truth of rendered footage.

    python benchmarks/pretrain.py FOOTAGE RUN/best.safetensors ...

FOOTAGE is a folder made by examples/pretrain_footage.py. For each model: median intersection over
union of its boxes and masks with the person, N-MPJPE of a linear layer from each code to the pose
(on the last quarter of the clips, trained on the rest of them; and on each person, trained on the
others' clips), and the accuracy of k-means on each code in separating the persons. Several methods
are also ranked. The ridge of the linear layer is chosen on clips that are not scored.
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
from probe_codes import RIDGES, TUNING, choose_ridge, linear_layer, n_error, person_accuracy

from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_file import open_model
from mocap_cli.learning.model.spatial_transformer import paste
from mocap_cli.video.reader import open_video

Floats = NDArray[np.floating]
HELD_OUT = 0.25
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
    who = ", ".join(f"{person_accuracy(code, persons(clips)):.2f}" for code in split)
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
    """N-MPJPE at the end of the clips, trained on the rest of them; some only choose the ridge."""
    test, tuning = held_out(clips), tunes_ridge(clips)
    joints = poses(clips)

    def error(ridge: float, scored: NDArray[np.bool_]) -> float:
        found = linear_layer(codes[~test], joints[~test], ridge)(codes[test & scored])
        return n_error(found, joints[test & scored])

    ridge = min(RIDGES, key=lambda ridge: error(ridge, tuning))
    return 1000 * error(ridge, ~tuning)


def others_error(codes: Floats, clips: Sequence[Clip]) -> float:
    """N-MPJPE on each person, trained on the labels of the others.

    The paper also keeps the test person out of pretraining; here only the labels are kept out.
    """
    joints, who, numbers = poses(clips), persons(clips), clip_numbers(clips)
    errors = []
    for test in (who == one for one in set(who)):
        ridge = choose_ridge(codes[~test], joints[~test], numbers[~test], n_error)
        found = linear_layer(codes[~test], joints[~test], ridge)(codes[test])
        errors.append(n_error(found, joints[test]))
    return 1000 * float(np.mean(errors))


def constant(clips: Sequence[Clip], *, each: bool = False) -> float:
    """N-MPJPE of predicting one mean pose for all frames, or one for each clip."""
    joints, test = poses(clips), held_out(clips)
    scored = test & ~tunes_ridge(clips)
    clip = np.repeat(np.arange(len(clips)) * each, [len(c.frames) for c in clips])
    means = np.stack([joints[~test & (clip == c)].mean(0) for c in range(clip.max() + 1)])
    return n_error(means[clip[scored]], joints[scored])


def poses(clips: Sequence[Clip]) -> Floats:
    """(N, J, 3) metres about the pelvis."""
    joints = np.concatenate([clip.joints for clip in clips])
    return joints - joints[:, :1]


def held_out(clips: Sequence[Clip]) -> NDArray[np.bool_]:
    """(N,) the last stretch of every clip."""
    lengths = [len(clip.frames) for clip in clips]
    return np.concatenate([np.arange(n) >= (1 - HELD_OUT) * n for n in lengths])


def clip_numbers(clips: Sequence[Clip]) -> NDArray[np.int64]:
    """(N,) the clip of each frame."""
    return np.repeat(np.arange(len(clips)), [len(clip.frames) for clip in clips])


def tunes_ridge(clips: Sequence[Clip]) -> NDArray[np.bool_]:
    """(N,) frames of the clips that choose the ridge: a fourth, of every person."""
    number = clip_numbers(clips)
    return (number + number // TUNING) % TUNING == TUNING - 1


def persons(clips: Sequence[Clip]) -> NDArray[np.int64]:
    """(N,) the person in each frame."""
    return np.repeat([clip.who for clip in clips], [len(clip.frames) for clip in clips])


if __name__ == "__main__":
    main()
