"""BVH files as other programs read them."""

import re
from pathlib import Path

import numpy as np
import pytest
from poses import dance, handstand, motion_of, posed, somersault, t_pose, wobbling
from readers import READERS, read_with_pybvh

from mocap_cli.body.rig import fit_rig
from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.animation import animate
from mocap_cli.export.formats.bvh import write_bvh

TIMES = np.arange(90) / 60
JOINT_OF = {  # where every joint of ours is in the file, but for the crown, an end without a name
    "pelvis": "Hips", "spine": "Spine1", "thorax": "Neck", "neck": "Head",
    **{f"{s.lower()}_{a}": s + b for s in ("Left", "Right") for a, b in (
        ("shoulder", "Arm"), ("elbow", "ForeArm"), ("wrist", "Hand"),
        ("hip", "UpLeg"), ("knee", "Leg"), ("ankle", "Foot"), ("toe", "ToeBase"))},
}  # fmt: skip


def channels(path: Path) -> np.ndarray:
    """(T, 66) the numbers of the file."""
    lines = path.read_text().split("Frame Time:")[1].splitlines()[1:]
    return np.array([[float(word) for word in line.split()] for line in lines])


def misses(path: Path, joints: np.ndarray, reader: str = "pybvh", scale: float = 100) -> np.ndarray:
    """(T, 18) metres between the file's joints and ours."""
    read = READERS[reader](path)
    return np.stack(
        [
            np.linalg.norm(read[theirs] / scale - joints[:, BODY.index(ours)], axis=-1)
            for ours, theirs in JOINT_OF.items()
        ],
        axis=1,
    )


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("units", "scale"), [("cm", 100), ("m", 1)])
def test_every_reader_finds_the_joints_of_the_motion_within_a_millimetre(
    tmp_path, reader, units, scale
):
    joints = np.concatenate((somersault(TIMES), dance(TIMES), handstand(TIMES)))
    write_bvh(animate(motion_of(joints, np.arange(270) / 60)), tmp_path / "a.bvh", units=units)
    assert misses(tmp_path / "a.bvh", joints, reader, scale).max() < 1e-3


def test_the_crown_is_where_the_head_ends(tmp_path):
    joints = dance(TIMES)
    write_bvh(animate(motion_of(joints, TIMES)), tmp_path / "a.bvh")
    read = read_with_pybvh(tmp_path / "a.bvh")
    (end,) = [name for name in read if "Head" in name and name != "Head"]
    crown = joints[:, BODY.index("head")]
    assert np.linalg.norm(read[end] / 100 - crown, axis=-1).max() < 1e-3


def test_wobbling_bones_are_met_within_fifteen_millimetres(tmp_path):
    joints = wobbling(dance(TIMES), size=0.012)
    write_bvh(animate(motion_of(joints, TIMES)), tmp_path / "a.bvh")
    assert np.median(misses(tmp_path / "a.bvh", joints)) < 0.015


def test_the_hierarchy_is_the_one_that_is_promised(tmp_path):
    write_bvh(animate(motion_of(t_pose(), TIMES[:5])), tmp_path / "a.bvh")
    text = (tmp_path / "a.bvh").read_text()
    names = re.findall(r"(?:ROOT|JOINT) (\w+)", text)
    limbs = ["Shoulder", "Arm", "ForeArm", "Hand"], ["UpLeg", "Leg", "Foot", "ToeBase"]
    trunk = ["Hips", "Spine", "Spine1", "Neck", "Head"]
    assert names == trunk + [s + n for part in limbs for s in ("Left", "Right") for n in part]
    rotations = "Zrotation Xrotation Yrotation"
    root = f"CHANNELS 6 Xposition Yposition Zposition {rotations}"
    assert re.findall("CHANNELS .*", text) == [root] + [f"CHANNELS 3 {rotations}"] * 20
    ends = re.findall(r"End Site\s+{\s+OFFSET (\S+) (\S+) (\S+)", text)
    assert len(ends) == 5
    assert all(np.linalg.norm(np.array(end, float)) > 1 for end in ends)


def test_the_root_has_no_offset_since_readers_disagree_on_what_it_means(tmp_path):
    write_bvh(animate(motion_of(t_pose(), TIMES[:5])), tmp_path / "a.bvh")
    assert re.search(r"ROOT Hips\s+{\s+OFFSET 0.000000 0.000000 0.000000", _text(tmp_path))


def test_a_t_pose_on_the_ground_is_all_zeros_but_for_the_height_of_the_hips(tmp_path):
    rig = fit_rig(t_pose())
    joints = np.repeat(
        rig.rest_positions[None, [rig.index_of(name) for name in BODY.names]], 5, axis=0
    )
    joints[..., 1] += rig.root_height
    write_bvh(animate(motion_of(joints, TIMES[:5])), tmp_path / "a.bvh")
    values = channels(tmp_path / "a.bvh")
    assert np.abs(values[:, 3:]).max() < 0.01
    np.testing.assert_allclose(values[:, :3], [[0, 100 * rig.root_height, 0]] * 5, atol=0.01)
    read = read_with_pybvh(tmp_path / "a.bvh")
    assert min(places[:, 1].min() for places in read.values()) == pytest.approx(0, abs=0.01)
    assert read["LeftHand"][0, 0] > 50  # the person's left is +X, so the person looks along +Z
    assert read["LeftToeBase"][0, 2] > 10


def _text(folder: Path) -> str:
    return (folder / "a.bvh").read_text()


def test_offsets_are_in_the_units_of_the_positions(tmp_path):
    motion = motion_of(dance(TIMES), TIMES)
    write_bvh(animate(motion), tmp_path / "cm.bvh")
    write_bvh(animate(motion), tmp_path / "m.bvh", units="m")
    cm, m = (
        np.array(re.findall(r"OFFSET (\S+) (\S+) (\S+)", (tmp_path / name).read_text()), float)
        for name in ("cm.bvh", "m.bvh")
    )
    np.testing.assert_allclose(cm / 100, m, atol=1e-6)
    a, b = channels(tmp_path / "cm.bvh"), channels(tmp_path / "m.bvh")
    np.testing.assert_allclose(a[:, :3] / 100, b[:, :3], atol=1e-6)
    np.testing.assert_array_equal(a[:, 3:], b[:, 3:])


def test_two_somersaults_turn_the_hips_by_720_degrees_without_a_jump(tmp_path):
    times = np.arange(121) / 60
    write_bvh(animate(motion_of(somersault(times, 2.0), times)), tmp_path / "a.bvh")
    values = channels(tmp_path / "a.bvh")
    assert values[-1, 4] - values[0, 4] == pytest.approx(720, abs=1)
    assert np.abs(np.diff(values[:, 3:], axis=0)).max() < 30


def test_angles_never_jump_by_full_turns(tmp_path):
    times = np.arange(600) / 240
    write_bvh(animate(motion_of(dance(times, 3), times)), tmp_path / "a.bvh")
    assert np.abs(np.diff(channels(tmp_path / "a.bvh")[:, 3:], axis=0)).max() < 180


def test_numbers_have_six_decimals_and_no_negative_zero(tmp_path):
    write_bvh(animate(motion_of(t_pose(), TIMES[:5])), tmp_path / "a.bvh")
    words = _text(tmp_path).split("Frame Time:")[1].split()[1:]
    assert all(re.fullmatch(r"-?\d+\.\d{6}", word) for word in words)
    assert "-0.000000" not in words


@pytest.mark.parametrize("fps", [23.976, 29.97, 30, 59.94, 120, 240])
def test_the_frame_time_is_the_source_s(tmp_path, fps):
    times = 3.2 + np.arange(40) / fps
    write_bvh(animate(motion_of(t_pose(40), times)), tmp_path / "a.bvh")
    assert f"Frames: 40\nFrame Time: {1 / fps:.10f}\n" in _text(tmp_path)


def test_uneven_times_are_made_even_and_the_motion_keeps_its_pace(tmp_path):
    rng = np.random.default_rng(0)
    times = np.sort(np.arange(120) / 60 + rng.uniform(-0.006, 0.006, 120))
    path = np.stack((np.sin(times), 1 + 0 * times, times), axis=-1)
    joints = posed({"left_hip": -np.sin(4 * times)[:, None] * [1.0, 0, 0]}, path)
    write_bvh(animate(motion_of(joints, times)), tmp_path / "a.bvh")
    frame_time = float(re.search(r"Frame Time: (\S+)", _text(tmp_path)).group(1))
    frames = int(re.search(r"Frames: (\S+)", _text(tmp_path)).group(1))
    assert frames == int((times[-1] - times[0]) / frame_time) + 1
    at = times[0] + frame_time * np.arange(frames)
    path = np.stack((np.sin(at), 1 + 0 * at, at), axis=-1)
    wanted = posed({"left_hip": -np.sin(4 * at)[:, None] * [1.0, 0, 0]}, path)
    assert misses(tmp_path / "a.bvh", wanted).max() < 2e-3


@pytest.mark.parametrize("fps", [24.0, 60.0, 144.0])
def test_another_rate_keeps_the_motion(tmp_path, fps):
    times = np.arange(61) / 30
    write_bvh(animate(motion_of(somersault(times, 1), times), fps=fps), tmp_path / "a.bvh")
    assert f"Frame Time: {1 / fps:.10f}\n" in _text(tmp_path)
    at = np.arange(len(channels(tmp_path / "a.bvh"))) / fps
    assert at[-1] == pytest.approx(2, abs=1 / fps)
    joints = somersault(np.append(at, 2.0), 1)[:-1]
    assert np.median(misses(tmp_path / "a.bvh", joints)) < 2e-3


def test_frames_without_a_person_are_filled_and_counted(tmp_path):
    joints = somersault(TIMES, 1)
    joints[:10] = joints[40:50] = joints[-5:] = np.nan
    write_bvh(animate(motion_of(joints, TIMES)), tmp_path / "a.bvh")
    values = channels(tmp_path / "a.bvh")
    assert values.shape == (90, 66)
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(values[:10], values[[10] * 10])
    np.testing.assert_array_equal(values[-5:], values[[-6] * 5])
    there = np.isfinite(joints).all(axis=(1, 2))
    error = misses(tmp_path / "a.bvh", somersault(TIMES, 1))
    assert error[there].max() < 1e-3
    assert error[40:50].max() < 0.25  # nobody saw, but it is a body on its way


def test_camera_space_keeps_the_person_upright_where_the_camera_saw_it(tmp_path):
    joints = posed({}, np.tile((0.3, -0.6, -4.0), (5, 1)))
    write_bvh(animate(motion_of(joints, TIMES[:5], space="camera")), tmp_path / "a.bvh")
    read = read_with_pybvh(tmp_path / "a.bvh")
    assert misses(tmp_path / "a.bvh", joints).max() < 1e-3
    assert (read["Head"][:, 1] > read["LeftFoot"][:, 1] + 100).all()


@pytest.mark.parametrize("reader", READERS)
def test_a_single_frame_is_a_file_that_opens(tmp_path, reader):
    joints = dance(TIMES)[:1]
    write_bvh(animate(motion_of(joints, TIMES[:1])), tmp_path / "a.bvh")
    assert f"Frame Time: {1 / 60:.10f}" in _text(tmp_path)
    assert misses(tmp_path / "a.bvh", joints, reader).max() < 1e-3


def test_what_cannot_be_written_is_said_and_leaves_no_file(tmp_path):
    nobody = motion_of(np.full((4, len(BODY), 3), np.nan), TIMES[:4])
    somebody = motion_of(t_pose(), TIMES[:5])
    path = tmp_path / "a.bvh"
    with pytest.raises(MocapError, match=r"a\.mp4: no frame has a person"):
        write_bvh(animate(nobody), path)
    with pytest.raises(MocapError, match="frames per second"):
        write_bvh(animate(somebody, fps=0), path)
    assert not list(tmp_path.iterdir())
