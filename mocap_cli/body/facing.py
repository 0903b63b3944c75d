"""Facing: where a head faces, the turn about the line from neck to crown that no joint shows."""

from dataclasses import dataclass

import numpy as np

from mocap_cli.body.rotation import unit
from mocap_cli.io.json_fields import JsonObject
from mocap_cli.types import Float32, Float64

_LEAST = 0.1  # sine of the angle to the neck below which a direction shows no turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Facing:
    """Directions of a face over time; NaN in frames without a person."""

    direction: Float32  # (T, 3) unit, in the axes of the joints
    sigma: Float32  # (T,) radians: 70 % of errors of the turn are expected within it

    @staticmethod
    def of_json(fields: JsonObject, frames: int) -> "Facing":
        """Read the object of a motion file; a ValueError names the wrong key."""
        return Facing(
            direction=fields.numbers("direction", (frames, 3), -1.01, 1.01).astype(np.float32),
            sigma=fields.numbers("sigma", (frames,), 0, 10).astype(np.float32),
        )

    def frames(self, chosen: slice) -> "Facing":
        """Only these frames."""
        return Facing(direction=self.direction[chosen], sigma=self.sigma[chosen])


def facing_rotations(heads: Float64, direction: Float32 | Float64) -> Float64:
    """Rotations (T, 3, 3) of heads, turned about their own Y so that Z is nearest to (T, 3).

    Heads without a direction stay as they are.
    """
    up = heads[..., 1]
    left = np.cross(up, direction)
    known = np.linalg.norm(left, axis=-1) > _LEAST
    x = unit(left)
    return np.where(known[:, None, None], np.stack((x, up, np.cross(x, up)), axis=-1), heads)
