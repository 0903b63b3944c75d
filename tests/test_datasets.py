"""Converted data sets: what `mocap` reads from them is what the owners' files say."""

import json

import numpy as np
import pytest
import tiny_datasets as tiny

from mocap_cli.body.skeleton import BODY
from mocap_cli.io.inputs import find_videos
from mocap_cli.labels.alignment.time_alignment import find_video
from mocap_cli.labels.readers.dispatch import read_labels
from mocap_cli.learning.data.ingest import _camera_rotations, _take_and_view
from mocap_cli.video.probe import probe
from training.datasets.__main__ import main


@pytest.fixture
def convert(tmp_path, capsys):
    """Run the converter into tmp_path/out: exit status, stdout, stderr."""

    def run(dataset, *options):
        arguments = [dataset, str(tmp_path / dataset), "-o", str(tmp_path / "out"), *options]
        status = main(arguments)
        return status, *capsys.readouterr()

    return run


def labels_by_video(folder, split):
    """Labels of a split by the name of their video, each of which is found."""
    videos = sorted(p for p in (folder / split).rglob("*") if p.suffix in (".mp4", ".avi"))
    return {find_video(one, videos).name: one for one in read_labels(folder / "labels" / split)}


def assert_same_joints(labels, wanted, atol=1e-4):
    """In camera axes, where the file has the joint."""
    assert labels.in_camera
    known = np.isfinite(labels.joints)
    assert known[:, [BODY.index(n) for n in ("pelvis", "head", "left_wrist", "right_ankle")]].all()
    np.testing.assert_allclose(labels.joints[known], wanted[known], atol=atol)


def test_human36m_becomes_clips_with_the_joints_that_each_camera_saw(tmp_path, convert):
    tiny.human36m(tmp_path / "h36m")
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


def test_rotations_between_cameras_follow_from_their_poses(tmp_path, convert):
    tiny.human36m(tmp_path / "h36m")
    assert convert("h36m", "--only", "S1")[0] == 0
    rotations = json.loads((tmp_path / "out/train/S1/cameras.json").read_text())
    for camera in range(4):
        wanted = tiny.turn_of(camera) @ tiny.turn_of(0).T
        np.testing.assert_allclose(rotations[str(camera)], wanted, atol=1e-4)


def test_pretraining_pairs_the_cameras_of_a_converted_take(tmp_path, convert):
    tiny.human36m(tmp_path / "h36m", poses="Poses_D3_Positions_mono")
    assert convert("h36m", "--only", "S1", "S9")[0] == 0
    videos = find_videos([tmp_path / "out/train"], recursive=True)
    assert [_take_and_view(video.stem) for video in videos] == [
        ("S1_Walking_1", camera) for camera in range(4)
    ]
    assert sorted(_camera_rotations(videos[0].parent / "cameras.json")) == [0, 1, 2, 3]
    assert all(probe(video).frames == tiny.FRAMES for video in videos)


def test_the_manifest_names_split_and_labels_of_every_clip(tmp_path, convert):
    tiny.human36m(tmp_path / "h36m")
    assert convert("h36m", "--labels-every", "7")[0] == 0
    clips = json.loads((tmp_path / "out/manifest.json").read_text())["clips"]
    assert len(clips) == 28
    for clip in clips:
        assert (tmp_path / "out" / clip["video"]).is_file()
        assert (tmp_path / "out" / clip["labels"]).is_file()
        assert clip["split"] == ("test" if clip["subject"] in ("S9", "S11") else "train")
        assert clip["labelled_frames"] == 5


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


def assert_refused(result, named, out):
    """One line that names the file, one hint, and nothing written."""
    status, _, err = result
    assert status == 1
    error, hint = err.strip().splitlines()
    assert named in error
    assert hint.startswith("hint: ")
    assert not out.exists()


@pytest.mark.parametrize(
    "damage", [remove_a_camera, rename_a_subject, truncate_a_pose, remove_the_poses]
)
def test_a_folder_that_is_almost_human36m_is_refused_by_name(tmp_path, convert, damage):
    named = damage(tiny.human36m(tmp_path / "h36m"))
    assert_refused(convert("h36m"), named, tmp_path / "out")


def test_a_folder_that_is_in_use_is_not_overwritten(tmp_path, convert):
    tiny.human36m(tmp_path / "h36m")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    status, _, err = convert("h36m", "--only", "S1")
    assert status == 1
    assert "is not empty" in err
    assert (tmp_path / "out/notes.txt").read_text() == "mine"
