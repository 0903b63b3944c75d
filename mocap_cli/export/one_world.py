"""One world: whether the motions of several people may stand in one file."""

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.errors import MocapError

_SAME_PLACE = 1e-3  # metres, and of a rotation: cameras of one world differ by less


def refuse_other_world(motion: Motion, other: Motion) -> None:
    """Raise when two motions are not of the same frames before the same camera."""
    same = motion.space == other.space and np.array_equal(motion.times, other.times)
    poses = [np.nan_to_num(one.camera.world_from_camera) for one in (motion, other)]
    if not same or np.abs(poses[0] - poses[1]).max() > _SAME_PLACE:
        raise MocapError(
            f"{motion.source.file} and {other.source.file}: the people are not in one world",
            "track them with mocap track --subject all; --height, --floor and --in-place move each"
            " one alone",
        )
