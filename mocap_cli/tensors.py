"""Tensors: safetensors files that appear whole or not at all."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from mocap_cli.io.atomic import write_atomically


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write tensors and a header of texts.

    The library's own `save_file` leaves a temporary file after a kill, and on a full disk raises
    an error of its own.
    """
    packed = save(dict(tensors), dict(header))
    with write_atomically(path) as aside:
        aside.write_bytes(packed)
