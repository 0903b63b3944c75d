"""Joint names of other people's characters: the same motion by other names."""

import json

import numpy as np
import pytest
from poses import dance, motion_of, t_pose
from readers import READERS, THREE, run_node

from mocap_cli.body.rig import fit_rig
from mocap_cli.export.formats.animation import animate, with_joint_names
from mocap_cli.export.formats.bvh import write_bvh
from mocap_cli.export.formats.glb import write_glb

TIMES = np.arange(10) / 30
MIXAMO = (
    "Hips Spine Spine1 Neck Head HeadTop_End LeftShoulder LeftArm LeftForeArm LeftHand"
    " LeftHandMiddle4 LeftUpLeg LeftLeg LeftFoot LeftToeBase LeftToe_End"
)
ROKOKO = (
    "Hips Spine1 Spine3 Neck Head RightShoulder RightArm RightForeArm RightHand RightThigh"
    " RightShin RightFoot RightToe RightToeTip"
)


def test_joints_have_the_names_of_the_characters_they_are_meant_for():
    rig = fit_rig(t_pose())
    mixamo, rokoko = (with_joint_names(rig, names).names for names in ("mixamo", "rokoko"))
    assert {f"mixamorig:{name}" for name in MIXAMO.split()} <= set(mixamo)
    assert set(ROKOKO.split()) <= set(rokoko)
    assert with_joint_names(rig, "default").names == rig.names


@pytest.mark.parametrize("names", ["mixamo", "rokoko"])
def test_names_change_nothing_else_in_a_bvh(tmp_path, names):
    motion = motion_of(dance(TIMES), TIMES)
    write_bvh(animate(motion), tmp_path / "a.bvh")
    write_bvh(animate(motion), tmp_path / "b.bvh", rig=names)
    ours, theirs = (READERS["pybvh"](tmp_path / f"{name}.bvh") for name in "ab")
    rig = fit_rig(motion.joints.astype(float))
    for name, other in zip(rig.names, with_joint_names(rig, names).names, strict=True):
        if name in ours:
            np.testing.assert_array_equal(ours[name], theirs[other])


@pytest.mark.parametrize("names", ["mixamo", "rokoko"])
def test_names_change_nothing_else_in_a_glb(tmp_path, names):
    motion = motion_of(dance(TIMES), TIMES)
    write_glb(animate(motion), tmp_path / "a.glb")
    write_glb(animate(motion), tmp_path / "b.glb", rig=names)
    ours, theirs = (
        run_node("read_glb.mjs", f"three@{THREE}", tmp_path / f"{name}.glb") for name in "ab"
    )
    assert json.dumps(ours["places"]) == json.dumps(theirs["places"])
    # three.js leaves colons out of names
    wanted = [n.replace(":", "") for n in with_joint_names(fit_rig(t_pose()), names).names]
    assert theirs["names"] == wanted
