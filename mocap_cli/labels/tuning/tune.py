"""Tuning: MoveNet learns labelled frames, and keeps what it knows of frames it is sure in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mocap_cli.errors import MocapError
from mocap_cli.keypoints.crop import CROP_SIZE
from mocap_cli.labels.tuning.keypoint_images import KeypointImage, stack
from mocap_cli.labels.tuning.movenet import CELLS, MoveNet
from mocap_cli.progress import Count, no_progress

_CELL = CROP_SIZE / CELLS  # pixels
_SPREAD = 1.5  # cells: standard deviation of a keypoint's heat
_OFFSET_SHARE, _REACH_SHARE = 0.3, 0.03  # of the loss
_TORSO = [5, 6, 11, 12]
_SUM_OF_HEAT = 2 * math.pi * _SPREAD**2
_LONGEST_STEP = 20.0  # of the gradient's norm


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneOptions:
    """How the network is tuned."""

    steps: int = 150
    batch: int = 16  # half of it labelled frames
    rate: float = 1e-4  # at most; decays to nearly zero
    begin: int = 10  # warm-up steps
    frozen: int = 24  # of the first convolutions
    average: int = 30  # steps over which the weights are averaged
    fewest: int = 12  # labelled frames
    bfloat16: bool = False  # faster on processors that have it
    seed: int = 1


def tune(
    labelled: Sequence[KeypointImage],
    confident: Sequence[KeypointImage],
    options: TuneOptions = TuneOptions(),
    on_step: Count = no_progress,
) -> MoveNet:
    """Tune the bundled network to labelled images."""
    if not labelled:
        raise MocapError(
            "no label shows shoulders and hips, by which the 2D network finds a person",
            "label these in some frames",
        )
    torch.manual_seed(options.seed)
    network = MoveNet.bundled()
    train(network, (labelled, confident or labelled), options, on_step)
    return network


def train(
    network: MoveNet,
    sources: Sequence[Sequence[KeypointImage]],
    options: TuneOptions,
    on_step: Count = no_progress,
) -> None:
    """Train the network in place, on as many images of each source.

    It ends with the average of its latest weights.
    """
    rng = np.random.default_rng(options.seed)
    network.freeze(options.frozen)
    moving = [p for p in network.parameters() if p.requires_grad]
    averages = [p.detach().clone() for p in moving]
    optimizer = torch.optim.AdamW(moving, options.rate, weight_decay=0.0)
    for step in range(options.steps):
        for group in optimizer.param_groups:
            group["lr"] = options.rate * _rate_factor(options, step)
        images = [_drawn(sources[i % len(sources)], rng) for i in range(options.batch)]
        pictures, xy, weight = (torch.from_numpy(part) for part in stack(images, rng))
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bfloat16):
            heat, offsets, reach = network(pictures.float())
        maps = heat.float(), offsets.float(), reach.float()
        loss = _loss(maps, xy / _CELL, weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(moving, _LONGEST_STEP)
        optimizer.step()
        share = 1 / min(step + 2, options.average)
        for average, parameter in zip(averages, moving, strict=True):
            average.lerp_(parameter.detach(), share)
        on_step(step + 1)
    for average, parameter in zip(averages, moving, strict=True):
        parameter.data.copy_(average)


def _drawn(images: Sequence[KeypointImage], rng: np.random.Generator) -> KeypointImage:
    return images[int(rng.integers(len(images)))]


def _rate_factor(options: TuneOptions, step: int) -> float:
    """Linear warm-up, then cosine decay."""
    decayed = 0.05 + 0.475 * (1 + math.cos(math.pi * step / options.steps))
    return min(1.0, (step + 1) / options.begin) * decayed


def _loss(maps: tuple[Tensor, Tensor, Tensor], cells: Tensor, weight: Tensor) -> Tensor:
    """Focal loss of the heat and distance of the ways, for keypoints (N, 17, 2) in cells."""
    heat, offsets, reach = maps
    place = torch.arange(CELLS, device=heat.device) + 0.5
    x, y = cells[..., 0, None, None], cells[..., 1, None, None]
    wanted = torch.exp(-((place - x) ** 2 + (place[:, None] - y) ** 2) / (2 * _SPREAD**2))
    heat = heat.clamp(1e-5, 1 - 1e-5)
    found = wanted * (1 - heat) ** 2 * -heat.log()
    false = (1 - wanted) ** 4 * heat**2 * -(1 - heat).log()
    total = weight.sum().clamp(min=1e-6)
    heat_loss = (weight[..., None, None] * (found + false)).sum() / (_SUM_OF_HEAT * total)
    cell = cells.floor().clamp(0, CELLS - 1)
    place_loss = F.l1_loss(_at(offsets, cell), (cells - cell).flip(-1), reduction="none")
    middle = cells[:, _TORSO].mean(dim=1, keepdim=True).floor().clamp(0, CELLS - 1)
    middle = middle.expand_as(cells)
    wanted = (cells - middle).flip(-1)
    reach_loss = F.smooth_l1_loss(_at(reach, middle), wanted, reduction="none")
    both = _OFFSET_SHARE * place_loss + _REACH_SHARE * reach_loss
    return heat_loss + (weight[..., None] * both).sum() / total


def _at(offsets: Tensor, cell: Tensor) -> Tensor:
    """(N, 17, 2) of a map, down and right, in one cell for each keypoint."""
    cell, (N, K) = cell.long(), cell.shape[:2]
    image, keypoint = torch.arange(N)[:, None], torch.arange(K)[None]
    return offsets[image, keypoint, :, cell[..., 1], cell[..., 0]]
