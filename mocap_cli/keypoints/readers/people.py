"""People of a keypoint file: every person in every frame, with the points in one order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.joint_names import map_to_keypoints, unnamed_skeleton
from mocap_cli.types import Float32, Float64, Int64

UNSCORED = 0.7
"""Score of points that a file gives without one: what the lifter was trained to trust."""
NO_TRACK = -1
_MAX_PIXELS = 1e5  # points beyond are no detections
_MAX_SHARE = 2.0  # of the image's size: larger coordinates are pixels
_USUAL = 90  # per cent of the coordinates that decide it


@dataclass(frozen=True, slots=True, eq=False)
class PersonRow:
    """One person in one frame, as a file has them."""

    moment: float  # number of the frame, or seconds
    points: Float64  # (P, 3) x, y and score; a score of 0 or a NaN: not detected
    track: int = NO_TRACK  # the same number for the same person


@dataclass(frozen=True, slots=True, eq=False)
class FilePeople:
    """All people of a keypoint file."""

    moments: Float64  # (N,) numbers of frames from 0, or seconds
    in_seconds: bool
    tracks: Int64  # (N,) the same number for the same person; NO_TRACK: unknown
    xy: Float32  # (N, K, 2) pixels, or shares of width and height; NaN: not detected
    score: Float32  # (N, K) 0..1

    @staticmethod
    def of(
        rows: Sequence[PersonRow],
        whose: str,
        names: Sequence[str] | None = None,
        *,
        in_seconds: bool = False,
        first: int | None = 0,
    ) -> "FilePeople":
        """The rows' points in the order of KEYPOINTS.

        `names` are those of the points, by default those of a skeleton of so many points. `first`
        is the number of the video's first frame; None: 0 where a row has it, else 1.
        """
        if not rows:
            raise ValueError("it has no person in any frame")
        if len({len(row.points) for row in rows}) > 1:
            raise ValueError("not all people have the same number of points")
        names = names or unnamed_skeleton(len(rows[0].points), 2)
        points = np.stack([row.points for row in rows])
        mapped = map_to_keypoints(names, points, whose)
        score = np.nan_to_num(mapped[..., 2]).clip(0, 1)
        known = (score > 0) & (np.abs(np.nan_to_num(mapped, nan=np.inf)) < _MAX_PIXELS).all(-1)
        moments = np.array([row.moment for row in rows], np.float64)
        if not np.isfinite(moments).all() or (moments < 0).any():
            raise ValueError("not every person has the number or the time of a frame")
        if not in_seconds:
            moments -= (0 if (moments == 0).any() else 1) if first is None else first
        return FilePeople(
            moments,
            in_seconds,
            np.array([row.track for row in rows], np.int64),
            np.where(known[..., None], mapped[..., :2], np.nan).astype(np.float32),
            np.where(known, score, 0).astype(np.float32),
        )

    def in_pixels(self, width: int, height: int) -> Float32:
        """(N, K, 2) pixels; shares of the image are recognised by their size."""
        finite = np.abs(self.xy[np.isfinite(self.xy)])
        if len(finite) and np.percentile(finite, _USUAL) <= _MAX_SHARE < min(width, height) / 8:
            return self.xy * np.array((width, height), np.float32)
        return self.xy

    def frames(self, times: Float64, first: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows, and the index of the frame of each, for those that are in some of the frames.

        `times` are those of the frames in seconds, `first` the number of the first one.
        """
        if not self.in_seconds:
            index = np.round(self.moments).astype(np.intp) - first
            rows = np.flatnonzero((index >= 0) & (index < len(times)))
            return rows, index[rows]
        index = np.abs(self.moments[:, None] - times).argmin(axis=1)
        gap = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
        rows = np.flatnonzero(np.abs(self.moments - times[index]) <= gap / 2)
        return rows, index[rows]
