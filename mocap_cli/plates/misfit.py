"""Misfit: whether frames look like their own background, apart from the people in them."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.plates.background import Background
from mocap_cli.plates.sample_store import SampleStore

_LOOKS = 24  # frames that are compared
_SIDE = 240  # pixels of the reduced pictures: small shifts do not matter
_DIFFERS = 30  # levels
_WORST = 85  # percentile of the frames
_TOO_MUCH = 0.2  # of a frame


def misfit(background: Background, stack: SampleStore, chosen: Sequence[int]) -> float:
    """The share of a frame's free pixels that are unlike its background, in the worse frames."""
    width, height = background.camera.size
    shrink = _SIDE / max(width, height)
    size = max(round(width * shrink), 1), max(round(height * shrink), 1)
    looks = np.unique(np.linspace(0, len(chosen) - 1, _LOOKS).round().astype(int))
    shares = []
    for index in looks:
        frame = cv2.resize(stack.rows(int(index), 0, height), size, interpolation=cv2.INTER_AREA)
        image, known = background.at(float(background.camera.times[chosen[index]]), size)
        apart = cv2.absdiff(np.ascontiguousarray(frame[..., :3]), image).max(axis=-1) > _DIFFERS
        compared: NDArray[np.bool_] = known & (frame[..., 3] > 250)
        shares.append((apart & compared).sum() / max(compared.sum(), 1))
    return float(np.percentile(shares, _WORST))


def told(share: float) -> tuple[str, ...]:
    """What to say of it, if anything."""
    if share < _TOO_MUCH:
        return ()
    return (
        f"the frames do not lie well on each other: {share:.0%} of the picture is unlike its"
        " background in some; look at it before use (--sheet)",
    )
