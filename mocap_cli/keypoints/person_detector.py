"""Person detector: find the people in an image."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.keypoints.crop import CROP_SIZE, Crop
from mocap_cli.types import Image
from mocap_cli.weights import Device, open_network

_SURE = 0.12


@dataclass(frozen=True, slots=True)
class PersonCrop:
    """A person that was found: the crop around them, and the score."""

    crop: Crop
    score: float  # 0..1


class PersonDetector:
    """MoveNet MultiPose on square crops of an image."""

    def __init__(self, device: Device = "auto") -> None:
        self._network = open_network("movenet_multipose", device)

    def people(self, image: Image, views: Iterable[Crop]) -> list[PersonCrop]:
        """The people in those crops, each once, the highest score first."""
        found = [person for view in views for person in self._look(image, view)]
        people: list[PersonCrop] = []
        for person in sorted(found, key=lambda p: -p.score):
            if not any(person.crop.overlaps(other.crop) for other in people):
                people.append(person)
        return people

    def _look(self, image: Image, view: Crop) -> list[PersonCrop]:
        (found,) = self._network(view.extract(image)[None].astype(np.int32))
        return [_person(row, view) for row in found[0] if row[55] > _SURE]


def _person(row: NDArray[np.float32], view: Crop) -> PersonCrop:
    marks = row[:51].reshape(17, 3)
    crop = Crop.around_body(view.to_image(marks[:, 1::-1] * CROP_SIZE), marks[:, 2])
    return PersonCrop(crop, float(row[55]))
