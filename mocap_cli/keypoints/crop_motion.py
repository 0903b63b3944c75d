"""Crop motion: a constant-velocity model that predicts a person's crop in the next frame."""

import math
from dataclasses import dataclass, replace

from mocap_cli.keypoints.crop import Crop

_HORIZON_SECONDS = 0.25  # beyond which velocities are not extrapolated
_TRUST = 0.6  # weight of the newest velocity against those before
_GROWTH_TRUST = 0.3
_SPIN_LIMIT = 30.0  # radians per second: nobody turns faster, so such a jump is an error
_GROWTH_LIMIT = 2.0  # per second: nor comes so near so fast


@dataclass(frozen=True, slots=True)
class CropMotion:
    """A crop and how it changes per second."""

    time: float
    crop: Crop
    vx: float = 0.0
    vy: float = 0.0
    growth: float = 0.0  # of the logarithm of the side
    spin: float = 0.0  # of the angle

    def predict(self, time: float) -> Crop:
        """The crop at that time."""
        dt = min(time - self.time, _HORIZON_SECONDS)
        return Crop(
            self.crop.x + self.vx * dt,
            self.crop.y + self.vy * dt,
            self.crop.side * math.exp(self.growth * dt),
            self.crop.angle + self.spin * dt,
        )

    def coasted(self, time: float) -> "CropMotion":
        """The motion after a time without a detection: on at the same speed, of the same size."""
        steady = replace(self, growth=0.0, spin=0.0)
        return replace(steady, time=time, crop=steady.predict(time))

    def shifted(self, crop: Crop, share: float) -> "CropMotion":
        """The motion part of the way to that crop, at the same speed."""
        return replace(self, crop=self.crop.towards(crop, share))

    def updated(self, time: float, crop: Crop) -> "CropMotion":
        """The motion after a detection in that crop; angles go on beyond a full circle."""
        dt, old = time - self.time, self.crop
        now = self.predict(time).towards(crop, 1.0)
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


def _mixed(old: float, new: float, trust: float) -> float:
    return old + trust * (new - old)


def _within(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)
