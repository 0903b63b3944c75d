"""Pose networks: MoveNet and BlazePose on one crop, in the crop's own pixels."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.keypoints.crop import CROP_SIZE
from mocap_cli.types import Float32, Image
from mocap_cli.weights import Device, network_of, open_network, weight_hash

MOVENET = "movenet_thunder"
_NETWORKS = (f"{MOVENET}.onnx", "blazepose_full.onnx", "movenet_multipose.onnx")
"""The 2D networks in weights/."""

_MOVENET_SHIFT = np.float32(0.33)  # pixels, measured on mirrored images
_SIGMOID_LIMIT = 30.0  # keeps exp() within a float


def network_hashes() -> dict[str, str]:
    """The SHA-256 of each 2D network."""
    return {name: weight_hash(name) for name in _NETWORKS}


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """The points of both networks in a crop, (0, 0) to (CROP_SIZE, CROP_SIZE)."""

    movenet: Float32  # (17, 2), COCO's order
    movenet_score: Float32  # (17,) 0..1
    blazepose: Float32  # (39, 2), BlazePose's order, the last six help to place the next crop
    blazepose_score: Float32  # (39,) 0..1: it lies in the crop and nothing hides it


class PoseNetworks:
    """MoveNet Thunder and BlazePose, side by side; MoveNet as `tuned` where a file is given."""

    def __init__(self, device: Device = "auto", tuned: bytes | None = None) -> None:
        self._thread = ThreadPoolExecutor(1, "mocap-blazepose")
        self._movenet = (
            open_network(MOVENET, device, threads=1)
            if tuned is None
            else network_of(tuned, device, threads=1)
        )
        self._blazepose = open_network("blazepose_full", device, threads=1)

    def run(self, crop: Image) -> NetworkOutput:
        """Run both networks on a (CROP_SIZE, CROP_SIZE, 3) crop."""
        second = self._thread.submit(self._blazepose, crop[None].astype(np.float32) / 255)
        (found,) = self._movenet(crop[None].astype(np.int32))
        return NetworkOutput(
            found[0, 0, :, 1::-1] * CROP_SIZE + _MOVENET_SHIFT,
            found[0, 0, :, 2],
            *_marks(second.result()),
        )

    def run_blazepose(self, crop: Image) -> tuple[Float32, Float32]:
        """Points and scores of BlazePose alone: a third of the work."""
        return _marks(self._blazepose(crop[None].astype(np.float32) / 255))


def _marks(found: list[NDArray[np.float32]]) -> tuple[Float32, Float32]:
    marks = found[0].reshape(39, 5)
    return marks[:, :2], _sigmoid(marks[:, 3]) * _sigmoid(marks[:, 4])


def _sigmoid(logits: Float32) -> Float32:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -_SIGMOID_LIMIT, _SIGMOID_LIMIT))))
