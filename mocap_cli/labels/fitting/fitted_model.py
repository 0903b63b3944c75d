"""The .mocap file: a frozen model, heads fitted to labels, and all that tracking needs of them.

Safetensors with JSON in its header, never a pickle; a file that was changed is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.io.sealed import write_tensors
from mocap_cli.labels.fitting.ensemble import ErrorCalibration, HeadEnsemble, Novelty
from mocap_cli.labels.fitting.frozen_encoder import IMAGENET, FrozenEncoder, open_encoder
from mocap_cli.labels.fitting.regression_head import HeadConfig, RegressionHead
from mocap_cli.labels.growth import ErrorScaling
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_config import ModelConfig
from mocap_cli.types import Float64

_FORMAT = "mocap-fitted-2"
MODEL_SUFFIX = ".mocap"
_USED = ("encoder.", "detector.")  # of the frozen model, what codes are made by
_EYE, _CODE, _BOTH = "eye.", "code.", "both."
_LARGEST = 4096  # pixels: no eye is shown larger pictures
_HINT = "give a file that `mocap label-fit` of this version wrote, or fit it again"


@dataclass(frozen=True, slots=True, eq=False)
class FittedModel:
    """What `mocap label-fit` makes."""

    eye: FrozenEncoder
    code: HeadEnsemble  # is told the code alone
    both: HeadEnsemble  # is told the code, 2D keypoints and the lifted pose
    about: Mapping[str, Any] = field(default_factory=dict)  # for people; nothing depends on it


def save_fitted(path: Path, fitted: FittedModel) -> None:
    """Write all of it under a seal."""
    bundled = fitted.eye.digest == open_encoder(IMAGENET).digest
    tensors = _ensemble_tensors(_CODE, fitted.code) | _ensemble_tensors(_BOTH, fitted.both)
    if not bundled:
        state = fitted.eye.model.state_dict()
        tensors |= {_EYE + k: v.cpu().contiguous() for k, v in state.items() if k.startswith(_USED)}
    told = {
        "eye": _encoder_settings(fitted.eye, bundled=bundled),
        "code": _ensemble_settings(fitted.code),
        "both": _ensemble_settings(fitted.both),
        "about": dict(fitted.about),
    }
    text = json.dumps(told)
    header = {"format": _FORMAT, "told": text, "seal": _seal(text, tensors)}
    write_tensors(path, tensors, header)


def open_fitted(path: Path) -> FittedModel:
    """Read what `save_fitted` wrote; anything else, damaged or changed, is refused."""
    header, tensors = _read(path)
    if header.get("seal") != _seal(header.get("told", ""), tensors):
        raise MocapError(f"{path} is damaged or was changed: its SHA-256 is another", _HINT)
    try:
        told = json.loads(header["told"])
        return FittedModel(
            eye=_encoder(told["eye"], _under(tensors, _EYE)),
            code=_ensemble(told["code"], _under(tensors, _CODE)),
            both=_ensemble(told["both"], _under(tensors, _BOTH)),
            about=dict(told["about"]),
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise MocapError(f"{path} does not hold a whole fit: {_brief(error)}", _HINT) from error


def _encoder_settings(eye: FrozenEncoder, *, bundled: bool) -> dict[str, Any]:
    """What is shipped with the program needs no copy."""
    return {
        "config": None if bundled else asdict(eye.model.config),
        "size": list(eye.size),
        "digest": eye.digest,
        "cropped": eye.cropped,
    }


def _encoder(told: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> FrozenEncoder:
    if told["config"] is None:
        eye = open_encoder(IMAGENET)
        if eye.digest != told["digest"]:
            raise ValueError("it was fitted to other ImageNet features than are shipped")
        return eye
    settings = dict(told["config"])
    settings["widths"] = tuple(settings["widths"])
    with torch.device("meta"):  # so that a file cannot ask for memory it does not fill
        model = Model(ModelConfig(**settings), pretrained=False, loss_network=False)
    model.decoder = model.pose = model.critic = None  # only learning needed them
    model.load_state_dict(dict(tensors), assign=True)
    width, height = (int(side) for side in told["size"])
    if not (0 < width <= _LARGEST and 0 < height <= _LARGEST):
        raise ValueError(f"its eye looks at {width}x{height} pixels")
    return FrozenEncoder(model.eval(), (width, height), str(told["digest"]), bool(told["cropped"]))


def _ensemble_settings(expert: HeadEnsemble) -> dict[str, Any]:
    """What an expert is besides its tensors."""
    calibration = expert.calibration
    return {
        "heads": [asdict(head.config) for head in expert.heads],
        "usual": expert.novelty.usual,
        "beside": calibration.beside,
        "held_out": calibration.held_out,
        "counted": calibration.counted,
    }


def _ensemble_tensors(prefix: str, expert: HeadEnsemble) -> dict[str, Tensor]:
    arrays = {
        "basis": expert.basis,
        "known": expert.novelty.known,
        "mean": expert.novelty.mean,
        "spread": expert.novelty.spread,
        "joints": expert.calibration.joints,
        "lifter": expert.calibration.lifter,
        "growth": _table(expert.calibration.growth),
    }
    tensors = {n: torch.from_numpy(np.ascontiguousarray(array)) for n, array in arrays.items()}
    for i, head in enumerate(expert.heads):
        tensors |= {f"head{i}.{n}": value.contiguous() for n, value in head.state_dict().items()}
    return {prefix + name: value for name, value in tensors.items()}


def _table(growth: ErrorScaling) -> Float64:
    """(4, S) as a file keeps it."""
    return np.stack((growth.usual, growth.slopes, growth.least, growth.most))


def _ensemble(told: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> HeadEnsemble:
    heads = []
    for i, config in enumerate(told["heads"]):
        with torch.device("meta"):
            head = RegressionHead(HeadConfig(**config))
        head.load_state_dict(_under(tensors, f"head{i}."), assign=True)
        heads.append(head.eval())
    arrays = {n: value.numpy() for n, value in tensors.items() if not n.startswith("head")}
    return HeadEnsemble(
        basis=arrays["basis"],
        heads=tuple(heads),
        novelty=Novelty(arrays["known"], arrays["mean"], arrays["spread"], float(told["usual"])),
        calibration=ErrorCalibration(
            joints=arrays["joints"],
            growth=ErrorScaling(*arrays["growth"]),
            lifter=arrays["lifter"],
            beside=float(told["beside"]),
            held_out=float(told["held_out"]),
            counted=int(told["counted"]),
        ),
    )


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, str] = file.metadata() or {}
            if header.get("format") != _FORMAT:
                raise MocapError(f"{path} is not a model that was fitted to labels", _HINT)
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise MocapError(f"there is no {path}", "check the path") from error
    except (OSError, SafetensorError) as error:
        raise MocapError(f"{path} is no .mocap file: {_brief(error)}", _HINT) from error


def _seal(told: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over everything that the file says."""
    digest = sha256(told.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _brief(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
