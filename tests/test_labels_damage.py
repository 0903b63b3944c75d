"""Damaged label files end in one line that names the file and the place, in little memory."""

import json
import struct
import time
import zipfile
from pathlib import Path

import ezc3d
import numpy as np
import pytest
from label_mutations import FORMATS, failures, read_any, write_samples
from poses import dance, motion_of
from witnesses import seen_dancing

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import WriteOptions, write
from mocap_cli.labels.readers.c3d_points import read_c3d_points
from mocap_cli.labels.readers.dispatch import read_labels

TIMES = np.arange(30) / 25


@pytest.fixture(scope="module")
def estimate():
    return seen_dancing()[0]


@pytest.mark.parametrize("name", FORMATS)
def test_no_damage_ends_in_a_traceback_or_hangs(tmp_path, estimate, name):
    assert failures(name, 25, 7, estimate, tmp_path, align=False) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("labelme.json", '"label": "left_hip", ', "", r"shapes\[6\]: label is missing"),
        ("labelme.json", "[[47, 23]]", "[]", r"labelme\.json is damaged at shapes\[7\]"),
        ("cvat.xml", "46,7.5", "46", r"cvat\.xml is damaged at track 6 \(left_hip\)"),
        ("aDLC_x.csv", "\n3,", "\n-3,", r"aDLC_x\.csv labels frame -3"),
        ("a.trc", "\n12\t", "\n12\tx", r"a\.trc is damaged at line 18: the time is nan s after"),
        ("a.bvh", "Frame Time: ", "Frame Time: 999", r"a\.bvh is not .*: its Frame Time is 9990"),
        ("a.bvh", "OFFSET", "OFFSET 1", r"a\.bvh is not .*: its hierarchy has an OFFSET of"),
        ("cameras.json", '"centre": [32, 24]', '"centre": [32]', r"at camera a\.mp4"),
    ],
)
def test_the_message_names_the_file_and_the_place(tmp_path, name, old, new, said):
    write_samples(tmp_path)
    path = tmp_path / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(MocapError, match=said):
        read_any(path)


def test_coco_with_too_few_numbers_says_how_many_and_of_what(tmp_path):
    images = [{"id": 1, "file_name": "a_000001.png"}]
    mark = {"image_id": 1, "keypoints": [1.0] * 51}
    document = {"images": images, "annotations": [mark], "categories": [{"keypoints": KEYPOINTS}]}
    (tmp_path / "a.json").write_text(json.dumps(document))
    said = r"annotations\[0\]: keypoints has 51 numbers.*21 keypoints"
    with pytest.raises(MocapError, match=said):
        read_labels(tmp_path / "a.json")


def test_files_that_may_not_be_read_are_named(tmp_path, monkeypatch):
    write_samples(tmp_path)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(Path, "read_text", refuse)
    for name in ("labelme.json", "a.csv", "a.trc", "a.c3d", "a.bvh", "a.coco.json"):
        with pytest.raises(MocapError, match=f"cannot read .*{name}: Permission denied"):
            read_labels(tmp_path / name)


def test_arrays_that_claim_gigabytes_are_refused_unread(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        with archive.open("joints.npy", "w") as file:
            np.save(file, np.zeros((2, 19, 3)))
        archive.getinfo("joints.npy").file_size = 20_000_000 * 19 * 3  # claimed by the directory
    began = time.perf_counter()
    with pytest.raises(MocapError, match=r"a\.npz is damaged: its arrays take 1087 MB"):
        read_labels(tmp_path / "a.npz")
    assert time.perf_counter() - began < 2


def test_millions_of_joint_names_are_refused_at_once(tmp_path):
    names = np.zeros(30_000_000, np.uint8)
    np.savez_compressed(tmp_path / "a.npz", joints=np.zeros((3, 19, 3)), joint_names=names)
    began = time.perf_counter()
    with pytest.raises(MocapError, match="joint_names has 30000000 names"):
        read_labels(tmp_path / "a.npz")
    assert time.perf_counter() - began < 5


@pytest.fixture
def c3d(tmp_path):
    write(motion_of(dance(TIMES), TIMES), tmp_path / "a.c3d", WriteOptions())
    return tmp_path / "a.c3d"


def test_points_are_those_that_ezc3d_reads_without_the_angles(c3d):
    ours, theirs = read_c3d_points(c3d), ezc3d.c3d(str(c3d))
    point = theirs["parameters"]["POINT"]
    assert [*ours.names, *point["ANGLES"]["value"]] == point["LABELS"]["value"]
    places = np.moveaxis(theirs["data"]["points"][:3], (0, 1, 2), (2, 1, 0))
    np.testing.assert_allclose(ours.positions, places[:, : len(ours.names)])
    assert ours.rate == pytest.approx(theirs["header"]["points"]["frame_rate"])
    assert ours.first - 1 == theirs["header"]["points"]["first_frame"]


def test_integer_points_are_scaled_as_ezc3d_scales_them(c3d):
    whole = read_c3d_points(c3d)
    data = bytearray(c3d.read_bytes())
    block = struct.unpack_from("<H", data, 16)[0]
    struct.pack_into("<f", data, 12, 0.1)
    at = data.find(b"SCALE")
    at = at + 5 + 2 + 1 + 1  # the name, the offset to the next, the type, no dimensions
    struct.pack_into("<f", data, at, 0.1)
    frames, joints = whole.positions.shape[:2]
    stored = np.zeros((frames, ezc3d.c3d(str(c3d))["data"]["points"].shape[1], 4), "<i2")
    stored[:, :joints, :3] = np.nan_to_num(whole.positions / 0.1).round()
    c3d.write_bytes(bytes(data[: 512 * (block - 1)]) + stored.tobytes() + bytes(1024))
    ours, theirs = read_c3d_points(c3d), ezc3d.c3d(str(c3d))
    np.testing.assert_allclose(ours.positions, whole.positions, atol=0.051)
    points = np.moveaxis(theirs["data"]["points"][:3], (0, 1, 2), (2, 1, 0))
    np.testing.assert_allclose(ours.positions, points[:, :joints], atol=1e-3)


def test_a_c3d_that_promises_more_than_it_holds_gives_what_there_is(c3d):
    whole = read_c3d_points(c3d)
    data = bytearray(c3d.read_bytes())
    struct.pack_into("<H", data, 8, 65000)  # the last frame
    c3d.write_bytes(data)
    more = read_c3d_points(c3d)
    assert len(more.positions) <= len(whole.positions) + 2  # the padding of the last block
    np.testing.assert_allclose(more.positions[: len(whole.positions)], whole.positions)
    struct.pack_into("<H", data, 2, 500)  # points
    struct.pack_into("<H", data, 4, 60000)  # analog values a frame
    c3d.write_bytes(data)
    with pytest.raises(MocapError, match=r"a\.c3d is damaged at its frames"):
        read_labels(c3d)
