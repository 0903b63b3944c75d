"""Do people who stand come out standing? Knees of rendered bodies before many cameras.

    python benchmarks/standing.py [LIFTER.safetensors]

Ten bodies that trained no lifter stand for 1.3 s, knees straight or bent by 25 degrees, 4 m before
cameras 0.3, 1.1 and 2.2 m high in front, behind, beside and between. The lifter sees their true
keypoints, then keypoints with simulated errors. Prints the bend that it adds, in degrees.
"""

import itertools
import math
import sys
from pathlib import Path

import torch
from torch import Tensor

from mocap_cli.body.skeleton import BODY
from mocap_cli.lifting.lift import LIFTER_FILE
from mocap_cli.lifting.network import LIFTER_HEIGHT
from mocap_cli.weights import weight_path
from training.lifter.keypoint_noise import simulate_detections
from training.lifter.motion_bank import BodyBank, make_body_bank
from training.lifter.network import LifterNetwork
from training.lifter.part_rotations import LEGS, matrix_from_vector
from training.lifter.people import pose_bodies
from training.lifter.virtual_cameras import CameraViews, camera_rotations
from training.synthesis.mocap_clip import PART_NAMES

BODIES, SEED = 10, 4242
FRAMES, FPS = 32, 25.0
AWAY = 4.0  # metres
HEIGHTS = (0.3, 1.1, 2.2)  # metres, of the camera
VIEWS = {"front": (0.0,), "behind": (180.0,), "side": (90.0, -90.0), "between": (45.0, -135.0)}
BENDS = (0.0, 25.0)  # degrees


def standing(shapes: BodyBank, bend: float) -> tuple[Tensor, Tensor]:
    """(N, T, J, 3) joints and (N, T, K, 3) keypoints of all bodies, facing +Z."""
    count, parts = len(shapes.leg), len(PART_NAMES)
    rotations = torch.eye(3).expand(count, FRAMES, parts, 3, 3).clone()
    half = matrix_from_vector(torch.tensor([math.radians(bend) / 2, 0.0, 0.0]))
    for thigh, shank in LEGS:
        rotations[:, :, thigh], rotations[:, :, shank] = half.mT, half
    rest = shapes.limbs.clone()
    for i, name in enumerate(PART_NAMES):
        if name.endswith(("thigh", "shank", "upperarm", "forearm")):
            rest[:, i] = torch.tensor([0.0, -1.0, 0.0])
    points = pose_bodies(
        shapes, torch.arange(count), rotations, rest, torch.zeros(count, FRAMES, 3)
    )
    points = points * (LIFTER_HEIGHT / shapes.height)[:, None, None, None]
    points = points - points[..., 1].amin((1, 2))[:, None, None, None] * torch.tensor([0, 1.0, 0])
    return points[:, :, : len(BODY)], points[:, :, len(BODY) :]


def seen_from(joints: Tensor, keypoints: Tensor, degrees: float, height: float) -> CameraViews:
    """The bodies before one camera, which looks at their pelvis."""
    count = len(joints)
    angle = math.radians(degrees)
    eye = torch.tensor([AWAY * math.sin(angle), height, AWAY * math.cos(angle)])
    aim = joints[:, :, 0] - eye
    turn = camera_rotations(aim, torch.zeros(count), torch.zeros(count, 2))
    joints, keypoints = ((p - eye) @ turn.transpose(-1, -2) for p in (joints, keypoints))
    rays = keypoints[..., :2] / -keypoints[..., 2:]
    return CameraViews(joints, keypoints, rays, torch.ones(count, 2), torch.ones(count))


def knee_flexion(joints: Tensor) -> Tensor:
    """(..., J, 3) to (..., 2) degrees."""
    sides = []
    for side in ("left", "right"):
        hip, knee, ankle = (
            joints[..., BODY.index(f"{side}_{n}"), :] for n in ("hip", "knee", "ankle")
        )
        cosine = torch.cosine_similarity(knee - hip, ankle - knee, dim=-1)
        sides.append(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))))
    return torch.stack(sides, -1)


@torch.no_grad()
def added_bend(model: LifterNetwork, views: CameraViews, *, clean: bool) -> Tensor:
    """(N,) degrees by which the lifter bends the knees of each body."""
    times = (torch.arange(FRAMES) / FPS).expand(len(views.joints), FRAMES)
    g = torch.Generator().manual_seed(SEED)
    found = simulate_detections(views, times, g, clean=clean)
    features, _ = found.features()
    lifted = model(features, found.times, found.valid)
    added = knee_flexion(lifted.joints) - knee_flexion(views.joints)
    shown = found.valid[..., None].float()
    return (added * shown).sum((1, 2)) / shown.sum((1, 2)) / 2


def main() -> None:
    """One table for each kind of keypoints."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else weight_path(LIFTER_FILE)
    model, shapes = LifterNetwork.load(path), make_body_bank(BODIES, SEED)
    for clean in (True, False):
        print("true keypoints" if clean else "keypoints with errors")
        print("| view | " + " | ".join(f"knees at {bend:.0f}" for bend in BENDS) + " |")
        rows: dict[str, list[list[Tensor]]] = {view: [[], []] for view in VIEWS}
        for (view, angles), (i, bend) in itertools.product(VIEWS.items(), enumerate(BENDS)):
            joints, keypoints = standing(shapes, bend)
            for angle, height in itertools.product(angles, HEIGHTS):
                views = seen_from(joints, keypoints, angle, height)
                rows[view][i].append(added_bend(model, views, clean=clean))
        for view, columns in rows.items():
            print(
                f"| {view} | " + " | ".join(f"{torch.cat(c).mean():+.1f}" for c in columns) + " |"
            )
        every = [torch.cat([t for row in rows.values() for t in row[i]]) for i in range(2)]
        print("| all | " + " | ".join(f"{c.mean():+.1f}" for c in every) + " |")


if __name__ == "__main__":
    main()
