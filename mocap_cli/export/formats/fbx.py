"""FBX: the animated rig, a skinned body and the camera, for Maya, Unreal, Unity and Blender."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import continuous_xyz
from mocap_cli.export.formats.animation import Animation
from mocap_cli.export.formats.camera_track import CameraTrack
from mocap_cli.export.formats.capsules import CapsuleMesh, capsule_meshes
from mocap_cli.export.formats.fbx_nodes import Long, Node, node, prop, properties
from mocap_cli.export.formats.fbx_scene import FbxScene
from mocap_cli.io.atomic import write_atomically
from mocap_cli.types import Float64

_CM = 100.0  # centimetres, the unit of FBX, in a metre
_INCH_MM = 25.4
_NEAR_CM, _FAR_CM = 10.0, 100_000.0  # what the camera sees


def write_fbx(animation: Animation, path: Path, others: Sequence[Animation] = ()) -> None:
    """Write a skinned body whose joints carry the animation; centimetres, Y up.

    `others` are further people in the same world, at the same times.
    """
    scene = FbxScene(animation.name, 1 / animation.period, len(animation.path))
    for number, person in enumerate((animation, *others), start=1):
        # A namespace, since most readers know bones by their names.
        space = f"Person{number}:" if others else ""
        group = _add_group(scene, f"Person{number}") if others else 0
        joints = _add_rig(scene, person.rig, space, group)
        _add_body(scene, person.rig, joints, f"{space}Body")
        _add_animation(scene, person, joints)
    if animation.camera is not None:
        _add_camera(scene, animation.camera)
    with write_atomically(path) as aside:
        aside.write_bytes(scene.to_bytes())


def _add_group(scene: FbxScene, name: str) -> Long:
    """A node above a rig, by which Blender tells rigs apart."""
    group = scene.add_model(name, "Null", 0)
    scene.add(
        "NodeAttribute", "NodeAttribute", name, "Null", node("TypeFlags", "Null"), under=group
    )
    return group


def _add_rig(scene: FbxScene, rig: Rig, space: str, group: int) -> list[Long]:
    """One bone for each joint, in the rest pose on the ground; `space` precedes their names."""
    rest = rig.local_matrices
    angles = np.degrees(continuous_xyz(rest[None, :, :3, :3]))[0]
    joints: list[Long] = []
    for i, (bone, parent) in enumerate(zip(rig.names, rig.parents, strict=True)):
        name = space + bone
        above = joints[parent] if parent >= 0 else group
        place = _vector("Lcl Translation", rest[i, :3, 3] * _CM)
        turn = _vector("Lcl Rotation", angles[i])
        joint = scene.add_model(name, "LimbNode", above, place, turn)
        parts = (properties(prop("Size", "double", 3.0)), node("TypeFlags", "Skeleton"))
        scene.add("NodeAttribute", "NodeAttribute", name, "LimbNode", *parts, under=joint)
        joints.append(joint)
    return joints


def _add_body(scene: FbxScene, rig: Rig, joints: Sequence[Long], name: str) -> None:
    """One skinned mesh in three colours next to the rig; the rest pose is its bind pose."""
    body, meshes = scene.add_model(name, "Mesh", 0), capsule_meshes(rig)
    for side, mesh in meshes.items():
        colour = properties(prop("DiffuseColor", "Color", *mesh.colour))
        matt = (node("Version", 102), node("ShadingModel", "lambert"), colour)
        scene.add("Material", "Material", side, "", *matt, under=body)
    parts = _geometry(list(meshes.values()))
    geometry = scene.add("Geometry", "Geometry", name, "Mesh", *parts, under=body)
    bind = rig.bind_matrices
    bind[:, :3, 3] *= _CM
    joint_of = np.concatenate([mesh.joints for mesh in meshes.values()])
    bound = {i: np.flatnonzero(joint_of == i) for i in np.unique(joint_of).tolist()}
    _add_skin(scene, geometry, {joints[i]: (bind[i], points) for i, points in bound.items()})
    _add_bind_pose(scene, [body, *joints], [np.eye(4), *bind])


def _add_skin(
    scene: FbxScene, geometry: Long, bound: Mapping[Long, tuple[Float64, NDArray[np.intp]]]
) -> None:
    """Bind points of the body to the joints with these matrices (4, 4)."""
    rigid = (node("Version", 101), node("Link_DeformAcuracy", 50.0))  # the format's own spelling
    skin = scene.add("Deformer", "Deformer", "Body", "Skin", *rigid, under=geometry)
    for joint, (matrix, points) in bound.items():
        parts = (
            node("Version", 100),
            node("UserData", "", ""),
            node("Indexes", points.astype(np.int32)),
            node("Weights", np.ones(len(points))),  # capsules are rigid
            node("Transform", _numbers(np.asarray(np.linalg.inv(matrix), np.float64))),
            node("TransformLink", _numbers(matrix)),
        )
        cluster = scene.add("Deformer", "SubDeformer", "", "Cluster", *parts, under=skin)
        scene.connect(joint, cluster)


def _geometry(meshes: Sequence[CapsuleMesh]) -> Iterator[Node]:
    """The parts of one mesh of triangles, with a normal at each point."""
    starts = np.cumsum([0, *(len(mesh.points) for mesh in meshes[:-1])])
    parts = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]
    corners = np.concatenate(parts).astype(np.int32)
    corners[:, -1] = ~corners[:, -1]  # marks the last corner of a face
    materials = np.repeat(np.arange(len(meshes), dtype=np.int32), [len(part) for part in parts])
    yield node("GeometryVersion", 124)
    yield node("Vertices", np.concatenate([mesh.points for mesh in meshes]) * _CM)
    yield node("PolygonVertexIndex", corners)
    normals = np.concatenate([mesh.normals for mesh in meshes])
    yield _layer_element("Normal", "ByVertice", "Direct", node("Normals", normals))
    smooth = node("Smoothing", np.ones(len(corners), np.int32))
    yield _layer_element("Smoothing", "ByPolygon", "Direct", smooth)
    yield _layer_element("Material", "ByPolygon", "IndexToDirect", node("Materials", materials))
    elements = (
        node("LayerElement", children=(node("Type", f"LayerElement{kind}"), node("TypedIndex", 0)))
        for kind in ("Normal", "Smoothing", "Material")
    )
    yield node("Layer", 0, children=(node("Version", 100), *elements))


def _layer_element(kind: str, mapping: str, reference: str, values: Node) -> Node:
    """Values of the points or faces of a mesh."""
    parts = (
        node("Version", 101),
        node("Name", ""),
        node("MappingInformationType", mapping),
        node("ReferenceInformationType", reference),
        values,
    )
    return node(f"LayerElement{kind}", 0, children=parts)


def _add_bind_pose(scene: FbxScene, models: Sequence[Long], matrices: Sequence[Float64]) -> None:
    poses = [
        node("PoseNode", children=(node("Node", model), node("Matrix", _numbers(matrix))))
        for model, matrix in zip(models, matrices, strict=True)
    ]
    head = (node("Type", "BindPose"), node("Version", 100), node("NbPoseNodes", len(poses)))
    scene.add("Pose", "Pose", "BindPose", "BindPose", *head, *poses)


def _add_animation(scene: FbxScene, animation: Animation, joints: Sequence[Long]) -> None:
    """Rotations of all joints with children, and the path of the mover."""
    mover = joints[animation.rig.mover]
    scene.animate(mover, "Lcl Translation", animation.local_path * _CM)
    moving = [i for i in range(len(joints)) if animation.rig.children(i)]
    angles = np.degrees(continuous_xyz(animation.local_rotations[:, moving]))
    for column, joint in enumerate(moving):
        scene.animate(joints[joint], "Lcl Rotation", angles[:, column])


def _add_camera(scene: FbxScene, camera: CameraTrack) -> None:
    """The camera of the video, animated if it moves."""
    places, angles = camera.positions * _CM, np.degrees(continuous_xyz(camera.rotations))
    model = scene.add_model(
        "Camera",
        "Camera",
        0,
        _vector("Lcl Translation", places[0]),
        _vector("Lcl Rotation", angles[0]),
        prop("RotationActive", "bool", 1),
        prop("PostRotation", "Vector3D", 0.0, -90.0, 0.0),  # FBX looks along X
    )
    parts = (node("TypeFlags", "Camera"), node("GeometryVersion", 124), _lens(camera))
    scene.add("NodeAttribute", "NodeAttribute", "Camera", "Camera", *parts, under=model)
    if len(places) > 1:
        scene.animate(model, "Lcl Translation", places)
        scene.animate(model, "Lcl Rotation", angles)


def _lens(camera: CameraTrack) -> Node:
    """Film, focal length and size of the image."""
    (width, height), (across, up) = camera.film_mm, camera.film_offset_mm
    view_x, view_y = np.degrees(camera.field_of_view).tolist()
    numbers = {
        "FilmWidth": width / _INCH_MM,
        "FilmHeight": height / _INCH_MM,
        "FilmAspectRatio": camera.aspect,
        "FilmOffsetX": across / _INCH_MM,
        "FilmOffsetY": up / _INCH_MM,
        "FocalLength": camera.focal_mm,
        "FieldOfView": view_x,
        "FieldOfViewX": view_x,
        "FieldOfViewY": view_y,
        "AspectWidth": float(camera.size[0]),
        "AspectHeight": float(camera.size[1]),
        "NearPlane": _NEAR_CM,
        "FarPlane": _FAR_CM,
    }
    return properties(
        *(prop(name, "double", value) for name, value in numbers.items()),
        prop("AspectRatioMode", "enum", 2),  # the size of the image in pixels
        prop("ApertureMode", "enum", 3),  # film and focal length
    )


def _numbers(matrix: Float64) -> Float64:
    """The 16 numbers of a matrix; FBX stores columns."""
    return matrix.T.reshape(-1)


def _vector(name: str, values: Iterable[float]) -> Node:
    return prop(name, name, *map(float, values))
