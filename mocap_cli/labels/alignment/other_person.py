"""Other person: whether labels lie on somebody else than the tracker follows."""

import numpy as np

from mocap_cli.labels.labels import Labels
from mocap_cli.tracking.estimate import Estimate


def other_person(labels: Labels, estimate: Estimate) -> str:
    """What to do about 2D labels that mostly lie outside of the followed person; else nothing.

    The frames of the labels must be known.
    """
    inside = (labels.frames >= 0) & (labels.frames < len(estimate.times))
    labels = labels.select(inside & labels.has_2d.any(axis=1))
    x, y, side = estimate.bounding_squares()[labels.frames].T
    seen = np.isfinite(side)
    away = np.abs(labels.xy - np.stack((x, y), axis=1)[:, None]).max(axis=-1)  # (N, 21)
    other = seen & (np.nanmin(np.where(np.isfinite(away), away, np.inf), axis=1) > side / 2)
    if other.sum() <= seen.sum() / 2:
        return ""
    first = int(np.flatnonzero(other)[0])
    frame, (column, row) = int(labels.frames[first]), np.nanmean(labels.xy[first], axis=0)
    return (
        f"no label lies on the followed person in {other.sum()} of {seen.sum()} labelled frames,"
        f" first in frame {frame}: if the labels are right, fit this video alone with --subject"
        f" {column:.0f},{row:.0f}@{estimate.times[frame]:.2f}"
    )
