"""Rigs of other programs: the same motion on their bones, with their rest pose and their axes."""

from pathlib import Path

import numpy as np
import pygltflib
import pytest
from numpy.typing import NDArray
from poses import dance, motion_of
from readers import THREE, THREE_VRM, read_with_pybvh, read_with_ufbx, run_node
from scipy.spatial.transform import Rotation
from test_export_usd import opened
from test_export_usd import places as usd_places

from mocap_cli.body.kinematics import forward_kinematics
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.animation import animate
from mocap_cli.export.rigs.retarget import retarget
from mocap_cli.export.rigs.tables import RIG_TABLES

TIMES = np.arange(6) / 30
MOTION = motion_of(dance(TIMES), TIMES)
OURS = animate(MOTION)
Places = dict[str, NDArray[np.float64]]

# Parents of the bones as their makers publish them; a star stands for each side.
PUBLISHED = {
    "mixamo": (
        "Spine<Hips Spine1<Spine Spine2<Spine1 Neck<Spine2 Head<Neck HeadTop_End<Head"
        " *Shoulder<Spine2 *Arm<*Shoulder *ForeArm<*Arm *Hand<*ForeArm *HandMiddle1<*Hand"
        " *HandMiddle2<*HandMiddle1 *HandMiddle3<*HandMiddle2 *HandMiddle4<*HandMiddle3"
        " *UpLeg<Hips *Leg<*UpLeg *Foot<*Leg *ToeBase<*Foot *Toe_End<*ToeBase"
    ),
    "rokoko": (
        "Spine1<Hips Spine2<Spine1 Spine3<Spine2 Spine4<Spine3 Neck<Spine4 Head<Neck"
        " *Shoulder<Spine4 *Arm<*Shoulder *ForeArm<*Arm *Hand<*ForeArm"
        " *Thigh<Hips *Shin<*Thigh *Foot<*Shin *Toe<*Foot *ToeTip<*Toe"
    ),
    "ue5": (
        "pelvis<root spine_01<pelvis spine_02<spine_01 spine_03<spine_02 spine_04<spine_03"
        " spine_05<spine_04 neck_01<spine_05 neck_02<neck_01 head<neck_02 clavicle_*<spine_05"
        " upperarm_*<clavicle_* lowerarm_*<upperarm_* hand_*<lowerarm_*"
        " thigh_*<pelvis calf_*<thigh_* foot_*<calf_* ball_*<foot_*"
    ),
    "vrm": (
        "spine<hips chest<spine upperChest<chest neck<upperChest head<neck"
        " *Shoulder<upperChest *UpperArm<*Shoulder *LowerArm<*UpperArm *Hand<*LowerArm"
        " *UpperLeg<hips *LowerLeg<*UpperLeg *Foot<*LowerLeg *Toes<*Foot"
    ),
    "rigify": (
        "spine.001<spine spine.002<spine.001 spine.003<spine.002 spine.004<spine.003"
        " spine.005<spine.004 spine.006<spine.005 shoulder.*<spine.003 upper_arm.*<shoulder.*"
        " forearm.*<upper_arm.* hand.*<forearm.* thigh.*<spine shin.*<thigh.* foot.*<shin.*"
        " toe.*<foot.*"
    ),
    "smpl": (
        "*_hip<pelvis spine1<pelvis *_knee<*_hip spine2<spine1 *_ankle<*_knee spine3<spine2"
        " *_foot<*_ankle neck<spine3 *_collar<spine3 head<neck *_shoulder<*_collar"
        " *_elbow<*_shoulder *_wrist<*_elbow *_hand<*_wrist"
    ),
}
SIDES = {"ue5": "l r", "rigify": "L R", "vrm": "left right", "smpl": "left right"}
# World directions of the X and Y axes of bones in the rest pose (left, up, front), as measured.
REST_AXES = {
    "mixamo": {  # X Bot
        "mixamorig:Hips": ((1, 0, 0), (0, 1, 0)),
        "mixamorig:LeftArm": ((0, 0, -1), (1, 0, 0)),
        "mixamorig:RightHand": ((0, 0, 1), (-1, 0, 0)),
        "mixamorig:LeftLeg": ((-1, 0, 0), (0, -1, 0)),
        "mixamorig:RightUpLeg": ((-1, 0, 0), (0, -1, 0)),
        "mixamorig:LeftToeBase": ((-1, 0, 0), (0, 0, 1)),
    },
    "ue5": {  # Epic's mannequin
        "root": ((1, 0, 0), (0, 0, -1)),
        "spine_05": ((0, 1, 0), (0, 0, -1)),
        "upperarm_l": ((0.75, -0.67, -0.02), (-0.02, 0.01, -1)),
        "upperarm_r": ((0.75, 0.67, 0.02), (-0.02, -0.01, 1)),
        "lowerarm_l": ((0.64, -0.62, 0.46), (0.39, -0.26, -0.89)),
        "hand_r": ((0.51, 0.78, -0.37), (-0.79, 0.59, 0.15)),
        "thigh_l": ((-0.11, 0.99, 0), (0, 0.01, -1)),
        "calf_r": ((-0.08, -0.99, -0.08), (-0.01, -0.08, 1)),
        "ball_l": ((0, 0, 1), (0, 1, 0)),
    },
    "vrm": {"leftUpperArm": ((1, 0, 0), (0, 1, 0)), "hips": ((1, 0, 0), (0, 1, 0))},
    "rigify": {  # Blender's basic human metarig; Blender's (x, y, z) are (x, z, -y) here
        "spine": ((1, 0, 0), (0, 1, 0)),
        "upper_arm.L": ((-0.48, -0.88, 0), (0.856, -0.47, -0.214)),
        "forearm.R": ((-0.55, 0.84, 0), (-0.826, -0.544, 0.15)),
        "thigh.L": ((1, 0, 0), (0, -0.997, 0.076)),
        "shin.R": ((1, 0, 0), (0, -0.995, -0.099)),
        "toe.L": ((-1, 0, 0), (0, 0, 1)),
    },
    "smpl": {"left_elbow": ((1, 0, 0), (0, 1, 0)), "pelvis": ((1, 0, 0), (0, 1, 0))},
}
RIGS = sorted(RIG_TABLES)


def read_glb(path: Path) -> tuple[Places, Places]:
    """Places (T, 3) and rest axes (3, 3) of nodes, with forward kinematics of our own."""
    file = pygltflib.GLTF2().load(str(path))
    blob = file.binary_blob()

    def values(index: int) -> NDArray[np.float64]:
        accessor = file.accessors[index]
        start = file.bufferViews[accessor.bufferView].byteOffset
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor.type]
        numbers = np.frombuffer(blob, np.float32, accessor.count * width, start)
        return numbers.reshape(-1, width).astype(float)

    animation = file.animations[0]
    tracks = {
        (channel.target.node, channel.target.path): values(
            animation.samplers[channel.sampler].output
        )
        for channel in animation.channels
    }
    T, places, rest = len(TIMES), {}, {}

    def visit(index: int, place: NDArray, turn: Rotation, resting: Rotation) -> None:
        node = file.nodes[index]
        still = Rotation.from_quat(node.rotation or (0, 0, 0, 1))
        move = tracks.get((index, "translation"), np.tile(node.translation, (T, 1)))
        own = tracks.get((index, "rotation"), np.tile(still.as_quat(), (T, 1)))
        place, resting = place + turn.apply(move), resting * still
        turn = turn * Rotation.from_quat(own)
        places[node.name], rest[node.name] = place, resting.as_matrix()
        for child in node.children:
            visit(child, place, turn, resting)

    visit(0, np.zeros((T, 3)), Rotation.identity(T), Rotation.identity())
    return places, rest


def assert_same_joints(theirs: Places, rig: str, scale: float = 1.0) -> None:
    """Wherever both rigs have a joint, it is at the same place within a millimetre."""
    ours = forward_kinematics(OURS.rig, OURS.rotations, OURS.path)
    made = retarget(OURS, rig).rig
    shared = [name for name in OURS.rig.body_joints if name and name in made.body_joints]
    assert len(set(shared)) == 19
    for joint in shared:
        found = theirs[made.names[made.index_of(joint)]] * scale
        np.testing.assert_allclose(found, ours[:, OURS.rig.index_of(joint)], atol=1e-3)


@pytest.mark.parametrize("name", RIGS)
def test_bones_and_their_parents_are_those_that_the_maker_publishes(name):
    rig = retarget(OURS, name).rig
    parents = [rig.names[max(parent, 0)] for parent in rig.parents]
    found = dict(zip(rig.names, parents, strict=True))
    prefix = "mixamorig:" if name == "mixamo" else ""
    sides = SIDES.get(name, "Left Right").split()
    pairs = {text.replace("*", s) for text in PUBLISHED[name].split() for s in sides}
    wanted = {prefix + c: prefix + p for c, p in (pair.split("<") for pair in pairs)}
    extra = set(found) - set(wanted) - {rig.names[0]}
    assert all(bone.endswith("_end") and not rig.children(rig.index(bone)) for bone in extra)
    assert wanted == {child: found[child] for child in wanted}


@pytest.mark.parametrize("name", sorted(REST_AXES))
def test_the_rest_pose_has_the_axes_of_the_original_within_six_degrees(tmp_path, name):
    MOTION.save(tmp_path / "a.glb", rig=name)
    _, rest = read_glb(tmp_path / "a.glb")
    for bone, wanted in REST_AXES[name].items():
        cosines = np.sum(rest[bone][:, :2].T * wanted, axis=-1) / np.linalg.norm(wanted, axis=-1)
        assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).max() < 6, bone


@pytest.mark.parametrize("name", RIGS)
def test_a_glb_has_the_joints_of_the_default_rig_in_every_frame(tmp_path, name):
    MOTION.save(tmp_path / "a.glb", rig=name)
    assert_same_joints(read_glb(tmp_path / "a.glb")[0], name)


@pytest.mark.parametrize("name", ["mixamo", "ue5", "rigify"])
def test_an_fbx_has_the_joints_of_the_default_rig_in_every_frame(tmp_path, name):
    MOTION.save(tmp_path / "a.fbx", rig=name)
    read = read_with_ufbx(tmp_path / "a.fbx")
    places = {bone: np.array(frames)[:, 3] for bone, frames in read["world"].items()}
    assert_same_joints(places, name, 0.01)
    for bone, wanted in REST_AXES[name].items():
        axes = np.array(read["rest"][bone])[:2]
        np.testing.assert_allclose(axes / np.linalg.norm(axes, axis=-1)[:, None], wanted, atol=0.1)
    for cluster in read["clusters"]:  # bound where the rest pose is
        np.testing.assert_allclose(cluster["bind"], read["rest"][cluster["joint"]], atol=1e-3)


@pytest.mark.parametrize("name", ["mixamo", "rokoko", "rigify", "smpl"])
def test_a_bvh_has_the_joints_of_the_default_rig_in_every_frame(tmp_path, name):
    MOTION.save(tmp_path / "a.bvh", rig=name, units="m")
    places = read_with_pybvh(tmp_path / "a.bvh")
    made = retarget(OURS, name).rig
    ends = {bone: np.full((len(TIMES), 3), np.nan) for bone in made.names if bone not in places}
    head = made.names[made.index_of("head")]  # BVH has no names for ends
    ours = forward_kinematics(OURS.rig, OURS.rotations, OURS.path)
    assert_same_joints(places | ends | {head: ours[:, OURS.rig.index_of("head")]}, name)


def test_the_skin_of_an_a_pose_moves_as_that_of_the_t_pose(tmp_path):
    MOTION.save(tmp_path / "a.glb")
    MOTION.save(tmp_path / "b.glb", rig="ue5")
    ours, theirs = (run_node("read_glb.mjs", f"three@{THREE}", tmp_path / f"{n}.glb") for n in "ab")
    np.testing.assert_allclose(theirs["reach"], ours["reach"], atol=0.02)


@pytest.mark.parametrize("name", ["ue5", "rigify"])
def test_a_usd_has_the_joints_of_the_default_rig_in_every_frame(tmp_path, name):
    MOTION.save(tmp_path / "a.usda", rig=name)
    _, query = opened(tmp_path / "a.usda")
    made = retarget(OURS, name).rig
    theirs = usd_places(query, len(TIMES)).values()  # in the order of the rig
    assert_same_joints(dict(zip(made.names, theirs, strict=True)), name)


def test_vrm_opens_as_an_avatar_and_as_a_motion(tmp_path):
    MOTION.save(tmp_path / "a.glb", rig="vrm")
    read = run_node("read_vrm.mjs", THREE_VRM, tmp_path / "a.glb")
    assert read["version"] == "1"
    bones = set(retarget(OURS, "vrm").rig.names)
    assert set(read["names"]) == {bone for bone in bones if not bone.endswith("_end")}
    np.testing.assert_allclose(read["times"], TIMES, atol=1e-4)
    places = np.array(read["places"])
    moved = dict(zip(read["names"], places.swapaxes(0, 1), strict=True))
    written, _ = read_glb(tmp_path / "a.glb")
    for bone in ("hips", "leftHand", "rightFoot", "head"):
        np.testing.assert_allclose(moved[bone], written[bone], atol=1e-3)


@pytest.mark.parametrize(
    ("rig", "suffix", "hint"),
    [("ue5", ".bvh", "fbx"), ("vrm", ".bvh", "glb"), ("vrm", ".fbx", "glb")],
)
def test_a_rig_that_a_format_cannot_hold_is_refused_before_any_file(
    tmp_path, run_mocap, rig, suffix, hint
):
    with pytest.raises(MocapError, match=rf"a\{suffix} with --rig {rig}") as caught:
        MOTION.save(tmp_path / f"a{suffix}", rig=rig)
    assert hint in str(caught.value.hint)
    MOTION.save(tmp_path / "a.json")
    status, _, error = run_mocap(f"export a.json -o b.glb -o b{suffix} --rig {rig}")
    assert (status, f"b{suffix} with --rig {rig}" in error) == (1, True)
    assert {path.name for path in tmp_path.iterdir()} == {"a.json"}
