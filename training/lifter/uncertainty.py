"""Uncertainty of a lifter, fitted after training on shots that it was not trained on.

On recorded training shots the errors are too small (overfitting), and simulated windows lack some
errors of real networks. So separate shots are used, and only the output layer of log sigma is
fitted.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from mocap_cli.lifting.metrics import safe_norm
from training.lifter.batches import TrainConfig, TrainingData, batch_to_device, make_batch
from training.lifter.network import J, LifterNetwork

_STEPS = 2000
_RATE = 2e-3
_RECORDED_SHARE = 0.5
"""Share of recorded windows in a batch."""
_SEED = 91_000


def fit_uncertainty(
    model: LifterNetwork, aside: TrainingData, config: TrainConfig, steps: int = _STEPS
) -> None:
    """Fit log sigma on simulated windows and on the recorded shots of `aside`."""
    device = model.leave.weight.device
    head = nn.Linear(model.config.width, J, device=device)
    head.load_state_dict(
        {name: part[LifterNetwork.LOG_SIGMA] for name, part in model.leave.state_dict().items()}
    )
    optimizer = torch.optim.Adam(head.parameters(), _RATE)
    config = replace(config, recorded=_RECORDED_SHARE)
    for step in range(steps):
        g = torch.Generator().manual_seed(_SEED + step)
        batch = batch_to_device(make_batch(aside, config, g), device.type)
        with torch.no_grad():
            read = model.encode(batch.features, batch.times, batch.valid)
            off = safe_norm(model.decode(read).joints - batch.joints)
        loss = laplace_nll(off, head(read) + model.calibration)[batch.valid].mean()
        optimizer.param_groups[0]["lr"] = _RATE * (1 - step / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        model.leave.weight[LifterNetwork.LOG_SIGMA] = head.weight
        model.leave.bias[LifterNetwork.LOG_SIGMA] = head.bias


def laplace_nll(off: Tensor, log_sigma: Tensor) -> Tensor:
    """Negative log likelihood of errors under a Laplace distribution, up to a constant."""
    return off / log_sigma.exp() + log_sigma
