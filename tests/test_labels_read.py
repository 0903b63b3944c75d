"""Labels of every form: what `mocap export` and other programs write is read back as it was."""

import json

import numpy as np
import pytest
from poses import dance, motion_of, posed
from scipy.spatial.transform import Rotation

from mocap_cli.body.joint_names import _ORDERS, map_to_body, map_to_keypoints
from mocap_cli.body.recording import Camera
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import WriteOptions, write
from mocap_cli.labels.readers.dispatch import read_labels

TIMES = 0.5 + np.arange(40) / 50
TURN = Rotation.from_euler("yxz", (0.7, -0.3, 0.1)).as_matrix()
WRITTEN = (".json", ".npz", ".csv", ".trc", ".c3d")


@pytest.fixture
def motion():
    """Somebody who dances before a camera that is turned, and is out of sight for three frames."""
    joints = dance(TIMES)
    joints[10:13] = np.nan
    xy = np.random.default_rng(0).uniform(5, 40, (len(TIMES), len(KEYPOINTS), 2))
    xy[10:13] = np.nan
    pose = np.tile(np.column_stack((TURN, (1.0, 2.0, 3.0))), (len(TIMES), 1, 1))
    camera = Camera(
        focal_pixels=60.0, centre=(32.0, 24.0), world_from_camera=pose.astype(np.float32)
    )
    return motion_of(joints, TIMES, xy=xy.astype(np.float32), camera=camera)


def about_pelvis(joints):
    return joints - joints[:, :1]


@pytest.mark.parametrize("suffix", WRITTEN)
def test_exported_joints_are_read_back_within_a_tenth_of_a_millimetre(tmp_path, motion, suffix):
    write(motion, tmp_path / f"a{suffix}", WriteOptions())
    (labels,) = read_labels(tmp_path / f"a{suffix}")
    seen = motion.tracked
    wanted = motion.joints[seen].astype(float)
    if labels.in_camera:
        wanted = (wanted - (1.0, 2.0, 3.0)) @ TURN
    np.testing.assert_allclose(labels.times, TIMES[seen], atol=1e-6)
    np.testing.assert_allclose(about_pelvis(labels.joints), about_pelvis(wanted), atol=1e-4)


def test_an_exported_bvh_is_read_back_as_far_as_its_bones_are_constant(tmp_path):
    joints = posed({"left_elbow": np.outer(np.sin(TIMES), (0, 1, 0))}, np.zeros((len(TIMES), 3)))
    write(motion_of(joints, TIMES), tmp_path / "a.bvh", WriteOptions())
    (labels,) = read_labels(tmp_path / "a.bvh")
    assert not labels.synchronous
    assert any("centimetres" in note for note in labels.notes)
    apart = np.linalg.norm(about_pelvis(labels.joints) - about_pelvis(joints), axis=-1)
    assert apart.max() < 0.01


@pytest.mark.parametrize("rig", ["mixamo", "rokoko"])
def test_other_rigs_names_mean_the_same_joints(tmp_path, rig):
    joints = dance(TIMES)
    write(motion_of(joints, TIMES), tmp_path / "a.bvh", WriteOptions())
    write(motion_of(joints, TIMES), tmp_path / "b.bvh", WriteOptions(rig=rig))
    a, b = (read_labels(tmp_path / name)[0].joints for name in ("a.bvh", "b.bvh"))
    limbs = [i for i, name in enumerate(BODY.names) if name != "spine"]
    np.testing.assert_allclose(a[:, limbs], b[:, limbs], atol=1e-6)


def test_coco_of_mocap_export_gives_the_same_points_at_the_same_times(tmp_path, motion):
    write(motion, tmp_path / "a.coco.json", WriteOptions())
    (labels,) = read_labels(tmp_path / "a.coco.json")
    assert labels.video == "a"
    assert labels.size == (64, 48)
    np.testing.assert_allclose(labels.xy[:, :17], motion.xy[motion.tracked, :17], atol=1e-3)
    assert not labels.has_2d[:, 17:].any()
    np.testing.assert_allclose(labels.times, TIMES[motion.tracked])


def test_pictures_are_counted_from_one_unless_there_is_a_zero(tmp_path):
    for first, wanted in ((1, [4]), (0, [5])):
        images = [{"id": i, "file_name": f"ski_{i:06d}.jpg"} for i in (first, 5)]
        mark = {"image_id": 5, "keypoints": [1.0, 2.0, 2] * 17}
        category = {"id": 1, "keypoints": KEYPOINTS[:17]}
        document = {"images": images, "annotations": [mark], "categories": [category]}
        (tmp_path / "a.json").write_text(json.dumps(document))
        (labels,) = read_labels(tmp_path / "a.json")
        assert labels.frames.tolist() == wanted
        assert labels.video == "ski"


def test_labelme_files_of_a_folder_are_one_video(tmp_path):
    for number in (3, 8):
        shapes = [
            {"label": name, "points": [[i, number]], "shape_type": "point"}
            for i, name in enumerate(KEYPOINTS[5:17])
        ]
        document = {"imagePath": f"ski_{number:06d}.jpg", "imageWidth": 64, "imageHeight": 48}
        path = tmp_path / f"ski_{number:06d}.json"
        path.write_text(json.dumps({**document, "shapes": shapes}))
    (labels,) = read_labels(tmp_path)
    assert labels.frames.tolist() == [2, 7]
    assert labels.xy[1, 5].tolist() == [0, 8]
    assert labels.size == (64, 48)


def test_cvat_tracks_are_read_and_what_is_outside_is_not(tmp_path):
    tracks = "".join(
        f'<track label="{name}"><points frame="4" outside="0" points="{i},7.5"/>'
        f'<points frame="5" outside="1" points="{i},9"/></track>'
        for i, name in enumerate(KEYPOINTS[5:17])
    )
    document = f"<annotations><meta><source>ski.mp4</source></meta>{tracks}</annotations>"
    (tmp_path / "a.xml").write_text(document)
    (labels,) = read_labels(tmp_path / "a.xml")
    assert labels.video == "ski.mp4"
    assert labels.frames.tolist() == [4]
    assert labels.xy[0, 6].tolist() == [1, 7.5]


def test_deeplabcut_clicks_and_analyses_are_read(tmp_path):
    parts = KEYPOINTS[5:11]
    head = "".join(
        f"{kind}," + ",".join(name(part) for part in parts for _ in "xy") + "\n"
        for kind, name in (("scorer", lambda part: "ann"), ("bodyparts", str))
    )
    head += "coords," + ",".join("xy" for _ in parts).replace("xy", "x,y") + "\n"
    cells = ",".join(f"{i}.5,{i}" for i in range(len(parts)))
    (tmp_path / "a.csv").write_text(f"{head}labeled-data/ski/img0012.png,{cells}\n")
    (tmp_path / "diveDLC_resnet50.csv").write_text(f"{head}0,{cells}\n1,{cells}\n")
    clicks, analysis = read_labels(tmp_path)
    assert (clicks.video, clicks.frames.tolist()) == ("ski", [12])
    assert (analysis.video, analysis.frames.tolist()) == ("dive", [0, 1])
    assert clicks.xy[0, 7].tolist() == [2.5, 2]


@pytest.mark.parametrize("name", ["h36m-17", "diving-13", "smpl-24", "body-25"])
def test_arrays_without_names_are_known_by_how_many_joints_they_have(tmp_path, name):
    joints = dance(TIMES)
    order = _ORDERS[name]
    places = np.stack(
        [joints[:, BODY.index(j)] if j in BODY.names else joints[:, 0] for j in order], axis=1
    )
    np.savez(tmp_path / "a.npz", joints=places, times=TIMES)
    (labels,) = read_labels(tmp_path / "a.npz")
    for joint in set(order) & set(BODY.names):
        at = BODY.index(joint)
        np.testing.assert_allclose(labels.joints[:, at], joints[:, at], atol=1e-9)


def test_a_wide_table_of_a_few_joints_leaves_the_others_unknown(tmp_path):
    rows = "frame,L_Knee_x,L_Knee_y,L_Knee_z,RKnee_x,RKnee_y,RKnee_z,Pelvis_x,Pelvis_y,Pelvis_z"
    (tmp_path / "a.csv").write_text(f"{rows}\n7,0.1,0.5,0,-0.1,0.5,0,0,0.9,0\n")
    (labels,) = read_labels(tmp_path / "a.csv")
    assert labels.frames.tolist() == [7]
    known = {BODY.names[i] for i in np.flatnonzero(labels.has_3d[0])}
    assert known == {"left_knee", "right_knee", "pelvis"}


def test_joints_that_nobody_knows_are_named_with_those_that_are():
    with pytest.raises(MocapError, match=r"LASI, RASI, SACR") as caught:
        map_to_body(("LASI", "RASI", "SACR", "LTHI"), np.zeros((1, 4, 3)), "a.c3d")
    assert "left_knee" in caught.value.hint


def test_names_of_known_skeletons_mean_what_their_orders_say():
    h36m = (
        "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow"
        " LWrist RShoulder RElbow RWrist"
    )
    places = np.random.default_rng(0).normal(size=(1, 17, 3))
    body = map_to_body(h36m.split(), places, "a")
    for i, name in enumerate(_ORDERS["h36m-17"]):
        if name:
            np.testing.assert_array_equal(body[0, BODY.index(name)], places[0, i], name)
    points = map_to_keypoints(_ORDERS["body-25"], places[:, [0] * 25, :2], "a")
    assert np.isfinite(points).all(axis=(0, 2)).sum() == 21


def test_people_in_other_units_become_people_in_metres(tmp_path):
    for factor in (1000.0, 100.0):
        np.savez(tmp_path / "a.npz", joints=dance(TIMES) * factor, times=TIMES)
        (labels,) = read_labels(tmp_path / "a.npz")
        np.testing.assert_allclose(labels.joints, dance(TIMES), atol=1e-9)
        assert any("metres" in note for note in labels.notes)
    np.savez(tmp_path / "a.npz", joints=dance(TIMES) * 17.0, times=TIMES)
    with pytest.raises(MocapError, match=r"m tall"):
        read_labels(tmp_path / "a.npz")


def test_holes_and_doubles_are_told_and_contradictions_refused(tmp_path):
    joints, times = dance(TIMES), TIMES.copy()
    joints[3, 4, 0] = np.nan
    joints[5] = np.nan
    times[8], joints[8] = times[7], joints[7]
    np.savez(tmp_path / "a.npz", joints=joints, times=times)
    (labels,) = read_labels(tmp_path / "a.npz")
    assert len(labels) == len(TIMES) - 2
    told = " ".join(labels.notes)
    assert "1 of 40 frames are empty" in told
    assert "1 joints with a coordinate" in told
    assert "duplicates" in told
    joints[8] += 0.1
    np.savez(tmp_path / "a.npz", joints=joints, times=times)
    with pytest.raises(MocapError, match="two different poses"):
        read_labels(tmp_path / "a.npz")


@pytest.mark.parametrize("suffix", [*WRITTEN, ".bvh", ".coco.json"])
def test_half_a_file_is_read_with_a_line_about_it_or_refused(tmp_path, motion, suffix):
    path = tmp_path / f"a{suffix}"
    write(motion, path, WriteOptions())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    if suffix in (".json", ".npz", ".coco.json"):
        with pytest.raises(MocapError, match=r"a\.") as caught:
            read_labels(path)
        assert caught.value.hint
    else:
        (labels,) = read_labels(path)
        assert suffix == ".csv" or any("breaks off" in note for note in labels.notes)
        assert len(labels) < motion.tracked.sum()


def test_calibrations_beside_videos_and_labels_are_no_labels(motion, tmp_path):
    write(motion, tmp_path / "dance.csv", WriteOptions())
    for name in ("cameras.json", "calibration.json"):
        (tmp_path / name).write_text('{"0": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}')
    assert [one.path.name for one in read_labels(tmp_path)] == ["dance.csv"]


def test_a_table_that_breaks_off_within_a_row_is_read_to_the_row_before(motion, tmp_path):
    write(motion, tmp_path / "dance.csv", WriteOptions())
    text = (tmp_path / "dance.csv").read_text()
    (tmp_path / "dance.csv").write_text(text[: text.rindex(",")])
    (labels,) = read_labels(tmp_path)
    assert any("breaks off within row" in note for note in labels.notes)
