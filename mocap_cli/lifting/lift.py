"""Lift: keypoints over time to 3D joints about the pelvis, with the bundled lifter or another."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.io.sealed import write_tensors
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.lifting.network import Lifter, LifterConfig, LifterOutput
from mocap_cli.lifting.windows import KeypointWindows

LIFTER_FILE = "lifter.safetensors"
"""The bundled one, in weights/."""
_RATE = 20.0
"""Frames per second of the lifter's input; faster videos are split into interleaved slower ones."""
_WINDOW = 32
_HOP = 12
_BATCH = 64
_JOINT_SIDE, _POINT_SIDE = list(mirror_indices(BODY.names)), list(mirror_indices(KEYPOINTS))


@dataclass(frozen=True, slots=True)
class LiftedPose:
    """The body's pose in every frame; NaN without keypoints."""

    joints: NDArray[np.float64]  # (T, J, 3) metres about the pelvis, camera axes, HEIGHT tall
    sigma: NDArray[np.float64]  # (T, J) metres
    contacts: NDArray[np.float64]  # (T, 2) probability, left and right foot


def save_lifter(model: Lifter, path: Path) -> None:
    """Write weights and configuration as safetensors."""
    metadata = {"lifter": json.dumps(asdict(model.config))}
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    write_tensors(path, state, metadata)


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


def lift(keypoints: Keypoints, camera: Pinhole, model: Lifter) -> LiftedPose:
    """Lift every shot of the clip, in overlapping windows of about two seconds."""
    T, J = len(keypoints), len(BODY)
    total = np.zeros((T, J, 3))
    sigma, planted, weight = np.zeros((T, J)), np.zeros((T, 2)), np.zeros((T, 1))
    windows = [rows for rows in _windows(keypoints) if keypoints.tracked[rows].any()]
    for start in range(0, len(windows), _BATCH):
        rows = windows[start : start + _BATCH]
        lifted, turn, valid = _run(model, _observe(keypoints, camera, rows))
        for i, row in enumerate(rows):
            good = valid[i, : len(row)]
            at, share = row[good], _taper(len(row))[good, None]
            local = lifted.joints[i, : len(row)] @ turn[i, : len(row)].mT
            total[at] += share[..., None] * local.numpy()[good]
            sigma[at] += share * lifted.log_sigma[i, : len(row)].exp().numpy()[good]
            planted[at] += share * lifted.contact_logits[i, : len(row)].sigmoid().numpy()[good]
            weight[at] += share
    with np.errstate(invalid="ignore"):
        return LiftedPose(total / weight[..., None], sigma / weight, planted / weight)


def _windows(keypoints: Keypoints) -> Iterator[NDArray[np.int64]]:
    """Overlapping windows of frame indices about 1 / _RATE apart, shot by shot."""
    first = np.flatnonzero(keypoints.cut | (np.arange(len(keypoints)) == 0))
    for begin, end in zip(first, [*first[1:], len(keypoints)], strict=True):
        gaps = np.diff(keypoints.times[begin:end])
        stride = max(1, round(1 / (_RATE * float(np.median(gaps))))) if len(gaps) else 1
        for phase in range(min(stride, end - begin)):
            rows = np.arange(begin + phase, end, stride)
            last = max(0, len(rows) - _WINDOW)
            for start in sorted({*range(0, last, _HOP), last}):
                yield rows[start : start + _WINDOW]


def _taper(count: int) -> NDArray[np.float64]:
    """Weights of a window's frames: those in the middle have the most context."""
    return 0.05 + np.sin(np.pi * (np.arange(count) + 0.5) / count)


def _observe(
    keypoints: Keypoints, camera: Pinhole, windows: list[NDArray[np.int64]]
) -> KeypointWindows:
    """Windows as rays, padded with invalid frames."""
    rows = np.stack([np.pad(row, (0, _WINDOW - len(row)), mode="edge") for row in windows])
    count = np.array([len(row) for row in windows])
    valid = keypoints.tracked[rows] & (np.arange(_WINDOW) < count[:, None])
    rays = camera.rays(keypoints.xy)[..., :2].astype(np.float32)
    times = keypoints.times[rows] - keypoints.times[rows[:, :1]]
    return KeypointWindows(
        torch.from_numpy(rays[rows]),
        torch.from_numpy(keypoints.score[rows]),
        torch.from_numpy(times.astype(np.float32)),
        torch.from_numpy(valid),
    )


@torch.inference_mode()
def _run(model: Lifter, windows: KeypointWindows) -> tuple[LifterOutput, Tensor, NDArray[np.bool_]]:
    """The network's output, averaged with that for the mirrored input."""
    device = next(model.parameters()).device
    features, turn = windows.features()
    flipped, _ = _mirror(windows).features()
    both = model(
        torch.cat((features, flipped)).to(device),
        windows.times.repeat(2, 1).to(device),
        windows.valid.repeat(2, 1).to(device),
    )
    a, b = (LifterOutput(*(part[i].float().cpu() for part in _halves(both))) for i in (0, 1))
    joints = (a.joints + b.joints[:, :, _JOINT_SIDE] * torch.tensor([-1.0, 1, 1])) / 2
    sigma = (a.log_sigma + b.log_sigma[:, :, _JOINT_SIDE]) / 2
    planted = (a.contact_logits + b.contact_logits.flip(-1)) / 2
    return LifterOutput(joints, sigma, planted), turn, windows.valid.numpy()


def _halves(both: LifterOutput) -> Iterator[tuple[Tensor, Tensor]]:
    for part in (both.joints, both.log_sigma, both.contact_logits):
        a, b = part.chunk(2)
        yield a, b


def _mirror(windows: KeypointWindows) -> KeypointWindows:
    """The mirror image."""
    return KeypointWindows(
        windows.rays[:, :, _POINT_SIDE] * torch.tensor([-1.0, 1]),
        windows.score[:, :, _POINT_SIDE],
        windows.times,
        windows.valid,
    )
