"""Outputs at a URL: sent whole, the JSON last; what is done is known from the result itself."""

import json
import os
import signal
import sys
from pathlib import Path

import fsspec
import pytest
from film import contents, film, film_three
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from person import fork_workers, stand

import mocap_cli
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import _HOST

MEMORY = fsspec.filesystem("memory")


class Bucket(LocalFileSystem):
    """bucket://NAME is NAME in the current folder: other than memory, workers share it."""

    protocol = "bucket"

    @classmethod
    def _strip_protocol(cls, path):
        return str(Path(str(path).removeprefix("bucket://")).absolute())

    def put_file(self, file, place, **options):
        if Path("kill").exists() and place.endswith("b.json"):
            Path("kill").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        super().put_file(file, place, **options)


class Full(MemoryFileSystem):
    protocol = "full"

    def put_file(self, *_, **options):
        raise OSError("no bucket")


fsspec.register_implementation("bucket", Bucket)
fsspec.register_implementation("full", Full)


@pytest.fixture
def mocap(run_mocap, monkeypatch, tmp_path):
    """Run what a user types after `mocap` in a folder with three videos in `in/`."""
    monkeypatch.setattr("mocap_cli.tracking.track.track", stand)
    monkeypatch.setattr(
        "mocap_cli.tracking.track.track_all", lambda *of, **how: [stand(*of, **how)] * 2
    )
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    fork_workers(monkeypatch)
    MEMORY.store.clear()
    Path("temporary").mkdir()
    film_three()
    return run_mocap


def stored() -> dict[str, bytes]:
    return {path.removeprefix("/out/"): MEMORY.cat_file(path) for path in MEMORY.find("/out")}


def status_of(found: tuple[int, str, str]) -> str:
    assert found[0] == 0, found
    return json.loads(found[1])["results"][0]["status"]


@pytest.mark.parametrize(
    "command",
    [
        "track in/a.mp4 -o .json -o .bvh -o .mot",
        "track in/a.mp4 -o .json -o .csv --subject all",
        "background in/a.mp4 --no-people --median --sheet",
    ],
)
def test_files_at_a_url_are_those_of_a_local_run_and_are_made_once(mocap, command):
    assert mocap(f"{command} -o out/")[0] == 0
    remote = f"{command} -o memory://out/ --json"
    code, out, _ = mocap(remote)
    found = json.loads(out)["results"][0]
    people = found.get("people", [found])
    files = {f["path"]: f["bytes"] for person in people for f in person["outputs"]}
    assert code == 0
    assert stored() == contents()
    assert files == {f"memory://out/{name}": len(data) for name, data in contents().items()}
    assert status_of(mocap(remote)) == "skipped"
    assert status_of(mocap(f"{remote} --overwrite")) in ("tracked", "made")
    assert stored() == contents()
    assert not list(Path("temporary").iterdir())


def test_a_file_that_another_command_replaced_is_written_again_from_the_json(mocap):
    command = "track in/a.mp4 -o .json -o .bvh -o memory://out/ --json"
    assert status_of(mocap(command)) == "tracked"
    before = stored()
    assert mocap("track in/a.mp4 -o memory://out/a.bvh --units m")[0] == 0
    assert stored() != before
    assert status_of(mocap(command)) == "exported"
    assert stored() == before
    film(Path("in/a.mp4"), range(12))
    assert status_of(mocap(command)) == "tracked"


def test_a_file_of_another_program_is_replaced_only_with_overwrite(mocap):
    MEMORY.pipe_file("/out/a.bvh", b"of Blender")
    command = "track in/a.mp4 -o .json -o .bvh -o memory://out/"
    code, _, error = mocap(command)
    assert code == 1
    assert "memory://out/a.bvh exists already, and is not a result" in error
    assert mocap(f"{command} --overwrite")[0] == 0
    MEMORY.pipe_file("/out/a.bvh", b"of Blender again")  # newer than the JSON
    assert mocap(command)[0] == 1
    assert MEMORY.cat_file("/out/a.bvh") == b"of Blender again"
    assert mocap("track in/a.mp4 -o .json --summary memory://out/a.bvh.csv")[0] == 0
    MEMORY.pipe_file("/out/a.bvh.csv", b"not a summary")
    assert mocap("track in/a.mp4 -o .json --summary memory://out/a.bvh.csv")[0] == 1


def test_a_file_that_cannot_be_sent_fails_the_clip_and_leaves_no_json(mocap, monkeypatch):
    sent = MemoryFileSystem.put_file

    def put_file(self, file, place, **options):
        if place.endswith("b.bvh"):
            raise OSError("quota exceeded")
        sent(self, file, place, **options)

    monkeypatch.setattr(MemoryFileSystem, "put_file", put_file)
    rows = mocap_cli.track_clips("in", "memory://out", summary="memory://out/all.csv")
    assert [row["status"] for row in rows] == ["tracked", "failed", "tracked"]
    assert rows[1]["error"] == "cannot write memory://out/b.bvh: quota exceeded"
    assert set(stored()) == {"a.bvh", "a.json", "c.bvh", "c.json", "all.csv"}
    assert b"quota exceeded" in stored()["all.csv"]


def test_workers_that_are_killed_leave_no_json_and_the_next_run_goes_on(mocap):
    Path("kill").touch()
    command = "track in -o bucket://store/x --workers 2 --json --summary bucket://store/all.csv"
    code, out, _ = mocap(command)
    assert code == 1
    assert "was killed" in json.loads(out)["failures"][0]["error"]
    assert set(contents("store")) == {
        "x/a.bvh", "x/a.json", "x/b.bvh", "x/c.bvh", "x/c.json", "all.csv",
    }  # fmt: skip
    assert not list(Path("temporary").iterdir())
    code, out, _ = mocap(command)
    assert code == 0
    statuses = [clip["status"] for clip in json.loads(out)["results"]]
    assert statuses == ["skipped", "tracked", "skipped"]
    assert mocap(f"track in -o file://{Path().absolute()}/out/")[0] == 0
    assert contents("store/x") == contents()


def test_what_a_killed_process_left_is_removed(mocap):
    dead = os.fork()
    if not dead:
        os._exit(0)
    os.waitpid(dead, 0)
    left = Path(f"temporary/.mocap-{_HOST}-{dead}-00000000")
    left.mkdir()
    assert mocap("track in/a.mp4 -o memory://out/")[0] == 0
    assert not left.exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("track in -o shelf://out/", "Protocol not known: shelf"),
        ("track in -o smb://host/out/", "smbprotocol"),
        ("track in/a.mp4 -o memory://a/a.bvh -o a.json", "outputs at a URL go to one folder"),
        ("track s3://bucket/a.mp4", "cannot read s3://bucket/a.mp4: inputs are files"),
        ("track --from s3://clips.csv", "cannot read s3://clips.csv: inputs are files"),
        ("track in -o full://out/", "cannot write full://out/.mocap: no bucket"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_before_the_work(mocap, monkeypatch, command, said):
    monkeypatch.setitem(sys.modules, "smbclient", None)  # as if not installed
    code, _, error = mocap(command)
    assert code == 1
    assert said in error
    assert len(error.splitlines()) == 2


def test_what_writes_to_folders_only_makes_no_folder_that_is_named_s3(mocap):
    with pytest.raises(MocapError, match="cannot write s3://bucket/a"):
        mocap_cli.track("in/a.mp4").save("s3://bucket/a.bvh")
    for command in ("pretrain in", "label-fit in --labels in"):
        code, _, error = mocap(f"{command} -o s3://bucket/run")
        assert code == 2
        assert "s3://bucket/run is a URL" in error
    assert not Path("s3:").exists()
