"""Solve: from what was noted of a video to the path of its camera, closed where it came back."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from mocap_cli.camera.bundle_adjustment import (
    PointPairs,
    RotatingCameras,
    bundle_adjust,
    cameras_from_homographies,
    fit_to_fixed,
    reprojection_residuals,
)
from mocap_cli.camera.camera_path import (
    CameraKind,
    CameraPath,
    fixed_camera_path,
    intrinsic_matrices,
)
from mocap_cli.camera.frame_matching import apply_homography
from mocap_cli.camera.key_frame_pairs import match_key_frames
from mocap_cli.camera.key_frames import KeyFrame, KeyFrameMatcher, KeyFrameMatches, MaskPeople
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.types import Bool, Float64, Int64
from mocap_cli.video.probe import Image

_STILL_PIXELS = 1.5  # of the reduced picture: what shifts less stands, compression moves it so
_PARALLAX_PIXELS = 1.2  # of the reduced picture
_PARALLAX_SHARE = 0.5  # of the points that agree on one homography
_LIKELY_ZOOM = 6.0  # a frame whose lens is that many times longer than usual was not understood
_AT_ONCE = 4096  # frames fitted together, so that an hour fits in memory


class _TimedImage(Protocol):
    """What is needed of a frame; `video.reader.Frame` has it."""

    @property
    def time(self) -> float:
        """Seconds."""

    @property
    def image(self) -> Image:
        """(H, W, 3) RGB as displayed."""


def estimate_camera_path(
    frames: Iterable[_TimedImage],
    focal: float | None = None,
    freeing: MaskPeople | None = None,
    on_frame: Callable[[int], None] = lambda done: None,
) -> CameraPath:
    """How the camera moved, from the frames of a video; none of them is kept."""
    watch = KeyFrameMatcher(freeing)
    for done, frame in enumerate(frames, start=1):
        watch.add(frame.image, frame.time)
        on_frame(done)
    return solve_camera_path(watch.matches, focal)


def solve_camera_path(watched: KeyFrameMatches, focal: float | None = None) -> CameraPath:
    """Close the loops, and place every frame by its key picture."""
    focal = focal or Pinhole.guess(*watched.size).focal
    parts = [_solve_part(watched, part, focal) for part in range(watched.frames[-1].part + 1)]
    joined = {
        name: np.concatenate([getattr(path, name) for path in parts])
        for name in ("times", "known", "rays_from_frame", "focal", "gain")
    }
    return CameraPath(
        size=watched.size,
        part=np.array([w.part for w in watched.frames]),
        kind=tuple(path.kind[0] for path in parts),
        off=tuple(path.off[0] for path in parts),
        warnings=(*_said_once(parts), *_breaks(watched)),
        **joined,
    )


def _said_once(parts: Sequence[CameraPath]) -> tuple[str, ...]:
    """What is wrong with parts, the worst of its kind: ten parts walk no more than one."""
    worst = sorted(parts, key=lambda path: -path.off[0])
    return tuple(
        {path.kind[0]: warning for path in worst[::-1] for warning in path.warnings}.values()
    )


def _breaks(watched: KeyFrameMatches) -> Iterator[str]:
    """Why and when parts begin."""
    said = {"cut": "the picture is cut at", "lost": "the view was lost before"}
    for why, told in said.items():
        times = [f"{time:.2f}" for time, reason in watched.breaks if reason == why]
        if times:
            begins = "a new part begins" if len(times) == 1 else "new parts begin"
            yield f"{told} {', '.join(times)} s: {begins}"


@dataclass(frozen=True, slots=True)
class _Shot:
    """What was noted of one part; points are measured from the reduced pictures' middles."""

    times: Float64  # (T,)
    known: Bool  # (T,) matched to a key picture; N of them
    of_key: Int64  # (N,)
    pairs: Float64  # (N, WITNESSES, 4)
    gain: Float64  # (T, 3)
    agree: float  # share of the points that agree, usually
    keys: list[KeyFrame]
    first: int  # where the part's keys begin among all

    @staticmethod
    def of(watched: KeyFrameMatches, part: int) -> "_Shot":
        seen = [w for w in watched.frames if w.part == part]
        first = next(i for i, k in enumerate(watched.key_frames) if k.part == part)
        matched = [w for w in seen if w.key >= 0 and w.inlier_count > 0]
        middle = np.tile((np.array(watched.reduced_size) - 1) / 2, 2)
        return _Shot(
            times=np.array([w.time for w in seen]),
            known=np.array([w.key >= 0 and w.inlier_count > 0 for w in seen], np.bool_),
            of_key=np.array([w.key - first for w in matched], np.int64),
            pairs=np.array([w.pairs for w in matched], np.float64).reshape(-1, *seen[0].pairs.shape)
            - middle,
            gain=_even_gain(np.array([w.log_gain for w in seen])),
            agree=float(np.median([w.inlier_ratio for w in matched])) if matched else 0.0,
            keys=[k for k in watched.key_frames if k.part == part],
            first=first,
        )


def _solve_part(watched: KeyFrameMatches, part: int, focal: float) -> CameraPath:
    shot = _Shot.of(watched, part)
    still = fixed_camera_path(shot.times, np.zeros(len(shot.times), np.int64), watched.size, focal)
    still = replace(still, gain=shot.gain)
    if not shot.known.any():
        told = "no texture tells how the camera moved: it is taken for fixed"
        return replace(still, warnings=(told,))
    middle = (np.array(watched.reduced_size) - 1) / 2
    if _shift(shot, middle) < _STILL_PIXELS:
        return still
    edges = match_key_frames(shot.keys, shot.first, watched.reduced_size)
    lenses = _key_lenses(shot.keys, shot.first, edges, focal / watched.scale, middle)
    frames, off = _fitted(shot, lenses)
    if len(edges.left):
        between = reprojection_residuals(lenses[edges.left], lenses[edges.right], edges)
        off = max(off, _typical(between))
    kind: CameraKind = "turning"
    rays = _rays(frames, watched)
    warnings: tuple[str, ...] = ()
    if off > _PARALLAX_PIXELS or shot.agree < _PARALLAX_SHARE:
        kind = "walking"
        warnings = (_parallax(off, shot.agree, watched.scale),)
    zoom = np.abs(np.log(frames.focal / np.median(frames.focal)))
    likely = np.asarray(zoom < np.log(_LIKELY_ZOOM))
    known = shot.known.copy()
    known[shot.known] = likely
    return replace(
        still,
        known=known,
        rays_from_frame=_filled(rays[likely], known),
        focal=_filled(frames.focal[likely] * watched.scale, known),
        kind=(kind,),
        off=(off * watched.scale,),
        warnings=warnings,
    )


def _parallax(off: float, agree: float, scale: float) -> str:
    return (
        f"the camera seems to walk, or too much of the picture moves ({agree:.0%} of the points"
        f" agree, to {off * scale:.1f} pixels): near things will be doubled or bent"
    )


def _shift(shot: _Shot, middle: Float64) -> float:
    """How far points wander in the part's first key picture: nearly the farthest of them."""
    far = []
    for both, key in zip(shot.pairs, shot.of_key, strict=True):
        first = apply_homography(shot.keys[key].first_from_key, both[:, 2:] + middle) - middle
        far.append(float(np.median(np.linalg.norm(first - both[:, :2], axis=1))))
    return float(np.percentile(far, 95))


def _key_lenses(
    keys: list[KeyFrame], offset: int, edges: PointPairs, focal: float, middle: Float64
) -> RotatingCameras:
    """Where the key pictures look, all pairs together."""
    turn, focals = np.tile(np.eye(3), (len(keys), 1, 1)), np.full(len(keys), focal)
    away = np.array([[1, 0, middle[0]], [0, 1, middle[1]], [0, 0, 1]])
    for i, key in enumerate(keys):
        if key.parent < 0:
            continue
        parent = key.parent - offset
        relative = np.linalg.inv(keys[parent].first_from_key) @ key.first_from_key
        centred = np.linalg.inv(away) @ relative @ away
        at = np.array([parent])
        guess = cameras_from_homographies(centred[None], RotatingCameras(turn[at], focals[at]))
        turn[i], focals[i] = guess.rotation[0], guess.focal[0]
    start = RotatingCameras(turn, focals)
    return bundle_adjust(start, edges) if len(edges.left) else start


def _fitted(shot: _Shot, keys: RotatingCameras) -> tuple[RotatingCameras, float]:
    """Every known frame fitted to its key picture, and the pixels by which its points miss."""
    turns, focals, misses = [], [], []
    for begin in range(0, len(shot.pairs), _AT_ONCE):
        pairs, fixed = shot.pairs[begin : begin + _AT_ONCE], keys[shot.of_key[begin:][:_AT_ONCE]]
        witness = PointPairs(
            np.arange(len(pairs)), np.arange(len(pairs)), pairs[..., :2], pairs[..., 2:]
        )
        guess = cameras_from_homographies(
            np.stack([_homography(p[:, :2], p[:, 2:]) for p in pairs]), fixed
        )
        frames = fit_to_fixed(guess, fixed, witness)
        turns.append(frames.rotation)
        focals.append(frames.focal)
        misses.append(np.linalg.norm(reprojection_residuals(frames, fixed, witness), axis=-1))
    off = float(np.percentile(np.concatenate(misses), 68))
    return RotatingCameras(np.concatenate(turns), np.concatenate(focals)), off


def _homography(here: Float64, there: Float64) -> Float64:
    """The homography through points that lie on one exactly, from a linear system."""
    x, y = here.T
    u, v = there.T
    one, nil = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate(
        (
            np.stack((x, y, one, nil, nil, nil, -u * x, -u * y), axis=1),
            np.stack((nil, nil, nil, x, y, one, -v * x, -v * y), axis=1),
        )
    )
    scale = np.array([1, 1, 100, 1, 1, 100, 0.01, 0.01])
    found = np.linalg.lstsq(rows * scale, np.concatenate((u, v)), rcond=1e-9)[0] * scale
    return np.append(found, 1.0).reshape(3, 3)


def _typical(miss: Float64) -> float:
    """Pixels that two points in three are within."""
    return float(np.percentile(np.linalg.norm(miss, axis=-1), 68))


def _rays(lenses: RotatingCameras, watched: KeyFrameMatches) -> Float64:
    lens = intrinsic_matrices(lenses.focal * watched.scale, watched.size)
    return np.asarray(lenses.rotation @ np.linalg.inv(lens))


def _filled(values: Float64, known: Bool) -> Float64:
    """(N, ...) values of the known frames to (T, ...), evenly between them elsewhere."""
    frames = np.arange(len(known))
    flat = values.reshape(len(values), -1)
    every = [np.interp(frames, frames[known], column) for column in flat.T]
    return np.stack(every, axis=1).reshape(len(known), *values.shape[1:])


def _even_gain(brighter: Float64) -> Float64:
    """Logarithms (T, 3), NaN where not known, to factors around 1."""
    known = np.asarray(np.isfinite(brighter).all(axis=1))
    if not known.any():
        return np.ones(brighter.shape)
    filled = _filled(brighter[known], known)
    return np.asarray(np.exp(filled - np.median(filled, axis=0)))
