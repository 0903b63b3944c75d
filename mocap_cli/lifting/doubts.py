"""Doubts: how far off a lifter is where it has not been taught, learnt after its poses.

Recorded shots that taught it poses are known by heart, and would teach it to be too sure; drawn
ones alone know nothing of what real networks get wrong. So shots are kept aside for this, and all
of the lifter but what tells its expected errors stays as it is.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from mocap_cli.lifting.metrics import lengths
from mocap_cli.lifting.network import DOUBTS, J, Lifter
from mocap_cli.lifting.recipe import TrainConfig, World, make_batch, on_device

STEPS = 2000
RATE = 2e-3
RECORDED = 0.5
"""Share of the windows that real networks saw."""
_SEED = 91_000


def learn_doubts(model: Lifter, aside: World, config: TrainConfig, steps: int = STEPS) -> None:
    """Teach the expected errors on drawn windows and on those of shots kept aside."""
    device = model.leave.weight.device
    head = nn.Linear(model.config.width, J, device=device)
    head.load_state_dict({name: part[DOUBTS] for name, part in model.leave.state_dict().items()})
    optimizer = torch.optim.Adam(head.parameters(), RATE)
    config = replace(config, recorded=RECORDED)
    for step in range(steps):
        g = torch.Generator().manual_seed(_SEED + step)
        batch = on_device(make_batch(aside, config, g), device.type)
        with torch.no_grad():
            read = model.read(batch.features, batch.times, batch.valid)
            off = lengths(model.answer(read).joints - batch.joints)
        loss = doubt(off, head(read) + model.calibration)[batch.valid].mean()
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        model.leave.weight[DOUBTS], model.leave.bias[DOUBTS] = head.weight, head.bias


def doubt(off: Tensor, log_sigma: Tensor) -> Tensor:
    """Least where the expected error is the error that is usual there."""
    return off / log_sigma.exp() + log_sigma
