"""Random backgrounds: the person of each frame, through a mask, before another image.

The paper does so where the videos to be tested have other backgrounds than those to learn from
(MPI-INF-3DHP). The mask only makes new images; the model never sees it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.npz import checked_array, load_npz, seal_of, without_seal
from mocap_cli.learning.data.batch import Batch
from mocap_cli.types import UInt8

BACKGROUNDS = "backgrounds.npz"
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
_MOST = 1000  # images of a run; further ones are left out
_DIFFERENCE = 0.11  # of a colour from the background's, 0..1: neither noise nor a shadow
_GROWN = 5  # pixels: the mask is grown by half of that, to close gaps, and shrunk again


@dataclass(frozen=True, slots=True, eq=False)
class RandomBackgrounds:
    """Images of the size of the stored frames."""

    images: UInt8  # (P, H, W, 3) RGB

    @staticmethod
    def read(folder: Path, size: tuple[int, int]) -> "RandomBackgrounds":
        """The images of a folder, cut and scaled to that width and height."""
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES)[:_MOST]
        found = [_fitted(image, size) for path in paths if (image := _read(path)) is not None]
        if not found:
            raise MocapError(
                f"{folder} has no images to use as backgrounds", "give a folder of photographs"
            )
        return RandomBackgrounds(np.stack(found))

    def write(self, run: Path) -> None:
        """Keep the images in a run's folder, from which it is resumed."""
        arrays = {"images": self.images}
        with write_atomically(run / BACKGROUNDS) as aside, aside.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays, **seal_of(arrays))

    @staticmethod
    def reopen(run: Path) -> "RandomBackgrounds":
        """The images that a run keeps."""
        path = run / BACKGROUNDS
        try:
            arrays = without_seal(load_npz(path))
            images = checked_array(arrays, "images", (None, None, None, 3), "whole", 0, 255)
        except (OSError, ValueError) as error:
            raise MocapError(f"cannot resume: {path}: {error}", "begin a new run") from error
        return RandomBackgrounds(images.astype(np.uint8))

    def put_behind(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """The batch with one image behind all frames of each item."""
        B, S, _, H, W = batch.frames.shape
        chosen = torch.from_numpy(self.images[rng.integers(len(self.images), size=B)])
        image = chosen.to(batch.frames.device).permute(0, 3, 1, 2)[:, None]  # (B, 1, 3, H, W)
        mask = _person_mask(batch)
        mixed = mask * batch.frames.float() + (1 - mask) * image.float()
        return replace(
            batch,
            frames=mixed.round().to(torch.uint8),
            plates=image.expand(B, S, 3, H, W),
            known=torch.ones_like(batch.known),
        )


def _person_mask(batch: Batch) -> Tensor:
    """(B, S, 1, H, W) in 0..1: what differs from the background, and where that is unknown."""
    difference = (batch.frames.float() - batch.plates.float()).abs().amax(2, keepdim=True) / 255
    seen = ((difference > _DIFFERENCE) | ~batch.known).float().flatten(0, 1)
    seen = (_averaged(seen) > 0.4).float()  # without single pixels
    grown = F.max_pool2d(seen, _GROWN, 1, _GROWN // 2)
    closed = -F.max_pool2d(-grown, _GROWN - 2, 1, _GROWN // 2 - 1)
    return _averaged(closed).unflatten(0, batch.times.shape)


def _averaged(mask: Tensor) -> Tensor:
    """Each pixel with its neighbours; outside of the image there are none."""
    return F.avg_pool2d(mask, 3, 1, 1, count_include_pad=False)


def _read(path: Path) -> NDArray[np.uint8] | None:
    """An image as RGB; None where it cannot be read."""
    image = cv2.imdecode(np.frombuffer(path.read_bytes() or b"\0", np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _fitted(image: UInt8, size: tuple[int, int]) -> UInt8:
    """The middle of an image, in the shape of that size, scaled to it."""
    width, height = size
    scale = max(width / image.shape[1], height / image.shape[0])
    wide, tall = max(1, round(width / scale)), max(1, round(height / scale))
    left, top = (image.shape[1] - wide) // 2, (image.shape[0] - tall) // 2
    cut = image[max(top, 0) : top + tall, max(left, 0) : left + wide]
    return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), np.uint8)
