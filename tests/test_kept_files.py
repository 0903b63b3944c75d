"""Files of the user's that a command could come across are kept, and refused before the work."""

from pathlib import Path

import pytest
from film import film
from person import fork_workers, stand

from mocap_cli import api
from mocap_cli.body.motion_json import read_motion
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import MotionWriter
from mocap_cli.io.file_guard import with_contents


@pytest.fixture
def mocap(run_mocap, monkeypatch):
    """Run what a user types after `mocap` in a folder with a video of two people."""
    monkeypatch.setattr("mocap_cli.tracking.track.track", stand)
    fork_workers(monkeypatch)
    monkeypatch.setattr(
        "mocap_cli.tracking.track.track_all",
        lambda path, options, on_frame: [stand(path, options, on_frame) for _ in range(2)],
    )
    film(Path("race.mp4"), range(10))
    return run_mocap


def refused(mocap, typed: str, said: str) -> None:
    """The command ends with one line, and no file is another one."""
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    code, _, error = mocap(typed)
    assert code == 1
    assert said in error
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("kept", "outputs"),
    [
        ("race.2.bvh", "-o race.bvh --no-overwrite"),
        ("race.7.bvh", "-o race.bvh"),  # whose number comes after a gap
        ("race.2.bvh", "-o race.bvh"),
        ("race.1_ik.xml", "-o race.mot"),
    ],
)
def test_files_of_others_with_the_number_of_a_person_are_kept(mocap, kept, outputs):
    Path(kept).write_text("hand-made")
    refused(mocap, f"track race.mp4 --subject all {outputs}", f"{kept} exists already")


def test_the_numbered_file_of_a_person_is_no_other_input_and_no_summary(mocap):
    film(Path("race.2.overlay.mp4"), range(10))
    refused(
        mocap,
        "track race.mp4 race.2.overlay.mp4 --subject all --overlay -o .json",
        "race.2.overlay.mp4 would overwrite the input",
    )
    Path("race.2.overlay.mp4").unlink()
    typed = "track race.mp4 --subject all -o race.csv --summary race.2.csv"
    refused(mocap, typed, "would both write")


def test_a_blender_script_of_everybody_has_its_number_before_the_ending(mocap):
    assert mocap("track race.mp4 --subject all -o x.blend.py")[0] == 0
    assert {path.name for path in Path().glob("x*")} == {"x.1.blend.py", "x.2.blend.py"}


def test_a_file_that_appears_during_the_work_is_kept_and_the_json_saves_the_work(
    mocap, monkeypatch
):
    def slow(path, options, on_frame):
        Path("race.bvh").write_text("saved meanwhile")
        return stand(path, options, lambda done: None)

    monkeypatch.setattr("mocap_cli.tracking.track.track", slow)
    code, _, error = mocap("track race.mp4 -o race.json -o race.bvh")
    assert code == 1
    assert "race.bvh exists already" in error
    assert Path("race.bvh").read_text() == "saved meanwhile"
    assert len(read_motion("race.json").times) == 10


def test_a_format_that_cannot_be_written_does_not_lose_the_tracking(mocap, monkeypatch):
    write = MotionWriter.write

    def full(self, path, count):
        if path.suffix == ".html":
            raise MocapError("cannot write race.html: No space left on device")
        write(self, path, count)

    monkeypatch.setattr(MotionWriter, "write", full)
    code, _, error = mocap("track race.mp4 -o race.json -o race.html -o race.bvh")
    assert code == 1
    assert "No space left" in error
    assert Path("race.json").exists()
    assert Path("race.bvh").exists()
    monkeypatch.setattr(MotionWriter, "write", write)
    monkeypatch.setattr("mocap_cli.tracking.track.track", None)  # it is not tracked again
    assert mocap("track race.mp4 -o race.json -o race.html -o race.bvh")[0] == 0


def test_a_summary_is_not_replaced_by_an_empty_one(mocap):
    film(Path("b.mp4"), range(10))
    typed = "track race.mp4 b.mp4 -o out/ --workers 1 --summary all.csv"
    assert mocap(typed)[0] == 0
    whole = Path("all.csv").read_bytes()
    assert mocap(f"{typed} --model none.mocap")[0] == 1
    assert Path("all.csv").read_bytes() == whole


def test_the_table_of_the_python_api_replaces_no_file_of_another_program(mocap):
    Path("all.csv").write_text("name,score\nAnn,9\n")
    with pytest.raises(MocapError, match="not a result of mocap"):
        api_track_clips("race.mp4", "out", summary="all.csv")
    assert Path("all.csv").read_text() == "name,score\nAnn,9\n"


def api_track_clips(*given, **options):
    from mocap_cli.clips_api import track_clips

    return track_clips(*given, workers=1, **options)


@pytest.mark.parametrize("row", ['{"path": "race.mp4", "name": "."}', '{"path": "."}',
                                 '{"path": "/"}', 200_000 * "["])  # fmt: skip
def test_a_row_that_names_a_folder_or_nests_without_end_is_one_line(mocap, row):
    Path("list.jsonl").write_text(row + "\n")
    code, _, error = mocap("track --from list.jsonl -o out/")
    assert code == 1
    assert "list.jsonl" in error
    assert not Path("out").exists()


def test_the_same_motion_twice_is_one_person_of_a_shared_file(mocap):
    assert mocap("track race.mp4 -o a.json")[0] == 0
    assert mocap("export a.json a.json -o both.glb")[0] == 0


def test_what_lies_in_a_folder_that_is_read_is_read(tmp_path):
    (tmp_path / "op").mkdir()
    (tmp_path / "op" / "a_keypoints.json").write_text("{}")
    assert tmp_path / "op" / "a_keypoints.json" in set(with_contents([tmp_path / "op"]))


def test_a_link_to_a_disk_that_is_not_there_is_kept(mocap):
    assert mocap("track race.mp4 -o a.json")[0] == 0
    Path("x.bvh").symlink_to("/mnt/none/x.bvh")
    refused(mocap, "export a.json -o x.bvh", "it is a link to a file that does not exist")
    assert Path("x.bvh").is_symlink()


def test_an_image_that_may_be_that_of_a_second_part_is_refused_before_the_work(mocap, monkeypatch):
    Path("scene-2.png").write_bytes(b"\x89PNG mine")
    monkeypatch.setattr(api, "background", None)
    refused(mocap, "background race.mp4 -o scene.png", "scene-2.png exists already")
