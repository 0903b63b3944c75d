"""Recorded detections: keypoints that the 2D networks find in rendered shots, with their truth.

`python -m training.lifter.recorded_shots MOTION_FOLDER -o FILE.npz --shots 300` renders random
shots, tracks them as videos, and stores the keypoints with the truth.
"""

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from mocap_cli.io.atomic import write_atomically
from mocap_cli.lifting.network import LIFTER_HEIGHT
from training.lifter.keypoint_noise import warp_scores
from training.lifter.observed_windows import ObservedWindows
from training.synthesis.mocap_clip import MocapClip

FPS = 30.0
_ROLL_SIGMA = 0.25  # radians: random roll of recorded shots, against overfitting
_FIELDS = ("rays", "score", "known", "true_rays", "visible", "joints")


@dataclass(frozen=True, slots=True)
class RecordedShots:
    """Recorded shots, joined end to end."""

    rays: Tensor  # (F, K, 2) tangents of detected keypoints, true lens
    score: Tensor  # (F, K)
    known: Tensor  # (F,)
    true_rays: Tensor  # (F, K, 2)
    visible: Tensor  # (F, K)
    joints: Tensor  # (F, J, 3) metres, camera axes, for a person of LIFTER_HEIGHT
    first: Tensor  # (S,) where each shot begins
    length: Tensor  # (S,)
    tumbling: Tensor  # (S,)


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """A batch of recorded windows."""

    seen: ObservedWindows
    joints: Tensor  # (B, T, J, 3) camera axes
    tumbling: Tensor  # (B,)


def record_shots(clips: Sequence[MocapClip], shots: int, seed: int) -> Iterator[dict[str, Any]]:
    """Render and track shots; a dictionary of arrays for each."""
    from mocap_cli.keypoints.follow import follow
    from mocap_cli.video.reader import Frame
    from mocap_cli.video.shots import with_cuts
    from training.synthesis.rendered_shots import random_shots, render_shot

    rng = np.random.default_rng(seed)
    weights = np.array([min(len(c.root) / c.fps, 15.0) for c in clips])
    for shot in itertools.islice(random_shots(clips, weights, rng), shots):
        truth: list[Any] = []

        def frames(shot: Any = shot, truth: list[Any] = truth) -> Iterator[Frame]:
            for index, frame in enumerate(render_shot(shot, rng)):
                truth.append((frame.xy, frame.visible, frame.joints))
                yield Frame(index=index, time=index / FPS, image=frame.picture)

        seen, camera = follow(with_cuts(frames())), shot.view.pinhole
        xy, visible, joints = (np.stack(column) for column in zip(*truth, strict=True))
        yield {
            "rays": camera.rays(seen.xy)[..., :2].astype(np.float32),
            "score": seen.score,
            "known": seen.tracked,
            "true_rays": camera.rays(xy)[..., :2].astype(np.float32),
            "visible": visible,
            "joints": (joints * (LIFTER_HEIGHT / shot.body.height)).astype(np.float32),
            "tumbling": shot.tumbling,
        }


def save_recorded(shots: Sequence[dict[str, Any]], path: Path) -> None:
    """Write all shots to one file."""
    arrays = {name: np.concatenate([shot[name] for shot in shots]) for name in _FIELDS}
    arrays["length"] = np.array([len(shot["score"]) for shot in shots])
    arrays["tumbling"] = np.array([shot["tumbling"] for shot in shots])
    with write_atomically(path) as aside:
        np.savez_compressed(aside, allow_pickle=False, **arrays)


def load_recorded(path: Path) -> RecordedShots:
    """Read what `save_recorded` wrote."""
    with np.load(path) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in (*_FIELDS, "length", "tumbling")}
    length = arrays["length"]
    arrays["first"] = length.cumsum(0) - length
    return RecordedShots(**arrays)


def split_in_half(bank: RecordedShots, begin: int) -> RecordedShots:
    """Half of the shots: the even ones (`begin` 0) or the odd ones (1)."""
    chosen = slice(begin, None, 2)
    return replace(
        bank,
        first=bank.first[chosen],
        length=bank.length[chosen],
        tumbling=bank.tumbling[chosen],
    )


def sample_recorded(
    bank: RecordedShots, batch: int, frames: int, g: torch.Generator
) -> RecordedBatch:
    """Random windows at 30 or 15 frames per second with random mirroring and camera roll."""
    shot = torch.randint(len(bank.length), (batch,), generator=g)
    step = torch.where(torch.rand(batch, generator=g) < 0.6, 2, 1)[:, None]
    slack = (bank.length[shot][:, None] - frames * step).clamp(min=0)
    start = (torch.rand(batch, 1, generator=g) * (slack + 1)).long()
    at = start + step * torch.arange(frames)
    valid = at < bank.length[shot][:, None]
    rows = bank.first[shot][:, None] + torch.minimum(at, bank.length[shot][:, None] - 1)
    lens = torch.exp(0.15 * torch.randn(batch, 1, 1, 1, generator=g))
    times = torch.arange(frames)[None] * step / FPS
    score = warp_scores(bank.score[rows], g)
    seen = ObservedWindows(bank.rays[rows] * lens, score, times, valid & bank.known[rows])
    flip = torch.rand(batch, generator=g) < 0.5
    seen, joints = _mirrored(seen, bank.joints[rows], flip)
    roll = _ROLL_SIGMA * torch.randn(batch, generator=g)
    return RecordedBatch(*_rolled(seen, joints, roll), bank.tumbling[shot])


def _rolled(seen: ObservedWindows, joints: Tensor, angle: Tensor) -> tuple[ObservedWindows, Tensor]:
    """Rotate rays and joints about the view axis; crops are upright, so errors stay the same."""
    c, s = angle.cos()[:, None, None], angle.sin()[:, None, None]
    (x, y), (X, Y, Z) = seen.rays.unbind(-1), joints.unbind(-1)
    rays = torch.stack((c * x - s * y, s * x + c * y), dim=-1)
    turned = torch.stack((c * X - s * Y, s * X + c * Y, Z), dim=-1)
    return replace(seen, rays=rays), turned


def _mirrored(
    seen: ObservedWindows, joints: Tensor, chosen: Tensor
) -> tuple[ObservedWindows, Tensor]:
    w = chosen[:, None, None, None]
    side, sign = list(mirror_indices(KEYPOINTS)), torch.tensor([-1.0, 1, 1])
    swapped = ObservedWindows(
        torch.where(w, seen.rays[:, :, side] * sign[:2], seen.rays),
        torch.where(w[..., 0], seen.score[:, :, side], seen.score),
        seen.times,
        seen.valid,
    )
    return swapped, torch.where(w, joints[:, :, list(mirror_indices(BODY.names))] * sign, joints)


def main() -> None:
    """Record training and held-out shots into two files."""
    from training.synthesis.mocap_dataset import read_split

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("motion", type=Path, help="folder of motion capture")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--shots", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held-out", action="store_true", help="of the subjects kept for testing")
    options = parser.parse_args()
    clips = read_split(options.motion, held_out=options.held_out)
    shots, began = [], time.monotonic()
    for shot in record_shots(clips, options.shots, options.seed):
        shots.append(shot)
        if len(shots) % 20 == 0 or len(shots) == options.shots:
            save_recorded(shots, options.output)
            frames = sum(len(s["score"]) for s in shots)
            print(len(shots), "shots", frames / (time.monotonic() - began), "frames/s", flush=True)


if __name__ == "__main__":
    main()
