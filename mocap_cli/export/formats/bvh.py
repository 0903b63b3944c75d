"""BVH: the animated rig, for Blender, MotionBuilder, Maya and game engines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import continuous_zxy
from mocap_cli.export.formats.animation import Animation
from mocap_cli.io.atomic import write_atomically

Units = Literal["cm", "m"]

_SCALE = {"cm": 100.0, "m": 1.0}
_ROTATION_CHANNELS = "Zrotation Xrotation Yrotation"
_ROOT_CHANNELS = f"6 Xposition Yposition Zposition {_ROTATION_CHANNELS}"
"""The OFFSET of the root is zero, since some programs add it to its positions and some do not."""


def write_bvh(
    animation: Animation,
    path: Path,
    *,
    units: Units = "cm",
    decimals: int = 6,
) -> None:
    """Write the hierarchy and one line of root position and Euler angles for each frame."""
    with write_atomically(path) as aside, aside.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in _lines(animation, _SCALE[units], decimals))


def _lines(animation: Animation, scale: float, decimals: int) -> Iterator[str]:
    """The lines of the file, `scale` units to the metre."""
    rig = animation.rig
    root, joints = animation.path[:, None] * scale, _depth_first(rig)
    angles = np.degrees(continuous_zxy(animation.rotations[:, joints]))
    values = np.concatenate((root, angles), axis=1).reshape(len(root), -1)
    values = np.round(values, decimals) + 0.0  # no minus before zero
    yield "HIERARCHY"
    yield from _hierarchy(rig, 0, scale, "")
    yield "MOTION"
    yield f"Frames: {len(values)}"
    yield f"Frame Time: {animation.period:.10f}"
    line = " ".join([f"%.{decimals}f"] * values.shape[1])
    yield from (line % tuple(row) for row in values.tolist())


def _depth_first(rig: Rig, joint: int = 0) -> list[int]:
    """The joints with channels, in the order of the file."""
    children = rig.children(joint)
    below = [i for child in children for i in _depth_first(rig, child)]
    return [joint, *below] if children else []


def _hierarchy(rig: Rig, joint: int, scale: float, indent: str) -> Iterator[str]:
    """The lines of a joint and its descendants."""
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
