"""The splash of a person who enters water: drops and foam."""

from dataclasses import dataclass

import cv2
import numpy as np

from mocap_cli.types import Float64, UInt8
from training.synthesis.camera_view import CameraView

GRAVITY = np.array([0.0, -9.81, 0.0])
LASTING = 0.35
"""Seconds during which drops are emitted."""


@dataclass(frozen=True, slots=True)
class Splash:
    """Drops with times, positions and velocities of emission."""

    begins: float  # seconds
    born: Float64  # (N,) seconds after `begins`
    place: Float64  # (N, 3) metres, at the water
    speed: Float64  # (N, 3) metres per second
    size: Float64  # (N,) metres

    @staticmethod
    def at(place: Float64, begins: float, rng: np.random.Generator, drops: int = 900) -> "Splash":
        """A splash around a point on the water."""
        around, out = rng.uniform(0, 2 * np.pi, drops), rng.uniform(0.05, 0.35, drops)
        aside = np.stack((np.sin(around), np.zeros(drops), np.cos(around)), axis=1)
        born = LASTING * rng.random(drops) ** 1.5
        up = rng.uniform(0.5, 4.5, drops) * rng.random(drops) ** 0.5
        speed = aside * rng.uniform(0.2, 1.2, (drops, 1)) + up[:, None] * (0, 1, 0)
        start = np.asarray(place) * (1, 0, 1) + aside * out[:, None]
        return Splash(begins, born, start, speed, rng.uniform(0.006, 0.022, drops))

    def over(self, picture: UInt8, view: CameraView, time: float) -> UInt8:
        """The image with the splash at that time."""
        age = (time - self.begins - self.born)[:, None]
        if age.max() <= 0:
            return picture
        flown = self.place + self.speed * age + GRAVITY * age * age / 2
        foam = np.maximum(flown, 0) * (0, 1, 0) + flown * (1, 0, 1)
        fading = np.where(flown[:, 1] > 0, 0.75, 0.5 * np.exp(-np.maximum(age[:, 0] - 0.5, 0)))
        white = np.zeros(picture.shape[:2], np.float32)
        radius = self.size * view.pinhole.focal / -view.to_camera(foam)[:, 2]
        drops = zip(view.pixels(foam), radius, np.where(age[:, 0] > 0, fading, 0), strict=True)
        for (x, y), r, shine in drops:
            if shine > 0.05 and np.isfinite(x):
                centre = (int((x - 0.5) * 16), int((y - 0.5) * 16))
                cv2.circle(white, centre, max(int(r * 16), 8), float(shine), -1, cv2.LINE_4, 4)
        white[:] = cv2.GaussianBlur(white, (0, 0), 1.0)
        cover = white[..., None]
        return np.asarray(picture * (1 - cover) + 238 * cover, np.uint8)
