"""How good a lifter is on people it has not met, and how sure it may be of its answers."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from mocap_cli.lifting.metrics import mpjpe, n_mpjpe, p_mpjpe
from mocap_cli.lifting.network import Lifter
from mocap_cli.lifting.recipe import Batch, TrainConfig, World, make_batch, on_device


@torch.no_grad()
def evaluate(
    model: Lifter, world: World, config: TrainConfig, batches: int = 12
) -> dict[str, dict[str, float]]:
    """Millimetres on held-out people: clean and noisy, upright and tumbling apart."""
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
            b = on_device(make_batch(world, case, g, clean=clean), device)
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
def calibrate(model: Lifter, batches: Iterable[Batch]) -> None:
    """Make 70 % of each joint's errors smaller than the error expected for it."""
    ratios = []
    device = next(model.parameters()).device.type
    for made in batches:
        b = on_device(made, device)
        lifted = model(b.features, b.times, b.valid)
        off = (lifted.joints - b.joints).norm(dim=-1)
        ratios.append((off / lifted.log_sigma.exp())[b.valid])
    model.calibration += torch.cat(ratios).quantile(0.7, dim=0).clamp(min=1e-3).log()
