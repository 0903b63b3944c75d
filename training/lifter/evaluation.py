"""Evaluation on held-out subjects, and calibration of the uncertainty."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from mocap_cli.lifting.metrics import mpjpe, n_mpjpe, p_mpjpe
from training.lifter.batches import (
    LifterBatch,
    TrainConfig,
    TrainingData,
    batch_to_device,
    make_batch,
)
from training.lifter.network import LifterNetwork


@torch.no_grad()
def evaluate(
    model: LifterNetwork, data: TrainingData, config: TrainConfig, batches: int = 12
) -> dict[str, dict[str, float]]:
    """Errors in millimetres on held-out subjects: clean or noisy keypoints, upright or tumbling."""
    table: dict[str, dict[str, float]] = {}
    device = next(model.parameters()).device.type
    for name, tumbling, clean in (
        ("upright, clean", 0.0, True),
        ("upright, noisy", 0.0, False),
        ("tumbling, clean", 1.0, True),
        ("tumbling, noisy", 1.0, False),
    ):
        rows: dict[str, list[Tensor]] = {"MPJPE": [], "N-MPJPE": [], "P-MPJPE": [], "inside": []}
        for i in range(batches):
            g = torch.Generator().manual_seed(77_000 + i)
            case = replace(config, tumbling=tumbling, recorded=0.0)
            b = batch_to_device(make_batch(data, case, g, clean=clean), device)
            lifted = model(b.features, b.times, b.valid)
            p, t = lifted.joints[b.valid], b.joints[b.valid]
            rows["MPJPE"].append(mpjpe(p, t).mean() * 1000)
            rows["N-MPJPE"].append(n_mpjpe(p, t).mean() * 1000)
            rows["P-MPJPE"].append(p_mpjpe(p, t).mean() * 1000)
            sigma = lifted.log_sigma[b.valid].exp()
            rows["inside"].append((mpjpe(p, t) < sigma)[:, 1:].float().mean())
        table[name] = {key: float(torch.stack(values).mean()) for key, values in rows.items()}
    return table


@torch.no_grad()
def calibrate(model: LifterNetwork, batches: Iterable[LifterBatch]) -> None:
    """Scale the sigma of each joint but the pelvis, which has no error: 70 % of errors in it."""
    ratios = []
    device = next(model.parameters()).device.type
    for made in batches:
        b = batch_to_device(made, device)
        lifted = model(b.features, b.times, b.valid)
        off = (lifted.joints - b.joints).norm(dim=-1)
        ratios.append((off / lifted.log_sigma.exp())[b.valid])
    model.calibration[1:] += torch.cat(ratios)[:, 1:].quantile(0.7, dim=0).clamp(min=1e-3).log()
