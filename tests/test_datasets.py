"""Converted data sets: what `mocap` reads from them is what the owners' files say."""

import json

import numpy as np
import pytest
import tiny_datasets as tiny
from film import number_on
from tiny_datasets import assert_refused, labels_by_video

from mocap_cli.body.skeleton import BODY
from mocap_cli.io.inputs import find_videos
from mocap_cli.learning.data.ingest import _camera_rotations, _take_and_view
from mocap_cli.video.probe import probe
from mocap_cli.video.reader import open_video
from training.datasets.mpi_inf_3dhp import _CAMERAS, _RECIPE


def assert_same_joints(labels, wanted, atol=1e-4):
    """In camera axes, where the file has the joint."""
    assert labels.in_camera
    known = np.isfinite(labels.joints)
    assert known[:, [BODY.index(n) for n in ("pelvis", "head", "left_wrist", "right_ankle")]].all()
    np.testing.assert_allclose(labels.joints[known], wanted[known], atol=atol)


def test_human36m_becomes_clips_with_the_joints_that_each_camera_saw(published, tmp_path, convert):
    published("human36m", tmp_path / "h36m")
    status, out, _ = convert("h36m")
    assert status == 0
    assert "28 clips, 144 labelled frames" in out  # 20 x 6 of every fifth frame, 8 x 3 of tenth
    train = labels_by_video(tmp_path / "out", "train")
    assert len(train) == 20
    first = train["S1_Walking_1.cam2.mp4"]
    assert_same_joints(first, tiny.seen_by(2)[first.frames])
    assert first.frames.tolist() == [0, 5, 10, 15, 20, 25]
    test = labels_by_video(tmp_path / "out", "test")
    assert test["S11_Walking_1.cam0.mp4"].frames.tolist() == [0, 10, 20]


def test_rotations_between_cameras_follow_from_their_poses(published, tmp_path, convert):
    published("human36m", tmp_path / "h36m")
    assert convert("h36m", "--only", "S1")[0] == 0
    rotations = json.loads((tmp_path / "out/train/S1/cameras.json").read_text())
    for camera in range(4):
        wanted = tiny.turn_of(camera) @ tiny.turn_of(0).T
        np.testing.assert_allclose(rotations[str(camera)], wanted, atol=1e-4)


def test_pretraining_pairs_the_cameras_of_a_converted_take(published, tmp_path, convert):
    published("human36m", tmp_path / "h36m", poses="Poses_D3_Positions_mono")
    assert convert("h36m", "--only", "S1", "S9")[0] == 0
    videos = find_videos([tmp_path / "out/train"], recursive=True)
    assert [_take_and_view(video.stem) for video in videos] == [
        ("S1_Walking_1", camera) for camera in range(4)
    ]
    assert sorted(_camera_rotations(videos[0].parent / "cameras.json")) == [0, 1, 2, 3]
    assert all(probe(video).frames == tiny.FRAMES for video in videos)


def test_the_manifest_names_split_and_labels_of_every_clip(published, tmp_path, convert):
    published("human36m", tmp_path / "h36m")
    assert convert("h36m", "--labels-every", "7")[0] == 0
    clips = json.loads((tmp_path / "out/manifest.json").read_text())["clips"]
    assert len(clips) == 28
    for clip in clips:
        assert (tmp_path / "out" / clip["video"]).is_file()
        assert (tmp_path / "out" / clip["labels"]).is_file()
        assert clip["split"] == ("test" if clip["subject"] in ("S9", "S11") else "train")
        assert clip["labelled_frames"] == 5


def test_mpi_inf_3dhp_becomes_clips_with_the_joints_that_each_camera_saw(
    published, tmp_path, convert
):
    published("mpi_inf_3dhp", tmp_path / "mpi-inf-3dhp")
    status, out, err = convert("mpi-inf-3dhp", "--only", "S1", "S6", "TS1", "--labels-every", "2")
    assert status == 0, err
    assert "33 clips" in out
    seen = labels_by_video(tmp_path / "out", "train")["S1_Seq2.cam5.avi"]
    assert_same_joints(seen, tiny.seen_by(5, seed=2)[seen.frames])
    assert len(labels_by_video(tmp_path / "out", "validation")) == 16
    rotations = _camera_rotations(tmp_path / "out/train/S1_Seq2/cameras.json")
    np.testing.assert_allclose(rotations[8], tiny.turn_of(8) @ tiny.turn_of(0).T, atol=1e-4)


def test_images_of_a_test_sequence_become_a_video_with_labels_on_the_same_frames(
    published, tmp_path, convert
):
    published("mpi_inf_3dhp", tmp_path / "mpi-inf-3dhp")
    assert convert("mpi-inf-3dhp", "--only", "TS1", "--fps", "20")[0] == 0
    labels = labels_by_video(tmp_path / "out", "test")["TS1.cam0.mp4"]
    assert labels.frames.tolist() == list(range(1, tiny.FRAMES, 3))
    assert_same_joints(labels, tiny.seen_by(0)[labels.frames])
    frames = read_frames(tmp_path / "out/test/TS1/TS1.cam0.mp4")
    assert [number_on(frame.image) for frame in frames] == list(range(tiny.FRAMES))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(tiny.FRAMES) / 20)


def read_frames(video):
    with open_video(video) as reader:
        return list(reader)


def test_the_recipe_has_as_many_labels_as_the_paper():
    counts = {  # frames of Seq1 and Seq2 of each training subject, as loaders list them
        "S1": (6416, 12430), "S2": (6502, 6081), "S3": (12488, 12283), "S4": (6171, 6675),
        "S5": (12820, 12312), "S8": (6468, 6054),
    }  # fmt: skip
    train = _RECIPE[0]
    assert set(train.subjects) == set(counts)
    labels = [len(range(0, n, train.labels_every)) for both in counts.values() for n in both]
    assert len(_CAMERAS) * sum(labels) == 17_128


def remove_a_camera(root):
    (root / "S5/Videos/Walking 1.58860488.mp4").unlink()
    return "S5/Videos/Walking 1.58860488.mp4"


def rename_a_subject(root):
    (root / "S6").rename(root / "Subject6")
    return "S6 is missing"


def truncate_a_pose(root):
    path = root / "S7/MyPoseFeatures/D3_Positions_mono/Walking 1.54138969.cdf"
    path.write_bytes(path.read_bytes()[:1500])
    return "D3_Positions_mono/Walking 1.54138969.cdf"


def remove_the_poses(root):
    (root / "S8/MyPoseFeatures/D3_Positions_mono").rename(root / "S8/other")
    return "S8/MyPoseFeatures/D3_Positions_mono is missing"


def rename_a_subject_of_3dhp(root):
    (root / "S6").rename(root / "S06")
    return "S6 is missing"


def remove_a_video(root):
    (root / "S1/Seq2/imageSequence/video_7.avi").unlink()
    return "S1/Seq2/imageSequence/video_7.avi is missing"


def truncate_a_mat(root):
    path = root / "S6/Seq1/annot.mat"
    path.write_bytes(path.read_bytes()[:9000])
    return "S6/Seq1/annot.mat is damaged"


def truncate_a_test_annotation(root):
    path = root / "mpi_inf_3dhp_test_set/TS1/annot_data.mat"
    path.write_bytes(path.read_bytes()[:3000])
    return "TS1/annot_data.mat is damaged"


def remove_an_image(root):
    (root / "mpi_inf_3dhp_test_set/TS1/imageSequence/img_000007.jpg").unlink()
    return "imageSequence/img_000007.jpg is missing"


def truncate_an_image(root):
    path = root / "mpi_inf_3dhp_test_set/TS1/imageSequence/img_000009.jpg"
    path.write_bytes(path.read_bytes()[:400])
    return "imageSequence/img_000009.jpg"


@pytest.mark.parametrize(
    "damage", [remove_a_camera, rename_a_subject, truncate_a_pose, remove_the_poses]
)
def test_a_folder_that_is_almost_human36m_is_refused_by_name(published, tmp_path, convert, damage):
    named = damage(published("human36m", tmp_path / "h36m"))
    assert_refused(convert("h36m"), named, tmp_path / "out")


@pytest.mark.parametrize(
    "damage",
    [rename_a_subject_of_3dhp, remove_a_video, truncate_a_mat, truncate_a_test_annotation,
     remove_an_image, truncate_an_image],
)  # fmt: skip
def test_a_folder_that_is_almost_mpi_inf_3dhp_is_refused_by_name(
    published, tmp_path, convert, damage
):
    named = damage(published("mpi_inf_3dhp", tmp_path / "mpi-inf-3dhp"))
    result = convert("mpi-inf-3dhp", "--only", "S1", "S6", "TS1")
    assert_refused(result, named, tmp_path / "out")


def test_a_subject_that_no_recipe_has_is_refused(published, tmp_path, convert):
    published("human36m", tmp_path / "h36m")
    assert_refused(convert("h36m", "--only", "S1", "S2"), "no subject S2", tmp_path / "out")


def test_a_folder_that_is_in_use_is_not_overwritten(published, tmp_path, convert):
    published("human36m", tmp_path / "h36m")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    status, _, err = convert("h36m", "--only", "S1")
    assert status == 1
    assert "is not empty" in err
    assert (tmp_path / "out/notes.txt").read_text() == "mine"
