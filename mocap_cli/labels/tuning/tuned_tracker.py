"""Tuned tracker: the default tracker with a tuned 2D network, for `mocap track --model`.

Its .mocap file holds the constants of the network that differ from the bundled one: tensors and
JSON, no code.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.io.onnx_file import OnnxFile
from mocap_cli.io.sealed import FileKind
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.pose_networks import MOVENET
from mocap_cli.labels.tuning.movenet import MoveNet
from mocap_cli.lifting.lift import LiftedPose
from mocap_cli.progress import Count, no_progress
from mocap_cli.weights import Device, weight_hash, weight_path

_HINT = "give a file that `mocap label-fit --tune` of this version wrote, or tune again"


@dataclass(frozen=True, slots=True)
class _DefaultPose:
    """The keypoints and the pose as they are: all that was learnt is in the 2D network."""

    keypoints: Keypoints

    def pose(self, keypoints: Keypoints, camera: Pinhole, lifted: LiftedPose) -> LiftedPose:
        """The lifted pose."""
        return lifted


@dataclass(frozen=True, slots=True, eq=False)
class TunedTracker:
    """A tuned MoveNet in place of the bundled one."""

    KIND: ClassVar[FileKind] = FileKind(
        format="mocap-tuned-1", noun="a tuned 2D network", hint=_HINT
    )

    movenet: bytes  # its ONNX file
    name: str  # of the .mocap file
    digest: str  # SHA-256 of the .mocap file

    @staticmethod
    def open(path: Path) -> "TunedTracker":
        """Read what `save` wrote; anything else is refused."""
        metadata, tensors = TunedTracker.KIND.read(path)
        if metadata.get("network") != weight_hash(f"{MOVENET}.onnx"):
            raise MocapError(f"{path} was tuned from another 2D network", _HINT)
        file = OnnxFile.parse(weight_path(f"{MOVENET}.onnx").read_bytes())
        changed = {name: value.numpy() for name, value in tensors.items()}
        _check(path, file, changed)
        digest = sha256(path.read_bytes()).hexdigest()
        return TunedTracker(file.with_constants(changed), path.name, digest)

    @staticmethod
    def save(network: MoveNet, about: Mapping[str, Any], path: Path) -> None:
        """Write the tuned network to a .mocap file; `about` is for people."""
        constants = {k: torch.from_numpy(v) for k, v in network.constants().items()}
        metadata = {"network": weight_hash(f"{MOVENET}.onnx"), "about": json.dumps(dict(about))}
        TunedTracker.KIND.write(path, metadata, constants)

    def analyse(
        self,
        video: Path,
        keypoints: Keypoints,
        span: tuple[float | None, float | None],
        device: Device,
        on_frame: Count = no_progress,
    ) -> _DefaultPose:
        """Nothing is added to what the network found."""
        return _DefaultPose(keypoints)


def _alike(values: NDArray[Any], old: NDArray[Any]) -> bool:
    return values.shape == old.shape and values.dtype == old.dtype


def _check(path: Path, file: OnnxFile, changed: Mapping[str, Any]) -> None:
    """Refuse constants that the network does not have, or of another kind."""
    for name, values in changed.items():
        if name not in file.changeable or not _alike(values, file.constants[name]):
            raise MocapError(f"{path} is damaged: {name[:40]} is not of this network", _HINT)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise MocapError(f"{path} is damaged: {name} is not finite", _HINT)
