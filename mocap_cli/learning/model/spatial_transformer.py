"""The spatial transformer: boxes, the crop inside a box, and a crop put back into its picture.

Coordinates are those of `grid_sample`: -1..1 across the picture, x right, y DOWN. A box is
(sx, sy, ux, uy): half its width and height, and its centre, so that (1, 1, 0, 0) is the picture.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

_CENTRE_REACH = 0.8
"""How far from the middle of the picture a box's centre can lie."""


def box_from_raw(raw: Tensor, smallest: float) -> Tensor:
    """Four free numbers (..., 4) to boxes: sizes between `smallest` and 1, centres within reach."""
    size = smallest + (1 - smallest) * raw[..., :2].sigmoid()
    return torch.cat((size, _CENTRE_REACH * raw[..., 2:].tanh()), dim=-1)


def displace_boxes(boxes: Tensor, share: float) -> Tensor:
    """Boxes (N, 4) beside where they are and of other sizes, by about that share of a size.

    What is seen from there teaches the boxes nothing.
    """
    if not share:
        return boxes
    size, centre = boxes.detach().split(2, dim=-1)
    wide, aside = (share * torch.randn_like(boxes)).split(2, dim=-1)
    return torch.cat((size * wide.exp(), centre + size * aside), dim=-1)


def crop(pictures: Tensor, boxes: Tensor, side: int) -> Tensor:
    """What each box holds: (N, C, H, W) and (N, 4) to (N, C, side, side)."""
    size, centre = boxes[:, :2], boxes[:, 2:]
    grid = _grid(size, centre, (side, side))
    return F.grid_sample(pictures, grid.to(pictures.dtype), "bilinear", "border", False)


def paste(crops: Tensor, boxes: Tensor, height: int, width: int, *, beyond: str) -> Tensor:
    """Crops back where their boxes are: (N, C, side, side) to (N, C, height, width).

    `beyond` fills what lies outside the box: "border" goes on with the crop's edge, "zeros" ends.
    """
    size, centre = boxes[:, :2], boxes[:, 2:]
    grid = _grid(1 / size, -centre / size, (height, width))
    return F.grid_sample(crops, grid.to(crops.dtype), "bilinear", beyond, False)


def _grid(size: Tensor, centre: Tensor, shape: tuple[int, int]) -> Tensor:
    """Where to look for each pixel of `shape`: size * pixel + centre, (N, H, W, 2)."""
    zero = torch.zeros_like(size[:, 0])
    theta = torch.stack(
        (size[:, 0], zero, centre[:, 0], zero, size[:, 1], centre[:, 1]), dim=-1
    ).unflatten(-1, (2, 3))
    return F.affine_grid(theta, [len(size), 1, *shape], False)


def soft_window(side: int, device: torch.device | None = None) -> Tensor:
    """A window (side, side) that is 1 in the middle and falls smoothly to 0 at the edge."""
    axis = (torch.arange(side, device=device) + 0.5) * (2 / side) - 1
    radius = (axis[:, None] ** 4 + axis[None, :] ** 4).sqrt().clamp(max=1 - 1e-6)
    return torch.exp(1 - 1 / (1 - radius))
