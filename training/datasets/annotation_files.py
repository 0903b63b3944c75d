"""Annotations in CDF, MAT and HDF5, with one error for all of their faults."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap_cli.errors import MocapError
from mocap_cli.io.damage import INCOMPLETE_HINT, damage_at

_ODD_ERRORS = (zlib.error, EOFError, AttributeError, NotImplementedError, MemoryError)
_INSTALL = "pip install -e '.[training]'"


def read_cdf(path: Path, variable: str) -> NDArray[Any]:
    """A variable of a Common Data Format file."""
    try:
        import cdflib
    except ImportError as error:
        raise MocapError("CDF files need cdflib", _INSTALL) from error
    with _damage(path):
        return np.asarray(cdflib.CDF(path).varget(variable))


def read_mat(path: Path, *variables: str) -> list[NDArray[Any]]:
    """Variables of a MATLAB file up to version 7.2."""
    from scipy.io import loadmat

    with _damage(path):
        arrays = loadmat(path, variable_names=list(variables))
        return [arrays[name] for name in variables]


def read_hdf5(path: Path, *variables: str) -> list[NDArray[Any]]:
    """Data sets of an HDF5 file, which MATLAB files of version 7.3 are as well."""
    try:
        import h5py
    except ImportError as error:
        raise MocapError("HDF5 files need h5py", _INSTALL) from error
    with _damage(path):
        if path.is_file() and not h5py.is_hdf5(path):  # MATLAB puts 512 bytes before it
            raise ValueError("it is no HDF5 file")
        with h5py.File(path, "r") as file:
            return [file[name][()] for name in variables]


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """`damage_at`, also for the errors that only these readers raise."""
    from scipy.io.matlab import MatReadError

    with damage_at(path):
        try:
            yield
        except (*_ODD_ERRORS, MatReadError) as error:
            raise ValueError(str(error) or type(error).__name__) from error
        except OSError as error:
            if error.errno is None:  # h5py's, for what it cannot parse
                raise MocapError(f"{path} is damaged: {error}", INCOMPLETE_HINT) from error
            raise
