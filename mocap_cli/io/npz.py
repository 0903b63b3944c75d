"""Arrays: NPZ files read as data, and one error for all that may be wrong with them."""

import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray


def load_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an NPZ; OSError where there is no file, ValueError where it is no NPZ."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (BadZipFile, zlib.error, EOFError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
