"""Augmentation of labelled images for fine-tuning, with the poses that the result shows."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mocap_cli.body.skeleton import BODY, mirror_indices
from mocap_cli.labels.fitting.degrade import Degradation
from mocap_cli.labels.fitting.fit_heads import ExampleTensors
from mocap_cli.learning.model.crop_augmentation import jitter_colours
from mocap_cli.learning.model.model import to_float

_MIRRORED_JOINTS = list(mirror_indices(BODY.names))


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationOptions:
    """How much images are varied."""

    degraded: float = 0.6  # share of images
    colours: float = 0.4  # as in pretraining
    rotation: float = 0.15  # radians, standard deviation
    shift: float = 0.1  # of the box, standard deviation; also of the logarithm of its size


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """Images with a pose each, all on one device."""

    frames: Tensor  # (N, 3, H, W) uint8, input of the encoder
    boxes: Tensor  # (N, 4) boxes of its detector: half size and centre, -1..1
    joints: Tensor  # (N, 19, 3) metres about the pelvis, without NaN
    weight: Tensor  # (N, 19)

    def __len__(self) -> int:
        return len(self.frames)

    def select(self, chosen: Tensor) -> "LabelledImages":
        """Only those."""
        chosen = chosen.to(self.frames.device)
        return LabelledImages(
            self.frames[chosen], self.boxes[chosen], self.joints[chosen], self.weight[chosen]
        )

    def targets(self) -> ExampleTensors:
        """Poses and weights, without inputs."""
        empty = self.joints.new_zeros(len(self), 0)
        return ExampleTensors(empty, empty, self.joints, self.weight)

    def crops(self, side: int) -> Tensor:
        """(N, 3, side, side) the images inside the boxes, in 0..1."""
        return _crop(self.frames, self.boxes, self.boxes.new_zeros(len(self)), side)

    def degraded(self, share: float, rng: np.random.Generator) -> "LabelledImages":
        """The same with that share of the images degraded."""
        frames = [
            _degrade(frame, box, rng) if share >= 1 or rng.random() < share else frame
            for frame, box in zip(self.frames, self.boxes, strict=True)
        ]
        return replace(self, frames=torch.stack(frames))

    def augmented(
        self, side: int, options: AugmentationOptions, rng: np.random.Generator
    ) -> tuple[Tensor, "LabelledImages"]:
        """Augmented crops (N, 3, side, side), and the poses that they show."""
        N, device = len(self), self.frames.device
        frames = self.degraded(options.degraded, rng).frames
        angles, larger, each, shift = (
            torch.from_numpy(rng.normal(0, spread, shape)).float().to(device)
            for spread, shape in (
                (options.rotation, N), (options.shift, (N, 1)), (options.shift / 2, (N, 2)),
                (options.shift, (N, 2)),
            )
        )  # fmt: skip
        size, centre = self.boxes.split(2, dim=1)
        boxes = torch.cat((size * (larger + each).exp(), centre + size * shift), dim=1)
        crops = jitter_colours(_crop(frames, boxes, angles, side), options.colours)
        joints, weight = _rotate_poses(self.joints, angles), self.weight
        flip = torch.from_numpy(rng.random(N) < 0.5).to(device)
        crops[flip] = crops[flip].flip(-1)
        joints[flip] = joints[flip][:, _MIRRORED_JOINTS] * joints.new_tensor([-1.0, 1, 1])
        weight = torch.where(flip[:, None], weight[:, _MIRRORED_JOINTS], weight)
        return crops, replace(self, joints=joints, weight=weight)


def _degrade(frame: Tensor, box: Tensor, rng: np.random.Generator) -> Tensor:
    """A degraded image (3, H, W)."""
    height, width = frame.shape[-2:]
    tall = float(max(box[0] * width, box[1] * height))
    image = np.ascontiguousarray(frame.permute(1, 2, 0).cpu().numpy())
    degraded = Degradation.random(rng).apply(image, tall, 0.0, rng)
    return torch.from_numpy(degraded).permute(2, 0, 1).to(frame.device)


def _crop(frames: Tensor, boxes: Tensor, angles: Tensor, side: int) -> Tensor:
    """Images (N, 3, H, W) uint8 inside boxes (N, 4), taken by a rolled camera.

    By `angles` (N,) radians clockwise in the image: the person rotates the other way.
    """
    half = boxes.new_tensor([frames.shape[-1], frames.shape[-2]]) / 2
    grid = F.affine_grid(torch.eye(2, 3)[None], [1, 1, side, side], False)  # (1, side, side, 2)
    x, y = (grid.to(boxes.device) * (boxes[:, None, None, :2] * half)).unbind(-1)
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    rotated = torch.stack((cos * x - sin * y, sin * x + cos * y), dim=-1) / half
    at = rotated + boxes[:, None, None, 2:]
    return F.grid_sample(to_float(frames), at, "bilinear", "border", False)


def _rotate_poses(joints: Tensor, angles: Tensor) -> Tensor:
    """Poses (N, J, 3) in the axes of a camera that is rolled by `angles` (N,) as in `_crop`."""
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    x, y, z = joints.unbind(-1)
    return torch.stack((cos * x - sin * y, sin * x + cos * y, z), dim=-1)
