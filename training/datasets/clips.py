"""Clips of a data set: footage, labels in camera axes, and the split that they belong to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.errors import MocapError
from mocap_cli.types import Float64, Int64

_TO_OUR_AXES = np.array((1.0, -1.0, -1.0))  # from X right, Y down, Z forward


@dataclass(frozen=True, slots=True)
class ImageSequence:
    """Numbered images that become a video; a gap in the numbers is a gap in time."""

    images: tuple[Path, ...]
    numbers: tuple[int, ...]  # rising
    fps: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """What one camera filmed of one take, with joints in some of its frames."""

    split: str  # train, validation or test
    group: str  # of takes between which the cameras were not moved
    take: str
    camera: int
    subject: str
    footage: Path | ImageSequence
    frames: Int64  # (N,) labelled frames, counted from 0
    joints: Float64  # (N, P, 3) metres, camera axes with Y up; NaN where unknown
    joint_names: tuple[str, ...]
    cameras_stand: bool = True  # within the group

    @property
    def name(self) -> str:
        """The name of video and labels, without suffix; pretraining pairs cameras by it."""
        return f"{self.take}.cam{self.camera}".replace(" ", "_")


@dataclass(frozen=True, slots=True)
class Split:
    """Subjects of one split of a recipe, and how many of their frames are labels."""

    name: str
    subjects: tuple[str, ...]
    labels_every: int  # frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the user chose to deviate from a recipe; None where the recipe decides."""

    only: tuple[str, ...] | None = None  # subjects or sequences
    labels_every: int | None = None  # frames
    fps: int | None = None  # of images without a clock

    def labels_of(self, split: Split) -> int:
        """Every how many frames a label is kept."""
        return self.labels_every or split.labels_every


def subjects_of(
    recipe: Sequence[Split], choice: Choice, places: Sequence[Path]
) -> Iterator[tuple[Split, str, Path]]:
    """The split, name and folder of each subject, in one of several places."""
    known = [subject for split in recipe for subject in split.subjects]
    for wanted in choice.only or ():
        if wanted not in known:
            raise MocapError(
                f"{places[0]} has no subject {wanted} in the recipe", f"give of {', '.join(known)}"
            )
    for split in recipe:
        for subject in split.subjects:
            if choice.only is None or subject in choice.only:
                yield split, subject, _folder(subject, places)


def _folder(subject: str, places: Sequence[Path]) -> Path:
    for place in places:
        if (place / subject).is_dir():
            return place / subject
    there = ", ".join(sorted(p.name for p in places[0].glob("*/"))[:8]) or "no folders"
    raise MocapError(
        f"{places[0] / subject} is missing; {places[0]} holds {there}",
        "name the folders as the owners do, or convert a part with --only",
    )


def refuse_unknown(choice: Choice, found: set[str], place: Path) -> None:
    """Refuse names of --only that a data set without fixed subjects does not have."""
    if missing := set(choice.only or ()) - found:
        raise MocapError(f"{place} has no {min(missing)}", "check the names of --only")


def in_our_axes(points: NDArray[np.floating], metres: float) -> Float64:
    """Points (..., 3) of X right, Y down, Z forward in a unit of so many metres, Y up in metres."""
    return np.asarray(points, np.float64) * metres * _TO_OUR_AXES


def require_file(path: Path, why: str) -> Path:
    """The path, if a file is there."""
    if not path.is_file():
        raise MocapError(f"{path} is missing: {why}", "check that the archive was unpacked whole")
    return path
