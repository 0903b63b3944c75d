"""Find, verify and open the networks in weights/."""

import functools
import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mocap_cli.errors import MocapError

Device = Literal["auto", "cpu", "cuda", "mps"]

_THREADS = 2
"""More gain little for networks this small, and the video decoder needs a core as well."""

_SUMS = "SHA256SUMS"
_PACKAGE = Path(__file__).parent
_FOLDERS = (_PACKAGE / "_weights", _PACKAGE.parent / "weights")  # in a wheel, in a checkout
_PROVIDERS = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
_ONLY_FATAL = 4
_REINSTALL = "install mocap-cli again, or get the weights/ folder of this version"


class _Network:
    """One ONNX network: arrays in, arrays out, in the order of its inputs and outputs."""

    def __init__(self, source: str | bytes, providers: list[str], threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ONLY_FATAL
        # Waiting threads must not spin: the core belongs to the video decoder meanwhile.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session: Any = onnxruntime.InferenceSession(
            source, options, providers=[*providers, "CPUExecutionProvider"]
        )
        self._names = [node.name for node in self._session.get_inputs()]

    def __call__(self, *arrays: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Run the network once."""
        feed = dict(zip(self._names, arrays, strict=True))
        outputs: list[NDArray[np.float32]] = self._session.run(None, feed)
        return outputs


@functools.cache
def open_network(name: str, device: Device = "auto", threads: int = _THREADS) -> _Network:
    """Open `weights/NAME.onnx`, verified, on the requested device; once a process."""
    return _Network(str(weight_path(f"{name}.onnx")), _providers(device), threads)


def network_of(data: bytes, device: Device = "auto", threads: int = _THREADS) -> _Network:
    """Open a network from the bytes of its file."""
    return _Network(data, _providers(device), threads)


def weight_path(name: str) -> Path:
    """The file of that name in weights/; its SHA-256 is checked once a process."""
    return _verified(_folder(), name)


def weight_hash(name: str) -> str:
    """The SHA-256 that the file in weights/ must have."""
    return _sums(_folder() / _SUMS)[name]


@functools.cache
def _folder() -> Path:
    for folder in _FOLDERS:
        if (folder / _SUMS).is_file():
            return folder
    raise MocapError(f"cannot find the networks: there is no {_FOLDERS[0]}", _REINSTALL)


@functools.cache
def _verified(folder: Path, name: str) -> Path:
    wanted = _sums(folder / _SUMS).get(name)
    if wanted is None:
        raise MocapError(f"{folder / _SUMS} does not list {name}", _REINSTALL)
    path = folder / name
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MocapError(f"cannot read {path}: {error.strerror}", _REINSTALL) from error
    if found != wanted:
        raise MocapError(f"{path} is damaged: its SHA-256 is {found[:12]}...", _REINSTALL)
    return path


def _sums(path: Path) -> dict[str, str]:
    lines = (line.split(maxsplit=1) for line in path.read_text("ascii").splitlines())
    return {name.lstrip("*"): digest for digest, name in lines}


def _providers(device: Device) -> list[str]:
    """Execution providers to try before the CPU."""
    available = onnxruntime.get_available_providers()
    if device == "auto":
        return [_PROVIDERS["cuda"]] if _PROVIDERS["cuda"] in available else []
    if device == "cpu":
        return []
    if _PROVIDERS[device] not in available:
        raise MocapError(
            f"onnxruntime cannot use {device} here",
            "leave --device out, or pip install onnxruntime-gpu in place of onnxruntime"
            if device == "cuda"
            else "leave --device out",
        )
    return [_PROVIDERS[device]]
