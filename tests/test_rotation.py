"""Rotations: theorems, and scipy as a second opinion."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocap_cli.body import rotation

QUARTER = math.pi / 2


@pytest.fixture
def some() -> np.ndarray:
    """(4, 50, 3, 3) random rotations."""
    four = np.random.default_rng(7).normal(size=(200, 4))
    return Rotation.from_quat(four).as_matrix().reshape(4, 50, 3, 3)


def from_zxy(angles: np.ndarray) -> np.ndarray:
    """Rz @ Rx @ Ry from angles (z, x, y), as SciPy has it."""
    flat = Rotation.from_euler("ZXY", np.asarray(angles).reshape(-1, 3))
    return flat.as_matrix().reshape(*np.shape(angles), 3)


def is_rotation(matrices: np.ndarray) -> bool:
    near = np.allclose(matrices @ np.swapaxes(matrices, -1, -2), np.eye(3), atol=1e-12)
    return near and np.allclose(np.linalg.det(matrices), 1)


def test_every_form_gives_the_matrix_back(some):
    forms = (
        (rotation.quaternion_from_matrix, rotation.matrix_from_quaternion),
        (rotation.vector_from_matrix, rotation.matrix_from_vector),
        (rotation._zxy_from_matrix, from_zxy),
    )
    for there, back in forms:
        np.testing.assert_allclose(back(there(some)), some, atol=1e-12)


def test_scipy_agrees_on_vectors_quaternions_and_the_order_of_euler_angles(some):
    flat = Rotation.from_matrix(some.reshape(-1, 3, 3))
    np.testing.assert_allclose(
        rotation.vector_from_matrix(some).reshape(-1, 3), flat.as_rotvec(), atol=1e-12
    )
    four = flat.as_quat(canonical=True)[:, [3, 0, 1, 2]]
    np.testing.assert_allclose(
        rotation.quaternion_from_matrix(some).reshape(-1, 4), four, atol=1e-12
    )
    angles = rotation._zxy_from_matrix(some).reshape(-1, 3)
    np.testing.assert_allclose(angles, flat.as_euler("ZXY"), atol=1e-9)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-8, 1e-4, math.pi - 1e-7, math.pi])
def test_logarithms_hold_near_no_turn_and_near_half_a_turn(angle):
    axis = rotation.unit([[1.0, -2, 3], [0, 0, 1], [-1, 0, 0]])
    matrices = rotation.matrix_from_vector(angle * axis)
    vectors = rotation.vector_from_matrix(matrices)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), angle, atol=1e-9)
    np.testing.assert_allclose(rotation.matrix_from_vector(vectors), matrices, atol=1e-12)


def test_the_nearest_rotation_is_a_rotation_and_no_nudge_comes_closer():
    rng = np.random.default_rng(3)
    matrices = rng.normal(size=(40, 3, 3))  # half of them reflect
    nearest = rotation.nearest_rotation(matrices)
    assert is_rotation(nearest)
    best = np.sum((nearest - matrices) ** 2, axis=(1, 2))
    for _ in range(20):
        nudge = rotation.matrix_from_vector(rng.normal(scale=0.05, size=(40, 3)))
        assert (np.sum((nudge @ nearest - matrices) ** 2, axis=(1, 2)) >= best - 1e-12).all()


def test_swings_are_the_smallest_turns_even_to_the_opposite():
    rng = np.random.default_rng(5)
    start = rotation.unit(rng.normal(size=(50, 3)))
    end = rotation.unit(rng.normal(size=(50, 3)))
    end[:3] = start[:3]
    end[3:6] = -start[3:6]
    turn = rotation.rotation_between(start, end)
    assert is_rotation(turn)
    np.testing.assert_allclose((turn @ start[..., None])[..., 0], end, atol=1e-9)
    angle = np.linalg.norm(rotation.vector_from_matrix(turn), axis=-1)
    np.testing.assert_allclose(angle, np.arccos(np.clip(np.sum(start * end, -1), -1, 1)), atol=1e-6)


def test_slerp_turns_at_a_steady_rate_the_short_way(some):
    start, end = some[0], some[1]
    whole = np.linalg.norm(rotation.vector_from_matrix(np.swapaxes(start, -1, -2) @ end), axis=-1)
    for way in (0.0, 0.25, 1.0):
        part = rotation.slerp(start, end, np.full(50, way))
        done = rotation.vector_from_matrix(np.swapaxes(start, -1, -2) @ part)
        np.testing.assert_allclose(np.linalg.norm(done, axis=-1), way * whole, atol=1e-9)
    np.testing.assert_allclose(rotation.slerp(start, end, np.ones(50)), end, atol=1e-9)


def test_steady_angles_are_the_same_rotations_and_never_jump():
    clock = np.linspace(0, 4, 600)
    spin = np.stack((9 * clock, 2 * np.sin(clock), 5 * clock), axis=-1)  # x stays off the poles
    spin[:, 1] = 1.2 * np.sin(3 * clock)
    matrices = np.stack((from_zxy(spin), rotation.matrix_from_vector(spin)), axis=1)
    angles = rotation.continuous_zxy(matrices)
    np.testing.assert_allclose(from_zxy(angles), matrices, atol=1e-9)
    assert np.abs(np.diff(angles[:, 0], axis=0)).max() < 0.1
    np.testing.assert_allclose(angles[:, 0], spin, atol=1e-6)  # ten turns are ten turns


def test_steady_angles_in_the_order_of_fbx_are_the_same_rotations():
    vectors = np.cumsum(np.random.default_rng(1).normal(size=(300, 2, 3)) * 0.1, axis=0)
    matrices = rotation.matrix_from_vector(vectors)
    angles = rotation.continuous_xyz(matrices)
    again = Rotation.from_euler("xyz", angles.reshape(-1, 3)).as_matrix()
    np.testing.assert_allclose(again.reshape(matrices.shape), matrices, atol=1e-9)
    hinge = np.linspace(0, 4 * math.pi, 401)[:, None] * (0, 1, 0)  # through both poles
    angles = rotation.continuous_xyz(rotation.matrix_from_vector(hinge))
    np.testing.assert_allclose(angles, hinge, atol=1e-6)


def test_a_turn_through_both_poles_stays_on_the_one_angle_that_turns():
    x = np.linspace(0, 4 * math.pi, 401)  # hits the poles at a quarter turn exactly
    alone = np.stack((0 * x, x, 0 * x), axis=-1)
    angles = rotation.continuous_zxy(from_zxy(alone))
    np.testing.assert_allclose(angles, alone, atol=1e-6)


def test_in_gimbal_lock_the_third_angle_goes_on_as_its_neighbours():
    x = np.array([1.3, 1.45, QUARTER, QUARTER, 1.6, 1.7])
    wanted = np.stack((np.full(6, 0.3), x, np.linspace(-0.5, -0.4, 6)), axis=-1)
    angles = rotation.continuous_zxy(from_zxy(wanted))
    np.testing.assert_allclose(angles, wanted, atol=1e-6)


@pytest.mark.parametrize("x", [QUARTER, -QUARTER])
def test_a_clip_that_is_locked_throughout_keeps_its_rotations(x):
    z = np.linspace(0, 7, 50)
    matrices = from_zxy(np.stack((z, np.full(50, x), 0 * z), axis=-1))
    angles = rotation.continuous_zxy(matrices)
    np.testing.assert_allclose(from_zxy(angles), matrices, atol=1e-9)
    assert np.abs(np.diff(angles, axis=0)).max() < 0.2
