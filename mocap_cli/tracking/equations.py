"""Trajectory equations: linear least squares over one point a frame and a few shared unknowns.

Every term has the form
    weight-norm of  sum_k  c_k * point[i + k]  +  border @ shared  +  offset,      k = 0, 1, 2
so the normal matrix is a band of 3x3 blocks with a thin border. The solution is exact and takes
time proportional to the number of frames.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from mocap_cli.types import Float64

_REACH = 3  # frames that one term may join
_FARTHEST = 1e3  # metres: sigma of the weak prior that keeps the matrix regular


class TrajectoryEquations:
    """Collects terms, then solves them together."""

    def __init__(self, T: int, shared: int) -> None:
        self.blocks = np.zeros((_REACH, T, 3, 3))  # [d, i] couples point i + d with point i
        self.blocks[0] += np.eye(3) / _FARTHEST**2
        self.right = np.zeros((T, 3))
        self.border = np.zeros((T, 3, shared))
        self.corner = np.eye(shared) / _FARTHEST**2
        self.corner_right = np.zeros(shared)

    def add(
        self,
        first: NDArray[np.intp],  # (n,) frame of the term's first point, each at most once
        factors: Float64,  # (n, k) c_k
        weight: Float64,  # (n, 3, 3) inverse covariance
        offset: Float64,  # (n, 3)
        border: Float64 | None = None,  # (n, 3, shared)
    ) -> None:
        """Add one term for each frame in `first`."""
        pull = np.einsum("nij,nj->ni", weight, offset)
        for a in range(factors.shape[1]):
            for b in range(a, factors.shape[1]):
                both = factors[:, a] * factors[:, b]
                self.blocks[b - a, first + a] += both[:, None, None] * weight
            self.right[first + a] -= factors[:, a, None] * pull
            if border is not None:
                self.border[first + a] += factors[:, a, None, None] * (weight @ border)
        if border is not None:
            self.corner += np.einsum("nia,nij,njb->ab", border, weight, border)
            self.corner_right -= np.einsum("nia,ni->a", border, pull)

    def add_shared(self, row: Float64, offset: float, weight: float) -> None:
        """Add weight * (row @ shared + offset)^2."""
        self.corner += weight * np.outer(row, row)
        self.corner_right -= weight * offset * row

    def solve(self) -> tuple[Float64, Float64, Float64]:
        """The points (T, 3), the shared unknowns (S,) and their covariance (S, S)."""
        T, S = len(self.right), len(self.corner_right)
        sides = np.concatenate((self.right[..., None], self.border), axis=-1).reshape(3 * T, 1 + S)
        solved = solveh_banded(self._bands(), sides, lower=True)
        free, answer = solved[:, 0], solved[:, 1:]
        border = self.border.reshape(3 * T, S)
        covariance = np.linalg.inv(self.corner - border.T @ answer)
        shared = covariance @ (self.corner_right - border.T @ free)
        return (free - answer @ shared).reshape(T, 3), shared, covariance

    def _bands(self) -> Float64:
        """The block band in scipy's lower form: bands[k, j] is at (j + k, j)."""
        T = len(self.right)
        bands = np.zeros((3 * _REACH, T, 3))
        for d in range(_REACH):
            for row in range(3):
                for column in range(3):
                    k = 3 * d + row - column
                    if k >= 0:
                        bands[k, :, column] += self.blocks[d, :, row, column]
        return bands.reshape(3 * _REACH, 3 * T)
