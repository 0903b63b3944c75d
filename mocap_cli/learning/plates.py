"""Plates: the background of every stored frame, and how much of the frame is not background."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]

MOST_FOR_MEDIAN = 120  # frames; more change no pixel by much
DIFFERS = 28  # levels by which a colour is surely not the plate's: noise and shadows are below


@dataclass(frozen=True, slots=True, eq=False)
class Plates:
    """Backgrounds at training size and which of them lies behind which frame."""

    images: UInt8  # (P, H, W, 3)
    known: NDArray[np.bool_]  # (P, H, W)
    of_frame: NDArray[np.int64]  # (N,)


def median_plates(frames: UInt8) -> Plates:
    """One plate for a camera that stands still: (N, H, W, 3) to each pixel's median."""
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), MOST_FOR_MEDIAN)).round().astype(int)
    image = np.median(frames[chosen], axis=0).astype(np.uint8)
    known = np.ones((1, *image.shape[:2]), bool)
    return Plates(image[None], known, np.zeros(len(frames), np.int64))


def moved_shares(frames: UInt8, plates: Plates) -> NDArray[np.float64]:
    """(N,) how much of what is known of each frame is something else than its plate."""
    shares = np.zeros(len(frames))
    for i, frame in enumerate(frames):
        plate, known = plates.images[plates.of_frame[i]], plates.known[plates.of_frame[i]]
        apart = np.abs(frame.astype(np.int16) - plate).max(axis=-1) > DIFFERS
        shares[i] = (apart & known).sum() / max(known.sum(), 1)
    return shares
