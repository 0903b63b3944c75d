"""Placing people in the air: falls tell up, follow parabolas, and tell how tall somebody is."""

import numpy as np
import pytest
from people import SIDE, clock, diver, film, jumper, placed, tilt_degrees

from mocap_cli.body.anatomy import centre_of_mass, standing_height
from mocap_cli.body.rig import bone_lengths
from mocap_cli.tracking.place import Placement


def test_a_jump_is_found_and_follows_a_parabola():
    person = jumper(clock(2.4, 60))
    shot = film(person, (3.5, 1.2, 4.0), (0, 1.0, 0), noise=0.02)
    result = placed(shot)
    flying = np.flatnonzero(~person.planted.any(axis=1))
    assert len(result.flights) == 1
    found = result.flights[0]
    assert abs(found.start - flying[0]) < 7
    assert abs(found.stop - 1 - flying[-1]) < 7
    assert off_parabola(result, found) < 0.01
    top = (
        centre_of_mass(result.joints)[:, 1].max() - centre_of_mass(result.joints[:20])[:, 1].mean()
    )
    assert top == pytest.approx(np.ptp(centre_of_mass(person.joints)[flying, 1]), abs=0.08)


def off_parabola(result: Placement, flight: slice) -> float:
    """Root mean square metres between the centre of mass and the best fall with g."""
    clock_ = np.arange(flight.stop - flight.start) / 60
    path = centre_of_mass(result.joints[flight]) + np.outer(clock_**2, (0, 9.81 / 2, 0))
    straight = np.stack((np.ones_like(clock_), clock_), axis=1)
    rest = path - straight @ np.linalg.lstsq(straight, path, rcond=None)[0]
    return float(np.sqrt((rest**2).sum(axis=1).mean()))


@pytest.mark.parametrize("roll", [0.0, 0.15])
def test_a_diver_tells_up_by_falling(roll):
    person = diver(clock(1.1, 60))
    shot = film(person, (9.0, 6.0, 6.0), (0.0, 6.0, 0.5), roll=roll, noise=0.02)
    result = placed(shot)
    assert result.space == "world"
    assert tilt_degrees(result, shot) < 10
    assert off_parabola(result, result.flights[0]) < 0.06
    assert any("lowest point" in warning for warning in result.warnings)
    assert result.joints[..., 1].min() == pytest.approx(0, abs=1e-9)
    fell = centre_of_mass(result.joints)[:, 1]
    truth = centre_of_mass(person.joints)[:, 1]
    assert np.ptp(fell) == pytest.approx(np.ptp(truth), rel=0.1)


@pytest.mark.parametrize("height", [1.5, 1.9])
def test_a_long_fall_tells_how_tall_somebody_is_better_than_what_is_usual(height):
    faller = diver(clock(1.2, 60), height=height)
    shot = film(faller, (9.0, 6.0, 6.0), (0.0, 6.0, 0.5), noise=0.01)
    fallen = placed(shot, None)
    (said,) = (warning for warning in fallen.notes if "estimated from free fall" in warning)
    told = float(said.split(" m;")[0].split()[-1])
    assert abs(told - height) < abs(1.70 - height) / 2
    assert standing_height(bone_lengths(fallen.joints)) == pytest.approx(told, abs=0.006)
    assert not any("--height" in warning for warning in placed(shot, height).warnings)


def test_a_short_jump_does_not_tell_how_tall_somebody_is():
    shot = film(jumper(clock(2.5, 30), leap=0.4), *SIDE, noise=0.02)
    assert "height assumed: 1.70 m; --height sets it" in placed(shot, None).notes
