"""Course: where a person's crop is going, to look there in the next frame."""

import math
from dataclasses import dataclass

from mocap_cli.keypoints.crop import Crop

_HORIZON_SECONDS = 0.25
"""Velocities are trusted no longer than this."""

_TRUST = 0.6  # in the newest velocity, against those before
_GROWTH_TRUST = 0.3
_SPIN_LIMIT = 30.0  # radians per second: nobody turns faster, so such a jump is a mistake
_GROWTH_LIMIT = 2.0  # per second: nor comes so near so fast


@dataclass(frozen=True, slots=True)
class CropMotion:
    """A crop and how it changes per second."""

    time: float
    crop: Crop
    vx: float = 0.0
    vy: float = 0.0
    growth: float = 0.0  # of the logarithm of the side
    spin: float = 0.0  # of the turn

    def predict(self, time: float) -> Crop:
        """Where to look at that time."""
        dt = min(time - self.time, _HORIZON_SECONDS)
        return Crop(
            self.crop.x + self.vx * dt,
            self.crop.y + self.vy * dt,
            self.crop.side * math.exp(self.growth * dt),
            self.crop.angle + self.spin * dt,
        )

    def updated(self, time: float, crop: Crop) -> "CropMotion":
        """The course after the person was seen there; turns are counted on past a circle."""
        dt, old = time - self.time, self.crop
        now = blend_crops(self.predict(time), crop, 1.0)
        if not 0 < dt <= _HORIZON_SECONDS:
            return CropMotion(time, now)
        spin = (now.angle - old.angle) / dt
        growth = math.log(now.side / old.side) / dt
        return CropMotion(
            time,
            now,
            vx=_mixed(self.vx, (now.x - old.x) / dt, _TRUST),
            vy=_mixed(self.vy, (now.y - old.y) / dt, _TRUST),
            growth=_mixed(self.growth, _within(growth, _GROWTH_LIMIT), _GROWTH_TRUST),
            spin=_mixed(self.spin, _within(spin, _SPIN_LIMIT), _TRUST),
        )


def blend_crops(expected: Crop, seen: Crop, trust: float) -> Crop:
    """That part of the way to where the person was seen, turned by the shorter way."""
    return Crop(
        _mixed(expected.x, seen.x, trust),
        _mixed(expected.y, seen.y, trust),
        expected.side * (seen.side / expected.side) ** trust,
        expected.angle + trust * math.remainder(seen.angle - expected.angle, 2 * math.pi),
    )


def _mixed(old: float, new: float, trust: float) -> float:
    return old + trust * (new - old)


def _within(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)
