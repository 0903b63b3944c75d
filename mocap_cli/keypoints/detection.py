"""Detection: one body in a frame by both pose networks, in pixels of the image."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.appearance import SHAPE, Appearance, appearance_of, similarity
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.pose_networks import NetworkOutput, PoseNetworks
from mocap_cli.types import Float32, Image

COCO_COUNT = 17
_SHOULDERS, _HIPS = [5, 6], [11, 12]
_BLAZEPOSE = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32]
"""The index of each of `KEYPOINTS` in BlazePose's output."""
assert len(_BLAZEPOSE) == len(KEYPOINTS)
_BODY = slice(5, COCO_COUNT)  # without the face
_CONFLICT = 0.5  # of the body's size: the networks found different bodies
_CLEARLY = 0.15  # difference of similarity that decides between two bodies
_SAME_BODY = 0.06  # of the crop's side between the points of one body detected twice
_BLAZEPOSE_WEIGHT = 0.3  # weight of BlazePose against MoveNet's scores
_NEAR = 0.06  # of the crop's side that a limb may move before a fast detection
_SCORE_DROP = 0.1  # of BlazePose's mean score that a fast detection allows


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One body in one frame by each of the networks; pixels of the image."""

    movenet: Float32  # (17, 2)
    movenet_score: Float32  # (17,)
    blazepose: Float32  # (K, 2)
    blazepose_score: Float32  # (K,)
    appearance: Appearance
    crop: Crop  # the networks' input
    confidence: float  # 0..1: probability that most of the body is right
    xy: Float32  # (17, 2) mean of both networks
    next_crop: Crop  # around that body, as the networks were trained
    stature: float  # see _stature()
    propagated: bool = False  # MoveNet's points are from an earlier frame, see detect_fast()

    @property
    def agreement(self) -> float:
        """0..1: probability that the body is right by how well the networks agree on it.

        Unlike `confidence` it does not depend on MoveNet's scores, which are low for every body
        in mid-air. Fitted on rendered divers and gymnasts in frames where the tracker is unsure.
        """
        disagreement = min(_disagreement(self.movenet, self.blazepose), 3)
        return 1 / (1 + math.exp(11.5 * disagreement - 3.2))

    @staticmethod
    def of_keypoints(xy: Float32, score: Float32) -> "Detection":
        """What is known of a body whose KEYPOINTS, (K, 2) pixels, have been found before."""
        body = xy[:COCO_COUNT]
        crop = Crop.around_body(body, score[:COCO_COUNT])
        return Detection(
            movenet=body,
            movenet_score=score[:COCO_COUNT],
            blazepose=xy,
            blazepose_score=score,
            appearance=np.zeros(SHAPE, np.float16),
            crop=crop,
            confidence=1.0,
            xy=body,
            next_crop=crop,
            stature=_stature(body),
        )

    def movement_since(self, before: "Detection") -> float:
        """How far the body has moved about its trunk, in statures; less where it is not sure."""
        moved = _about_trunk(self.xy) - _about_trunk(before.xy)
        distance = float(np.median(np.linalg.norm(moved, axis=1)[_BODY]))
        sure = math.sqrt(self.confidence * before.confidence)
        return sure * distance / max(self.stature, before.stature, 1.0)

    def is_body_of(self, other: "Detection") -> bool:
        """Whether both are the same body."""
        distance = np.linalg.norm(self.xy - other.xy, axis=1)[_BODY]
        return float(np.median(distance)) < _SAME_BODY * min(self.crop.side, other.crop.side)


def detect(
    networks: PoseNetworks, image: Image, crop: Crop, appearance: Appearance | None = None
) -> Detection:
    """Run both networks on the crop, for a person of that appearance if it is known."""
    extract = crop.extract(image)
    points = _CropPoints.of(networks.run(extract))
    found = appearance_of(extract, (points.movenet + points.blazepose[:COCO_COUNT]) / 2)
    if appearance is not None and points.disagreement > _CONFLICT:
        points, found = _resolved(points, found, appearance, extract)
    return points.detection(found, crop)


def detect_fast(
    networks: PoseNetworks, image: Image, crop: Crop, last: Detection
) -> Detection | None:
    """Run BlazePose alone; MoveNet's points are moved as BlazePose's have moved since `last`.

    None when a limb moved too far for that, or the score dropped.
    """
    extract = crop.extract(image)
    marks, score = (part[_BLAZEPOSE] for part in networks.run_blazepose(extract))
    moved = crop.to_image(marks[:COCO_COUNT]) - last.blazepose[:COCO_COUNT]
    limbs = np.linalg.norm(moved - np.median(moved, axis=0), axis=1)
    if limbs.max() > _NEAR * crop.side or score.mean() < last.blazepose_score.mean() - _SCORE_DROP:
        return None
    movenet = crop.from_image(last.movenet + moved).astype(np.float32)
    points = _CropPoints(movenet, last.movenet_score, marks, score)
    found = appearance_of(extract, (movenet + marks[:COCO_COUNT]) / 2)
    return replace(points.detection(found, crop), propagated=True)


@dataclass(frozen=True, slots=True, eq=False)
class _CropPoints:
    """The points of both networks as KEYPOINTS, pixels of the crop."""

    movenet: Float32  # (17, 2)
    movenet_score: Float32  # (17,)
    blazepose: Float32  # (K, 2)
    blazepose_score: Float32  # (K,)

    @staticmethod
    def of(output: NetworkOutput) -> "_CropPoints":
        """The networks' own points in the order of KEYPOINTS."""
        return _CropPoints(
            output.movenet,
            output.movenet_score,
            output.blazepose[_BLAZEPOSE],
            output.blazepose_score[_BLAZEPOSE],
        )

    @property
    def disagreement(self) -> float:
        """Distance between the networks' bodies, in the size of the body."""
        return _disagreement(self.movenet, self.blazepose)

    @property
    def confidence(self) -> float:
        """Probability that the mean error is below 0.2 torsos, fitted on rendered bodies."""
        movenet = float(self.movenet_score[_BODY].mean())
        blazepose = float(self.blazepose_score.mean())
        exponent = 4.7 - 12.7 * movenet - blazepose + min(self.disagreement, 3)
        return 1 / (1 + math.exp(exponent))

    def detection(self, appearance: Appearance, crop: Crop) -> Detection:
        """The same in pixels of the image."""
        movenet, blazepose = crop.to_image(self.movenet), crop.to_image(self.blazepose)
        xy = (movenet + blazepose[:COCO_COUNT]) / 2
        return Detection(
            movenet=movenet.astype(np.float32),
            movenet_score=self.movenet_score,
            blazepose=blazepose.astype(np.float32),
            blazepose_score=self.blazepose_score,
            appearance=appearance,
            crop=crop,
            confidence=self.confidence,
            xy=xy.astype(np.float32),
            next_crop=Crop.around_body(xy, self.movenet_score),
            stature=_stature(xy),
        )


def _resolved(
    points: _CropPoints, both: Appearance, wanted: Appearance, extract: Image
) -> tuple[_CropPoints, Appearance]:
    """Points and appearance, by BlazePose alone if only its body looks like the person."""
    blazepose = appearance_of(extract, points.blazepose[:COCO_COUNT])
    movenet = appearance_of(extract, points.movenet)
    if similarity(blazepose, wanted) < similarity(movenet, wanted) + _CLEARLY:
        return points, both
    score = _BLAZEPOSE_WEIGHT * points.blazepose_score[:COCO_COUNT]
    moved = replace(points, movenet=points.blazepose[:COCO_COUNT], movenet_score=score)
    return moved, blazepose


def _disagreement(movenet: Float32, blazepose: Float32) -> float:
    body = movenet[_BODY]
    distance = float(np.median(np.linalg.norm(blazepose[_BODY] - body, axis=1)))
    return distance / max(float(np.linalg.norm(body - body.mean(axis=0), axis=1).mean()), 1)


def _about_trunk(xy: Float32) -> Float32:
    return np.asarray(xy - xy[[*_SHOULDERS, *_HIPS]].mean(axis=0), np.float32)


def _stature(xy: NDArray[np.floating]) -> float:
    """Pixels of torso, thigh and shank added up, the longer of each pair."""
    torso = float(np.linalg.norm(xy[_SHOULDERS].mean(0) - xy[_HIPS].mean(0)))
    thigh, shank = (
        float(np.linalg.norm(xy[upper] - xy[lower], axis=1).max())
        for upper, lower in (([11, 12], [13, 14]), ([13, 14], [15, 16]))
    )
    return torso + thigh + shank


def mean_appearance(detections: Iterable[Detection]) -> Appearance:
    """The mean, weighted by confidence."""
    total, weights = np.zeros(()), 0.0
    for detection in detections:
        weight = detection.confidence + 1e-6
        total = total + weight * detection.appearance.astype(np.float64)
        weights += weight
    return np.asarray(total / weights, np.float16)
