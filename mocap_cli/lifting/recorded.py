"""What the 2D networks really make of rendered people: recorded once, then trained and tested on.

`python -m mocap_cli.lifting.recorded MOTION_FOLDER -o FILE.npz --shots 300` films random shots,
follows each of them as a video would be, and keeps the keypoints beside the truth.
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

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirrored
from mocap_cli.files import written_whole
from mocap_cli.lifting.network import HEIGHT
from mocap_cli.lifting.noise import warped
from mocap_cli.lifting.windows import Observed
from mocap_cli.synthesis.clips import Clip

FPS = 30.0
ROLL = (
    0.25  # radians, usually, by which recorded shots are turned about the view: no shot stays known
)
FIELDS = ("rays", "score", "known", "true_rays", "visible", "joints")


@dataclass(frozen=True, slots=True)
class Recorded:
    """Recorded shots, joined end to end."""

    rays: Tensor  # (F, K, 2) tangents of what was seen, true lens
    score: Tensor  # (F, K)
    known: Tensor  # (F,)
    true_rays: Tensor  # (F, K, 2)
    visible: Tensor  # (F, K)
    joints: Tensor  # (F, J, 3) metres, camera axes, for a person of HEIGHT
    first: Tensor  # (S,) where each shot begins
    length: Tensor  # (S,)
    tumbling: Tensor  # (S,)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A batch of recorded windows."""

    seen: Observed
    joints: Tensor  # (B, T, J, 3) camera axes
    tumbling: Tensor  # (B,)


def record(clips: Sequence[Clip], shots: int, seed: int) -> Iterator[dict[str, Any]]:
    """Film and follow; a dictionary of arrays a shot."""
    from mocap_cli.keypoints.follow import follow
    from mocap_cli.synthesis.footage import film, random_shots
    from mocap_cli.video.reader import Frame

    rng = np.random.default_rng(seed)
    weights = np.array([min(len(c.root) / c.fps, 15.0) for c in clips])
    for shot in itertools.islice(random_shots(clips, weights, rng), shots):
        truth: list[Any] = []

        def frames(shot: Any = shot, truth: list[Any] = truth) -> Iterator[Frame]:
            for index, frame in enumerate(film(shot, rng)):
                truth.append((frame.xy, frame.visible, frame.joints))
                yield Frame(index=index, time=index / FPS, image=frame.picture)

        seen, camera = follow(frames()), shot.view.pinhole
        xy, visible, joints = (np.stack(column) for column in zip(*truth, strict=True))
        yield {
            "rays": camera.rays(seen.xy)[..., :2].astype(np.float32),
            "score": seen.score,
            "known": seen.known,
            "true_rays": camera.rays(xy)[..., :2].astype(np.float32),
            "visible": visible,
            "joints": (joints * (HEIGHT / shot.body.height)).astype(np.float32),
            "tumbling": shot.tumbling,
        }


def save_recorded(shots: Sequence[dict[str, Any]], path: Path) -> None:
    """One file for all shots."""
    arrays = {name: np.concatenate([shot[name] for shot in shots]) for name in FIELDS}
    arrays["length"] = np.array([len(shot["score"]) for shot in shots])
    arrays["tumbling"] = np.array([shot["tumbling"] for shot in shots])
    with written_whole(path) as aside:
        np.savez_compressed(aside, allow_pickle=False, **arrays)


def load_recorded(path: Path) -> Recorded:
    """Read what `save_recorded` wrote."""
    with np.load(path) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in (*FIELDS, "length", "tumbling")}
    length = arrays["length"]
    arrays["first"] = length.cumsum(0) - length
    return Recorded(**arrays)


def every_other(bank: Recorded, begin: int) -> Recorded:
    """Half of the shots: the even ones (`begin` 0) or the odd ones (1)."""
    chosen = slice(begin, None, 2)
    return replace(
        bank,
        first=bank.first[chosen],
        length=bank.length[chosen],
        tumbling=bank.tumbling[chosen],
    )


def draw_recorded(bank: Recorded, batch: int, frames: int, g: torch.Generator) -> Drawn:
    """Random windows at 30 or 15 frames a second, half of them mirrored, the camera rolled."""
    shot = torch.randint(len(bank.length), (batch,), generator=g)
    step = torch.where(torch.rand(batch, generator=g) < 0.6, 2, 1)[:, None]
    slack = (bank.length[shot][:, None] - frames * step).clamp(min=0)
    start = (torch.rand(batch, 1, generator=g) * (slack + 1)).long()
    at = start + step * torch.arange(frames)
    valid = at < bank.length[shot][:, None]
    rows = bank.first[shot][:, None] + torch.minimum(at, bank.length[shot][:, None] - 1)
    lens = torch.exp(0.15 * torch.randn(batch, 1, 1, 1, generator=g))
    times = torch.arange(frames)[None] * step / FPS
    score = warped(bank.score[rows], g)
    seen = Observed(bank.rays[rows] * lens, score, times, valid & bank.known[rows])
    flip = torch.rand(batch, generator=g) < 0.5
    seen, joints = _mirrored(seen, bank.joints[rows], flip)
    roll = ROLL * torch.randn(batch, generator=g)
    return Drawn(*_rolled(seen, joints, roll), bank.tumbling[shot])


def _rolled(seen: Observed, joints: Tensor, angle: Tensor) -> tuple[Observed, Tensor]:
    """The same seen by a camera that is rolled; networks that turn their crops err as before."""
    c, s = angle.cos()[:, None, None], angle.sin()[:, None, None]
    (x, y), (X, Y, Z) = seen.rays.unbind(-1), joints.unbind(-1)
    rays = torch.stack((c * x - s * y, s * x + c * y), dim=-1)
    turned = torch.stack((c * X - s * Y, s * X + c * Y, Z), dim=-1)
    return replace(seen, rays=rays), turned


def _mirrored(seen: Observed, joints: Tensor, chosen: Tensor) -> tuple[Observed, Tensor]:
    w = chosen[:, None, None, None]
    side, sign = list(mirrored(KEYPOINTS)), torch.tensor([-1.0, 1, 1])
    swapped = Observed(
        torch.where(w, seen.rays[:, :, side] * sign[:2], seen.rays),
        torch.where(w[..., 0], seen.score[:, :, side], seen.score),
        seen.times,
        seen.valid,
    )
    return swapped, torch.where(w, joints[:, :, list(mirrored(BODY.names))] * sign, joints)


def main() -> None:
    """Record training and held-out shots into two files."""
    from mocap_cli.synthesis.bodies import make_body
    from mocap_cli.synthesis.recordings import held_out, read_recordings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("motion", type=Path, help="folder of motion capture")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--shots", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held-out", action="store_true", help="of the subjects kept for testing")
    options = parser.parse_args()
    body = make_body(dict.fromkeys(("gender", "age", "muscle", "weight", "height"), 0.5))
    clips = read_recordings(options.motion, body)
    clips = [clip for clip in clips if held_out(clip) == options.held_out]
    shots, began = [], time.monotonic()
    for shot in record(clips, options.shots, options.seed):
        shots.append(shot)
        if len(shots) % 20 == 0 or len(shots) == options.shots:
            save_recorded(shots, options.output)
            frames = sum(len(s["score"]) for s in shots)
            print(len(shots), "shots", frames / (time.monotonic() - began), "frames/s", flush=True)


if __name__ == "__main__":
    main()
