"""Foot events: when feet are put down and lifted, from the contact probabilities."""

from dataclasses import dataclass

import numpy as np

from mocap_cli.body.motion import Motion

_PLANTED = 0.5  # contact probability


@dataclass(frozen=True, slots=True)
class FootEvent:
    """A foot that is put down or lifted."""

    time: float  # seconds of the video
    side: str  # "Left" or "Right"
    name: str  # "Foot Strike" or "Foot Off"


def foot_events(motion: Motion) -> tuple[FootEvent, ...]:
    """The events in the order of their times, between neighbouring frames that have a person."""
    found: list[FootEvent] = []
    both = motion.tracked[1:] & motion.tracked[:-1]
    for foot, side in enumerate(("Left", "Right")):
        contact = motion.contacts[:, foot].astype(np.float64)
        planted = contact > _PLANTED
        known = both & np.isfinite(contact[1:]) & np.isfinite(contact[:-1])
        for i in np.flatnonzero((planted[1:] != planted[:-1]) & known):
            share = (_PLANTED - contact[i]) / (contact[i + 1] - contact[i])
            time = motion.times[i] + share * (motion.times[i + 1] - motion.times[i])
            name = "Foot Strike" if planted[i + 1] else "Foot Off"
            found.append(FootEvent(float(time), side, name))
    return tuple(sorted(found, key=lambda event: event.time))
