"""Sighting: what both networks make of one body, carried from the crop into the picture."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.appearance import Appearance, appearance_of, similarity
from mocap_cli.keypoints.crop import Crop, Image
from mocap_cli.keypoints.pose_networks import NetworkOutput, PoseNetworks
from mocap_cli.types import Float32

COCO_COUNT = 17
_SHOULDERS, _HIPS = [5, 6], [11, 12]
_BLAZEPOSE = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32]
"""Where BlazePose keeps each of `KEYPOINTS`."""
assert len(_BLAZEPOSE) == len(KEYPOINTS)
_BODY = slice(5, COCO_COUNT)  # without the face
_CONFLICT = 0.5  # of the body's size: the networks see different bodies
_PLAINLY = 0.15  # the difference in likeness that tells whose clothes they are
_SAME_BODY = 0.06  # of the crop's side between points of one body seen twice
_ALONE = 0.3  # how much BlazePose is believed against MoveNet
_NEAR = 0.06  # of the crop's side: so far a limb may move between a look and a glance
_DIMMER = 0.1  # so much less sure BlazePose may be at a glance


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One body in one picture, as each of the networks has it; pixels of the picture."""

    movenet: Float32  # (17, 2)
    movenet_score: Float32  # (17,)
    blazepose: Float32  # (K, 2)
    blazepose_score: Float32  # (K,)
    appearance: Appearance
    crop: Crop  # where the networks looked
    confidence: float  # 0..1: how likely most of the body is seen right
    xy: Float32  # (17, 2) about where the body is
    next_crop: Crop  # that body as the networks were trained to see it
    stature: float  # see stature()
    propagated: bool = False  # MoveNet's points are those of an earlier picture, see glance()

    def is_body_of(self, other: "Detection") -> bool:
        """Whether both have found one and the same body."""
        apart = np.linalg.norm(self.xy - other.xy, axis=1)[_BODY]
        return float(np.median(apart)) < _SAME_BODY * min(self.crop.side, other.crop.side)


def detect(
    networks: PoseNetworks, image: Image, crop: Crop, clothes: Appearance | None = None
) -> Detection:
    """Look at the crop with both networks, for somebody in those clothes if they are known."""
    picture = crop.extract(image)
    view = _view(networks.run(picture))
    colours = appearance_of(picture, (view.movenet + view.blazepose[:COCO_COUNT]) / 2)
    if clothes is not None and view.apart > _CONFLICT:
        view, colours = _dressed(view, colours, clothes, picture)
    return _sighting(view, colours, crop)


def detect_fast(
    networks: PoseNetworks, image: Image, crop: Crop, last: Detection
) -> Detection | None:
    """Look with BlazePose alone: MoveNet's points went where its own went since `last`.

    None when somebody moved too far for that, or is not seen as well as then.
    """
    picture = crop.extract(image)
    marks, score = (part[_BLAZEPOSE] for part in networks.run_blazepose(picture))
    moved = crop.to_image(marks[:COCO_COUNT]) - last.blazepose[:COCO_COUNT]
    limbs = np.linalg.norm(moved - np.median(moved, axis=0), axis=1)
    if limbs.max() > _NEAR * crop.side or score.mean() < last.blazepose_score.mean() - _DIMMER:
        return None
    movenet = crop.from_image(last.movenet + moved).astype(np.float32)
    view = _View(movenet, last.movenet_score, marks, score)
    colours = appearance_of(picture, (movenet + marks[:COCO_COUNT]) / 2)
    return replace(_sighting(view, colours, crop), propagated=True)


def _sighting(view: "_View", colours: Appearance, crop: Crop) -> Detection:
    movenet, blazepose = crop.to_image(view.movenet), crop.to_image(view.blazepose)
    xy = (movenet + blazepose[:COCO_COUNT]) / 2
    return Detection(
        movenet=movenet.astype(np.float32),
        movenet_score=view.movenet_score,
        blazepose=blazepose.astype(np.float32),
        blazepose_score=view.blazepose_score,
        appearance=colours,
        crop=crop,
        confidence=view.quality,
        xy=xy.astype(np.float32),
        next_crop=crop_around(xy, view.movenet_score),
        stature=_stature(xy),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A reading of KEYPOINTS, pixels of the crop."""

    movenet: Float32  # (17, 2)
    movenet_score: Float32  # (17,)
    blazepose: Float32  # (K, 2)
    blazepose_score: Float32  # (K,)

    @property
    def apart(self) -> float:
        """How far the networks have the body from each other, in its size."""
        body = self.movenet[_BODY]
        apart = float(np.median(np.linalg.norm(self.blazepose[_BODY] - body, axis=1)))
        return apart / max(float(np.linalg.norm(body - body.mean(axis=0), axis=1).mean()), 1)

    @property
    def quality(self) -> float:
        """How likely the mean error is below 0.2 torsos, fitted on rendered bodies."""
        sure, hidden = float(self.movenet_score[_BODY].mean()), float(self.blazepose_score.mean())
        return 1 / (1 + math.exp(4.7 - 12.7 * sure - hidden + min(self.apart, 3)))


def _view(reading: NetworkOutput) -> _View:
    return _View(
        reading.movenet,
        reading.movenet_score,
        reading.blazepose[_BLAZEPOSE],
        reading.blazepose_score[_BLAZEPOSE],
    )


def _dressed(
    view: _View, colours: Appearance, clothes: Appearance, picture: Image
) -> tuple[_View, Appearance]:
    """Where the networks see different bodies and one of them wears the clothes, that one."""
    there = appearance_of(picture, view.blazepose[:COCO_COUNT])
    here = appearance_of(picture, view.movenet)
    if similarity(there, clothes) < similarity(here, clothes) + _PLAINLY:
        return view, colours
    score = _ALONE * view.blazepose_score[:COCO_COUNT]
    return replace(view, movenet=view.blazepose[:COCO_COUNT], movenet_score=score), there


def crop_around(xy: NDArray[np.floating], score: NDArray[np.floating]) -> Crop:
    """The crop that both networks were trained to see of a body with those keypoints."""
    hips, shoulders = xy[_HIPS].mean(0), xy[_SHOULDERS].mean(0)
    torso = float(np.hypot(*(shoulders - hips)))
    sure = score >= min(0.2, float(np.median(score)))
    reach = float(np.linalg.norm(xy[sure] - hips, axis=1).max())
    up = shoulders - hips + (xy[0] - shoulders) / 2
    turn = float(np.arctan2(up[0], -up[1]))
    side = 2 * max(1.9 * torso, 1.2 * reach, 1.0)
    return Crop(float(hips[0]), float(hips[1]), side, turn)


def _stature(xy: NDArray[np.floating]) -> float:
    """Pixels of torso, thigh and shank one after the other, the longer of each pair."""
    torso = float(np.linalg.norm(xy[_SHOULDERS].mean(0) - xy[_HIPS].mean(0)))
    thigh, shank = (
        float(np.linalg.norm(xy[upper] - xy[lower], axis=1).max())
        for upper, lower in (([11, 12], [13, 14]), ([13, 14], [15, 16]))
    )
    return torso + thigh + shank
