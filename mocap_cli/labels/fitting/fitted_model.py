"""The .mocap file: a frozen encoder, the heads fitted on it, and all that tracking needs of them.

Safetensors with JSON in the header, never a pickle. A SHA-256 over the contents detects damage;
it has no key, so it does not protect against somebody who changes a file on purpose.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.io.json_fields import JsonObject
from mocap_cli.io.sealed import FileKind
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.labels.fitting.ensemble import HeadEnsemble, fuse_poses
from mocap_cli.labels.fitting.error_calibration import ErrorCalibration, ErrorScaling, Novelty
from mocap_cli.labels.fitting.examples import Examples, head_inputs, tracker_uncertainty
from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo, FrozenEncoder
from mocap_cli.labels.fitting.regression_head import HeadConfig, RegressionHead
from mocap_cli.labels.labels import bone_scale
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_config import ModelConfig
from mocap_cli.lifting.lift import LiftedPose
from mocap_cli.types import Float64
from mocap_cli.weights import Device

_POSE = "pose."
_USED = ("encoder.", "detector.", _POSE)  # parts of the frozen model that features are computed by
_EYE, _CODE, _BOTH = "eye.", "code.", "both."  # prefixes of tensor names in the file
_LARGEST = 1024  # pixels: sixteen images of that size are encoded at a time
_MAX_PARTS = 64  # heads of an ensemble
_HINT = "give a file that `mocap label-fit` of this version wrote, or fit it again"
_KIND = FileKind(format="mocap-fitted-2", noun="a model that was fitted to labels", hint=_HINT)

_Pose = tuple[Float64, Float64]
"""Joints (T, 19, 3) in metres about the pelvis, and sigma (T, 19); NaN where unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedModel:
    """What `mocap label-fit` makes."""

    SUFFIX: ClassVar[str] = ".mocap"  # of the file

    encoder: FrozenEncoder
    image_heads: HeadEnsemble  # inputs: image features
    full_heads: HeadEnsemble  # inputs: image features, 2D keypoints and the lifted pose
    about: Mapping[str, Any] = field(default_factory=dict)  # for people; nothing depends on it

    def predict(self, encoded: EncodedVideo, keypoints: Keypoints, pose: LiftedPose) -> _Pose:
        """The fused pose of every frame."""
        return fuse_poses(self.predict_separately(encoded, keypoints, pose))

    def predict_separately(
        self, encoded: EncodedVideo, keypoints: Keypoints, pose: LiftedPose
    ) -> list[_Pose]:
        """By the full heads, by the image heads, and by the lifter in the same person's size."""
        known = np.isfinite(pose.joints).all(axis=(1, 2)) & keypoints.tracked
        uncertainty = tracker_uncertainty(keypoints, pose)
        joints, sigma = self.full_heads.predict(*head_inputs(encoded, keypoints, pose), uncertainty)
        joints[~known], sigma[~known] = np.nan, np.nan
        size = bone_scale(joints, pose.joints)
        calibration = self.full_heads.calibration
        lifted_sigma = size * calibration.lifter * pose.sigma
        # heads that get the lifted pose are wrong where it is wrong
        sigma = np.maximum(sigma, calibration.lifter_ratio * lifted_sigma)
        return [
            (joints, sigma),
            self.image_heads.predict(*head_inputs(encoded, keypoints, None), uncertainty),
            (size * pose.joints, lifted_sigma),
        ]

    def save(self, path: Path) -> None:
        """Write everything to one file; the bundled ImageNet encoder is not copied."""
        bundled = self.encoder.digest == FrozenEncoder.open(FrozenEncoder.IMAGENET).digest
        tensors = _ensemble_tensors(_CODE, self.image_heads)
        tensors |= _ensemble_tensors(_BOTH, self.full_heads)
        if not bundled:
            state = self.encoder.model.state_dict().items()
            used = {k: v for k, v in state if k.startswith(_USED)}
            tensors |= {_EYE + k: v.cpu().contiguous() for k, v in used.items()}
        settings = {
            "eye": {
                "config": None if bundled else asdict(self.encoder.model.config),
                "size": list(self.encoder.size),
                "digest": self.encoder.digest,
                "cropped": self.encoder.cropped,
            },
            "code": _ensemble_settings(self.image_heads),
            "both": _ensemble_settings(self.full_heads),
            "about": dict(self.about),
        }
        _KIND.write(path, {"told": json.dumps(settings)}, tensors)

    @staticmethod
    def open(path: Path, device: Device = "cpu") -> "FittedModel":
        """Read what `save` wrote; anything else is refused. The encoder runs on `device`."""
        metadata, tensors = _KIND.read(path)
        try:
            settings = JsonObject.parse(metadata["told"]).values
            return FittedModel(
                encoder=_encoder(settings["eye"], _under(tensors, _EYE)).on(device),
                image_heads=_ensemble(settings["code"], _under(tensors, _CODE), 0),
                full_heads=_ensemble(
                    settings["both"], _under(tensors, _BOTH), Examples.KEYPOINT_SIZE
                ),
                about=dict(settings["about"]),
            )
        except _DAMAGE as error:
            raise MocapError(f"{path} is damaged: {_brief(error)}", _HINT) from error


_DAMAGE = (KeyError, TypeError, ValueError, RuntimeError, IndexError, AttributeError, OverflowError)


def _encoder(settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> FrozenEncoder:
    if settings["config"] is None:
        encoder = FrozenEncoder.open(FrozenEncoder.IMAGENET)
        if encoder.digest != settings["digest"]:
            raise ValueError("it was fitted to other ImageNet features than are bundled")
        return encoder
    config = JsonObject(dict(settings), "eye.").child("config").of_type(ModelConfig)
    with torch.device("meta"):  # so that a file cannot claim memory that it does not fill
        model = Model(config, pretrained=False, loss_network=False)
    model.decoder = model.critic = None  # only training needed them
    if not any(name.startswith(_POSE) for name in tensors):
        model.pose = None  # heads of an older form take TV alone
    _load(model, tensors)
    width, height = (int(side) for side in settings["size"])
    if not (0 < width <= _LARGEST and 0 < height <= _LARGEST):
        raise ValueError(f"its encoder takes images of {width}x{height} pixels")
    return FrozenEncoder(
        model.eval(), (width, height), str(settings["digest"]), bool(settings["cropped"])
    )


def _load(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a network its tensors; a ValueError where one is of another type or not finite."""
    for name, wanted in network.state_dict().items():
        value = tensors[name]
        if value.shape != wanted.shape or value.dtype != wanted.dtype:
            raise ValueError(f"{name} is {value.dtype} {tuple(value.shape)}")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ValueError(f"{name} is not finite")
    network.load_state_dict(dict(tensors), assign=True)


def _ensemble_settings(ensemble: HeadEnsemble) -> dict[str, Any]:
    """What an ensemble is besides its tensors."""
    calibration = ensemble.calibration
    return {
        "heads": [asdict(head.config) for head in ensemble.heads],
        "usual": ensemble.novelty.usual,
        "beside": calibration.lifter_ratio,
        "held_out": calibration.held_out,
        "counted": calibration.counted,
    }


def _ensemble_tensors(prefix: str, ensemble: HeadEnsemble) -> dict[str, Tensor]:
    scaling = ensemble.calibration.scaling
    arrays = {
        "basis": ensemble.basis,
        "known": ensemble.novelty.known,
        "mean": ensemble.novelty.mean,
        "spread": ensemble.novelty.spread,
        "joints": ensemble.calibration.joints,
        "lifter": ensemble.calibration.lifter,
        "growth": np.stack((scaling.usual, scaling.slopes, scaling.least, scaling.most)),
    }
    tensors = {n: torch.from_numpy(np.ascontiguousarray(array)) for n, array in arrays.items()}
    for i, head in enumerate(ensemble.heads):
        tensors |= {f"head{i}.{n}": value.contiguous() for n, value in head.state_dict().items()}
    return {prefix + name: value for name, value in tensors.items()}


def _ensemble(
    settings: Mapping[str, Any], tensors: Mapping[str, Tensor], extra: int
) -> HeadEnsemble:
    """An ensemble whose heads take `extra` inputs after the projected image features."""
    shapes = _ensemble_shapes(tensors, extra)
    arrays = {name: tensors[name].numpy() for name in shapes}
    heads = []
    if not 0 < len(settings["heads"]) <= _MAX_PARTS:
        raise ValueError(f"it has {len(settings['heads'])} heads")
    for i, config in enumerate(settings["heads"]):
        given = JsonObject({f"head{i}": config}).child(f"head{i}").of_type(HeadConfig)
        if given.inputs != len(arrays["mean"]):
            raise ValueError(f"head {i} takes {given.inputs} inputs")
        with torch.device("meta"):
            head = RegressionHead(given)
        _load(head, _under(tensors, f"head{i}."))
        heads.append(head.eval())
    return HeadEnsemble(
        basis=arrays["basis"],
        heads=tuple(heads),
        novelty=Novelty(
            arrays["known"], arrays["mean"], arrays["spread"], _positive(settings["usual"])
        ),
        calibration=ErrorCalibration(
            joints=arrays["joints"],
            scaling=ErrorScaling(*arrays["growth"]),
            lifter=arrays["lifter"],
            lifter_ratio=_positive(settings["beside"]),
            held_out=_positive(settings["held_out"]),
            counted=int(settings["counted"]),
        ),
    )


def _ensemble_shapes(tensors: Mapping[str, Tensor], extra: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of an ensemble's arrays; a ValueError where the file has others."""
    inputs = tensors["basis"].shape[1] + extra
    shapes: dict[str, tuple[int, ...]] = {
        "basis": tuple(tensors["basis"].shape),
        "known": (len(tensors["known"]), inputs),
        "mean": (inputs,),
        "spread": (inputs,),
        "joints": (len(BODY),),
        "lifter": (len(BODY),),
        "growth": (4, 3),  # novelty and two measures of the tracker's uncertainty
    }
    for name, shape in shapes.items():
        value = tensors[name]
        if tuple(value.shape) != shape or not value.is_floating_point() or not len(value):
            raise ValueError(f"{name} is {value.dtype} {tuple(value.shape)}")
        if torch.isnan(value).any():
            raise ValueError(f"{name} is not finite")
    return shapes


def _positive(value: Any) -> float:
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{number} is out of range")
    return number


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _brief(error: Exception) -> str:
    """The first line of an error; a missing key by its name."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return "".join(c if c.isprintable() else "?" for c in str(error).partition("\n")[0][:200])
