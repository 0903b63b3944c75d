"""Retargeting: an animation of the default rig on the bones of another program's rig.

Each bone of the table follows one joint of the default rig rigidly, so that every joint that both
have is at the same place in every frame. Only the rest pose, the axes and the names differ.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from mocap_cli.body.kinematics import local_rotations, world_rotations
from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import inverse, rotation_between, unit
from mocap_cli.export.formats.animation import Animation
from mocap_cli.export.rigs.tables import RIG_TABLES, Bone, RigName, RigTable
from mocap_cli.types import Float64

_AXES = {
    "L": (1, 0, 0), "R": (-1, 0, 0), "U": (0, 1, 0),
    "D": (0, -1, 0), "F": (0, 0, 1), "B": (0, 0, -1),
}  # fmt: skip
_MIRROR = np.array((-1.0, 1.0, 1.0))


def retarget(animation: Animation, name: RigName) -> Animation:
    """The same motion on that rig."""
    if name == "default":
        return animation
    source, joints = animation.rig, _joints(RIG_TABLES[name], animation.rig)
    to_rest = _rest_rotations(joints)
    turns = world_rotations(source, animation.rotations)
    standing = np.broadcast_to(np.eye(3), (len(turns), 3, 3))
    followed = [standing if j.follows < 0 else turns[:, j.follows] for j in joints]
    turned = np.stack(followed, axis=1) @ inverse(to_rest)
    rig = _rig(joints, to_rest, aligned=RIG_TABLES[name].aligned)
    return replace(animation, rig=rig, rotations=local_rotations(rig, turned))


@dataclass(frozen=True, slots=True)
class _Joint:
    """A joint of the rig to be made, in the T-pose of the default rig."""

    name: str
    parent: int
    follows: int  # the joint of the default rig whose rotation it has; -1 stands still
    place: Float64  # (3,) metres, the ground at 0
    bone: Float64  # (3,) unit direction
    axes: Float64  # (3, 3)
    measured: bool  # the bone ends in a joint of BODY; the ends of hands and toes are estimates
    rest: Float64 | None  # (3,) unit direction in the rest pose, None as in the T-pose
    body_joint: str
    part: str


def _joints(table: RigTable, source: Rig) -> list[_Joint]:
    joints: list[_Joint] = []
    for bone, mirrored in _both_sides(table):
        names = [joint.name for joint in joints]
        parent = names.index(bone.parent) if bone.parent else -1
        joints.append(_joint(bone, parent, source, table.negated if mirrored else None))
    covered = {source.index(bone.at) for bone, _ in _both_sides(table) if bone.at}
    for end in range(len(source)):
        if not source.children(end) and end not in covered:
            joints.append(_end(end, joints, source))
    return joints


def _both_sides(table: RigTable) -> Iterator[tuple[Bone, bool]]:
    """The bones without stars; True for those of the right side."""
    for bone in table.bones:
        if "*" not in bone.name:
            yield bone, False
            continue
        for side, ours, mirrored in zip(table.sides, ("Left", "Right"), (False, True), strict=True):
            name, parent = (text.replace("*", side) for text in (bone.name, bone.parent))
            yield replace(bone, name=name, parent=parent, at=bone.at.replace("*", ours)), mirrored


def _joint(bone: Bone, parent: int, source: Rig, negated: Iterable[int] | None) -> _Joint:
    """`negated` are the signs of a right bone's axes against the mirror image of the left's."""
    axes = np.array([_AXES[letter] for letter in bone.axes], float).T
    rest = None if bone.rest is None else unit(bone.rest)
    if negated is not None:
        axes = _MIRROR[:, None] * axes * np.array(list(negated))
        rest = None if rest is None else _MIRROR * rest
    if not bone.at:
        return _Joint(bone.name, parent, -1, np.zeros(3), np.zeros(3), axes, False, rest, "", "")
    at = source.index(bone.at)
    start, end = _ends(source, at)
    children = source.children(at)
    return _Joint(
        bone.name,
        parent,
        at if children else source.parents[at],
        start + bone.along * (end - start),
        unit(end - start),
        axes,
        any(source.body_joints[child] for child in children),
        rest,
        source.body_joints[at] if not bone.along else "",
        source.names[children[0]] if bone.along else bone.at,
    )


def _end(end: int, joints: list[_Joint], source: Rig) -> _Joint:
    """The end of the last bone that follows the default rig's bone to that end."""
    parent = max(i for i, joint in enumerate(joints) if joint.follows == source.parents[end])
    above = joints[parent]
    return replace(
        above,
        name=f"{above.name}_end",
        parent=parent,
        place=_ends(source, end)[0],
        bone=np.zeros(3),
        measured=False,
        rest=None,
        body_joint=source.body_joints[end],
        part=source.names[end],
    )


def _ends(source: Rig, joint: int) -> tuple[Float64, Float64]:
    """Where the bone of a joint starts and ends in the T-pose."""
    places = source.bind_matrices[:, :3, 3]
    children = source.children(joint)
    return places[joint], places[children[0] if children else joint]


def _rest_rotations(joints: list[_Joint]) -> Float64:
    """(N, 3, 3) rotations from the T-pose to the rest pose, without a roll from bone to bone."""
    rotations = np.tile(np.eye(3), (len(joints), 1, 1))
    for i, joint in enumerate(joints):
        if joint.rest is not None:
            above = rotations[joint.parent]
            rotations[i] = rotation_between(above @ joint.bone, joint.rest) @ above
        elif not joint.bone.any() and joint.parent >= 0:  # an end has the rotation of its bone
            rotations[i] = rotations[joint.parent]
    return rotations


def _rig(joints: list[_Joint], to_rest: Float64, *, aligned: bool) -> Rig:
    offsets = np.zeros((len(joints), 3))
    axes = to_rest @ np.stack([joint.axes for joint in joints])
    for i, joint in enumerate(joints):
        if joint.parent >= 0:
            offsets[i] = to_rest[joint.parent] @ (joint.place - joints[joint.parent].place)
        if aligned and joint.measured:
            axes[i] = _aligned(axes[i], to_rest[i] @ joint.bone)
    moving = [i for i, joint in enumerate(joints) if joint.body_joint == "pelvis"]
    rig = Rig(
        tuple(joint.name for joint in joints),
        tuple(joint.parent for joint in joints),
        tuple(joint.body_joint for joint in joints),
        offsets,
        tuple(joint.part for joint in joints),
        axes,
        moving[0],
    )
    return _grounded(rig)


def _aligned(axes: Float64, bone: Float64) -> Float64:
    """The axes with the one that is nearest to the bone exactly along it."""
    along = axes.T @ bone
    nearest = int(np.abs(along).argmax())
    return np.asarray(rotation_between(np.sign(along[nearest]) * axes[:, nearest], bone) @ axes)


def _grounded(rig: Rig) -> Rig:
    """A rig whose root stands on the ground has its lowest joint there in the rest pose too."""
    if rig.mover:
        rig.offsets[rig.mover, 1] -= rig.rest_positions[rig.mover :, 1].min()
    return rig
