"""Variety: labelled pictures as they might have been seen, with the poses that they then show."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mocap_cli.body.skeleton import BODY, mirror_indices
from mocap_cli.labels.fitting.degrade import degrade, random_degradation
from mocap_cli.learning.model.crop_augmentation import jitter_colours
from mocap_cli.learning.model.model import to_float

Random = np.random.Generator

_JOINT_SIDE = list(mirror_indices(BODY.names))


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationOptions:
    """How much pictures are varied."""

    spoilt: float = 0.6  # share of pictures that are shown spoilt
    colours: float = 0.4  # as in pretraining
    turned: float = 0.15  # radians, deviation
    shifted: float = 0.1  # of the box, deviation; and by how much it is larger or smaller


DEFAULT_AUGMENTATION = AugmentationOptions()


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """Labelled pictures."""

    frames: Tensor  # (N, 3, H, W) uint8, as the eye is shown them
    boxes: Tensor  # (N, 4) where the eye finds the person, as in transformer.py
    joints: Tensor  # (N, 19, 3) metres about the pelvis, without NaN
    weight: Tensor  # (N, 19)

    def __len__(self) -> int:
        return len(self.frames)

    def part(self, chosen: Tensor) -> "LabelledImages":
        """Only those."""
        return LabelledImages(
            self.frames[chosen], self.boxes[chosen], self.joints[chosen], self.weight[chosen]
        )


def augment(
    album: LabelledImages, side: int, options: AugmentationOptions, rng: Random
) -> tuple[Tensor, LabelledImages]:
    """Crops (N, 3, side, side) of the same people as they might have been seen, and their poses."""
    N = len(album)
    frames = torch.stack([
        degrade_image(frame, box, rng) if rng.random() < options.spoilt else frame
        for frame, box in zip(album.frames, album.boxes, strict=True)
    ])  # fmt: skip
    turns, larger, each, shift = (
        torch.from_numpy(rng.normal(0, spread, shape)).float()
        for spread, shape in (
            (options.turned, N), (options.shifted, (N, 1)), (options.shifted / 2, (N, 2)),
            (options.shifted, (N, 2)),
        )
    )  # fmt: skip
    size, centre = album.boxes.split(2, dim=1)
    boxes = torch.cat((size * (larger + each).exp(), centre + size * shift), dim=1)
    crops = jitter_colours(crop_images(frames, boxes, turns, side), options.colours)
    joints, weight = _rotate_poses(album.joints, turns), album.weight
    flip = torch.from_numpy(rng.random(N) < 0.5)
    crops[flip] = crops[flip].flip(-1)
    joints[flip] = joints[flip][:, _JOINT_SIDE] * torch.tensor([-1.0, 1, 1])
    weight = torch.where(flip[:, None], weight[:, _JOINT_SIDE], weight)
    return crops, replace(album, joints=joints, weight=weight)


def degrade_image(frame: Tensor, box: Tensor, rng: Random) -> Tensor:
    """A picture (3, H, W) as a worse camera takes it."""
    height, width = frame.shape[-2:]
    tall = float(max(box[0] * width, box[1] * height))
    picture = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
    return torch.from_numpy(degrade(picture, random_degradation(rng), tall, 0.0, rng)).permute(
        2, 0, 1
    )


def crop_images(frames: Tensor, boxes: Tensor, turns: Tensor, side: int) -> Tensor:
    """What boxes (N, 4) hold of frames (N, 3, H, W) uint8, in which the camera is turned.

    By `turns` (N,) radians clockwise, as one looks at the picture: the person turns the other way.
    """
    half = torch.tensor([frames.shape[-1], frames.shape[-2]]) / 2
    grid = F.affine_grid(torch.eye(2, 3)[None], [1, 1, side, side], False)  # (1, side, side, 2)
    x, y = (grid * (boxes[:, None, None, :2] * half)).unbind(-1)
    cos, sin = turns.cos()[:, None, None], turns.sin()[:, None, None]
    turned = torch.stack((cos * x - sin * y, sin * x + cos * y), dim=-1) / half
    at = turned + boxes[:, None, None, 2:]
    return F.grid_sample(to_float(frames), at, "bilinear", "border", False)


def _rotate_poses(joints: Tensor, turns: Tensor) -> Tensor:
    """Poses (N, J, 3) in the axes of a camera that is turned by `turns` (N,) as in `crops_of`."""
    cos, sin = turns.cos()[:, None], turns.sin()[:, None]
    x, y, z = joints.unbind(-1)
    return torch.stack((cos * x - sin * y, sin * x + cos * y, z), dim=-1)
