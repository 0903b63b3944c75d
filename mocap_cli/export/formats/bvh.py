"""BVH: a Motion as an animated rig, for Blender, MotionBuilder, Maya and game engines."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import continuous_zxy
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.animation import animate
from mocap_cli.export.rigs import RigNames, with_joint_names
from mocap_cli.io.atomic import write_atomically
from mocap_cli.types import Float64

_SCALE = {"cm": 100.0, "m": 1.0}
_ROTATION_CHANNELS = "Zrotation Xrotation Yrotation"
_ROOT_CHANNELS = f"6 Xposition Yposition Zposition {_ROTATION_CHANNELS}"
"""The root's OFFSET is zero: some programs add it to these positions and others do not."""


def write_bvh(
    motion: Motion,
    path: Path,
    *,
    units: str = "cm",
    fps: float | None = None,
    rig: RigNames = "default",
    decimals: int = 6,
) -> None:
    """Write the person as a rig of constant bones, at the motion's own rate or at `fps`."""
    if units not in _SCALE:
        raise MocapError(f"unknown units {units!r}", f"choose one of {', '.join(_SCALE)}")
    made = animate(motion, fps)
    chosen = with_joint_names(made.rig, rig)
    text = _bvh_text(chosen, made.rotations, made.root, made.period, _SCALE[units], decimals)
    with write_atomically(path) as aside:
        aside.write_text(text, encoding="ascii")


def _bvh_text(
    rig: Rig, rotations: Float64, root: Float64, period: float, scale: float, decimals: int = 6
) -> str:
    """The file as text: (T, N, 3, 3) rotations from the parent, `scale` units to the metre."""
    order = _depth_first(rig)
    angles = np.degrees(continuous_zxy(rotations[:, order]))
    values = np.concatenate((root[:, None] * scale, angles), axis=1).reshape(len(root), -1)
    values = np.round(values, decimals) + 0.0  # no minus before zero
    line = " ".join([f"%.{decimals}f"] * values.shape[1])
    head = [
        "HIERARCHY",
        *_hierarchy(rig, 0, scale, ""),
        "MOTION",
        f"Frames: {len(values)}",
        f"Frame Time: {period:.10f}",
    ]
    return "\n".join((*head, *(line % tuple(row) for row in values.tolist()), ""))


def _depth_first(rig: Rig, joint: int = 0) -> list[int]:
    """The joints that have channels, in the order of the file."""
    children = rig.children(joint)
    below = [i for child in children for i in _depth_first(rig, child)]
    return [joint, *below] if children else []


def _hierarchy(rig: Rig, joint: int, scale: float, indent: str) -> Iterator[str]:
    """The lines of a joint and all that hangs on it."""
    children = rig.children(joint)
    kind = "JOINT" if joint else "ROOT"
    yield indent + (f"{kind} {rig.names[joint]}" if children else "End Site")
    yield indent + "{"
    offset = " ".join(f"{v:.6f}" for v in np.round(rig.offsets[joint] * scale, 6) + 0.0)
    yield f"{indent}\tOFFSET {offset}"
    if children:
        yield f"{indent}\tCHANNELS {f'3 {_ROTATION_CHANNELS}' if joint else _ROOT_CHANNELS}"
    for child in children:
        yield from _hierarchy(rig, child, scale, indent + "\t")
    yield indent + "}"
