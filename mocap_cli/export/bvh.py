"""BVH: a Motion as an animated rig, for Blender, MotionBuilder, Maya and game engines."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion
from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import steady_zxy
from mocap_cli.errors import MocapError
from mocap_cli.export.animation import animate
from mocap_cli.export.rigs import RigNames, named
from mocap_cli.files import written_whole

Float64 = NDArray[np.float64]

SCALE = {"cm": 100.0, "m": 1.0}
TURNS = "Zrotation Xrotation Yrotation"
ROOT_CHANNELS = f"6 Xposition Yposition Zposition {TURNS}"
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
    if units not in SCALE:
        raise MocapError(f"unknown units {units!r}", f"choose one of {', '.join(SCALE)}")
    made = animate(motion, fps)
    chosen = named(made.rig, rig)
    text = bvh_text(chosen, made.rotations, made.root, made.period, SCALE[units], decimals)
    with written_whole(path) as aside:
        aside.write_text(text, encoding="ascii")


def bvh_text(
    rig: Rig, rotations: Float64, root: Float64, period: float, scale: float, decimals: int = 6
) -> str:
    """The file as text: (T, N, 3, 3) rotations from the parent, `scale` units to the metre."""
    order = _depth_first(rig)
    angles = np.degrees(steady_zxy(rotations[:, order]))
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
        yield f"{indent}\tCHANNELS {f'3 {TURNS}' if joint else ROOT_CHANNELS}"
    for child in children:
        yield from _hierarchy(rig, child, scale, indent + "\t")
    yield indent + "}"
