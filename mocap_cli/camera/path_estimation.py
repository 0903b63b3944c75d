"""Camera path estimation: rotation and focal length of every frame from its key frame matches.

Key frames are solved together by bundle adjustment, so that loops close where the camera came
back; then every frame is fitted to its key frame.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mocap_cli.camera.bundle_adjustment import (
    PointPairs,
    RotatingCameras,
    cameras_from_homographies,
)
from mocap_cli.camera.camera_path import CameraPath, fixed_camera_path, intrinsic_matrices
from mocap_cli.camera.frame_matching import Registration, track_corners
from mocap_cli.camera.homography import (
    apply_homography,
    frame_corners,
    overlap_share,
    solve_homography,
)
from mocap_cli.camera.key_frames import KeyFrame, KeyFrameMatches
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.types import Bool, Float64, Int64

# Pixels of the reduced frame.
_FIXED_PIXELS = 1.5  # a camera whose points shift less is fixed: compression moves them so far
_PARALLAX_PIXELS = 1.2  # reprojection error from which rotation does not explain the motion
_PARALLAX_RATIO = 0.5  # inlier ratio below which it does not either,
_CLEAR_PIXELS = 0.9  # unless the inliers fit it as well as this: the others are moving things
_TYPICAL = 68  # percentile
_LARGEST_ZOOM = 6.0  # times the median focal length, beyond which a frame is a wrong match
_FRAMES_AT_ONCE = 4096  # fitted together, so that an hour fits in memory
_PAIR_POINTS = 160  # per pair of key frames
_LOOPS_PER_KEY = 8
_LOOP_OVERLAP = 0.25
_LARGEST_DRIFT = 0.15  # of the frame, by which chained homographies may be off in a loop


def solve_camera_path(matches: KeyFrameMatches, focal: float | None = None) -> CameraPath:
    """Solve each part; `focal` in pixels is the initial value, None assumes that of a phone."""
    focal = focal or Pinhole.guess(*matches.size).focal
    frames = matches.frames.read()
    parts = [_solve_part(matches, frames[frames["part"] == part], part, focal)
             for part in range(frames["part"][-1] + 1)]  # fmt: skip
    joined = {
        name: np.concatenate([getattr(path, name) for path in parts])
        for name in ("times", "known", "rays_from_frame", "focal", "gain")
    }
    return CameraPath(
        size=matches.size,
        part=frames["part"].copy(),
        kind=tuple(path.kind[0] for path in parts),
        reprojection_error=tuple(path.reprojection_error[0] for path in parts),
        warnings=(*_worst_warnings(parts), *_breaks(matches)),
        **joined,
    )


def _worst_warnings(parts: Sequence[CameraPath]) -> tuple[str, ...]:
    """One warning for each kind of camera, that of its worst part."""
    worst_last = sorted(parts, key=lambda path: path.reprojection_error[0])
    by_kind = {path.kind[0]: warning for path in worst_last for warning in path.warnings}
    return tuple(by_kind.values())


def _breaks(matches: KeyFrameMatches) -> Iterator[str]:
    """Why and when parts begin."""
    reasons = {"cut": "the video cuts at", "lost": "frames could not be matched before"}
    for reason, text in reasons.items():
        times = [f"{time:.2f}" for time, why in matches.breaks if why == reason]
        if times:
            begins = "a new part begins" if len(times) == 1 else "new parts begin"
            yield f"{text} {', '.join(times)} s: {begins}"


@dataclass(frozen=True, slots=True)
class _Part:
    """The frame matches of one part; points are measured from the middle of the reduced frame."""

    times: Float64  # (T,)
    known: Bool  # (T,) matched to a key frame; N of them
    key_of: Int64  # (N,) among the part's key frames
    pairs: Float64  # (N, P, 4)
    gain: Float64  # (T, 3)
    inlier_ratio: float  # median
    keys: list[KeyFrame]
    first: int  # index of the part's first key frame among all

    @staticmethod
    def of(matches: KeyFrameMatches, frames: NDArray[np.void], part: int) -> "_Part":
        first = next(i for i, key in enumerate(matches.key_frames) if key.part == part)
        known = (frames["key"] >= 0) & (frames["inlier_count"] > 0)
        matched = frames[known]
        middle = np.tile((np.array(matches.reduced_size) - 1) / 2, 2)
        return _Part(
            times=frames["time"].copy(),
            known=known,
            key_of=matched["key"] - first,
            pairs=matched["pairs"] - middle,
            gain=_relative_gain(frames["log_gain"]),
            inlier_ratio=float(np.median(matched["inlier_ratio"])) if len(matched) else 0.0,
            keys=[key for key in matches.key_frames if key.part == part],
            first=first,
        )


def _solve_part(
    matches: KeyFrameMatches, frames: NDArray[np.void], number: int, focal: float
) -> CameraPath:
    part = _Part.of(matches, frames, number)
    numbers = np.zeros(len(part.times), np.int64)
    fixed = replace(fixed_camera_path(part.times, numbers, matches.size, focal), gain=part.gain)
    if not part.known.any():
        return replace(
            fixed, warnings=("too little texture to match frames: the camera is taken as fixed",)
        )
    middle = (np.array(matches.reduced_size) - 1) / 2
    if _largest_shift(part, middle) < _FIXED_PIXELS:
        return fixed
    pairs = _match_key_frames(part.keys, part.first, matches.reduced_size)
    key_cameras = _solve_key_frames(part, pairs, focal / matches.scale, middle)
    cameras, error = _fit_frames(part, key_cameras)
    if len(pairs.left):
        left, right = key_cameras[pairs.left], key_cameras[pairs.right]
        error = max(error, _typical(pairs.residuals(left, right)))
    few = part.inlier_ratio < _PARALLAX_RATIO
    walking = error > (_CLEAR_PIXELS if few else _PARALLAX_PIXELS)
    warning = _parallax(part.inlier_ratio, error * matches.scale)
    zoom = np.abs(np.log(cameras.focal / np.median(cameras.focal)))
    likely = np.asarray(zoom < np.log(_LARGEST_ZOOM))
    known = part.known.copy()
    known[part.known] = likely
    intrinsics = intrinsic_matrices(cameras.focal * matches.scale, matches.size)
    rays = np.asarray(cameras.rotation @ np.linalg.inv(intrinsics))
    return replace(
        fixed,
        known=known,
        rays_from_frame=_interpolated(rays[likely], known),
        focal=_interpolated(cameras.focal[likely] * matches.scale, known),
        kind=("walking" if walking else "turning",),
        reprojection_error=(error * matches.scale,),
        warnings=(warning,) if walking else (),
    )


def _parallax(inlier_ratio: float, error: float) -> str:
    return (
        "the camera translates, or too much moves in front of it"
        f" (inlier ratio {inlier_ratio:.0%}, reprojection error {error:.1f} pixels):"
        " near objects will be doubled or bent"
    )


def _largest_shift(part: _Part, middle: Float64) -> float:
    """How far points move from where the part's first key frame has them, 95th percentile."""
    shifts = []
    for pairs, key in zip(part.pairs, part.key_of, strict=True):
        first = apply_homography(part.keys[key].first_from_key, pairs[:, 2:] + middle) - middle
        shifts.append(float(np.median(np.linalg.norm(first - pairs[:, :2], axis=1))))
    return float(np.percentile(shifts, 95))


def _match_key_frames(keys: list[KeyFrame], first: int, size: tuple[int, int]) -> PointPairs:
    """Match each key frame to its parent and to those where the camera came back.

    `first` is the index of keys[0] among all key frames, `size` that of the reduced frames.
    """
    wanted = [(i, key.parent - first) for i, key in enumerate(keys) if key.parent >= 0]
    wanted += _loops(keys, set(wanted), size)
    rows = [
        (i, j, found)
        for i, j in wanted
        if (found := _matched_points(keys[i], keys[j], size)) is not None
    ]
    middle = (np.array(size) - 1) / 2
    both = np.stack([r[2] for r in rows]) - np.tile(middle, 2) if rows else np.zeros((0, 1, 4))
    return PointPairs(
        np.array([r[0] for r in rows], np.int64), np.array([r[1] for r in rows], np.int64),
        both[..., :2], both[..., 2:],
    )  # fmt: skip


def _loops(
    keys: list[KeyFrame], linked: set[tuple[int, int]], size: tuple[int, int]
) -> list[tuple[int, int]]:
    """Pairs of key frames that overlap though neither was registered to the other."""
    found: list[tuple[float, int, int]] = []
    inverse = [np.linalg.inv(key.first_from_key) for key in keys]
    for j, i in itertools.combinations(range(len(keys)), 2):
        if (i, j) not in linked:
            share = overlap_share(inverse[j] @ keys[i].first_from_key, size)
            if share > _LOOP_OVERLAP:
                found.append((share, i, j))
    found.sort(reverse=True)
    count = dict.fromkeys(range(len(keys)), 0)
    chosen = []
    for _, i, j in found:
        if count[i] < _LOOPS_PER_KEY:
            count[i] += 1
            chosen.append((i, j))
    return chosen


def _matched_points(frame: KeyFrame, key: KeyFrame, size: tuple[int, int]) -> Float64 | None:
    """(_PAIR_POINTS, 4) random inliers: x, y in the frame and x, y in the key frame."""
    guess = np.linalg.inv(key.first_from_key) @ frame.first_from_key
    found = track_corners(key.gray, key.points, frame.gray, guess, size)
    if found is None:
        found = key.features.register(frame.features, size)
        if found is None or _contradicts(found, guess, size):
            return None
    chosen = np.random.default_rng(0).choice(len(found.points), _PAIR_POINTS)
    points = found.points[chosen].astype(np.float64)
    return np.concatenate((points, apply_homography(found.key_from_frame, points)), axis=1)


def _contradicts(found: Registration, guess: Float64, size: tuple[int, int]) -> bool:
    """Whether a match is so far from the chained homography that it must be a look-alike."""
    corners = frame_corners(size)
    matched = apply_homography(found.key_from_frame, corners)
    distance = np.linalg.norm(matched - apply_homography(guess, corners), axis=1)
    return bool(np.median(distance) > _LARGEST_DRIFT * max(size))


def _solve_key_frames(
    part: _Part, pairs: PointPairs, focal: float, middle: Float64
) -> RotatingCameras:
    """Bundle adjustment of the key frames, from their chained homographies."""
    count = len(part.keys)
    rotation, focals = np.tile(np.eye(3), (count, 1, 1)), np.full(count, focal)
    to_middle = np.array([[1, 0, middle[0]], [0, 1, middle[1]], [0, 0, 1]])
    for i, key in enumerate(part.keys):
        if key.parent < 0:
            continue
        parent = key.parent - part.first
        relative = np.linalg.inv(part.keys[parent].first_from_key) @ key.first_from_key
        centred = np.linalg.inv(to_middle) @ relative @ to_middle
        at = np.array([parent])
        guess = cameras_from_homographies(centred[None], RotatingCameras(rotation[at], focals[at]))
        rotation[i], focals[i] = guess.rotation[0], guess.focal[0]
    initial = RotatingCameras(rotation, focals)
    return initial.adjusted(pairs) if len(pairs.left) else initial


def _fit_frames(part: _Part, keys: RotatingCameras) -> tuple[RotatingCameras, float]:
    """Fit every matched frame to its key frame; also the typical reprojection error in pixels."""
    rotations, focals, errors = [], [], []
    for begin in range(0, len(part.pairs), _FRAMES_AT_ONCE):
        points = part.pairs[begin : begin + _FRAMES_AT_ONCE]
        fixed = keys[part.key_of[begin : begin + _FRAMES_AT_ONCE]]
        numbers = np.arange(len(points))
        pairs = PointPairs(numbers, numbers, points[..., :2], points[..., 2:])
        homographies = np.stack([solve_homography(p[:, :2], p[:, 2:]) for p in points])
        cameras = cameras_from_homographies(homographies, fixed).fitted_to(fixed, pairs)
        rotations.append(cameras.rotation)
        focals.append(cameras.focal)
        errors.append(pairs.residuals(cameras, fixed))
    return (
        RotatingCameras(np.concatenate(rotations), np.concatenate(focals)),
        _typical(np.concatenate(errors)),
    )


def _typical(residuals: Float64) -> float:
    """Pixels that two points in three are within."""
    return float(np.percentile(np.linalg.norm(residuals, axis=-1), _TYPICAL))


def _interpolated(values: Float64, known: Bool) -> Float64:
    """(N, ...) values of the known frames to (T, ...), linear between them."""
    frames = np.arange(len(known))
    flat = values.reshape(len(values), -1)
    columns = [np.interp(frames, frames[known], column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(len(known), *values.shape[1:])


def _relative_gain(log_gain: Float64) -> Float64:
    """Logarithms (T, 3), NaN where not known, to factors around 1."""
    known = np.asarray(np.isfinite(log_gain).all(axis=1))
    if not known.any():
        return np.ones(log_gain.shape)
    filled = _interpolated(log_gain[known], known)
    return np.asarray(np.exp(filled - np.median(filled, axis=0)))
