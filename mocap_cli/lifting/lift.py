"""Keypoints over time to 3D joints about the pelvis, with the shipped lifter or another."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirrored
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.files import written_whole
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.lifting.network import Lifted, Lifter, LifterConfig
from mocap_cli.lifting.windows import Observed, features

LIFTER = "lifter.safetensors"
"""The shipped one, in weights/."""
RATE = 20.0
"""Frames per second the lifter likes; faster videos are read as interleaved slower ones."""
WINDOW = 32
HOP = 12
BATCH = 64
_JOINT_SIDE, _POINT_SIDE = list(mirrored(BODY.names)), list(mirrored(KEYPOINTS))


@dataclass(frozen=True, slots=True)
class Pose:
    """The body's shape at every frame; NaN where nobody was known."""

    joints: NDArray[np.float64]  # (T, J, 3) metres about the pelvis, camera axes, HEIGHT tall
    sigma: NDArray[np.float64]  # (T, J) metres
    planted: NDArray[np.float64]  # (T, 2) probability, left and right foot


def save_lifter(model: Lifter, path: Path) -> None:
    """Write weights and configuration as data (safetensors)."""
    with written_whole(path) as aside:
        metadata = {"lifter": json.dumps(asdict(model.config))}
        state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
        save_file(state, aside, metadata)


def load_lifter(path: Path, device: str = "cpu") -> Lifter:
    """Read what `save_lifter` wrote."""
    try:
        with safe_open(path, "pt") as file:
            config = LifterConfig(**json.loads(file.metadata()["lifter"]))
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        model = Lifter(config)
        model.load_state_dict(state)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise MocapError(f"{path} is not a lifter: {error}", "install mocap-cli again") from error
    return model.to(device).eval()


def lift(seen: Keypoints, camera: Pinhole, model: Lifter) -> Pose:
    """Lift every shot of the clip; frames far apart in time do not see each other."""
    T, J = len(seen), len(BODY)
    total = np.zeros((T, J, 3))
    sigma, planted, weight = np.zeros((T, J)), np.zeros((T, 2)), np.zeros((T, 1))
    windows = [rows for rows in _windows(seen) if seen.known[rows].any()]
    for start in range(0, len(windows), BATCH):
        rows = windows[start : start + BATCH]
        lifted, turn, valid = _run(model, _observe(seen, camera, rows))
        for i, row in enumerate(rows):
            good = valid[i, : len(row)]
            at, share = row[good], _taper(len(row))[good, None]
            local = lifted.joints[i, : len(row)] @ turn[i, : len(row)].mT
            total[at] += share[..., None] * local.numpy()[good]
            sigma[at] += share * lifted.log_sigma[i, : len(row)].exp().numpy()[good]
            planted[at] += share * lifted.planted[i, : len(row)].sigmoid().numpy()[good]
            weight[at] += share
    with np.errstate(invalid="ignore"):
        return Pose(total / weight[..., None], sigma / weight, planted / weight)


def _windows(seen: Keypoints) -> Iterator[NDArray[np.int64]]:
    """Overlapping rows of frames about 1 / RATE apart, shot by shot."""
    first = np.flatnonzero(seen.cut | (np.arange(len(seen)) == 0))
    for begin, end in zip(first, [*first[1:], len(seen)], strict=True):
        gaps = np.diff(seen.times[begin:end])
        stride = max(1, round(1 / (RATE * float(np.median(gaps))))) if len(gaps) else 1
        for phase in range(min(stride, end - begin)):
            rows = np.arange(begin + phase, end, stride)
            last = max(0, len(rows) - WINDOW)
            for start in sorted({*range(0, last, HOP), last}):
                yield rows[start : start + WINDOW]


def _taper(count: int) -> NDArray[np.float64]:
    """Frames in the middle of a window know their surroundings best."""
    return 0.05 + np.sin(np.pi * (np.arange(count) + 0.5) / count)


def _observe(seen: Keypoints, camera: Pinhole, windows: list[NDArray[np.int64]]) -> Observed:
    """Windows as rays, padded with frames that do not count."""
    rows = np.stack([np.pad(row, (0, WINDOW - len(row)), mode="edge") for row in windows])
    count = np.array([len(row) for row in windows])
    valid = seen.known[rows] & (np.arange(WINDOW) < count[:, None])
    rays = camera.rays(seen.xy)[..., :2].astype(np.float32)
    times = seen.times[rows] - seen.times[rows[:, :1]]
    return Observed(
        torch.from_numpy(rays[rows]),
        torch.from_numpy(seen.score[rows]),
        torch.from_numpy(times.astype(np.float32)),
        torch.from_numpy(valid),
    )


@torch.inference_mode()
def _run(model: Lifter, seen: Observed) -> tuple[Lifted, Tensor, NDArray[np.bool_]]:
    """The network's answer, averaged with its answer to the mirrored question."""
    device = next(model.parameters()).device
    shown, turn = features(seen)
    flipped, _ = features(_mirror(seen))
    both = model(
        torch.cat((shown, flipped)).to(device),
        seen.times.repeat(2, 1).to(device),
        seen.valid.repeat(2, 1).to(device),
    )
    a, b = (Lifted(*(part[i].float().cpu() for part in _halves(both))) for i in (0, 1))
    joints = (a.joints + b.joints[:, :, _JOINT_SIDE] * torch.tensor([-1.0, 1, 1])) / 2
    sigma = (a.log_sigma + b.log_sigma[:, :, _JOINT_SIDE]) / 2
    planted = (a.planted + b.planted.flip(-1)) / 2
    return Lifted(joints, sigma, planted), turn, seen.valid.numpy()


def _halves(both: Lifted) -> Iterator[tuple[Tensor, Tensor]]:
    for part in (both.joints, both.log_sigma, both.planted):
        a, b = part.chunk(2)
        yield a, b


def _mirror(seen: Observed) -> Observed:
    """What a mirror would show."""
    return Observed(
        seen.rays[:, :, _POINT_SIDE] * torch.tensor([-1.0, 1]),
        seen.score[:, :, _POINT_SIDE],
        seen.times,
        seen.valid,
    )
