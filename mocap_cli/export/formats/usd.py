"""USD: a body of capsules on the animated rig as text, for Omniverse, Houdini, Maya and Blender."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import continuous_quaternions
from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import quaternion_from_matrix
from mocap_cli.export.formats.animation import Animation, animate
from mocap_cli.export.formats.capsules import CapsuleMesh, capsule_meshes
from mocap_cli.export.rigs import RigNames, with_joint_names
from mocap_cli.io.atomic import write_atomically
from mocap_cli.types import Float64


def write_usd(
    motion: Motion, path: Path, *, fps: float | None = None, rig: RigNames = "default"
) -> None:
    """Write the person as a skinned body whose joints carry the animation; metres, Y up."""
    made = animate(motion, fps)
    with write_atomically(path) as aside, aside.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in _lines(made, with_joint_names(made.rig, rig)))


def _lines(made: Animation, rig: Rig) -> Iterator[str]:
    rate = 1 / made.period
    yield "#usda 1.0"
    yield "("
    yield '    defaultPrim = "Person"'
    yield '    upAxis = "Y"'
    yield "    metersPerUnit = 1"
    yield "    startTimeCode = 0"
    yield f"    endTimeCode = {len(made.root) - 1}"
    yield f"    timeCodesPerSecond = {rate:.9g}"
    yield f"    framesPerSecond = {rate:.9g}"
    yield ")"
    yield ""
    yield 'def SkelRoot "Person"'
    yield "{"
    yield from _indented(_rig(made, rig))
    for side, skin in capsule_meshes(made.rig).items():
        yield from _indented(_material(side.title(), skin))
        yield from _indented(_mesh(side.title(), skin))
    yield "}"


def _rig(made: Animation, rig: Rig) -> Iterator[str]:
    places = rig.offsets.copy()
    places[0, 1] = rig.root_height
    yield 'def Skeleton "Rig" (prepend apiSchemas = ["SkelBindingAPI"])'
    yield "{"
    yield f"    uniform token[] joints = {_paths(rig)}"
    yield f"    uniform matrix4d[] bindTransforms = {_shifts(rig.rest_positions + places[0])}"
    yield f"    uniform matrix4d[] restTransforms = {_shifts(places)}"
    yield "    rel skel:animationSource = </Person/Rig/Motion>"
    yield '    def SkelAnimation "Motion"'
    yield "    {"
    yield from _indented(_indented(_motion(made, rig)))
    yield "    }"
    yield "}"


def _motion(made: Animation, rig: Rig) -> Iterator[str]:
    """Where every joint is from its parent, and how it is turned, at each time code."""
    yield f"uniform token[] joints = {_paths(rig)}"
    yield f"half3[] scales = {_tuples(np.ones((len(rig), 3)))}"
    places = np.tile(rig.offsets, (len(made.root), 1, 1))
    places[:, 0] = made.root
    turns = continuous_quaternions(quaternion_from_matrix(made.rotations))
    for kind, values in (("float3[] translations", places), ("quatf[] rotations", turns)):
        yield f"{kind}.timeSamples = {{"
        for frame, value in enumerate(values):
            yield f"    {frame}: {_tuples(value)},"
        yield "}"


def _mesh(name: str, skin: CapsuleMesh) -> Iterator[str]:
    weights = _numbers(np.ones_like(skin.joints))  # capsules are stiff
    each = '(elementSize = 1\n        interpolation = "vertex")'
    yield f'def Mesh "{name}" (prepend apiSchemas = ["SkelBindingAPI", "MaterialBindingAPI"])'
    yield "{"
    yield '    uniform token subdivisionScheme = "none"'
    yield f"    int[] faceVertexCounts = {_numbers(np.full(len(skin.faces), 3))}"
    yield f"    int[] faceVertexIndices = {_numbers(skin.faces.reshape(-1))}"
    yield f"    point3f[] points = {_tuples(skin.points)}"
    yield f'    normal3f[] normals = {_tuples(skin.normals)} (interpolation = "vertex")'
    yield f"    int[] primvars:skel:jointIndices = {_numbers(skin.joints)} {each}"
    yield f"    float[] primvars:skel:jointWeights = {weights} {each}"
    yield "    rel skel:skeleton = </Person/Rig>"
    yield f"    rel material:binding = </Person/{name}Matt>"
    yield "}"


def _material(name: str, skin: CapsuleMesh) -> Iterator[str]:
    yield f'def Material "{name}Matt"'
    yield "{"
    yield f"    token outputs:surface.connect = </Person/{name}Matt/Surface.outputs:surface>"
    yield '    def Shader "Surface"'
    yield "    {"
    yield '        uniform token info:id = "UsdPreviewSurface"'
    yield f"        color3f inputs:diffuseColor = {skin.colour}"
    yield "        float inputs:roughness = 0.8"
    yield "        token outputs:surface"
    yield "    }"
    yield "}"


def _paths(rig: Rig) -> str:
    """Every joint by its way from the root; colons mean something else in USD."""
    paths: list[str] = []
    for name, parent in zip(rig.names, rig.parents, strict=True):
        above = f"{paths[parent]}/" if parent >= 0 else ""
        paths.append(above + name.replace(":", "_"))
    return "[" + ", ".join(f'"{path}"' for path in paths) + "]"


def _shifts(places: Float64) -> str:
    """Matrices that move to those places; rows are what others write as columns."""
    rows = "(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)"
    moves = (f"({x:.6f}, {y:.6f}, {z:.6f}, 1)" for x, y, z in places.tolist())
    return "[" + ", ".join(f"({rows}, {move})" for move in moves) + "]"


def _tuples(values: Float64) -> str:
    rounded = np.round(values, 6) + 0.0  # no minus before zero
    return "[" + ", ".join(f"({', '.join(map(str, row))})" for row in rounded.tolist()) + "]"


def _numbers(values: NDArray[np.integer]) -> str:
    return "[" + ", ".join(map(str, values.tolist())) + "]"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)
