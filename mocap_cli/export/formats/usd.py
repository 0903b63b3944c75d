"""USD: the rig, a skinned body and the camera as text, for Omniverse, Houdini, Maya and Blender."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.resample import continuous_quaternions
from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import quaternion_from_matrix
from mocap_cli.export.formats.animation import Animation
from mocap_cli.export.formats.camera_track import CameraTrack
from mocap_cli.export.formats.capsules import CapsuleMesh, capsule_meshes
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.origin import MARK
from mocap_cli.types import Float64

_MM = 0.01  # a millimetre of film or lens, in tenths of the scene's unit
_CLIPPING = (0.1, 1000)  # metres that the camera sees


def write_usd(animation: Animation, path: Path, others: Sequence[Animation] = ()) -> None:
    """Write a skinned body whose joints carry the animation; metres, Y up.

    `others` are further people in the same world, at the same times.
    """
    with write_atomically(path) as aside, aside.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in _lines(animation, others))


def _lines(animation: Animation, others: Sequence[Animation]) -> Iterator[str]:
    rate = 1 / animation.period
    yield "#usda 1.0"
    yield "("
    yield f'    "{MARK}"'
    yield f'    defaultPrim = "{"People" if others else "Person"}"'
    yield '    upAxis = "Y"'
    yield "    metersPerUnit = 1"
    yield "    startTimeCode = 0"
    yield f"    endTimeCode = {len(animation.path) - 1}"
    yield f"    timeCodesPerSecond = {rate:.9g}"
    yield f"    framesPerSecond = {rate:.9g}"
    yield ")"
    yield ""
    if others:
        yield 'def Xform "People"'
        yield "{"
        for number, person in enumerate((animation, *others), start=1):
            yield from _indented(_person(person, f"/People/Person{number}"))
        yield "}"
    else:
        yield from _person(animation, "/Person")
    if animation.camera is not None:
        yield from _camera(animation.camera)


def _person(animation: Animation, path: str) -> Iterator[str]:
    yield f'def SkelRoot "{path.rpartition("/")[2]}"'
    yield "{"
    yield from _indented(_rig(animation, path))
    for side, mesh in capsule_meshes(animation.rig).items():
        yield from _indented(_material(side.title(), mesh, path))
        yield from _indented(_mesh(side.title(), mesh, path))
    yield "}"


def _camera(camera: CameraTrack) -> Iterator[str]:
    """The camera of the video, animated if it moves; it looks along -Z like ours."""
    (width, height), (across, up) = camera.film_mm, camera.film_offset_mm
    matrices = np.tile(np.eye(4), (len(camera.positions), 1, 1))  # of row vectors
    matrices[:, :3, :3] = np.swapaxes(camera.rotations, -1, -2)
    matrices[:, 3, :3] = camera.positions
    values = [f"({_tuples(rows)[1:-1]})" for rows in matrices]
    yield 'def Camera "Camera"'
    yield "{"
    yield f"    float focalLength = {camera.focal_mm * _MM:.9g}"
    yield f"    float horizontalAperture = {width * _MM:.9g}"
    yield f"    float verticalAperture = {height * _MM:.9g}"
    yield f"    float horizontalApertureOffset = {across * _MM:.9g}"
    yield f"    float verticalApertureOffset = {up * _MM:.9g}"
    yield f"    float2 clippingRange = {_CLIPPING}"
    if len(values) > 1:
        yield "    matrix4d xformOp:transform.timeSamples = {"
        yield from (f"        {frame}: {value}," for frame, value in enumerate(values))
        yield "    }"
    else:
        yield f"    matrix4d xformOp:transform = {values[0]}"
    yield '    uniform token[] xformOpOrder = ["xformOp:transform"]'
    yield "}"


def _rig(animation: Animation, path: str) -> Iterator[str]:
    rig = animation.rig
    yield 'def Skeleton "Rig" (prepend apiSchemas = ["SkelBindingAPI"])'
    yield "{"
    yield f"    uniform token[] joints = {_paths(rig)}"
    yield f"    uniform matrix4d[] bindTransforms = {_matrices(rig.bind_matrices)}"
    yield f"    uniform matrix4d[] restTransforms = {_matrices(rig.local_matrices)}"
    yield f"    rel skel:animationSource = <{path}/Rig/Motion>"
    yield '    def SkelAnimation "Motion"'
    yield "    {"
    yield from _indented(_indented(_motion(animation)))
    yield "    }"
    yield "}"


def _motion(animation: Animation) -> Iterator[str]:
    """Translation and rotation of every joint from its parent at each time code."""
    rig = animation.rig
    yield f"uniform token[] joints = {_paths(rig)}"
    yield f"half3[] scales = {_tuples(np.ones((len(rig), 3)))}"
    positions = np.tile(rig.local_matrices[:, :3, 3], (len(animation.path), 1, 1))
    positions[:, rig.mover] = animation.local_path
    quaternions = continuous_quaternions(quaternion_from_matrix(animation.local_rotations))
    for kind, values in (("float3[] translations", positions), ("quatf[] rotations", quaternions)):
        yield f"{kind}.timeSamples = {{"
        for frame, value in enumerate(values):
            yield f"    {frame}: {_tuples(value)},"
        yield "}"


def _mesh(name: str, mesh: CapsuleMesh, path: str) -> Iterator[str]:
    weights = _numbers(np.ones_like(mesh.joints))  # capsules are rigid
    each = '(elementSize = 1\n        interpolation = "vertex")'
    yield f'def Mesh "{name}" (prepend apiSchemas = ["SkelBindingAPI", "MaterialBindingAPI"])'
    yield "{"
    yield '    uniform token subdivisionScheme = "none"'
    yield f"    int[] faceVertexCounts = {_numbers(np.full(len(mesh.faces), 3))}"
    yield f"    int[] faceVertexIndices = {_numbers(mesh.faces.reshape(-1))}"
    yield f"    point3f[] points = {_tuples(mesh.points)}"
    yield f'    normal3f[] normals = {_tuples(mesh.normals)} (interpolation = "vertex")'
    yield f"    int[] primvars:skel:jointIndices = {_numbers(mesh.joints)} {each}"
    yield f"    float[] primvars:skel:jointWeights = {weights} {each}"
    yield f"    rel skel:skeleton = <{path}/Rig>"
    yield f"    rel material:binding = <{path}/{name}Matt>"
    yield "}"


def _material(name: str, mesh: CapsuleMesh, path: str) -> Iterator[str]:
    yield f'def Material "{name}Matt"'
    yield "{"
    yield f"    token outputs:surface.connect = <{path}/{name}Matt/Surface.outputs:surface>"
    yield '    def Shader "Surface"'
    yield "    {"
    yield '        uniform token info:id = "UsdPreviewSurface"'
    yield f"        color3f inputs:diffuseColor = {mesh.colour}"
    yield "        float inputs:roughness = 0.8"
    yield "        token outputs:surface"
    yield "    }"
    yield "}"


def _paths(rig: Rig) -> str:
    """The path of every joint from the root; names in USD have letters, digits and underscores."""
    paths: list[str] = []
    for name, parent in zip(rig.names, rig.parents, strict=True):
        above = f"{paths[parent]}/" if parent >= 0 else ""
        paths.append(above + re.sub(r"\W", "_", name))
    return "[" + ", ".join(f'"{path}"' for path in paths) + "]"


def _matrices(matrices: Float64) -> str:
    """Matrices (N, 4, 4); USD multiplies row vectors, so it takes their transposes."""
    rows = (_tuples(matrix.T)[1:-1] for matrix in matrices)
    return "[" + ", ".join(f"({row})" for row in rows) + "]"


def _tuples(values: Float64) -> str:
    rounded = np.round(values, 6) + 0.0  # no minus before zero
    return "[" + ", ".join(f"({', '.join(map(str, row))})" for row in rounded.tolist()) + "]"


def _numbers(values: NDArray[np.integer]) -> str:
    return "[" + ", ".join(map(str, values.tolist())) + "]"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)
