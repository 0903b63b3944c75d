"""Labels: what somebody says about the poses in one video."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.anatomy import standing_height
from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.types import Bool, Float64

MOCAP_SIGMA = 0.01  # metres: how well a session of motion capture knows a joint's centre
_MIN_HEIGHT, _MAX_HEIGHT = 0.9, 2.4  # metres a person may be
_UNITS = {1000.0: "millimetres", 100.0: "centimetres", 39.37: "inches", 0.001: "kilometres"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Poses of one person in some frames of one video: in 3D, as clicks in its pictures, or both.

    Frames are known by their numbers in the video, from 0, or by their times; the other is NaN or
    -1 until a video is found for them.
    """

    path: Path  # where they were read from
    video: str  # the name that the file gives its video, with or without folder and suffix
    frames: NDArray[np.int64]  # (N,) numbers in the video, -1 where only the time is known
    times: Float64  # (N,) seconds, NaN where only the number is known
    joints: Float64  # (N, 19, 3) metres; NaN where nothing is said
    xy: Float64  # (N, 21, 2) displayed pixels; NaN where nothing is said
    sigma: Float64  # (N, 19) metres by which joints may be off
    in_camera: bool = False  # joints are in the camera's axes; else in some of their own
    synchronous: bool = True  # frames and times are the video's; else of another clock
    size: tuple[int, int] | None = None  # width and height of the picture that xy are pixels of
    notes: tuple[str, ...] = ()  # what was found and repaired, a line each

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
        """(N, 19) joints that are known in 3D."""
        return np.asarray(np.isfinite(self.joints).all(axis=-1))

    @property
    def has_2d(self) -> Bool:
        """(N, 21) points that are known in the picture."""
        return np.asarray(np.isfinite(self.xy).all(axis=-1))

    def select(self, chosen: Bool | NDArray[np.intp]) -> "Labels":
        """The same labels, only those frames."""
        names = ("frames", "times", "joints", "xy", "sigma")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def with_notes(self, *notes: str) -> "Labels":
        """The same, with more to say about it."""
        return replace(self, notes=(*self.notes, *notes))


def make_labels(
    path: Path,
    video: str,
    *,
    frames: NDArray[np.int64] | None = None,
    times: Float64 | None = None,
    joints: Float64 | None = None,
    xy: Float64 | None = None,
    sigma: Float64 | None = None,
    in_camera: bool = False,
    synchronous: bool = True,
    size: tuple[int, int] | None = None,
    notes: tuple[str, ...] = (),
) -> Labels:
    """Labels of which only a part is given; whatever is missing is filled in as unknown."""
    one = next(a for a in (frames, times) if a is not None)
    N = len(one)
    labels = Labels(
        path=path,
        video=video,
        frames=np.full(N, -1, np.int64) if frames is None else frames,
        times=np.full(N, np.nan) if times is None else times,
        joints=np.full((N, len(BODY), 3), np.nan) if joints is None else joints,
        xy=np.full((N, len(KEYPOINTS), 2), np.nan) if xy is None else xy,
        sigma=np.full((N, len(BODY)), MOCAP_SIGMA) if sigma is None else sigma,
        in_camera=in_camera,
        synchronous=synchronous,
        size=size,
        notes=notes,
    )
    return _cleaned(labels)


def _cleaned(labels: Labels) -> Labels:
    """Without frames that say nothing, without doubles, in metres; each repair is noted."""
    labels = _without_empty_frames(labels)
    labels = _without_duplicates(labels)
    return _to_metres(labels) if labels.has_3d.any() else labels


def _without_empty_frames(labels: Labels) -> Labels:
    said = np.asarray(labels.has_3d.any(axis=1) | labels.has_2d.any(axis=1))
    if not said.any():
        raise MocapError(
            f"{labels.path} labels nothing: all of its {len(labels)} frames are empty",
            "look whether it was written to its end",
        )
    torn = np.isnan(labels.joints).any(axis=-1) & np.isfinite(labels.joints).any(axis=-1)
    empty = int((~said).sum())
    notes = []
    if empty:
        notes.append(f"{empty} of {len(labels)} frames say nothing and are left out")
    if torn.any():
        notes.append(f"{int(torn.sum())} joints with a coordinate that is no number are left out")
    joints = np.where(labels.has_3d[..., None], labels.joints, np.nan)
    xy = np.where(labels.has_2d[..., None], labels.xy, np.nan)
    return replace(labels, joints=joints, xy=xy).select(said).with_notes(*notes)


def _without_duplicates(labels: Labels) -> Labels:
    """In the order of time, each frame once; two different answers for one frame are refused."""
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
            f"{labels.path} says two different things about the same frames ({where})",
            "keep one of the two; only one person can be labelled",
        )
    kept = np.setdiff1d(np.arange(len(labels)), same)
    return labels.select(kept).with_notes(f"{len(same)} frames are there twice and count once")


def _to_metres(labels: Labels) -> Labels:
    """A person of human size, whatever the unit that was meant."""
    tall = body_height(labels.joints)
    if tall is None or _MIN_HEIGHT <= tall <= _MAX_HEIGHT:
        return labels
    for unit, name in _UNITS.items():
        if _MIN_HEIGHT <= tall / unit <= _MAX_HEIGHT:
            return replace(
                labels, joints=labels.joints / unit, sigma=np.full_like(labels.sigma, MOCAP_SIGMA)
            ).with_notes(f"the person would be {tall:.4g} m tall: taken as {name}")
    raise MocapError(
        f"the person in {labels.path} would be {tall:.3g} m tall, in whatever unit",
        "give joints in metres",
    )


def body_height(joints: Float64) -> float | None:
    """Metres that a person with these joints (N, 19, 3) is tall; None where too few are known."""
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
