"""FBX files as ufbx and three.js find them."""

import numpy as np
import pytest
from poses import dance, handstand, motion_of, somersault, t_pose
from readers import read_with_three, read_with_ufbx
from test_export_glb import NODE_OF

from mocap_cli.body.motion import Source
from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.animation import animate
from mocap_cli.export.formats.fbx import write_fbx
from mocap_cli.export.rigs.retarget import retarget

TIMES = np.arange(30) / 30


def places(read: dict, joint: str) -> np.ndarray:
    """(T, 3) metres."""
    return np.array(read["world"][joint])[:, 3] / 100


def test_ufbx_finds_all_joints_within_a_millimetre_at_the_times_of_the_video(tmp_path):
    joints = np.concatenate((somersault(TIMES), dance(TIMES), handstand(TIMES)))
    write_fbx(animate(motion_of(joints, 2 + np.arange(90) / 30)), tmp_path / "a.fbx")
    read = read_with_ufbx(tmp_path / "a.fbx")
    for ours, theirs in NODE_OF.items():
        miss = places(read, theirs) - joints[:, BODY.index(ours)]
        assert np.linalg.norm(miss, axis=-1).max() < 1e-3, ours


def test_three_js_finds_all_joints_within_a_millimetre(tmp_path):
    joints = np.concatenate((somersault(TIMES), dance(TIMES), handstand(TIMES)))
    write_fbx(animate(motion_of(joints, 2 + np.arange(90) / 30)), tmp_path / "a.fbx")
    read = read_with_three(tmp_path / "a.fbx")
    for ours, theirs in NODE_OF.items():
        miss = read[theirs] / 100 - joints[:, BODY.index(ours)]
        assert np.linalg.norm(miss, axis=-1).max() < 1e-3, ours


@pytest.mark.parametrize("fps", [25, 30000 / 1001, 60, 14.5])
def test_the_scene_has_the_rate_of_the_video_centimetres_and_y_up(tmp_path, fps):
    times = np.arange(20) / fps
    write_fbx(animate(motion_of(dance(times), times)), tmp_path / "a.fbx")
    read = read_with_ufbx(tmp_path / "a.fbx")
    assert read["fps"] == pytest.approx(fps, rel=1e-5)
    assert read["custom_rate"] == (fps == 14.5)
    assert (read["metres"], read["up"]) == (0.01, "POSITIVE_Y")
    assert read["times"] == pytest.approx(times, abs=1e-9)


def test_the_body_is_bound_in_a_t_pose_on_the_ground_each_point_to_one_joint(tmp_path):
    write_fbx(animate(motion_of(t_pose(), TIMES[:5])), tmp_path / "a.fbx")
    read = read_with_ufbx(tmp_path / "a.fbx")
    points = np.array(read["points"]) / 100
    assert points[:, 1].min() == pytest.approx(0, abs=0.05)
    assert points[:, 0].max() == pytest.approx(-points[:, 0].min(), abs=0.01)
    assert points[:, 2].max() > -points[:, 2].min()  # the toes are in front
    bound = np.concatenate([cluster["vertices"] for cluster in read["clusters"]])
    assert sorted(bound.tolist()) == list(range(len(points)))
    for cluster in read["clusters"]:
        bind = np.array(cluster["bind"])
        np.testing.assert_allclose(bind, read["rest"][cluster["joint"]], atol=1e-6)
        np.testing.assert_allclose(np.array(cluster["mesh_to_joint"])[3], -bind[3], atol=1e-6)


def test_mixamo_names_keep_their_colons(tmp_path):
    write_fbx(retarget(animate(motion_of(t_pose(), TIMES[:5])), "mixamo"), tmp_path / "a.fbx")
    assert "mixamorig:LeftUpLeg" in read_with_ufbx(tmp_path / "a.fbx")["bones"]


def test_one_frame_is_one_key(tmp_path):
    joints = dance(TIMES)[:1]
    write_fbx(animate(motion_of(joints, TIMES[:1])), tmp_path / "a.fbx")
    hips = places(read_with_ufbx(tmp_path / "a.fbx"), "Hips")
    assert hips == pytest.approx(joints[:, 0], abs=1e-5)


def test_frames_without_a_person_are_filled(tmp_path):
    joints = dance(TIMES)
    seen = np.ones(len(TIMES), bool)
    seen[:3] = seen[10:14] = seen[27:] = False
    gaps = np.where(seen[:, None, None], joints, np.nan)
    write_fbx(animate(motion_of(gaps, TIMES)), tmp_path / "a.fbx")
    hips = places(read_with_ufbx(tmp_path / "a.fbx"), "Hips")
    assert np.isfinite(hips).all()
    np.testing.assert_allclose(hips[seen], joints[seen, 0], atol=1e-3)
    np.testing.assert_allclose(hips[:3], joints[[3, 3, 3], 0], atol=1e-3)


@pytest.mark.parametrize("name", ["Sprung ä 跳.mp4", "a:b|c\x00\x01d\n.mp4", ".mp4"])
def test_any_name_of_a_video_is_a_name_of_the_animation(tmp_path, name):
    source = Source(file=name, fps=60.0, width=64, height=48, frames=5, rotation=0)
    write_fbx(animate(motion_of(dance(TIMES), TIMES, source=source)), tmp_path / "a.fbx")
    assert len(read_with_ufbx(tmp_path / "a.fbx")["times"]) == len(TIMES)


def test_the_same_motion_gives_the_same_bytes(tmp_path):
    animation = animate(motion_of(dance(TIMES), TIMES))
    for name in "ab":
        write_fbx(animation, tmp_path / f"{name}.fbx")
    assert (tmp_path / "a.fbx").read_bytes() == (tmp_path / "b.fbx").read_bytes()


def test_nobody_is_said_and_leaves_no_file(tmp_path):
    with pytest.raises(MocapError, match=r"a\.mp4: no frame has a person"):
        write_fbx(animate(motion_of(np.full((4, 19, 3), np.nan), TIMES[:4])), tmp_path / "a.fbx")
    assert not list(tmp_path.iterdir())
