"""What the codes of pretrained models hold: pose, 2D keypoints and identity, on labelled videos.

    python benchmarks/probe_codes.py VIDEOS LABELS MODEL ... --cache CACHE [--who REGEX]

VIDEOS and LABELS are a file or folder each, as for mocap label-fit; MODEL is a run of mocap
pretrain or its model file, or imagenet. Every person is held out in turn, and for each code a
linear layer is trained on the labels of the others. Printed are its N-MPJPE for 3D poses, its error
for 2D keypoints (the mean distance in percent of the side of the person's square; Table II of the
paper) and the accuracy of k-means, with as many means as people, in telling the people apart. The
ridge of a layer is chosen on clips that it is not scored on.

The person in a clip is the folder of its video, or the first group of REGEX in the video's name.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.optimize import linear_sum_assignment

from mocap_cli.io.inputs import find_videos
from mocap_cli.labels.alignment.projection import labelled_keypoints
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip, gather
from mocap_cli.labels.readers.dispatch import read_labels
from mocap_cli.lifting.metrics import n_mpjpe

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
RIDGES = (10.0, 100.0, 1e3, 1e4)
TUNING = 4  # every so many clips, one serves to choose the ridge
COMPONENTS = 20  # principal components of a code for k-means
STARTS = 8  # of k-means; the one with the least spread counts
BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The labels of N frames."""

    joints: Floats  # (N, 19, 3) metres about the pelvis; NaN where unlabelled
    points: Floats  # (N, 21, 2) in the person's square, 0..1; NaN where unlabelled
    clips: Ints  # (N,)
    who: Ints  # (N,)


def main() -> None:
    """Print one row for each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("videos", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--who", type=re.compile, help="its first group names the person")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    found = gather(
        read_labels(options.labels),
        find_videos([options.videos]),
        GatherOptions(cache=options.cache),
    )
    truth = truth_of(found.clips, options.who)
    print("| model | 3D from TV, TI (mm) | 2D from TV, TI (%) | who from TV, TI |")
    print("|---|---|---|---|")
    for name in options.models:
        codes = encode(FrozenEncoder.open(name), found.clips)
        print(f"| {name} | {' | '.join(row(codes, truth))} |", flush=True)


def truth_of(clips: Sequence[LabelledClip], who: re.Pattern[str] | None = None) -> Truth:
    """The labels of all clips."""
    names = [person_in(clip.video, who) for clip in clips]
    lengths = [len(clip.labels) for clip in clips]
    numbers = np.unique(names, return_inverse=True)[1]
    joints = [clip.labels.joints - clip.labels.joints[:, :1] for clip in clips]
    return Truth(
        np.concatenate(joints),
        np.concatenate([points_in_square(clip) for clip in clips]),
        np.repeat(np.arange(len(clips)), lengths),
        np.repeat(numbers, lengths),
    )


def person_in(video: Path, who: re.Pattern[str] | None) -> str:
    """The name of the person in a clip."""
    found = who.search(video.stem) if who else None
    return found[1] if found else video.parent.name


def points_in_square(clip: LabelledClip) -> Floats:
    """(N, 21, 2) labelled keypoints in the tracker's square around the person, 0..1."""
    points = labelled_keypoints(clip.labels, clip.estimate)
    square = clip.estimate.bounding_squares()[clip.labels.frames][:, None]
    return np.asarray((points - square[..., :2]) / square[..., 2:] + 0.5)


def encode(encoder: FrozenEncoder, clips: Sequence[LabelledClip]) -> tuple[Floats, Floats]:
    """TV and TI of all labelled frames; TI is empty where the code is not split."""
    tv, ti = [], []
    for clip in clips:
        crops = clip.estimate.bounding_squares()
        images = encoder.images(clip.video, clip.labels.frames, crops)
        for part in torch.from_numpy(images).permute(0, 3, 1, 2).split(BATCH):
            v, a, _ = encoder.model.encode(part)
            tv.append(v)
            ti.append(a)
    return torch.cat(tv).numpy(), torch.cat(ti).numpy()


def row(codes: tuple[Floats, Floats], truth: Truth) -> tuple[str, str, str]:
    """The numbers of one model as text."""
    split = [code for code in codes if code.shape[1]]
    several = len(set(truth.who.tolist())) > 1
    groups = truth.who if several else truth.clips
    in_3d = [held_out_error(code, truth.joints, groups, truth.clips, n_error) for code in split]
    in_2d = [held_out_error(code, truth.points, groups, truth.clips, distance) for code in split]
    who = [person_accuracy(code, truth.who) for code in split] if several else []
    return (
        ", ".join(f"{1000 * error:.0f}" for error in in_3d),
        ", ".join(f"{100 * error:.1f}" for error in in_2d),
        ", ".join(f"{share:.2f}" for share in who),
    )


def held_out_error(codes: Floats, wanted: Floats, groups: Ints, clips: Ints, measure) -> float:
    """The mean error on each group in turn, of a linear layer trained on the others."""
    known = np.isfinite(wanted).all(axis=-1).sum(axis=1) > wanted.shape[1] // 2
    errors = []
    for group in np.unique(groups[known]):
        test, rest = known & (groups == group), known & (groups != group)
        if rest.any():
            ridge = choose_ridge(codes[rest], wanted[rest], clips[rest], measure)
            found = linear_layer(codes[rest], wanted[rest], ridge)(codes[test])
            errors.append(measure(found, wanted[test]))
    return float(np.mean(errors)) if errors else float("nan")


def choose_ridge(codes: Floats, wanted: Floats, clips: Ints, measure) -> float:
    """The ridge with the least error on some of these clips, trained on the others."""
    order = np.unique(clips, return_inverse=True)[1]
    # A shifted pattern, since the people of a data set often take turns.
    tuning = (order + order // TUNING) % TUNING == TUNING - 1
    if not tuning.any() or tuning.all():
        tuning = order == 0 if order.max() else np.arange(len(order)) % TUNING == 0
    rest = ~tuning

    def error(ridge: float) -> float:
        found = linear_layer(codes[rest], wanted[rest], ridge)(codes[tuning])
        return measure(found, wanted[tuning])

    return min(RIDGES, key=error)


def linear_layer(codes: Floats, wanted: Floats, ridge: float):
    """A linear layer fitted by ridge regression; unlabelled numbers count as their mean."""
    mean, spread = codes.mean(0), codes.std(0) + 1e-6
    x, y = (codes - mean) / spread, wanted.reshape(len(wanted), -1).astype(np.float64)
    known = np.isfinite(y)
    middle = np.where(known, y, 0).sum(0) / np.maximum(known.sum(0), 1)
    y = np.where(known, y - middle, 0)
    N, D = x.shape
    if D > N:  # the same layer from the smaller of the two systems
        layer = x.T @ np.linalg.solve(x @ x.T + ridge * np.eye(N), y)
    else:
        layer = np.linalg.solve(x.T @ x + ridge * np.eye(D), x.T @ y)
    shape = wanted.shape[1:]
    return lambda other: (((other - mean) / spread) @ layer + middle).reshape(-1, *shape)


def n_error(found: Floats, truth: Floats) -> float:
    """N-MPJPE, metres."""
    pair = (torch.from_numpy(np.ascontiguousarray(a)).double() for a in (found, truth))
    known = torch.from_numpy(np.isfinite(truth).all(axis=-1))
    return float(n_mpjpe(*pair, known).nanmean())


def distance(found: Floats, truth: Floats) -> float:
    """Mean distance of the labelled points."""
    return float(np.nanmean(np.linalg.norm(found - truth, axis=-1)))


def person_accuracy(codes: Floats, who: Ints) -> float:
    """Accuracy of k-means, with as many means as people, in telling them apart."""
    who = np.unique(who, return_inverse=True)[1]
    count = int(who.max()) + 1
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
