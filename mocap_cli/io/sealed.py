"""Sealed safetensors: tensors and metadata under one SHA-256. Reading such a file runs no code."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically

_FORMAT, _SEAL = "format", "seal"
_OLD_SEAL = "sha256"  # of checkpoints before they had a seal: the tensors without the metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """One of the program's safetensors formats, and the words for it in error messages."""

    format: str  # value of the metadata key "format"
    noun: str  # with its article: "a checkpoint"
    hint: str  # what to do about a file that cannot be read
    missing_hint: str = "check the path"
    seal_required: bool = True  # False: files written before this format had a seal still open

    def write(self, path: Path, metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
        """Write the file atomically, with the seal over metadata and tensors."""
        header = {_FORMAT: self.format, **metadata, _SEAL: _seal(metadata, tensors)}
        write_tensors(path, tensors, header)

    def read(self, path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
        """Metadata and tensors; a file of another format or with a wrong seal is refused."""
        header, tensors = _read(path, self, with_tensors=True)
        metadata = {k: v for k, v in header.items() if k not in (_FORMAT, _SEAL, _OLD_SEAL)}
        if _SEAL in header or self.seal_required:
            intact = header.get(_SEAL) == _seal(metadata, tensors)
        elif _OLD_SEAL in header:
            intact = header[_OLD_SEAL] == _old_seal(tensors)
        else:
            intact = True
        if not intact:
            raise MocapError(f"{path} is damaged or was changed: its SHA-256 differs", self.hint)
        return metadata, tensors

    def matches(self, path: Path) -> bool:
        """Whether the file says that it is of this format."""
        try:
            return bool(_read(path, self, with_tensors=False))
        except MocapError:
            return False

    def read_metadata(self, path: Path) -> dict[str, str]:
        """The metadata alone; fast, and without the check of the seal."""
        return _read(path, self, with_tensors=False)[0]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write a plain safetensors file atomically.

    The library's own `save_file` leaves a temporary file after a kill and raises its own error
    on a full disk.
    """
    packed = save(dict(tensors), dict(header))
    with write_atomically(path) as aside:
        aside.write_bytes(packed)


def _read(
    path: Path, kind: FileKind, *, with_tensors: bool
) -> tuple[dict[str, str], dict[str, Tensor]]:
    if path.is_dir():
        raise MocapError(f"{path} is a folder, not {kind.noun}", kind.hint)
    if path.exists() and not path.is_file():
        raise MocapError(f"{path} is a pipe or a device, not {kind.noun}", kind.hint)
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, str] = file.metadata() or {}
            if header.get(_FORMAT) != kind.format:
                raise MocapError(f"{path} is not {kind.noun} of this program", kind.hint)
            names = file.keys() if with_tensors else ()
            return header, {name: file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise MocapError(f"there is no {path}", kind.missing_hint) from error
    except (OSError, SafetensorError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise MocapError(f"{path} is not {kind.noun}: {reason}", kind.hint) from error


def _seal(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the metadata's values, sorted by key, and over every tensor."""
    digest = sha256("\0".join(metadata[key] for key in sorted(metadata)).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(_bytes(value))
    return digest.hexdigest()


def _old_seal(tensors: Mapping[str, Tensor]) -> str:
    digest = sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(_bytes(tensors[name]))
    return digest.hexdigest()


def _bytes(value: Tensor) -> bytes:
    return value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
