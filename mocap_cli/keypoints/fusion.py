"""Fusion: the detections of both networks over time as one set of keypoints, gaps filled."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS, mirror_indices
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.detection import COCO_COUNT, Detection
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.left_right import find_swaps
from mocap_cli.types import Bool, Float32, Float64

_MOVENET_SHARE = np.array([0.85] * 5 + [0.65] * 2 + [0.8] * 4 + [0.4] * 2 + [0.8] * 4 + [0.9] * 4)
"""Of the mean of both networks, where they agree; measured on rendered bodies."""
_AGREE, _CONFLICT = 0.1, 0.35
"""Torsos of distance: in a conflict MoveNet alone counts; it is right twice as often."""
_CONFLICT_COST = 0.4  # share of the score that a conflict takes away
_RIM, _RIM_SCORE = 0.15, 0.4  # torsos from the image's rim to the full score; the share on it
_MIRRORED = np.array(mirror_indices(KEYPOINTS))
_ANKLES = [15, 16, 15, 16]  # of the heels and the toes
_TORSO_OF_SIDE = 0.25
_LONGEST_GAP = 0.25  # seconds that are interpolated
_GAP_SCORE = 0.3  # of a filled point, as a share of the lower score of both ends


def fuse_detections(
    times: list[float],
    detections: Sequence[Detection | None],
    cut: list[bool],
    size: tuple[int, int],
    switches: tuple[float, ...] = (),
) -> Keypoints:
    """The keypoints of one person's detections in frames of that width and height."""
    T, K = len(times), len(KEYPOINTS)
    xy, score = np.full((T, K, 2), np.nan, np.float32), np.zeros((T, K), np.float32)
    detected = np.array([d is not None for d in detections], np.bool_)
    found = [d for d in detections if d is not None]
    if found:
        xy[detected], score[detected] = _fused(np.array(times)[detected], found)
        score[detected] *= _rim_factors(xy[detected], found, size)
    keypoints = Keypoints(
        times=np.array(times, np.float64),
        xy=xy,
        score=score,
        detected=detected,
        cut=np.array(cut, np.bool_),
        switches=switches,
    )
    return fill_gaps(keypoints, [d.crop if d else None for d in detections])


def _fused(times: Float64, found: list[Detection]) -> tuple[Float64, Float64]:
    blaze = _stacked([d.blazepose for d in found])
    blaze_score = _stacked([d.blazepose_score for d in found])
    move = np.concatenate((_stacked([d.movenet for d in found]), blaze[:, COCO_COUNT:]), axis=1)
    move[:, COCO_COUNT:] += move[:, _ANKLES] - blaze[:, _ANKLES]  # it has no feet of its own
    move_score = _stacked([d.movenet_score for d in found])
    move_score = np.concatenate((move_score, blaze_score[:, COCO_COUNT:]), axis=1)
    body = _BodyAxes(found)
    steps = np.diff(times)
    swap_move, swap_blaze = find_swaps(body(move), body(blaze), move_score, steps)
    move, move_score = (_swapped(a, swap_move) for a in (move, move_score))
    blaze = _swapped(blaze, swap_blaze)
    distance = np.linalg.norm(body(move) - body(blaze), axis=-1)  # (T, K) torsos
    conflict = np.clip((distance - _AGREE) / (_CONFLICT - _AGREE), 0, 1)
    share = (_MOVENET_SHARE + (1 - _MOVENET_SHARE) * conflict)[..., None]
    mean = share * move + (1 - share) * blaze
    return mean, move_score * (1 - _CONFLICT_COST * conflict)


def _stacked(arrays: list[Float32]) -> Float64:
    return np.asarray(np.stack(arrays), np.float64)


def _rim_factors(xy: Float32, found: list[Detection], size: tuple[int, int]) -> Float32:
    """(T, K) factors on scores: the networks put points outside the image on its rim."""
    margin = np.minimum(xy, np.array(size, np.float32) - xy).min(axis=-1)
    torso = np.array([d.crop.side for d in found], np.float32)[:, None] * _TORSO_OF_SIDE
    return np.clip(margin / (_RIM * torso), _RIM_SCORE, 1)


class _BodyAxes:
    """From image pixels to axes that move and turn with the body, in torsos."""

    def __init__(self, found: list[Detection]) -> None:
        crops = [d.crop for d in found]
        self._middle = np.array([(c.x, c.y) for c in crops])[:, None]
        self._axes = np.stack([c.axes for c in crops])
        self._torso = np.array([c.side for c in crops])[:, None, None] * _TORSO_OF_SIDE

    def __call__(self, xy: Float64) -> Float64:
        return np.asarray((xy - self._middle) @ self._axes / self._torso)


def _swapped(values: Float64, swap: Bool) -> Float64:
    """(T, K, ...) with the other side's value where `swap` says so."""
    chosen = swap.reshape(*swap.shape, *[1] * (values.ndim - 2))
    return np.where(chosen, values[:, _MIRRORED], values)


def fill_gaps(keypoints: Keypoints, crops: Sequence[Crop | None]) -> Keypoints:
    """Interpolate short gaps; `crops` are those of the detected frames."""
    xy, score = keypoints.xy.copy(), keypoints.score.copy()
    detected = np.flatnonzero(keypoints.detected)
    for before, after in pairwise(detected.tolist()):
        start, end = keypoints.times[before], keypoints.times[after]
        cut = keypoints.cut[before + 1 : after + 1].any()
        if after == before + 1 or end - start > _LONGEST_GAP or cut:
            continue
        first, last = crops[before], crops[after]
        if first is None or last is None:
            raise ValueError("a detected frame needs its crop")
        xy[before + 1 : after] = interpolate(keypoints, before, first, after, last)
        score[before + 1 : after] = _GAP_SCORE * np.minimum(score[before], score[after])
    return replace(keypoints, xy=xy, score=score)


def interpolate(keypoints: Keypoints, before: int, first: Crop, after: int, last: Crop) -> Float32:
    """(N, K, 2) the keypoints of the frames between two, whose crops are given."""
    times, xy = keypoints.times, keypoints.xy
    share = (times[before + 1 : after] - times[before]) / (times[after] - times[before])
    between = [_between(first, xy[before], last, xy[after], float(s)) for s in share]
    return np.array(between, np.float32).reshape(-1, *xy.shape[1:])


def _between(
    first: Crop, first_xy: Float32, last: Crop, last_xy: Float32, share: float
) -> NDArray[np.float64]:
    """Interpolate: the body moves, rotates and scales with the crop and bends within it."""
    start, end = first.from_image(first_xy), last.from_image(last_xy)
    return first.towards(last, share).to_image(start + share * (end - start))
