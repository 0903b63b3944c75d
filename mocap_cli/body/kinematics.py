"""Kinematics: from a rig's rotations to joints, and from joints back to rotations.

Inverse kinematics starts from `initial_rotations` and then moves all rotations and the root
together, frame by frame, so that the rig's joints are nearest to the measured ones. Bones have one
length in a rig but not in a measurement; neighbours compensate for what one bone cannot reach.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.initial_rotations import initial_rotations
from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import cross_matrix, inverse, matrix_from_vector
from mocap_cli.body.skeleton import BODY
from mocap_cli.types import Float64

_ITERATIONS = 6
_TOLERANCE = 2e-5  # metres: frames whose joints are all this close are not refined
_PRIOR = 0.3  # radians, sigma of the difference from a bone's initial rotation
_USUAL_SIGMA = 0.03  # metres, where sigma is not known
SURE, VAGUE = 0.01, 0.1  # metres: sigma is clipped to this range
_CHUNK = 128  # frames at once, to fit into a processor's cache


def forward_kinematics(rig: Rig, rotations: Float64, root: Float64) -> Float64:
    """(T, N, 3) joints in the world from (T, N, 3, 3) rotations from the parent and (T, 3) root."""
    return _places(rig, world_rotations(rig, rotations), root)


def world_rotations(rig: Rig, rotations: Float64) -> Float64:
    """Rotations from the parent to rotations from the world."""
    turns = np.empty_like(rotations)
    for joint, parent in enumerate(rig.parents):
        own = rotations[:, joint]
        turns[:, joint] = own if parent < 0 else turns[:, parent] @ own
    return turns


def local_rotations(rig: Rig, turns: Float64) -> Float64:
    """Rotations from the world to rotations from the parent."""
    above = turns[:, np.maximum(rig.parents, 0)]
    rotations = inverse(above) @ turns
    rotations[:, 0] = turns[:, 0]
    return rotations


def _places(rig: Rig, turns: Float64, root: Float64) -> Float64:
    places = np.empty((*turns.shape[:2], 3))
    places[:, 0] = root
    for joint, parent in enumerate(rig.parents):
        if parent >= 0:
            places[:, joint] = places[:, parent] + turns[:, parent] @ rig.offsets[joint]
    return places


def inverse_kinematics(
    rig: Rig, joints: Float64, times: Float64, sigma: Float64 | None = None
) -> tuple[Float64, Float64]:
    """Rotations from the parent, (T, N, 3, 3), and root, (T, 3), that fit the rig to the joints.

    `joints` are those of BODY, (T, J, 3) metres without NaN; `sigma`, (T, J) metres, gives their
    weights.
    """
    fit = _Fit.of(rig)
    joints = np.asarray(joints, np.float64)
    rotations = local_rotations(rig, initial_rotations(rig, joints, times))
    root = joints[:, BODY.index("pelvis")].copy()
    wanted = joints[:, fit.joints]
    if sigma is None:
        sigma = np.full(joints.shape[:2], _USUAL_SIGMA)
    sigma = np.clip(np.nan_to_num(sigma[:, fit.joints], nan=_USUAL_SIGMA), SURE, VAGUE)
    error = np.abs(forward_kinematics(rig, rotations, root)[:, fit.rig_joints] - wanted).max(
        axis=(1, 2)
    )
    far = np.flatnonzero(error > _TOLERANCE)
    for start in range(0, len(far), _CHUNK):
        part = far[start : start + _CHUNK]
        rotations[part], root[part] = fit.refine(
            rotations[part], root[part], wanted[part], 1 / sigma[part]
        )
    return rotations, root


@dataclass(frozen=True, slots=True)
class _Fit:
    """Damped least squares over the rotations of all bones that move some joint, and the root."""

    rig: Rig
    joints: list[int]  # M joints of BODY
    rig_joints: list[int]  # M joints of the rig at the same positions
    turning: list[int]  # P joints of the rig whose rotations move them
    moves: NDArray[np.bool_]  # (M, P) which moves which

    @staticmethod
    def of(rig: Rig) -> "_Fit":
        """The joints to fit and the bones to rotate in a rig."""
        names = [name for name in BODY.names if name in rig.body_joints]
        rig_joints = [rig.index_of(name) for name in names]
        above = np.zeros((len(rig), len(rig)), bool)  # [joint, ancestor]
        for joint, parent in enumerate(rig.parents):
            if parent >= 0:
                above[joint] = above[parent]
                above[joint, parent] = True
        turning = np.flatnonzero(above[rig_joints].any(axis=0))
        moves = above[rig_joints][:, turning]
        return _Fit(rig, [BODY.index(n) for n in names], rig_joints, turning.tolist(), moves)

    def refine(
        self, rotations: Float64, root: Float64, wanted: Float64, weights: Float64
    ) -> tuple[Float64, Float64]:
        """Rotations and root that bring the joints closest to (T, M, 3) by (T, M) weights."""
        state = _State(rotations, root, np.zeros((len(root), len(self.turning), 3)))
        damping = np.full(len(root), 1e-4)
        cost = self._cost(state, wanted, weights)
        for _ in range(_ITERATIONS):
            step = self._step(state, wanted, weights, damping)
            tried = self._moved(state, step)
            after = self._cost(tried, wanted, weights)
            better = after < cost
            state = state.replaced(better, tried)
            cost = np.where(better, after, cost)
            damping = np.where(better, damping / 10, damping * 100)
            if np.abs(step).max() < 1e-4:
                break
        return state.rotations, state.root

    def _cost(self, state: "_State", wanted: Float64, weights: Float64) -> Float64:
        places = forward_kinematics(self.rig, state.rotations, state.root)[:, self.rig_joints]
        miss = weights[..., None] * (wanted - places)
        habit = state.drift / _PRIOR
        return np.asarray(np.sum(miss**2, axis=(1, 2)) + np.sum(habit**2, axis=(1, 2)))

    def _step(
        self, state: "_State", wanted: Float64, weights: Float64, damping: Float64
    ) -> Float64:
        """(T, P + 1, 3) rotation vectors in the parents' axes, and the shift of the root."""
        T, M, P = len(wanted), len(self.rig_joints), len(self.turning)
        turns = world_rotations(self.rig, state.rotations)
        places = _places(self.rig, turns, state.root)
        above = self._above(turns)  # (T, P, 3, 3)
        lever = places[:, self.rig_joints, None] - places[:, None, self.turning]  # (T, M, P, 3)
        slopes = np.empty((T, M, 3, P + 1, 3))
        turned = -cross_matrix(lever * self.moves[..., None]) @ above[:, None]
        slopes[..., :P, :] = turned.transpose(0, 1, 3, 2, 4)
        slopes[..., P, :] = np.eye(3)
        rows = (slopes * weights[..., None, None, None]).reshape(T, 3 * M, -1)
        miss = (weights[..., None] * (wanted - places[:, self.rig_joints])).reshape(T, 3 * M, 1)
        normal, right = inverse(rows) @ rows, inverse(rows) @ miss
        right[:, : 3 * P, 0] -= state.drift.reshape(T, -1) / _PRIOR**2
        diagonal = np.einsum("tii->ti", normal)  # a view
        diagonal[:, : 3 * P] += 1 / _PRIOR**2
        diagonal *= 1 + damping[:, None]
        return np.asarray(np.linalg.solve(normal, right)).reshape(T, P + 1, 3)

    def _above(self, turns: Float64) -> Float64:
        parents = np.array(self.rig.parents)[self.turning]
        above = turns[:, np.maximum(parents, 0)]
        above[:, parents < 0] = np.eye(3)
        return above

    def _moved(self, state: "_State", step: Float64) -> "_State":
        turn, move = step[:, :-1], step[:, -1]
        rotations = state.rotations.copy()
        rotations[:, self.turning] = matrix_from_vector(turn) @ rotations[:, self.turning]
        return _State(rotations, state.root + move, state.drift + turn)


@dataclass(frozen=True, slots=True)
class _State:
    """The state of the iteration, for T frames at once."""

    rotations: Float64  # (T, N, 3, 3)
    root: Float64  # (T, 3)
    drift: Float64  # (T, P, 3) rotation vectors from the initial rotations

    def replaced(self, chosen: NDArray[np.bool_], other: "_State") -> "_State":
        """The other state in the chosen frames."""
        return _State(
            np.where(chosen[:, None, None, None], other.rotations, self.rotations),
            np.where(chosen[:, None], other.root, self.root),
            np.where(chosen[:, None, None], other.drift, self.drift),
        )
