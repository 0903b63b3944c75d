"""Tables, arrays, markers and annotations as somebody else's reader finds them."""

import contextlib
import io
from dataclasses import replace

import c3d
import ezc3d
import numpy as np
import pandas as pd
import pytest
import trc
from poses import dance, motion_of
from pycocotools.coco import COCO

from mocap_cli.body.joint_angles import joint_angles
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.export.formats.c3d import write_c3d
from mocap_cli.export.formats.coco import write_coco
from mocap_cli.export.formats.joint_tables import write_angles, write_csv, write_npz
from mocap_cli.export.formats.trc import write_trc

TIMES = 0.5 + np.arange(40) / 60
T, J, K = len(TIMES), len(BODY), len(KEYPOINTS)


@pytest.fixture
def motion():
    """Somebody who dances and is out of sight in frames 10 to 12."""
    joints = dance(TIMES)
    joints[10:13] = np.nan
    rng = np.random.default_rng(0)
    xy = rng.uniform(5, 40, (T, K, 2)).astype(np.float32)
    xy[10:13] = xy[20, 4] = np.nan
    score = rng.uniform(0, 1, (T, K)).astype(np.float32)
    return motion_of(joints, TIMES, xy=xy, score=score)


def test_pandas_reads_one_row_for_every_joint_in_every_frame(tmp_path, motion):
    write_csv(motion, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table.columns) == ["time", "joint", "x", "y", "z", "sigma", "seen"]
    assert table["seen"].dtype == bool
    wide = table.pivot(index="time", columns="joint", values=["x", "y", "z"])
    np.testing.assert_allclose(wide.index, TIMES, atol=1e-6)
    for j, name in enumerate(BODY.names):
        read = wide.xs(name, axis=1, level="joint").to_numpy()
        np.testing.assert_allclose(read, motion.joints[:, j], atol=1e-6)
    assert table.groupby("time")["seen"].all().to_numpy().tolist() == motion.detected.tolist()


def test_pandas_reads_one_column_of_degrees_for_every_angle(tmp_path, motion):
    write_angles(motion, tmp_path / "a.angles.csv")
    table = pd.read_csv(tmp_path / "a.angles.csv")
    np.testing.assert_allclose(table.pop("time"), TIMES, atol=1e-6)
    angles = joint_angles(motion)
    assert list(table.columns) == list(angles)
    np.testing.assert_allclose(table.to_numpy(), np.stack(list(angles.values()), 1), atol=1e-4)


def test_numpy_reads_every_array_without_pickle(tmp_path, motion):
    write_npz(motion, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as read:
        np.testing.assert_array_equal(read["seen"], motion.detected)
        for name in ("times", "joints", "sigma", "contacts", "xy", "score"):
            np.testing.assert_array_equal(read[name], getattr(motion, name))
            assert read[name].dtype == getattr(motion, name).dtype
        assert tuple(read["joint_names"]) == BODY.names
        assert tuple(read["keypoint_names"]) == KEYPOINTS
        assert read["space"] == "world"


def markers(path) -> tuple[trc.TRCData, np.ndarray]:
    """The file's header and its (T, J, 3) markers in millimetres."""
    data = trc.TRCData()
    data.load(str(path))
    return data, np.array([data[name] for name in data["Markers"]]).transpose(1, 0, 2)


def test_markers_are_the_joints_in_millimetres_at_the_rate_of_the_video(tmp_path, motion):
    write_trc(motion, tmp_path / "a.trc")
    header, places = markers(tmp_path / "a.trc")
    assert tuple(header["Markers"]) == BODY.names
    assert (header["Units"], header["NumFrames"], header["NumMarkers"]) == ("mm", T, J)
    assert header["DataRate"] == header["CameraRate"] == pytest.approx(60)
    np.testing.assert_allclose(header["Time"], TIMES, atol=1e-6)
    np.testing.assert_allclose(places, 1000 * motion.joints, atol=1e-3)


def test_markers_of_an_uneven_video_keep_their_pace_at_an_even_rate(tmp_path):
    times = np.sort(TIMES + np.random.default_rng(0).uniform(-0.005, 0.005, T))
    write_trc(motion_of(dance(times), times), tmp_path / "a.trc")
    header, places = markers(tmp_path / "a.trc")
    np.testing.assert_allclose(np.diff(header["Time"]), 1 / header["DataRate"], atol=2e-6)
    # dance() draws its sines for given times, so the same dance at other times
    wanted = dance(np.array(header["Time"]))
    assert np.median(np.abs(places / 1000 - wanted)) < 2e-3


def test_a_single_frame_is_a_file_of_one_line_of_markers(tmp_path):
    write_trc(motion_of(dance(TIMES)[:1], TIMES[:1]), tmp_path / "a.trc")
    header, places = markers(tmp_path / "a.trc")
    assert (len(places), header["DataRate"]) == (1, 60)


def test_ezc3d_reads_the_joints_in_millimetres_at_the_rate_of_the_video(tmp_path, motion):
    write_c3d(motion, tmp_path / "a.c3d")
    read = ezc3d.c3d(str(tmp_path / "a.c3d"))
    point = {
        name: entry["value"]
        for name, entry in read["parameters"]["POINT"].items()
        if "value" in entry
    }
    assert tuple(point["LABELS"][:J]) == BODY.names
    assert (point["UNITS"], point["X_SCREEN"], point["Y_SCREEN"]) == (["mm"], ["+X"], ["+Y"])
    assert point["RATE"] == read["header"]["points"]["frame_rate"] == 60
    assert read["header"]["points"]["first_frame"] == 30  # counted from 0: half a second
    places = read["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_allclose(places[:, :J], 1000 * motion.joints, atol=1e-3)
    residuals = read["data"]["meta_points"]["residuals"][0].T
    assert (residuals == np.where(motion.tracked, 0, -1)[:, None]).all()


def test_ezc3d_reads_the_angles_as_points_in_degrees(tmp_path, motion):
    write_c3d(motion, tmp_path / "a.c3d")
    read = ezc3d.c3d(str(tmp_path / "a.c3d"))
    point = read["parameters"]["POINT"]
    listed, labels = point["ANGLES"]["value"], point["LABELS"]["value"]
    assert listed == labels[J:]
    assert point["ANGLE_UNITS"]["value"] == ["deg"]
    angles, known = joint_angles(motion), motion.tracked
    for label, axis, name, sign in (
        ("LHipAngles", 0, "left_hip_flexion", 1),
        ("RHipAngles", 1, "right_hip_abduction", -1),
        ("LHipAngles", 2, "left_hip_internal_rotation", 1),
        ("RKneeAngles", 0, "right_knee_flexion", 1),
        ("LAnkleAngles", 0, "left_ankle_dorsiflexion", 1),
        ("TrunkAngles", 2, "trunk_left_turn", 1),
    ):
        found = read["data"]["points"][axis, labels.index(label)]
        np.testing.assert_allclose(found[known], sign * angles[name][known], atol=1e-3)


@pytest.fixture
def stepping(motion):
    """The left foot is lifted half way to frame 5 and put down at frame 20; the right stays."""
    contacts = np.ones((T, 2), np.float32)
    contacts[5:20, 0] = 0
    contacts[20, 0], contacts[10:13] = 0.75, np.nan
    return replace(motion, contacts=contacts)


def test_ezc3d_reads_the_feet_that_are_put_down_and_lifted_as_events(tmp_path, stepping):
    write_c3d(stepping, tmp_path / "a.c3d")
    event = ezc3d.c3d(str(tmp_path / "a.c3d"))["parameters"]["EVENT"]
    assert event["USED"]["value"] == [2]
    assert event["LABELS"]["value"] == ["Foot Off", "Foot Strike"]
    assert event["CONTEXTS"]["value"] == ["Left", "Left"]
    minutes, seconds = event["TIMES"]["value"]
    assert minutes.tolist() == [0, 0]
    wanted = (TIMES[4] + 0.5 / 60, TIMES[19] + 2 / 3 / 60)  # where the probability passes 0.5
    np.testing.assert_allclose(seconds, wanted, atol=1e-5)


@pytest.mark.filterwarnings("ignore:No analog data")
def test_another_reader_of_c3d_finds_the_same_events(tmp_path, stepping):
    write_c3d(stepping, tmp_path / "a.c3d")
    with (tmp_path / "a.c3d").open("rb") as file:
        group = c3d.Reader(file).get("EVENT")
        assert [text.strip() for text in group.get("LABELS").string_array] == [
            "Foot Off", "Foot Strike",
        ]  # fmt: skip
        assert group.get("TIMES").float_array.shape == (2, 2)  # events, minutes and seconds
        np.testing.assert_allclose(group.get("TIMES").float_array[0, 1], TIMES[4] + 0.5 / 60, 1e-5)


@pytest.mark.filterwarnings("ignore:No analog data")
def test_another_reader_of_c3d_finds_the_same(tmp_path, motion):
    write_c3d(motion, tmp_path / "a.c3d")
    with (tmp_path / "a.c3d").open("rb") as file:
        reader = c3d.Reader(file)
        frames = [(number, points) for number, points, _ in reader.read_frames()]
    assert tuple(label.strip() for label in reader.point_labels[:J]) == BODY.names
    assert (reader.point_rate, reader.first_frame, reader.last_frame) == (60, 31, 70)
    assert [number for number, _ in frames] == list(range(31, 71))
    points = np.array([points for _, points in frames])
    assert (points[..., 3] == np.where(motion.tracked, 0, -1)[:, None]).all()
    known = motion.tracked
    np.testing.assert_allclose(points[known, :J, :3], 1000 * motion.joints[known], atol=1e-3)


@pytest.mark.filterwarnings("ignore:No analog data")
@pytest.mark.parametrize(("frames", "begin"), [(1, 0.0), (66_000, 0.0), (10, 2000.0)])
def test_c3d_of_a_single_frame_and_of_more_than_its_header_counts(tmp_path, frames, begin):
    times = begin + np.arange(frames) / 60
    write_c3d(motion_of(np.ones((frames, J, 3)), times), tmp_path / "a.c3d")
    read = ezc3d.c3d(str(tmp_path / "a.c3d"))
    assert read["data"]["points"].shape[::2] == (4, frames)
    with (tmp_path / "a.c3d").open("rb") as file:
        reader = c3d.Reader(file)
        assert (reader.frame_count, reader.point_rate) == (frames, 60)


def test_the_reader_of_coco_finds_the_person_in_every_frame_that_shows_it(tmp_path, motion):
    write_coco(motion, tmp_path / "a.coco.json")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(tmp_path / "a.coco.json")
    (person,) = coco.loadCats(coco.getCatIds())
    assert tuple(person["keypoints"]) == KEYPOINTS[:17]
    images = coco.loadImgs(sorted(coco.getImgIds()))
    np.testing.assert_array_equal([image["time"] for image in images], TIMES)
    for t, image in enumerate(images):
        found = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        assert len(found) == motion.detected[t]
        if found:
            read = np.array(found[0]["keypoints"]).reshape(17, 3)
            known = np.isfinite(motion.xy[t, :17, 0])
            np.testing.assert_allclose(read[known, :2], motion.xy[t, :17][known], atol=1e-3)
            np.testing.assert_array_equal(read[known, 2] == 2, motion.score[t, :17][known] >= 0.5)
            assert (read[~known] == 0).all()
            assert found[0]["num_keypoints"] == known.sum()
            x, y, width, height = found[0]["bbox"]
            assert (read[known, :2] >= np.array((x, y)) - 0.01).all()
            assert (read[known, :2] <= np.array((x + width, y + height)) + 0.01).all()


def test_limbs_of_coco_join_neighbours(tmp_path, motion):
    write_coco(motion, tmp_path / "a.coco.json")
    with contextlib.redirect_stdout(io.StringIO()):
        person = COCO(tmp_path / "a.coco.json").cats[1]
    joined = {tuple(KEYPOINTS[i - 1] for i in limb) for limb in person["skeleton"]}
    assert {("left_ankle", "left_knee"), ("right_shoulder", "right_elbow")} < joined
    across = {limb for limb in joined if {n.split("_")[0] for n in limb} == {"left", "right"}}
    parts = {frozenset(name.split("_")[1] for name in limb) for limb in across}
    assert parts == {frozenset((part,)) for part in ("hip", "shoulder", "eye")}
