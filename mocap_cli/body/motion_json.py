"""Motion JSON: write a motion to a file, and read it back with every value checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson

from mocap_cli.body.facing import Facing
from mocap_cli.body.motion import Motion
from mocap_cli.body.provenance import Provenance
from mocap_cli.body.recording import LARGEST, Camera, Source
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.json_fields import JsonObject, short_repr

_FORMAT = 1
_SHORTEST = 1e-6  # seconds from frame to frame


def write_motion(motion: Motion, path: Path, quality: Mapping[str, Any] | None = None) -> None:
    """Write the JSON of docs/formats.md; reading it back gives the same numbers.

    `quality` is for readers of the file; it is computed from the rest.
    """
    document = {
        "mocap": _FORMAT,
        "source": motion.source,
        "skeleton": motion.skeleton,
        "units": "metres",
        "space": motion.space,
        "times": motion.times,
        "joints": motion.joints,
        "sigma": motion.sigma,
        "seen": motion.detected,
        "contacts": motion.contacts,
        "keypoints": {"names": KEYPOINTS, "xy": motion.xy, "score": motion.score},
        "camera": motion.camera,
        "model": dict(motion.model),
        "warnings": motion.warnings,
        "notes": motion.notes,
        **({} if motion.facing is None else {"facing": motion.facing}),
        **({"switches": motion.switches} if motion.switches else {}),
        **({} if motion.provenance is None else {"provenance": motion.provenance}),
        **({} if quality is None else {"quality": quality}),
    }
    with write_atomically(path) as aside:
        aside.write_bytes(orjson.dumps(document, _contiguous, orjson.OPT_SERIALIZE_NUMPY))


def _contiguous(value: Any) -> Any:
    """The copy of a strided array, which orjson cannot write itself."""
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value)
    raise TypeError(f"cannot write {type(value).__name__}")


def read_motion(path: str | Path) -> Motion:
    """Read a JSON file of `mocap track` or `Motion.save`; an error names the file and the key."""
    path = Path(path)
    try:
        document = JsonObject.read(path)
    except OSError as error:
        raise MocapError(f"cannot read {path}: {error.strerror}", "check the path") from error
    except ValueError as error:
        raise MocapError(
            f"{path} is not a motion: {error}", "give a file that `mocap track` wrote"
        ) from error
    version = document.values.get("mocap")
    if version != _FORMAT:
        reason = 'it has no "mocap"' if version is None else f'its "mocap" is {short_repr(version)}'
        raise MocapError(
            f"{path} is not a motion of format {_FORMAT} ({reason})",
            "give a file that `mocap track` of this version wrote",
        )
    try:
        return _motion(document)
    except ValueError as error:
        raise MocapError(
            f"{path} is damaged: {error}",
            "track the video again, or correct the file; docs/formats.md describes its keys",
        ) from error


def _motion(document: JsonObject) -> Motion:
    """The motion of a document, each value checked."""
    skeleton, keypoints = document.child("skeleton"), document.child("keypoints")
    names = skeleton.texts("names")
    parents = skeleton.numbers("parents", (len(names),), -1, len(names), null=False)
    if (names, tuple(parents.tolist())) != (BODY.names, BODY.parents):
        raise ValueError("skeleton is not that of this version")
    if keypoints.texts("names") != KEYPOINTS:
        raise ValueError("keypoints.names are not those of this version")
    if document.text("units") != "metres":
        raise ValueError(f"units is {short_repr(document.text('units'))}, not 'metres'")
    times = document.numbers("times", (None,), -LARGEST, LARGEST, null=False)
    if (np.diff(times) < _SHORTEST).any():
        raise ValueError(f"times do not rise by at least {_SHORTEST:g} s from frame to frame")
    T, J, K = len(times), len(BODY), len(KEYPOINTS)
    return Motion(
        source=Source.of_json(document.child("source")),
        skeleton=BODY,
        space=_space(document.text("space")),
        times=times,
        joints=document.numbers("joints", (T, J, 3), -LARGEST, LARGEST).astype(np.float32),
        sigma=document.numbers("sigma", (T, J), 0, LARGEST).astype(np.float32),
        detected=document.flags("seen", T),
        contacts=document.numbers("contacts", (T, 2), 0, LARGEST).astype(np.float32),
        xy=keypoints.numbers("xy", (T, K, 2), -LARGEST, LARGEST).astype(np.float32),
        score=keypoints.numbers("score", (T, K), 0, LARGEST).astype(np.float32),
        camera=Camera.of_json(document.child("camera"), T),
        model={key: document.child("model").text(key) for key in document.child("model").values},
        warnings=document.texts("warnings"),
        notes=document.texts("notes") if "notes" in document.values else (),
        facing=_facing(document, T),
        switches=_switches(document),
        provenance=_provenance(document),
    )


def _facing(document: JsonObject, frames: int) -> Facing | None:
    known = "facing" in document.values
    return Facing.of_json(document.child("facing"), frames) if known else None


def _switches(document: JsonObject) -> tuple[float, ...]:
    """The times of likely switches; files without any have no such key."""
    if "switches" not in document.values:
        return ()
    return tuple(document.numbers("switches", (None,), -LARGEST, LARGEST, null=False).tolist())


def _provenance(document: JsonObject) -> Provenance | None:
    known = "provenance" in document.values
    return Provenance.of_json(document.child("provenance")) if known else None


def _space(text: str) -> Literal["world", "camera"]:
    if text == "world":
        return "world"
    if text == "camera":
        return "camera"
    raise ValueError(f"space is {short_repr(text)}, not 'world' or 'camera'")
