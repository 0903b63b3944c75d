"""Fusion: two networks' views of a person over time made into one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS, mirror_indices
from mocap_cli.keypoints.detection import COCO_COUNT, Detection
from mocap_cli.keypoints.gaps import fill_gaps
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.left_right import find_swaps
from mocap_cli.types import Float64

_MOVENET_SHARE = np.array([0.85] * 5 + [0.65] * 2 + [0.8] * 4 + [0.4] * 2 + [0.8] * 4 + [0.9] * 4)
"""Of the mean of both networks, where they agree; measured on rendered bodies."""
_AGREE, _CONFLICT = 0.1, 0.35
"""Torsos apart: MoveNet alone is believed where they conflict; it is right twice as often."""
_DOUBT = 0.4  # how much of the score a conflict costs
_RIM, _RIM_FAITH = 0.15, 0.4  # torsos from the rim to full faith; what is left on it
_MIRRORED = np.array(mirror_indices(KEYPOINTS))
_ANKLES = [15, 16, 15, 16]  # of the heels and the toes
_TORSO_OF_SIDE = 0.25


def fuse_detections(
    times: list[float],
    sightings: Sequence[Detection | None],
    cut: list[bool],
    size: tuple[int, int],
) -> Keypoints:
    """Keypoints of everything that was seen in pictures of that width and height."""
    T, K = len(times), len(KEYPOINTS)
    xy, score = np.full((T, K, 2), np.nan, np.float32), np.zeros((T, K), np.float32)
    seen = np.array([s is not None for s in sightings], np.bool_)
    found = [s for s in sightings if s is not None]
    if found:
        xy[seen], score[seen] = _fused(np.array(times)[seen], found)
        score[seen] *= _inside(xy[seen], found, size)
    keypoints = Keypoints(
        times=np.array(times, np.float64),
        xy=xy,
        score=score,
        detected=seen,
        cut=np.array(cut, np.bool_),
    )
    return fill_gaps(keypoints, [s.crop if s else None for s in sightings])


def _fused(times: Float64, found: list[Detection]) -> tuple[Float64, Float64]:
    blaze = _stacked([s.blazepose for s in found])
    blaze_score = _stacked([s.blazepose_score for s in found])
    move = np.concatenate((_stacked([s.movenet for s in found]), blaze[:, COCO_COUNT:]), axis=1)
    move[:, COCO_COUNT:] += move[:, _ANKLES] - blaze[:, _ANKLES]  # it has no feet of its own
    move_score = _stacked([s.movenet_score for s in found])
    move_score = np.concatenate((move_score, blaze_score[:, COCO_COUNT:]), axis=1)
    body = _BodyAxes(found)
    steps = np.diff(times)
    swap_move, swap_blaze = find_swaps(body(move), body(blaze), move_score, steps)
    move, move_score = (_swapped(a, swap_move) for a in (move, move_score))
    blaze = _swapped(blaze, swap_blaze)
    apart = np.linalg.norm(body(move) - body(blaze), axis=-1)  # (T, K) torsos
    conflict = np.clip((apart - _AGREE) / (_CONFLICT - _AGREE), 0, 1)
    share = (_MOVENET_SHARE + (1 - _MOVENET_SHARE) * conflict)[..., None]
    mean = share * move + (1 - share) * blaze
    return mean, move_score * (1 - _DOUBT * conflict)


def _stacked(arrays: list[NDArray[np.float32]]) -> Float64:
    return np.asarray(np.stack(arrays), np.float64)


def _inside(
    xy: NDArray[np.float32], found: list[Detection], size: tuple[int, int]
) -> NDArray[np.float32]:
    """(T, K) factors on scores: the networks put what they cannot see at the picture's rim."""
    margin = np.minimum(xy, np.array(size, np.float32) - xy).min(axis=-1)
    torso = np.array([s.crop.side for s in found], np.float32)[:, None] * _TORSO_OF_SIDE
    return np.clip(margin / (_RIM * torso), _RIM_FAITH, 1)


class _BodyAxes:
    """Carries pictures' pixels into axes that move and turn with the body, in torsos."""

    def __init__(self, found: list[Detection]) -> None:
        crops = [s.crop for s in found]
        self._middle = np.array([(c.x, c.y) for c in crops])[:, None]
        self._axes = np.stack([c.axes for c in crops])
        self._torso = np.array([c.side for c in crops])[:, None, None] * _TORSO_OF_SIDE

    def __call__(self, xy: Float64) -> Float64:
        return np.asarray((xy - self._middle) @ self._axes / self._torso)


def _swapped(values: Float64, swap: NDArray[np.bool_]) -> Float64:
    """(T, K, ...) with the other side's value where `swap` says so."""
    chosen = swap.reshape(*swap.shape, *[1] * (values.ndim - 2))
    return np.where(chosen, values[:, _MIRRORED], values)
