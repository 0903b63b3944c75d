"""Readers of motion capture files (BVH, ASF/AMC, DeepMimic): each returns a clip."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap_cli.io import bvh as io_bvh
from mocap_cli.types import Float64
from training.synthesis.mocap_clip import LEG_LENGTH, LIMBS, PART_NAMES, MocapClip

CGSPEED = dict(
    pelvis="hip", spine="abdomen", chest="chest", neck="neck", head="head",
    left_collar="lCollar", left_upperarm="lShldr", left_forearm="lForeArm", left_hand="lHand",
    right_collar="rCollar", right_upperarm="rShldr", right_forearm="rForeArm", right_hand="rHand",
    left_thigh="lThigh", left_shank="lShin", left_foot="lFoot", left_toes="lFoot",
    right_thigh="rThigh", right_shank="rShin", right_foot="rFoot", right_toes="rFoot",
)  # fmt: skip
DIRECT = dict(
    pelvis="Hips", spine="lowerback", chest="Chest2", neck="lowerneck", head="Head",
    left_collar="LeftCollar", left_upperarm="LeftShoulder", left_forearm="LeftElbow",
    left_hand="LeftWrist", right_collar="RightCollar", right_upperarm="RightShoulder",
    right_forearm="RightElbow", right_hand="RightWrist",
    left_thigh="LeftHip", left_shank="LeftKnee", left_foot="LeftAnkle", left_toes="LeftToe",
    right_thigh="RightHip", right_shank="RightKnee", right_foot="RightAnkle",
    right_toes="RightToe",
)  # fmt: skip
ACCLAIM = dict(
    pelvis="root", spine="lowerback", chest="thorax", neck="lowerneck", head="head",
    left_collar="lclavicle", left_upperarm="lhumerus", left_forearm="lradius", left_hand="lhand",
    right_collar="rclavicle", right_upperarm="rhumerus", right_forearm="rradius",
    right_hand="rhand", left_thigh="lfemur", left_shank="ltibia", left_foot="lfoot",
    left_toes="ltoes", right_thigh="rfemur", right_shank="rtibia", right_foot="rfoot",
    right_toes="rtoes",
)  # fmt: skip
DEEPMIMIC_ORDER = (
    ("chest", 4), ("neck", 4), ("right_hip", 4), ("right_knee", 1), ("right_ankle", 4),
    ("right_shoulder", 4), ("right_elbow", 1), ("left_hip", 4), ("left_knee", 1),
    ("left_ankle", 4), ("left_shoulder", 4), ("left_elbow", 1),
)  # fmt: skip


def _rest_directions(starts: dict[str, Float64], ends: dict[str, Float64]) -> NDArray[np.float32]:
    """Unit directions of the limbs from their ends in the rest pose."""
    rest = np.zeros((len(PART_NAMES), 3), np.float32)
    for part in LIMBS:
        along = ends[part] - starts[part]
        rest[PART_NAMES.index(part)] = along / np.linalg.norm(along)
    return rest


def _straightened(rest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rest directions with the lower half of each limb in line with the upper one.

    The conversions to BVH keep the recorded angles on rigs that are drawn with knees bent by 8 and
    elbows by 17 degrees; beside the originals (AMC) everybody would stand bent by as much.
    """
    for side in ("left", "right"):
        for upper, lower in (("upperarm", "forearm"), ("thigh", "shank")):
            source = PART_NAMES.index(f"{side}_{upper}")
            rest[PART_NAMES.index(f"{side}_{lower}")] = rest[source]
    return rest


def _next_part(part: str) -> str:
    side, _, what = part.partition("_")
    follow = {"upperarm": "forearm", "forearm": "hand", "thigh": "shank", "shank": "foot"}
    return f"{side}_{follow[what]}"


def _leg_scale(starts: dict[str, Float64]) -> float:
    thigh = np.linalg.norm(starts["left_shank"] - starts["left_thigh"])
    return float(LEG_LENGTH / (thigh + np.linalg.norm(starts["left_foot"] - starts["left_shank"])))


# ---------------------------------------------------------------------------------------- BVH


def read_bvh(path: Path, name: str) -> MocapClip:
    """A BVH of the two CMU conversions: their rest pose is a T-pose facing +Z."""
    bvh = io_bvh.read_bvh(path)
    roles = CGSPEED if any(joint.name == "abdomen" for joint in bvh.joints) else DIRECT
    joints = {part: bvh.index(joint) for part, joint in roles.items()}
    rest, (positions, rotations) = bvh.rest_positions(), bvh.world_pose()
    at = {part: rest[joint] for part, joint in joints.items()}
    ends = {part: at[_next_part(part)] for part in LIMBS}
    hips = (at["left_thigh"] + at["right_thigh"]) / 2 - at["pelvis"]
    chosen = rotations[:, [joints[part] for part in PART_NAMES]]
    pelvis = (positions[:, 0] + chosen[:, 0] @ hips) * _leg_scale(at)
    directions = _straightened(_rest_directions(at, ends))
    return MocapClip(
        name, 1 / bvh.period, chosen.astype(np.float32), directions, pelvis.astype(np.float32)
    )


# ------------------------------------------------------------------------------------ ASF / AMC


@dataclass(slots=True)
class _Acclaim:
    names: list[str]
    parents: dict[str, str]
    along: dict[str, Float64]  # direction times length
    axis: dict[str, Rotation]
    dof: dict[str, tuple[str, ...]]


def _read_asf(text: str) -> _Acclaim:
    rig = _Acclaim(["root"], {"root": ""}, {"root": np.zeros(3)}, {}, {})
    rig.axis["root"], rig.dof["root"] = Rotation.identity(), ("rx", "ry", "rz")
    for block in re.findall(r"begin(.*?)end", text.split(":bonedata")[1], re.S):
        field: dict[str, list[str]] = {}
        for line in block.splitlines():
            key, *rest = line.split() or [""]
            field.setdefault(key, rest)
        if "name" not in field:
            continue
        name = field["name"][0]
        rig.along[name] = np.array(field["direction"], np.float64) * float(field["length"][0])
        rig.axis[name] = Rotation.from_euler("xyz", [float(a) for a in field["axis"][:3]], True)
        rig.dof[name] = tuple(field.get("dof", ()))
    for line in text.split(":hierarchy")[1].splitlines():
        parent, *children = line.split() or [""]
        if children:
            for child in children:
                rig.names.append(child)
                rig.parents[child] = parent
    return rig


def _read_amc(text: str) -> list[dict[str, list[float]]]:
    frames: list[dict[str, list[float]]] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 1 and words[0].isdigit():
            frames.append({})
        elif frames and words:
            frames[-1][words[0]] = [float(word) for word in words[1:]]
    return frames


def read_amc(asf: Path, amc: Path, name: str, fps: float = 120.0) -> MocapClip:
    """An Acclaim pair; angles are about each bone's own axes, from a rest pose facing +Z."""
    rig, frames = _read_asf(asf.read_text()), _read_amc(amc.read_text())
    rotations: dict[str, Float64] = {}
    starts: dict[str, Float64] = {"root": np.zeros(3)}
    for bone in rig.names:
        angles = np.zeros((len(frames), 3))
        dof = rig.dof[bone]
        offset = 3 if bone == "root" else 0
        for i, which in enumerate(d for d in dof if d in ("rx", "ry", "rz")):
            angles[:, "xyz".index(which[1])] = [f[bone][offset + i] for f in frames]
        spin = rig.axis[bone] * Rotation.from_euler("xyz", angles, True) * rig.axis[bone].inv()
        parent = rig.parents[bone]
        rotations[bone] = rotations[parent] @ spin.as_matrix() if parent else spin.as_matrix()
        if parent:
            starts[bone] = starts[parent] + rig.along[parent]
    at = {part: starts[bone] for part, bone in ACCLAIM.items()}
    ends = {part: starts[ACCLAIM[part]] + rig.along[ACCLAIM[part]] for part in LIMBS}
    root = np.array([frame["root"][:3] for frame in frames])
    chosen = np.stack([rotations[ACCLAIM[part]] for part in PART_NAMES], axis=1)
    hips = (at["left_thigh"] + at["right_thigh"]) / 2
    pelvis = (root + chosen[:, 0] @ hips) * _leg_scale(at)
    rest = _rest_directions(at, ends)
    return MocapClip(name, fps, chosen.astype(np.float32), rest, pelvis.astype(np.float32))


# ------------------------------------------------------------------------------------ DeepMimic

# Its rest pose faces +X with hanging arms; ours faces +Z.
_FACE = Rotation.from_euler("y", -90, degrees=True)


def read_deepmimic(path: Path, name: str, fps: float = 60.0) -> MocapClip:
    """A DeepMimic motion, its uneven frames resampled; loops are not unrolled."""
    raw = np.array(json.loads(path.read_text())["Frames"], np.float64)
    clock = np.concatenate(([0.0], np.cumsum(raw[:-1, 0])))
    times = np.arange(0, clock[-1], 1 / fps)
    local = {"root": _slerp(clock, raw[:, 4:8], times)}
    column = 8
    for joint, size in DEEPMIMIC_ORDER:
        block = raw[:, column : column + size]
        column += size
        if size == 4:
            local[joint] = _slerp(clock, block, times)
        else:
            local[joint] = Rotation.from_euler("z", np.interp(times, clock, block[:, 0])[:, None])
    rotations = _deepmimic_turns(local)
    rest = np.zeros((len(PART_NAMES), 3), np.float32)
    for part in LIMBS:
        rest[PART_NAMES.index(part)] = (0, -1, 0)
    root = np.stack([np.interp(times, clock, raw[:, 1 + i]) for i in range(3)], axis=1)
    pelvis = _FACE.apply(root) * (LEG_LENGTH / (0.421546 + 0.409870))
    return MocapClip(name, fps, rotations, rest, pelvis.astype(np.float32))


def _slerp(clock: Float64, wxyz: Float64, times: Float64) -> Rotation:
    from scipy.spatial.transform import Slerp

    spins = Rotation.from_quat(np.roll(wxyz, -1, axis=1))
    return Rotation.from_quat(Slerp(clock, spins)(times).as_quat())


def _deepmimic_turns(local: dict[str, Rotation]) -> NDArray[np.float32]:
    root = local["root"]
    chest = root * local["chest"]
    turn = {"pelvis": root, "spine": root, "chest": chest, "neck": chest}
    turn["head"] = chest * local["neck"]
    for side in ("left", "right"):
        turn[f"{side}_collar"] = chest
        turn[f"{side}_upperarm"] = chest * local[f"{side}_shoulder"]
        turn[f"{side}_forearm"] = turn[f"{side}_upperarm"] * local[f"{side}_elbow"]
        turn[f"{side}_hand"] = turn[f"{side}_forearm"]
        turn[f"{side}_thigh"] = root * local[f"{side}_hip"]
        turn[f"{side}_shank"] = turn[f"{side}_thigh"] * local[f"{side}_knee"]
        turn[f"{side}_foot"] = turn[f"{side}_shank"] * local[f"{side}_ankle"]
        turn[f"{side}_toes"] = turn[f"{side}_foot"]
    faced = [(_FACE * turn[part] * _FACE.inv()).as_matrix() for part in PART_NAMES]
    return np.stack(faced, axis=1).astype(np.float32)
