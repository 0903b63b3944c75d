"""Labels: poses in some frames of one video, in one form whatever file they came from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.anatomy import standing_height
from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.types import Bool, Float64, Int64

_MIN_HEIGHT, _MAX_HEIGHT = 0.9, 2.4  # metres a person may be
_FARTHEST = 1e7  # metres in any unit, pixels: coordinates beyond are damage
_LAST_FRAME, _LAST_SECOND = 1 << 31, 1e6
_LONGEST_SESSION = 1800.0  # seconds: longer ones take too long to find in the video
_LARGEST_IMAGE = 1 << 16  # pixels
_UNITS = {1000.0: "millimetres", 100.0: "centimetres", 39.37: "inches", 0.001: "kilometres"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Poses of one person in some frames of one video: in 3D, in 2D, or both.

    Frames are identified by number, from 0, or by time; the other is -1 or NaN until the labels
    are assigned to a video.
    """

    SESSION_SIGMA: ClassVar[float] = 0.01  # metres: uncertainty of joints of a mocap session

    path: Path  # where they were read from
    video: str  # the name that the file gives its video, with or without folder and suffix
    frames: NDArray[np.int64]  # (N,) numbers in the video, -1 where only the time is known
    times: Float64  # (N,) seconds, NaN where only the number is known
    joints: Float64  # (N, 19, 3) metres; NaN where unlabelled
    xy: Float64  # (N, 21, 2) displayed pixels; NaN where unlabelled
    sigma: Float64  # (N, 19) metres, uncertainty of the joints
    in_camera: bool = False  # joints are in the camera's axes; else in some of their own
    synchronous: bool = True  # times are those of the video; else of another time base
    size: tuple[int, int] | None = None  # width and height of the images of xy
    notes: tuple[str, ...] = ()  # corrections, a line each

    def __post_init__(self) -> None:
        N = len(self.frames)
        wanted = {
            "times": (N,),
            "joints": (N, len(BODY), 3),
            "xy": (N, len(KEYPOINTS), 2),
            "sigma": (N, len(BODY)),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} is {getattr(self, name).shape}, wanted {shape}")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def has_3d(self) -> Bool:
        """(N, 19) joints that are labelled in 3D."""
        return np.asarray(np.isfinite(self.joints).all(axis=-1))

    @property
    def has_2d(self) -> Bool:
        """(N, 21) keypoints that are labelled in 2D."""
        return np.asarray(np.isfinite(self.xy).all(axis=-1))

    def select(self, chosen: Bool | NDArray[np.intp]) -> "Labels":
        """Only those frames."""
        names = ("frames", "times", "joints", "xy", "sigma")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def with_notes(self, *notes: str) -> "Labels":
        """The same with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def make_labels(
    path: Path,
    video: str,
    *,
    frames: Sequence[int] | Int64 | None = None,
    times: Float64 | None = None,
    joints: Float64 | None = None,
    xy: Float64 | None = None,
    sigma: Float64 | None = None,
    in_camera: bool = False,
    synchronous: bool = True,
    size: tuple[int, int] | None = None,
    notes: tuple[str, ...] = (),
) -> Labels:
    """Labels from what is given; everything else is unknown."""
    _check_ranges(path, frames, times, size, synchronous=synchronous)
    N = len(next(given for given in (frames, times) if given is not None))
    labels = Labels(
        path=path,
        video=video,
        frames=np.full(N, -1, np.int64) if frames is None else np.array(frames, np.int64),
        times=np.full(N, np.nan) if times is None else times,
        joints=np.full((N, len(BODY), 3), np.nan) if joints is None else joints,
        xy=np.full((N, len(KEYPOINTS), 2), np.nan) if xy is None else xy,
        sigma=np.full((N, len(BODY)), Labels.SESSION_SIGMA) if sigma is None else sigma,
        in_camera=in_camera,
        synchronous=synchronous,
        size=size,
        notes=notes,
    )
    return _cleaned(labels)


def _check_ranges(
    path: Path,
    frames: Sequence[int] | Int64 | None,
    times: Float64 | None,
    size: tuple[int, int] | None,
    *,
    synchronous: bool,
) -> None:
    """Refuse frame numbers, times and image sizes that no video has, before they are used."""
    for frame in frames if frames is not None else ():
        if not 0 <= frame <= _LAST_FRAME:
            raise MocapError(f"{path} labels frame {frame}", "count frames from 0")
    if times is not None and len(times):
        low, high = float(np.min(times)), float(np.max(times))  # NaN where one is NaN
        if not (np.isfinite([low, high]).all() and max(-low, high) <= _LAST_SECOND):
            wrong = times[~(np.abs(times) <= _LAST_SECOND)]
            raise MocapError(f"{path} has the time {wrong[0]:g} s", "correct or delete that frame")
        if not synchronous and high - low > _LONGEST_SESSION:
            raise MocapError(
                f"{path} lasts {(high - low) / 60:.0f} minutes, more than a session may",
                f"cut it to at most {_LONGEST_SESSION / 60:.0f} minutes",
            )
    if size is not None and not all(0 < side <= _LARGEST_IMAGE for side in size):
        raise MocapError(f"{path} is of images of {size[0]}x{size[1]}", "correct their size")


def _cleaned(labels: Labels) -> Labels:
    """Without empty and duplicate frames, in metres; each correction is noted."""
    labels = _without_empty_frames(labels)
    labels = _without_duplicates(labels)
    return _to_metres(labels) if labels.has_3d.any() else labels


def _without_empty_frames(labels: Labels) -> Labels:
    labels = _within_range(labels)
    labelled = np.asarray(labels.has_3d.any(axis=1) | labels.has_2d.any(axis=1))
    if not labelled.any():
        raise MocapError(
            f"{labels.path} labels nothing: all of its {len(labels)} frames are empty",
            "check that it was written to its end",
        )
    partial = np.isnan(labels.joints).any(axis=-1) & np.isfinite(labels.joints).any(axis=-1)
    empty = int((~labelled).sum())
    notes = []
    if empty:
        notes.append(f"{empty} of {len(labels)} frames are empty and are left out")
    if partial.any():
        notes.append(
            f"{int(partial.sum())} joints with a coordinate that is no number are left out"
        )
    joints = np.where(labels.has_3d[..., None], labels.joints, np.nan)
    xy = np.where(labels.has_2d[..., None], labels.xy, np.nan)
    return replace(labels, joints=joints, xy=xy).select(labelled).with_notes(*notes)


def _within_range(labels: Labels) -> Labels:
    """Coordinates that nobody can have are no numbers: they would overflow in what follows."""
    joints = np.where(np.abs(labels.joints) < _FARTHEST, labels.joints, np.nan)
    xy = np.where(np.abs(labels.xy) < _FARTHEST, labels.xy, np.nan)
    sigma = np.where(
        (labels.sigma > 0) & (labels.sigma < _FARTHEST), labels.sigma, Labels.SESSION_SIGMA
    )
    return replace(labels, joints=joints, xy=xy, sigma=sigma)


def _without_duplicates(labels: Labels) -> Labels:
    """In order of time, each frame once; two different poses of one frame are an error."""
    key = np.where(labels.frames >= 0, labels.frames.astype(np.float64), labels.times)
    order = np.argsort(key, kind="stable")
    labels, key = labels.select(order), key[order]
    same = np.flatnonzero(np.diff(key) == 0) + 1
    if not len(same):
        return labels
    before = labels.select(same - 1)
    again = labels.select(same)
    apart = np.nanmax(np.abs(before.joints - again.joints), initial=0.0)
    off = np.nanmax(np.abs(before.xy - again.xy), initial=0.0)
    if apart > 1e-3 or off > 0.5:
        where = ", ".join(f"{v:g}" for v in np.unique(key[same])[:5])
        raise MocapError(
            f"{labels.path} has two different poses for the same frames ({where})",
            "keep one of them; label one person",
        )
    kept = np.setdiff1d(np.arange(len(labels)), same)
    return labels.select(kept).with_notes(f"{len(same)} frames are duplicates and count once")


def _to_metres(labels: Labels) -> Labels:
    """Converted to metres, if the person is of human size in another unit."""
    tall = body_height(labels.joints)
    if tall is None or _MIN_HEIGHT <= tall <= _MAX_HEIGHT:
        return labels
    for unit, name in _UNITS.items():
        if _MIN_HEIGHT <= tall / unit <= _MAX_HEIGHT:
            return replace(
                labels,
                joints=labels.joints / unit,
                sigma=np.full_like(labels.sigma, Labels.SESSION_SIGMA),
            ).with_notes(f"the person would be {tall:.4g} m tall: taken as {name}")
    raise MocapError(
        f"the person in {labels.path} would be {tall:.3g} m tall, and of no human size in any unit",
        "give joints in metres",
    )


def body_height(joints: Float64) -> float | None:
    """Standing height of a person with these joints (N, 19, 3); None if too few are known."""
    whole = np.asarray(np.isfinite(joints).all(axis=(1, 2)))
    legs = [_bone_length(joints, f"{s}_{a}", f"{s}_{b}") for s in ("left", "right")
            for a, b in (("hip", "knee"), ("knee", "ankle"))]  # fmt: skip
    if whole.any():
        return standing_height(bone_lengths(joints[whole]))
    if np.isnan(legs).all():
        arms = [_bone_length(joints, f"{s}_{a}", f"{s}_{b}") for s in ("left", "right")
                for a, b in (("shoulder", "elbow"), ("elbow", "wrist"))]  # fmt: skip
        return None if np.isnan(arms).all() else float(np.nanmean(arms)) / _ARM_OF_HEIGHT
    return float(np.nanmean(legs)) / _LEG_OF_HEIGHT


_LEG_OF_HEIGHT = 0.238  # a thigh or a shank, as a share of the height
_ARM_OF_HEIGHT = 0.155  # an upper arm or a forearm


def _bone_length(joints: Float64, a: str, b: str) -> float:
    lengths = np.linalg.norm(joints[:, BODY.index(a)] - joints[:, BODY.index(b)], axis=-1)
    return float(np.nanmedian(lengths)) if np.isfinite(lengths).any() else float("nan")


def bone_scale(joints: NDArray[np.floating], lifted: NDArray[np.floating]) -> float:
    """How much larger the person of `joints` is than that of `lifted`, by their bones."""
    parents = np.array(BODY.parents)
    child = parents >= 0
    sizes = []
    for body in (joints, lifted):
        bones = np.linalg.norm(body[:, child] - body[:, parents[child]], axis=-1)
        known = np.isfinite(bones)
        sizes.append(
            [np.median(c[k]) if k.any() else np.nan for c, k in zip(bones.T, known.T, strict=True)]
        )
    ratio = np.array(sizes[0]) / np.where(np.array(sizes[1]) > 1e-6, sizes[1], np.nan)
    return float(np.nanmedian(ratio)) if np.isfinite(ratio).any() else 1.0
