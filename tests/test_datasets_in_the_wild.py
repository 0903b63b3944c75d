"""3DPW, Ski-PTZ and one's own dives: what `mocap` reads of them is what their files say."""

import io
import json
import os
import pickle

import numpy as np
import pytest
import tiny_datasets as tiny
from film import number_on
from tiny_datasets import assert_refused, labels_by_video

from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.learning.data.ingest import _camera_rotations
from mocap_cli.video.reader import open_video
from training.datasets.array_pickle import read_array_pickle


def own_axes(points):
    return points * (1, -1, -1)


@pytest.mark.parametrize("python", ["2", "3"])
def test_3dpw_becomes_clips_of_single_people_in_camera_axes(published, tmp_path, convert, python):
    published("three_dpw", tmp_path / "3dpw", python=python)
    status, out, err = convert("3dpw")
    assert status == 0, err
    assert "3 clips" in out
    labels = labels_by_video(tmp_path / "out", "train")["courtyard_golf_00.cam0.mp4"]
    assert labels.frames.tolist() == [0, 1, 3, 4, 5, 7, 8, 9, 11]  # every fourth camera is invalid
    world, from_world = tiny.filmed_by_hand()
    seen = world @ from_world[:, :3, :3].swapaxes(1, 2) + from_world[:, None, :3, 3]
    for name in ("pelvis", "neck", "left_wrist", "right_toe"):
        at = BODY.index(name)
        wanted = own_axes(seen)[labels.frames, at]
        np.testing.assert_allclose(labels.joints[:, at], wanted, atol=1e-5)


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_code_is_refused_and_runs_none(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"cam_poses": Hostile(tmp_path / "ran")}, 2))
    with pytest.raises(MocapError, match=r"holds more than arrays .*mkdir"):
        read_array_pickle(tmp_path / "a.pkl")
    assert not (tmp_path / "ran").exists()


def test_arrays_of_objects_are_never_built(tmp_path):
    content = {"names": np.array([{"a": 1}], object), "numbers": np.arange(3)}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, 2))
    found = read_array_pickle(tmp_path / "a.pkl")
    assert found["names"] is None
    assert found["numbers"].tolist() == [0, 1, 2]


def test_ski_ptz_becomes_a_clip_for_each_run_and_camera(published, tmp_path, convert):
    published("ski_ptz", tmp_path / "ski-ptz")
    status, out, err = convert("ski-ptz", "--fps", "10")
    assert status == 0, err
    assert "4 clips, 16 labelled frames" in out
    assert not (tmp_path / "out/train/seq_003/cameras.json").exists()  # the cameras turn
    labels = labels_by_video(tmp_path / "out", "train")["seq_003.cam1.mp4"]
    joints = tiny.seen_by(1, 3)[list(tiny.SKI_FRAMES)]
    known = np.isfinite(labels.joints)
    np.testing.assert_allclose(labels.joints[known], (joints - joints[:, :1])[known], atol=1e-5)
    with open_video(tmp_path / "out/train/seq_003/seq_003.cam1.mp4") as reader:
        frames = list(reader)
    assert [number_on(frame.image) for frame in frames] == [0, 1, 2, 3]
    np.testing.assert_allclose([f.time for f in frames], (0, 0.1, 0.2, 0.4))  # the gap is kept


def test_clicks_in_two_cameras_become_joints_in_both(published, tmp_path, convert):
    published("diving", tmp_path / "diving")
    status, out, err = convert("diving")
    assert status == 0, err
    assert "3 clips, 6 labelled frames" in out
    labels = labels_by_video(tmp_path / "out", "train")["dive01.cam1.mp4"]
    assert labels.frames.tolist() == [2, 8, 20]
    for name in ("left_shoulder", "right_wrist", "left_ankle"):
        at = BODY.index(name)
        np.testing.assert_allclose(
            labels.joints[:, at], tiny.seen_by(1)[labels.frames, at], atol=1e-3
        )
    rotations = _camera_rotations(tmp_path / "out/train/dive01/cameras.json")
    np.testing.assert_allclose(rotations[1], tiny.turn_of(1) @ tiny.turn_of(0).T, atol=1e-3)


def remove_an_image(root):
    (root / "imageFiles/courtyard_golf_00/image_00004.jpg").unlink()
    return "courtyard_golf_00/image_00004.jpg is missing"


def truncate_a_pickle(root):
    path = root / "sequenceFiles/test/downtown_walking_00.pkl"
    path.write_bytes(path.read_bytes()[:-300])
    return "test/downtown_walking_00.pkl is damaged"


def drop_a_field(root):
    path = root / "sequenceFiles/train/courtyard_golf_00.pkl"
    document = pickle.load(io.BytesIO(path.read_bytes()))
    del document["cam_poses"]
    path.write_bytes(pickle.dumps(document, 2))
    return "train/courtyard_golf_00.pkl is damaged: cam_poses is missing"


def remove_a_split(root):
    (root / "sequenceFiles/validation").rename(root / "sequenceFiles/val")
    return "sequenceFiles/validation is missing"


def remove_a_crop(root):
    (root / "test/seq_020/cam_01/image_000007.png").unlink()
    return "seq_020/cam_01/image_000007.png is missing"


def remove_a_camera(root):
    (root / "train/seq_003/cam_01").rename(root / "train/seq_003/camera1")
    return "seq_003/cam_01/image_000005.png is missing"


def truncate_the_labels(root):
    path = root / "train/labels.h5"
    path.write_bytes(path.read_bytes()[:2000])
    return "train/labels.h5 is damaged"


def remove_the_calibration(root):
    (root / "train/calibration.json").unlink()
    return "train/calibration.json is missing"


def remove_a_calibrated_camera(root):
    path = root / "train/calibration.json"
    cameras = json.loads(path.read_text())
    del cameras["cam1"]
    path.write_text(json.dumps(cameras))
    return "calibration.json lacks the camera of dive01.cam1.mp4"


def remove_a_labelled_video(root):
    (root / "train/dive01.cam1.mp4").unlink()
    return "dive01.cam1.csv labels a video that is missing"


def truncate_the_clicks(root):
    path = root / "train/dive01.cam0.csv"
    path.write_text(path.read_text()[:-40])
    return "dive01.cam0.csv breaks off within row 3"


def misname_a_camera(root):
    (root / "train/dive02.cam0.mp4").rename(root / "train/dive02.mp4")
    return "dive02.mp4 names no camera"


@pytest.mark.parametrize(
    ("dataset", "name", "damage"),
    [
        ("3dpw", "three_dpw", remove_an_image),
        ("3dpw", "three_dpw", truncate_a_pickle),
        ("3dpw", "three_dpw", drop_a_field),
        ("3dpw", "three_dpw", remove_a_split),
        ("ski-ptz", "ski_ptz", remove_a_crop),
        ("ski-ptz", "ski_ptz", remove_a_camera),
        ("ski-ptz", "ski_ptz", truncate_the_labels),
        ("diving", "diving", remove_the_calibration),
        ("diving", "diving", remove_a_calibrated_camera),
        ("diving", "diving", remove_a_labelled_video),
        ("diving", "diving", truncate_the_clicks),
        ("diving", "diving", misname_a_camera),
    ],
)
def test_a_folder_that_is_almost_a_data_set_is_refused_by_name(
    published, tmp_path, convert, dataset, name, damage
):
    named = damage(published(name, tmp_path / dataset))
    assert_refused(convert(dataset), named, tmp_path / "out")


@pytest.mark.parametrize(
    ("dataset", "name", "only"),
    [
        ("3dpw", "three_dpw", "courtyard_golf_00"),
        ("ski-ptz", "ski_ptz", "seq_003"),
        ("diving", "diving", "dive01"),
    ],
)
def test_a_name_that_a_data_set_does_not_have_is_refused(
    published, tmp_path, convert, dataset, name, only
):
    published(name, tmp_path / dataset)
    assert_refused(convert(dataset, "--only", only, "other"), "no other", tmp_path / "out")
