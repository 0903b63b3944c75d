"""Fusion: the detections of both networks over time as one set of keypoints, gaps filled."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
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
    detections: Mapping[int, Detection],
    cut: list[bool],
    size: tuple[int, int],
    switches: tuple[float, ...] = (),
) -> Keypoints:
    """The keypoints of one person's detections, by frame, in frames of that width and height."""
    T, K = len(times), len(KEYPOINTS)
    xy, score = np.full((T, K, 2), np.nan, np.float32), np.zeros((T, K), np.float32)
    detected = np.zeros(T, np.bool_)
    detected[list(detections)] = True
    found = _NetworkPoints.of(detections)
    if found.crops:
        xy[detected], score[detected] = _fused(np.array(times)[detected], found)
        score[detected] *= _rim_factors(xy[detected], found.crops.values(), size)
    keypoints = Keypoints(
        times=np.array(times, np.float64),
        xy=xy,
        score=score,
        detected=detected,
        cut=np.array(cut, np.bool_),
        switches=switches,
    )
    return fill_gaps(keypoints, found.crops)


@dataclass(frozen=True, slots=True, eq=False)
class _NetworkPoints:
    """The points of both networks in N frames, in order."""

    movenet: Float64  # (N, 17, 2)
    movenet_score: Float64  # (N, 17)
    blazepose: Float64  # (N, K, 2)
    blazepose_score: Float64  # (N, K)
    crops: dict[int, Crop]  # by frame

    @staticmethod
    def of(detections: Mapping[int, Detection]) -> "_NetworkPoints":
        N, C, K = len(detections), COCO_COUNT, len(KEYPOINTS)
        found = _NetworkPoints(
            np.empty((N, C, 2)), np.empty((N, C)), np.empty((N, K, 2)), np.empty((N, K)), {}
        )
        for n, frame in enumerate(sorted(detections)):
            detection = detections[frame]
            for name in ("movenet", "movenet_score", "blazepose", "blazepose_score"):
                getattr(found, name)[n] = getattr(detection, name)
            found.crops[frame] = detection.crop
        return found


def _fused(times: Float64, found: _NetworkPoints) -> tuple[Float64, Float64]:
    blaze, blaze_score = found.blazepose, found.blazepose_score
    move = np.concatenate((found.movenet, blaze[:, COCO_COUNT:]), axis=1)
    move[:, COCO_COUNT:] += move[:, _ANKLES] - blaze[:, _ANKLES]  # it has no feet of its own
    move_score = np.concatenate((found.movenet_score, blaze_score[:, COCO_COUNT:]), axis=1)
    body = _BodyAxes(found.crops.values())
    steps = np.diff(times)
    swap_move, swap_blaze = find_swaps(body(move), body(blaze), move_score, steps)
    move, move_score = (_swapped(a, swap_move) for a in (move, move_score))
    blaze = _swapped(blaze, swap_blaze)
    distance = np.linalg.norm(body(move) - body(blaze), axis=-1)  # (T, K) torsos
    conflict = np.clip((distance - _AGREE) / (_CONFLICT - _AGREE), 0, 1)
    share = (_MOVENET_SHARE + (1 - _MOVENET_SHARE) * conflict)[..., None]
    mean = share * move + (1 - share) * blaze
    return mean, move_score * (1 - _CONFLICT_COST * conflict)


def _rim_factors(xy: Float32, crops: Collection[Crop], size: tuple[int, int]) -> Float32:
    """(T, K) factors on scores: the networks put points outside the image on its rim."""
    margin = np.minimum(xy, np.array(size, np.float32) - xy).min(axis=-1)
    torso = np.array([c.side for c in crops], np.float32)[:, None] * _TORSO_OF_SIDE
    return np.clip(margin / (_RIM * torso), _RIM_SCORE, 1)


class _BodyAxes:
    """From image pixels to axes that move and turn with the body, in torsos."""

    def __init__(self, crops: Collection[Crop]) -> None:
        self._middle = np.array([(c.x, c.y) for c in crops])[:, None]
        self._axes = np.stack([c.axes for c in crops])
        self._torso = np.array([c.side for c in crops])[:, None, None] * _TORSO_OF_SIDE

    def __call__(self, xy: Float64) -> Float64:
        return np.asarray((xy - self._middle) @ self._axes / self._torso)


def _swapped(values: Float64, swap: Bool) -> Float64:
    """(T, K, ...) with the other side's value where `swap` says so."""
    chosen = swap.reshape(*swap.shape, *[1] * (values.ndim - 2))
    return np.where(chosen, values[:, _MIRRORED], values)


def fill_gaps(keypoints: Keypoints, crops: Mapping[int, Crop]) -> Keypoints:
    """Interpolate short gaps; `crops` are those of the detected frames, by frame."""
    xy, score = keypoints.xy.copy(), keypoints.score.copy()
    detected = np.flatnonzero(keypoints.detected)
    for before, after in pairwise(detected.tolist()):
        start, end = keypoints.times[before], keypoints.times[after]
        cut = keypoints.cut[before + 1 : after + 1].any()
        if after == before + 1 or end - start > _LONGEST_GAP or cut:
            continue
        xy[before + 1 : after] = interpolate(keypoints, before, crops[before], after, crops[after])
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
