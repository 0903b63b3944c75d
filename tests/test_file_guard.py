"""No command overwrites what it reads, what another output is, or what is not its own."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from film import film
from person import stand

from mocap_cli.body.motion_json import write_motion
from mocap_cli.cli.app import app
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import FORMATS, WriteOptions, write
from mocap_cli.io import file_guard
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.file_guard import existing_outputs, refuse_overlaps, refuse_unwritable
from mocap_cli.io.origin import is_own
from mocap_cli.tracking.track import TrackOptions
from mocap_cli.video.probe import probe


@pytest.fixture(scope="module")
def motion(tmp_path_factory):
    video = tmp_path_factory.mktemp("guard") / "a.mp4"
    film(video)
    return stand(video, TrackOptions(), lambda done: None), video


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_result_of_every_format_is_recognised_and_may_be_replaced(tmp_path, motion, suffix):
    path = tmp_path / f"a{suffix}"
    write(motion[0], path, WriteOptions(video=motion[1]))
    assert is_own(path)
    assert existing_outputs([path], None) == {path}


FOREIGN = {
    ".json": b'{"name": "package", "version": "1.0"}',
    ".bvh": b"HIERARCHY\nROOT Hips\n{\n\tOFFSET 0.000000 0.000000 0.000000\n\tCHANNELS 6 Xposition"
    b" Yposition Zposition Zrotation Xrotation Yrotation\n}\nMOTION\nFrames: 1\n"
    b"Frame Time: 0.016667\n0 0 0 0 0 0 \n",  # saved again by Blender
    ".csv": b"time,pressure\n0,1\n",
    ".png": cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes(),
    ".html": b"<!doctype html><title>thesis</title>",
    ".glb": b'glTF\2\0\0\0....JSON{"asset":{"generator":"Khronos glTF Blender I/O"}}',
}


@pytest.mark.parametrize("suffix", FOREIGN)
def test_a_file_of_somebody_else_is_replaced_only_on_request(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(FOREIGN[suffix])
    with pytest.raises(MocapError, match="not a result of mocap") as found:
        existing_outputs([path], None)
    assert "--overwrite" in found.value.hint
    assert existing_outputs([path], True) == {path}


def test_a_film_of_somebody_else_is_not_taken_for_a_result(tmp_path, motion):
    path = tmp_path / "holiday.mp4"
    path.write_bytes(motion[1].read_bytes())
    with pytest.raises(MocapError, match=r"holiday.mp4 exists already"):
        existing_outputs([path], None)


def test_a_result_that_was_saved_again_is_kept_and_an_empty_file_is_not(tmp_path, motion):
    path = tmp_path / "a.json"
    write_motion(motion[0], path)
    path.write_text(path.read_text().replace(",", ", "))  # as an editor does
    assert not is_own(path)
    path.write_text("")
    assert is_own(path)


def linked(folder: Path, way: str) -> Path:
    """Another name of folder/v.mp4."""
    if way == "link":
        (folder / "l.mp4").symlink_to("v.mp4")
    elif way == "hard link":
        os.link(folder / "v.mp4", folder / "l.mp4")
    elif way == "folder":
        (folder / "sub").symlink_to(folder, target_is_directory=True)
        return folder / "sub" / "v.mp4"
    elif way == "dots":
        (folder / "sub").mkdir()
        return folder / "sub" / ".." / "v.mp4"
    return folder / "l.mp4"


@pytest.mark.parametrize("way", ["link", "hard link", "folder", "dots"])
def test_an_input_is_recognised_under_any_of_its_names(tmp_path, way):
    video = tmp_path / "v.mp4"
    video.write_bytes(b"film")
    output = linked(tmp_path, way)
    with pytest.raises(MocapError) as found:
        refuse_overlaps([(output, video)], [video])
    assert str(video) in found.value.message
    assert str(output) in found.value.message


def test_two_outputs_that_are_one_file_are_refused_before_it_exists(tmp_path):
    (tmp_path / "sub").symlink_to(tmp_path, target_is_directory=True)
    one, other, source = tmp_path / "a.bvh", tmp_path / "sub" / "a.bvh", tmp_path / "v.mp4"
    with pytest.raises(MocapError, match="written twice"):
        refuse_overlaps([(one, source), (other, source)], [])
    with pytest.raises(MocapError, match="would both write"):
        refuse_overlaps([(one, source), (other, tmp_path / "w.mp4")], [])


def test_letters_of_another_case_are_one_file_where_the_folder_ignores_case(tmp_path, monkeypatch):
    writes = [(tmp_path / "A.bvh", tmp_path / "A.mp4"), (tmp_path / "a.bvh", tmp_path / "a.mp4")]
    refuse_overlaps(writes, [])  # two files here
    monkeypatch.setattr(file_guard, "_ignores_case", lambda folder: True)
    with pytest.raises(MocapError, match="would both write"):
        refuse_overlaps(writes, [])


def test_what_is_no_file_is_refused_in_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe.bvh")
    (tmp_path / "loop.bvh").symlink_to("loop.bvh")
    for name in ("pipe.bvh", "loop.bvh", "a" * 300 + ".bvh", "zero\0.bvh"):
        with pytest.raises(MocapError, match=r"cannot write|not a file"):
            refuse_unwritable(tmp_path / name)
    with pytest.raises(MocapError, match="not a file"):
        refuse_unwritable(Path(os.devnull))


def test_the_way_out_of_a_folder_that_does_not_exist_leads_nowhere(tmp_path, monkeypatch):
    """Once new/ was made, new/../a.mp4 would be the input, and new/../own.png somebody's."""
    monkeypatch.chdir(tmp_path)
    film(Path("a.mp4"))
    Path("own.png").write_bytes(FOREIGN[".png"])
    Path("run").mkdir()
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    for typed in (
        "background a.mp4 --no-people --video -o new/../a.png",
        "background a.mp4 --no-people -o new/../own.png",
        "track a.mp4 -o new/../own.json",
        "track a.mp4 -o new/../run/",
        "pretrain a.mp4 -o new/../run",
        "label-fit a.mp4 --labels auto -o new/../own.mocap",
    ):
        monkeypatch.setattr("sys.argv", ["mocap", *typed.split()])
        with pytest.raises(MocapError, match="there is no folder new"):
            app(standalone_mode=False)
    with (
        pytest.raises(MocapError, match="there is no folder new"),
        write_atomically(Path("new/../own.png")),
    ):
        pass
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
    assert not Path("new").exists()


def test_the_comment_of_our_films_does_not_hide_the_picture(motion, tmp_path):
    path = tmp_path / "a.mp4"
    write(motion[0], path, WriteOptions(video=motion[1]))
    assert probe(path).frames == len(motion[0].times)
