"""Random cameras: height, distance, lens and roll; fixed or following the person."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from training.lifter.people import People


@dataclass(frozen=True, slots=True)
class CameraViews:
    """A batch of people in the camera axes of each frame, and their projections."""

    joints: Tensor  # (B, T, J, 3) metres, camera axes
    keypoints: Tensor  # (B, T, K, 3)
    rays: Tensor  # (B, T, K, 2) true tangents
    edge: Tensor  # (B, 2) tangents of half the image's width and height
    lens: Tensor  # (B,) assumed over true focal length


def sample_cameras(people: People, g: torch.Generator) -> CameraViews:
    """A random camera for each person; some follow the person."""
    B = len(people.times)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(B, generator=g)

    path = people.joints[:, :, 0]  # (B, T, 3)
    target = path.median(dim=1).values
    half = torch.tan(torch.deg2rad(uniform(12, 40)))  # half the longer side
    aspect = torch.where(uniform(0, 1) < 0.6, uniform(0.5, 0.8), torch.ones(B))
    portrait = uniform(0, 1) < 0.4
    edge = torch.stack((half, half * aspect), -1)
    edge = torch.where(portrait[:, None], edge.flip(-1), edge)
    share = uniform(0.25, 1.0)  # of the image's height that a standing person takes
    far = (1.7 / (2 * edge[:, 1] * share)).clamp(1.2, 40)
    away = uniform(-math.pi, math.pi)
    level = uniform(0, 1) < 0.75
    high = torch.where(level, uniform(0.3, 2.2), target[:, 1] + far * torch.sin(uniform(-0.6, 0.9)))
    rise = (high - target[:, 1]).clamp(-0.9 * far, 0.9 * far)
    flat = (far**2 - rise**2).sqrt()
    eye = target + torch.stack((flat * away.sin(), rise, flat * away.cos()), -1)
    follows = (uniform(0, 1) < 0.3)[:, None, None]
    aim = torch.where(follows, path, target[:, None].expand_as(path))
    roll = torch.where(uniform(0, 1) < 0.9, 0.06 * torch.randn(B, generator=g), uniform(-3.2, 3.2))
    offset = 0.35 * edge * (2 * torch.rand(B, 2, generator=g) - 1)
    turn = camera_rotations(aim - eye[:, None], roll, offset)  # camera_from_world (B, T, 3, 3)
    joints = (people.joints - eye[:, None, None]) @ turn.transpose(-1, -2)
    keypoints = (people.keypoints - eye[:, None, None]) @ turn.transpose(-1, -2)
    rays = keypoints[..., :2] / (-keypoints[..., 2:]).clamp(min=0.1)
    lens = torch.exp(0.15 * torch.randn(B, generator=g))
    return CameraViews(joints, keypoints, rays, edge, lens)


def camera_rotations(ahead: Tensor, roll: Tensor, offset: Tensor) -> Tensor:
    """Rotations camera_from_world (B, T, 3, 3) that look along `ahead`, with offset and roll."""
    z = -ahead / ahead.norm(dim=-1, keepdim=True)
    x = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]).expand_as(z), z)
    x = x / x.norm(dim=-1, keepdim=True)
    level = torch.stack((x, torch.linalg.cross(z, x), z), dim=-2)  # (B, T, 3, 3)
    yaw, pitch = torch.atan(offset).unbind(-1)
    o = torch.zeros_like(roll)
    one = torch.ones_like(roll)
    turns = [
        torch.stack(rows, -1).unflatten(-1, (3, 3))
        for rows in (
            (yaw.cos(), o, yaw.sin(), o, one, o, -yaw.sin(), o, yaw.cos()),
            (one, o, o, o, pitch.cos(), -pitch.sin(), o, pitch.sin(), pitch.cos()),
            (roll.cos(), -roll.sin(), o, roll.sin(), roll.cos(), o, o, o, one),
        )
    ]
    return (turns[2] @ turns[1] @ turns[0])[:, None] @ level
