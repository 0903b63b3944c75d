"""GLB files as Khronos' validator, three.js and trimesh find them."""

import numpy as np
import pytest
import trimesh
from poses import dance, handstand, motion_of, somersault, t_pose
from readers import THREE, VALIDATOR, run_node
from test_export_bvh import JOINT_OF

from mocap_cli.body.rig import fit_rig
from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.animation import animate
from mocap_cli.export.formats.capsules import _capsules
from mocap_cli.export.formats.glb import write_glb

TIMES = np.arange(60) / 60
NODE_OF = {**JOINT_OF, "head": "HeadEnd"}


@pytest.mark.parametrize("frames", [1, 60])
def test_khronos_validator_has_nothing_to_say(tmp_path, frames):
    write_glb(animate(motion_of(dance(TIMES)[:frames], TIMES[:frames])), tmp_path / "a.glb")
    issues = run_node("validate_glb.mjs", f"gltf-validator@{VALIDATOR}", tmp_path / "a.glb")
    assert issues["issues"]["messages"] == []
    assert issues["info"]["animationCount"] == 1
    assert issues["info"]["hasSkins"]


def test_three_js_finds_all_joints_within_a_millimetre_at_the_times_of_the_video(tmp_path):
    joints = np.concatenate((somersault(TIMES), dance(TIMES), handstand(TIMES)))
    times = 3 + np.arange(180) / 60
    write_glb(animate(motion_of(joints, times)), tmp_path / "a.glb")
    read = run_node("read_glb.mjs", f"three@{THREE}", tmp_path / "a.glb")
    np.testing.assert_allclose(read["times"], times - 3, atol=1e-5)
    places = np.array(read["places"])
    for ours, theirs in NODE_OF.items():
        miss = places[:, read["names"].index(theirs)] - joints[:, BODY.index(ours)]
        assert np.linalg.norm(miss, axis=-1).max() < 1e-3, ours


def test_the_skin_goes_where_the_joints_go(tmp_path):
    joints = somersault(TIMES, 1)[30:]  # upside down, off the ground, away from the origin
    write_glb(animate(motion_of(joints, TIMES[30:])), tmp_path / "a.glb")
    read = run_node("read_glb.mjs", f"three@{THREE}", tmp_path / "a.glb")
    low, high = np.array(read["reach"])
    first = np.array(read["places"])[0]
    assert (low <= first.min(axis=0) + 0.01).all()
    assert (high >= first.max(axis=0) - 0.01).all()
    assert (high - low <= np.ptp(first, axis=0) + 0.3).all()


def test_trimesh_finds_a_person_in_t_pose_on_the_ground_that_faces_z(tmp_path):
    write_glb(animate(motion_of(t_pose(), TIMES[:5])), tmp_path / "a.glb")
    low, high = trimesh.load_scene(tmp_path / "a.glb").bounds
    assert low[1] == pytest.approx(0, abs=0.05)
    assert 1.4 < high[1] < 1.8
    assert high[0] == pytest.approx(-low[0], abs=0.01)
    assert high[0] > 0.7
    assert high[2] > -low[2]  # the toes are in front


def test_limbs_lie_along_their_bones_on_their_side():
    rig = fit_rig(t_pose())
    for limb in _capsules(rig):
        assert np.linalg.norm(limb.normals, axis=-1) == pytest.approx(1)
        if limb.side != "middle":
            assert np.sign(limb.points[:, 0].mean()) == {"left": 1, "right": -1}[limb.side]
        outward = limb.points - limb.points.mean(axis=0)
        assert (np.sum(outward * limb.normals, axis=-1) > 0).all()


def test_another_rate_gives_that_many_key_frames(tmp_path):
    write_glb(animate(motion_of(dance(TIMES), TIMES), fps=24), tmp_path / "a.glb")
    read = run_node("read_glb.mjs", f"three@{THREE}", tmp_path / "a.glb")
    np.testing.assert_allclose(np.diff(read["times"]), 1 / 24, atol=1e-5)


def test_nobody_is_said_and_leaves_no_file(tmp_path):
    with pytest.raises(MocapError, match=r"a\.mp4: no frame has a person"):
        write_glb(animate(motion_of(np.full((4, 19, 3), np.nan), TIMES[:4])), tmp_path / "a.glb")
    assert not list(tmp_path.iterdir())
