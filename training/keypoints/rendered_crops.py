"""Rendered crops: people in any pose and orientation, with their true keypoints.

`python -m training.keypoints.rendered_crops MOTION_FOLDER -o CROPS.npz --shots 1200` renders six
frames of each of so many random shots, and cuts the person out as the tracker does.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from mocap_cli.io.atomic import write_atomically
from mocap_cli.keypoints.crop import Crop
from mocap_cli.labels.tuning.keypoint_images import KeypointImage
from mocap_cli.labels.tuning.movenet import COUNT
from mocap_cli.types import Bool
from training.synthesis.mocap_clip import MocapClip
from training.synthesis.mocap_dataset import read_split
from training.synthesis.rendered_shots import random_shots, render_shot

FRAMES = 6  # of a shot
TUMBLING = 0.5  # of the shots
HIDDEN = 0.5  # weight of keypoints that the body hides; those outside the image have none
LONGEST = 15.0  # seconds of a clip that count for how often it is drawn
ACROBATIC = ("05_", "49_", "55_", "85_", "88_", "deepmimic")  # dance, flips, cartwheels, breakdance
OFTEN = 4  # times as often as other clips


@dataclass(frozen=True, slots=True, eq=False)
class RenderedCrops:
    """Crops with true keypoints."""

    images: list[KeypointImage]
    tumbling: Bool  # (N,)

    def save(self, path: Path) -> None:
        """Write them to one file."""
        with write_atomically(path) as aside, aside.open("wb") as file:
            np.savez(
                file,
                packed=np.concatenate([image.packed for image in self.images]),
                length=np.array([len(image.packed) for image in self.images]),
                xy=np.stack([image.xy for image in self.images]),
                weight=np.stack([image.weight for image in self.images]),
                tumbling=self.tumbling,
            )

    @staticmethod
    def load(path: Path) -> "RenderedCrops":
        """Read what `save` wrote."""
        with np.load(path) as file:
            packed = np.split(file["packed"], file["length"].cumsum()[:-1])
            parts = zip(packed, file["xy"], file["weight"], strict=True)
            return RenderedCrops([KeypointImage(*part) for part in parts], file["tumbling"])


def render_crops(
    clips: Sequence[MocapClip], shots: int, seed: int
) -> Iterator[tuple[KeypointImage, bool]]:
    """Crops, and whether the person tumbles."""
    rng = np.random.default_rng(seed)
    seconds = [min(len(clip.root) / clip.fps, LONGEST) for clip in clips]
    often = [OFTEN if clip.name.startswith(ACROBATIC) else 1 for clip in clips]
    weights = np.multiply(seconds, often).astype(np.float32)
    for shot in islice(random_shots(clips, weights, rng, TUMBLING), shots):
        count = len(shot.transforms)
        chosen = np.sort(rng.choice(count, min(FRAMES, count), replace=False)).tolist()
        blurred = replace(shot, shutter=int(rng.choice([1, 3])))
        for frame in render_shot(blurred, rng, chosen):
            height, width = frame.picture.shape[:2]
            inside = ((frame.xy > 0) & (frame.xy < (width, height))).all(axis=1)
            weight = np.where(frame.visible, 1.0, HIDDEN) * inside
            xy, weight = frame.xy[:COUNT], weight[:COUNT]
            crop = Crop.around_body(xy, np.ones(COUNT))
            yield KeypointImage.cut(frame.picture, crop, xy, weight), shot.tumbling


def main() -> None:
    """Render crops into a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("motion", type=Path, help="folder of motion capture")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--shots", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held-out", action="store_true", help="of the subjects kept for testing")
    options = parser.parse_args()
    clips = read_split(options.motion, held_out=options.held_out)
    images, tumbling = zip(*render_crops(clips, options.shots, options.seed), strict=True)
    RenderedCrops(list(images), np.array(tumbling)).save(options.output)
    print(len(images), "crops")


if __name__ == "__main__":
    main()
