import numpy as np
import pytest
from people import HEIGHT, clock, stander, walker

from mocap_cli.body.anatomy import _SEGMENTS, JOINT_MASSES, centre_of_mass, standing_height
from mocap_cli.body.skeleton import BODY, mirror_indices
from mocap_cli.tracking.bone_lengths import _PARENTS


def lengths(joints):
    return np.linalg.norm(joints - joints[_PARENTS], axis=-1)


def test_the_masses_of_all_segments_make_a_whole_body():
    assert sum(mass for _, _, mass, _ in _SEGMENTS) == pytest.approx(1, abs=0.005)
    assert JOINT_MASSES.sum() == pytest.approx(1, abs=1e-12)
    assert (JOINT_MASSES >= 0).all()


def test_both_sides_weigh_the_same():
    np.testing.assert_allclose(JOINT_MASSES, JOINT_MASSES[list(mirror_indices(BODY.names))])


def test_the_centre_of_mass_of_a_standing_person_is_a_little_above_half_the_height():
    joints = stander(clock(0.1, 30)).joints[0]
    balance = centre_of_mass(joints)
    assert 0.52 < balance[1] / HEIGHT < 0.60
    assert balance[0] == pytest.approx(0, abs=1e-12)


def test_the_centre_of_mass_moves_and_turns_with_the_body():
    joints = walker(clock(1, 30)).joints
    turn = np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]])
    moved = joints @ turn.T + (1, 2, 3)
    np.testing.assert_allclose(centre_of_mass(moved), centre_of_mass(joints) @ turn.T + (1, 2, 3))


def test_the_standing_height_is_found_from_bones_in_any_pose():
    bent = walker(clock(1, 30)).joints[7]
    assert standing_height(lengths(bent)) == pytest.approx(HEIGHT, rel=0.03)
    assert standing_height(0.5 * lengths(bent)) == pytest.approx(HEIGHT / 2, rel=0.03)
