"""Simulated errors of 2D keypoint networks: jitter, outliers, swapped sides, lost limbs.

Sizes are in metres at the person's depth, so they hold for any distance and lens. The levels
were measured on rendered bodies with known joints (docs/lifter.md).
"""

import torch
from torch import Tensor

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from training.lifter.observed_windows import ObservedWindows
from training.lifter.virtual_cameras import CameraViews

K = len(KEYPOINTS)
ROUGH = torch.tensor(
    [
        {
            "shoulder": 0.85,
            "hip": 1.1,
            "wrist": 1.2,
            "knee": 0.85,
            "ankle": 0.7,
            "heel": 1.15,
            "toe": 2.2,
        }.get(name.rpartition("_")[2], 1.0)
        for name in KEYPOINTS
    ]
)
"""Error of each keypoint relative to the average keypoint."""


def _among(parts: tuple[str, ...]) -> Tensor:
    """(K,) whether the name of a keypoint contains one of `parts`."""
    return torch.tensor([any(part in name for part in parts) for name in KEYPOINTS])


def _of(side: str, parts: tuple[str, ...]) -> Tensor:
    return _among(tuple(f"{side}_{part}" for part in parts))


LEGS, ARMS = ("knee", "ankle", "heel", "toe"), ("elbow", "wrist")
LOST = (
    (_among(("hip", *LEGS)), 0.06),
    (_among(LEGS), 0.06),
    (_among(("shoulder", *ARMS)), 0.06),
    (_among(("_",)), 0.03),
    *((_of(side, LEGS), 0.15) for side in ("left", "right")),
    *((_of(side, ARMS), 0.4) for side in ("left", "right")),
)
"""Groups of keypoints that are lost together, and the share of windows in which they are."""
SWAPPED = (
    (_among(("hip", *LEGS)), 0.05),
    (_among(("shoulder", *ARMS)), 0.04),
    (_among(("_",)), 0.03),
)
"""Groups of keypoints that are confused left and right, and the share of windows."""
UNNOTICED = 0.5
"""Share of the losses during which the confidence stays high."""


OTHER_SIDE = torch.tensor(mirror_indices(KEYPOINTS))


def _pair(what: str) -> list[int]:
    return [KEYPOINTS.index(f"left_{what}"), KEYPOINTS.index(f"right_{what}")]


HIPS, SHOULDERS, KNEES, ANKLES, HEELS, TOES = (
    _pair(w) for w in ("hip", "shoulder", "knee", "ankle", "heel", "toe")
)
BEHIND_AN_EDGE = 0.08
"""Share of the windows in which an edge (grass, a wall) hides the feet and shortens the legs."""
ANKLE_JOINTS = [BODY.index("left_ankle"), BODY.index("right_ankle")]
FEET = _among(("heel", "toe"))


def simulate_detections(
    views: CameraViews, times: Tensor, g: torch.Generator, *, clean: bool = False
) -> ObservedWindows:
    """Keypoints with errors and scores, as rays of the lens that the tracker assumes."""
    B, T = times.shape
    rays, score = _as_seen(views, g), torch.full((B, T, K), 0.7)
    valid = torch.ones(B, T, dtype=torch.bool)
    if not clean:
        rays, score = _errors(rays, views, times, g)
        rays, score = _swaps(rays, score, times, g)
        rays, score = _edges(rays, score, views.edge, g)
        gone = _bursts(B, 1, times, 0.08, g)[..., 0] > 0
        score = torch.where(gone[..., None], 0.0, score)
        valid = _cut(B, T, g)
        score = warp_scores(score, g)
    return ObservedWindows(rays / views.lens[:, None, None, None], score, times, valid)


def _slow(shape: tuple[int, ...], times: Tensor, memory: float, g: torch.Generator) -> Tensor:
    """Unit noise (B, T, ...) with a correlation time of `memory` seconds."""
    white = torch.randn(shape, generator=g)
    gap = (times[:, 1] - times[:, 0])[:, None]
    keep = torch.exp(-gap / memory).reshape(-1, *[1] * (len(shape) - 2))
    out = [white[:, 0]]
    for t in range(1, shape[1]):
        out.append(keep * out[-1] + (1 - keep**2).sqrt() * white[:, t])
    return torch.stack(out, 1)


def _bursts(batch: int, count: int, times: Tensor, chance: float, g: torch.Generator) -> Tensor:
    """(B, T, count) 1 during a random interval of 0.05 to 0.7 seconds in some windows, else 0."""
    span = times[:, -1]
    start = torch.rand(batch, count, generator=g) * span[:, None]
    length = 0.05 + 0.65 * torch.rand(batch, count, generator=g) ** 2
    length = torch.where(torch.rand(batch, count, generator=g) < 0.12, 9.0, length)
    on = torch.rand(batch, count, generator=g) < chance
    t = times[..., None]
    return ((t >= start[:, None]) & (t < (start + length)[:, None]) & on[:, None]).float()


def _as_seen(views: CameraViews, g: torch.Generator) -> Tensor:
    """Rays to where networks place keypoints: hips and knees high, toes short, ankles at malleoli.

    The offset depends on clothes, shoes and the network; it is constant within a window.
    """
    keypoints = views.keypoints

    def between(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(keypoints), 1, 1, 1, generator=g)

    moved = keypoints.clone()
    hips, shoulders = (keypoints[:, :, pair].mean(2, keepdim=True) for pair in (HIPS, SHOULDERS))
    up = (shoulders - hips) / (shoulders - hips).norm(dim=-1, keepdim=True).clamp(min=1e-6)
    moved[:, :, HIPS] += between(-0.004, 0.022) * up
    moved[:, :, SHOULDERS] += between(-0.014, 0.012) * up
    thighs = keypoints[:, :, HIPS] - keypoints[:, :, KNEES]
    thighs = thighs / thighs.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    moved[:, :, KNEES] += between(-0.004, 0.018) * thighs
    joints = views.joints[:, :, ANKLE_JOINTS]
    moved[:, :, ANKLES] = torch.lerp(keypoints[:, :, ANKLES], joints, between(0.2, 1.8))
    moved[:, :, TOES] = torch.lerp(keypoints[:, :, HEELS], keypoints[:, :, TOES], 0.85)
    hidden = between(0, 1) < BEHIND_AN_EDGE
    upwards = between(0.05, 0.3) * hidden * (keypoints[:, :, KNEES] - keypoints[:, :, ANKLES])
    for pair in (ANKLES, HEELS, TOES):
        moved[:, :, pair] += upwards
    return moved[..., :2] / (-moved[..., 2:]).clamp(min=0.1)


def _errors(
    rays: Tensor, views: CameraViews, times: Tensor, g: torch.Generator
) -> tuple[Tensor, Tensor]:
    B, T = times.shape
    level = torch.exp(0.6 * torch.randn(B, 1, 1, generator=g))
    rough = level * ROUGH
    sigma = 0.015 * rough * torch.ones(B, T, K)
    noticed = sigma
    for group, chance in LOST:
        lost = _bursts(B, 1, times, chance, g) * group
        far = lost * (0.05 + 0.25 * torch.rand(B, 1, 1, generator=g) ** 2)
        sigma = sigma + far
        noticed = noticed + far * (torch.rand(B, 1, 1, generator=g) > UNNOTICED)
    single = _bursts(B, K, times, 0.03, g)
    far = single * 0.2 * torch.rand(B, 1, K, generator=g)
    sigma, noticed = sigma + far, noticed + far
    slow = _slow((B, T, K, 2), times, 0.25, g) * sigma[..., None]
    white = 0.45 * torch.randn(B, T, K, 2, generator=g) * sigma[..., None]
    bias = 0.0105 * ROUGH[:, None] * torch.randn(B, 1, K, 2, generator=g)
    error = slow + white + bias
    depth = (-views.keypoints[..., 2:]).clamp(min=0.3)
    size = error.norm(dim=-1)
    expected_error = noticed * (0.6 + 0.4 * size / sigma)
    score_noise = 0.1 * _slow((B, T, K), times, 0.25, g) + 0.08 * torch.randn(B, T, K, generator=g)
    score = 0.88 * torch.exp(-expected_error / 0.06) + score_noise
    # BlazePose always gives feet high scores.
    overconfident = (torch.rand(B, 1, 1, generator=g) < 0.5) & FEET
    score = torch.where(overconfident, 0.95, score).clamp(0.02, 0.99)
    return rays + error / depth, score


def warp_scores(score: Tensor, g: torch.Generator) -> Tensor:
    """Scores on a random scale, so that the lifter learns their order rather than their values."""
    return score ** torch.exp(0.3 * torch.randn(len(score), 1, 1, generator=g))


def _swaps(rays: Tensor, score: Tensor, times: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Swap left and right of the legs, the arms or all keypoints during an interval."""
    B = len(rays)
    for group, chance in SWAPPED:
        swapped = (_bursts(B, 1, times, chance, g) * group) > 0
        rays = torch.where(swapped[..., None], rays[:, :, OTHER_SIDE], rays)
        score = torch.where(swapped, score[:, :, OTHER_SIDE] * 0.85, score)
    return rays, score


def _edges(rays: Tensor, score: Tensor, edge: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Move keypoints outside the image to its edge, with low scores."""
    limit = edge[:, None, None]
    out = (rays.abs() > limit).any(-1)
    jitter = 1 + 0.1 * torch.randn(rays.shape, generator=g)
    held = torch.minimum(torch.maximum(rays, -limit), limit) * jitter
    low_score = 0.35 * torch.rand(score.shape, generator=g)
    return torch.where(out[..., None], held, rays), torch.where(out, low_score, score)


def _cut(batch: int, frames: int, g: torch.Generator) -> Tensor:
    """(B, T) mask of valid frames: some windows are shorter."""
    short = torch.rand(batch, generator=g) < 0.12
    length = torch.randint(1, frames + 1, (batch,), generator=g)
    length = torch.where(short, length, frames)
    return torch.arange(frames)[None] < length[:, None]
