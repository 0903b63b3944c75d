"""GLB: the rig, a skinned body and the camera, for Blender, Unity, Unreal and the web."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib as gltf
from numpy.typing import NDArray

from mocap_cli.body.resample import continuous_quaternions
from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import quaternion_from_matrix
from mocap_cli.export.formats.animation import Animation
from mocap_cli.export.formats.camera_track import CameraTrack
from mocap_cli.export.formats.capsules import CapsuleMesh, capsule_meshes
from mocap_cli.export.formats.vrm import vrm_extensions
from mocap_cli.io.atomic import write_atomically
from mocap_cli.types import Float64

_Track = tuple[int, str, Float64]  # a node, what of it is animated, the values in each frame

_SHAPES = {1: gltf.SCALAR, 3: gltf.VEC3, 4: gltf.VEC4, 16: gltf.MAT4}
_NEAR, _FAR = 0.1, 1000.0  # metres that the camera sees
_KINDS = {"float32": gltf.FLOAT, "uint16": gltf.UNSIGNED_SHORT, "uint8": gltf.UNSIGNED_BYTE}


def write_glb(
    animation: Animation,
    path: Path,
    others: Sequence[Animation] = (),
    *,
    humanoid: bool = False,
) -> None:
    """Write a skinned body whose joints carry the animation; metres, Y up.

    `others` are further people in the same world, at the same times. `humanoid` adds the extensions
    of VRM to a rig with its bones.
    """
    data = glb_bytes(animation, others, humanoid=humanoid)
    with write_atomically(path) as aside:
        aside.write_bytes(data)


def glb_bytes(
    animation: Animation, others: Sequence[Animation] = (), *, humanoid: bool = False
) -> bytes:
    """The file that `write_glb` writes."""
    document = _Document()
    tracks = []
    for number, person in enumerate((animation, *others), start=1):
        tracks += document.add_person(person, f" {number}" if others else "")
    if humanoid:
        document.add_extensions(vrm_extensions(animation))
    if animation.camera is not None:
        tracks += document.add_camera(animation.camera)
    document.add_animation(animation, tracks)
    return document.to_bytes()


class _Document:
    """A glTF file under construction: the JSON part, and the binary buffer behind it."""

    def __init__(self) -> None:
        self._gltf = gltf.GLTF2(
            asset=gltf.Asset(version="2.0", generator="mocap"), scene=0, scenes=[gltf.Scene()]
        )
        self._bytes = bytearray()

    def add_person(self, person: Animation, mark: str) -> list[_Track]:
        """The rig and body of a person; `mark` tells them from others. Returns their tracks."""
        first = len(self._gltf.nodes)
        skin = self._add_rig(person.rig, first)
        body = self._add_body(person.rig, f"Body{mark}", skin)
        if mark:  # a rig of its own for each person in Blender
            self._gltf.nodes.append(gltf.Node(name=f"Person{mark}", children=[first]))
        self._gltf.scenes[0].nodes += [len(self._gltf.nodes) - 1 if mark else first, body]
        return _joint_tracks(person, first)

    def _add_rig(self, rig: Rig, first: int) -> int:
        """One node for each joint, in the rest pose on the ground; returns the skin."""
        rest = rig.local_matrices
        turns = _quaternions(rest[None, :, :3, :3])[0]
        for joint, name in enumerate(rig.names):
            place, turn = rest[joint, :3, 3].tolist(), turns[joint].tolist()
            turn = None if turn == [0, 0, 0, 1] else turn
            node = gltf.Node(name=name, translation=place, rotation=turn)
            node.children = [first + child for child in rig.children(joint)]
            self._gltf.nodes.append(node)
        bind = np.linalg.inv(rig.bind_matrices).transpose(0, 2, 1)  # glTF stores columns
        matrices = self._add(bind.reshape(len(rig), 16).astype(np.float32))
        joints = list(range(first, first + len(rig)))
        self._gltf.skins.append(gltf.Skin(joints=joints, inverseBindMatrices=matrices))
        return len(self._gltf.skins) - 1

    def add_extensions(self, extensions: dict[str, Any]) -> None:
        """Extensions of the whole file, by name."""
        self._gltf.extensions = extensions
        self._gltf.extensionsUsed = list(extensions)

    def _add_body(self, rig: Rig, name: str, skin: int) -> int:
        """One skinned mesh in three colours next to the rig; returns its node."""
        mesh = gltf.Mesh(name=name)
        for side, part in capsule_meshes(rig).items():
            mesh.primitives.append(self._primitive(part))
            mesh.primitives[-1].material = len(self._gltf.materials)
            self._gltf.materials.append(_material(side, part))
        self._gltf.meshes.append(mesh)
        node = gltf.Node(name=name, mesh=len(self._gltf.meshes) - 1, skin=skin)
        self._gltf.nodes.append(node)
        return len(self._gltf.nodes) - 1

    def _primitive(self, part: CapsuleMesh) -> gltf.Primitive:
        joints = np.zeros((len(part.points), 4), np.uint8)
        joints[:, 0] = part.joints
        weights = np.zeros((len(part.points), 4), np.float32)
        weights[:, 0] = 1  # capsules are rigid
        attributes = gltf.Attributes(
            POSITION=self._add(part.points.astype(np.float32), gltf.ARRAY_BUFFER, bounded=True),
            NORMAL=self._add(part.normals.astype(np.float32), gltf.ARRAY_BUFFER),
            JOINTS_0=self._add(joints, gltf.ARRAY_BUFFER),
            WEIGHTS_0=self._add(weights, gltf.ARRAY_BUFFER),
        )
        corners = part.faces.reshape(-1, 1).astype(np.uint16)
        indices = self._add(corners, gltf.ELEMENT_ARRAY_BUFFER)
        return gltf.Primitive(attributes=attributes, indices=indices)

    def add_camera(self, camera: CameraTrack) -> list[_Track]:
        """The camera of the video, which glTF centres on the image; its tracks if it moves."""
        perspective = gltf.Perspective(
            yfov=camera.field_of_view[1], aspectRatio=camera.aspect, znear=_NEAR, zfar=_FAR
        )
        self._gltf.cameras.append(gltf.Camera(type="perspective", perspective=perspective))
        index, quaternions = len(self._gltf.nodes), _quaternions(camera.rotations)
        first = {"translation": camera.positions[0], "rotation": quaternions[0]}
        place = {name: values.tolist() for name, values in first.items()}
        self._gltf.nodes.append(gltf.Node(name="Camera", camera=0, **place))
        self._gltf.scenes[0].nodes.append(index)
        if len(camera.positions) == 1:
            return []
        return [(index, "translation", camera.positions), (index, "rotation", quaternions)]

    def add_animation(self, made: Animation, tracks: Iterable[_Track]) -> None:
        """Values of nodes in each frame; starts at 0 s."""
        animation = gltf.Animation(name=made.name)
        seconds = (made.period * np.arange(len(made.path)))[:, None].astype(np.float32)
        times = self._add(seconds, bounded=True)
        for index, what, values in tracks:
            target = gltf.AnimationChannelTarget(node=index, path=what)
            sampler = len(animation.samplers)
            animation.channels.append(gltf.AnimationChannel(sampler=sampler, target=target))
            output = self._add(values.astype(np.float32))
            animation.samplers.append(gltf.AnimationSampler(input=times, output=output))
        self._gltf.animations.append(animation)

    def _add(
        self, values: NDArray[Any], target: int | None = None, *, bounded: bool = False
    ) -> int:
        """Append (N, width) numbers to the buffer; returns the index of their accessor."""
        start, data = len(self._bytes), np.ascontiguousarray(values).tobytes()
        self._bytes += data + bytes(-len(data) % 4)  # views start at multiples of four
        view = gltf.BufferView(buffer=0, byteOffset=start, byteLength=len(data), target=target)
        self._gltf.bufferViews.append(view)
        accessor = gltf.Accessor(
            bufferView=len(self._gltf.bufferViews) - 1,
            componentType=_KINDS[values.dtype.name],
            count=len(values),
            type=_SHAPES[values.shape[1]],
        )
        if bounded:
            accessor.min, accessor.max = values.min(axis=0).tolist(), values.max(axis=0).tolist()
        self._gltf.accessors.append(accessor)
        return len(self._gltf.accessors) - 1

    def to_bytes(self) -> bytes:
        """The whole file."""
        self._gltf.buffers.append(gltf.Buffer(byteLength=len(self._bytes)))
        self._gltf.set_binary_blob(bytes(self._bytes))
        return b"".join(self._gltf.save_to_bytes())


def _joint_tracks(animation: Animation, first: int) -> list[_Track]:
    """The path of the mover, and rotations of all joints with children; `first` is the root."""
    quaternions = _quaternions(animation.local_rotations)
    moving = [joint for joint in range(len(animation.rig)) if animation.rig.children(joint)]
    rotations = [(first + joint, "rotation", quaternions[:, joint]) for joint in moving]
    return [(first + animation.rig.mover, "translation", animation.local_path), *rotations]


def _quaternions(rotations: Float64) -> Float64:
    """(T, ..., 4) as glTF has them: (x, y, z, w)."""
    return np.roll(continuous_quaternions(quaternion_from_matrix(rotations)), -1, axis=-1)


def _material(name: str, part: CapsuleMesh) -> gltf.Material:
    """A matt material."""
    surface = gltf.PbrMetallicRoughness(
        baseColorFactor=[*part.colour, 1.0], metallicFactor=0.0, roughnessFactor=0.8
    )
    return gltf.Material(name=name, pbrMetallicRoughness=surface, alphaCutoff=None)
