"""A library of videos: workers that crash or hang, runs that stop, and runs that go on."""

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import jsonschema
import numpy as np
import pytest
from film import contents, film, film_three
from kills import BACKGROUND, TRACK, kill_at_random, start, wait_for_end
from person import fork_workers, stand
from threadpoolctl import threadpool_limits

from mocap_cli import __version__, api
from mocap_cli.body.motion_json import read_motion
from mocap_cli.io.atomic import _HOST

SCHEMA = Path(__file__).parents[1] / "docs" / "motion.schema.json"


def act(path, options, on_frame=lambda done: None):
    """Track somebody who stands still; what else happens is in the name of the video."""
    if "killed" in path.name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "hangs" in path.name:
        time.sleep(600)
    if "memory" in path.name:
        raise MemoryError
    if "opencv" in path.name:
        raise cv2.error("(-4:Insufficient memory) Failed to allocate 1 bytes")
    return stand(path, options, on_frame)


@pytest.fixture
def mocap(run_mocap, monkeypatch):
    """Run what a user types after `mocap` in a folder with three videos in `in/`."""
    monkeypatch.setattr("mocap_cli.tracking.track.track", act)
    fork_workers(monkeypatch)
    film_three()
    return run_mocap


def statuses(text: str) -> dict[str, str]:
    found = json.loads(text)
    done = {Path(clip["input"]).stem: clip["status"] for clip in found["results"]}
    return done | {Path(clip["input"]).stem: clip["error"] for clip in found["failures"]}


@pytest.mark.parametrize(
    ("name", "said"),
    [("killed", "was killed"), ("memory", "ran out of memory"), ("opencv", "ran out of memory")],
)
def test_a_worker_that_dies_fails_its_clip_alone_and_is_replaced(mocap, name, said):
    film(Path(f"in/{name}.mp4"))
    code, out, err = mocap("track in -o out/ -o .json --workers 1 --json")
    assert code == 1
    found = statuses(out)
    assert said in found.pop(name)
    assert found == {"a": "tracked", "b": "tracked", "c": "tracked"}
    assert f"in/{name}.mp4" in err


def test_a_clip_that_hangs_is_stopped_after_its_time_and_named(mocap):
    film(Path("in/hangs.mp4"))
    code, out, _ = mocap("track in -o out/ -o .json --workers 2 --clip-timeout 0.7 --json")
    assert code == 1
    found = statuses(out)
    assert "stopped after 0.7 s" in found.pop("hangs")
    assert set(found.values()) == {"tracked"}


def test_a_motion_does_not_depend_on_the_number_of_threads():
    example = Path(__file__).parents[1] / "examples" / "walk.mp4"
    motions = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads, user_api="blas"):
            motions.append(api.track(example, end=0.14))
    np.testing.assert_array_equal(motions[0].joints, motions[1].joints)


def test_results_are_the_same_whatever_the_number_of_workers(mocap):
    assert mocap("track in -o out/ --workers 3")[0] == 0
    assert mocap("track in/c.mp4 in/b.mp4 in/a.mp4 -o again/ --workers 1")[0] == 0
    assert contents("out") == contents("again")
    assert len(contents("out")) == 6


def test_a_clip_that_is_done_is_skipped_until_it_changes(mocap):
    assert mocap("track in -o out/")[0] == 0
    film(Path("in/b.mp4"), range(12))
    code, out, _ = mocap("track in -o out/ --json")
    assert (code, statuses(out)) == (0, {"a": "skipped", "b": "tracked", "c": "skipped"})
    assert len(read_motion("out/b.json").times) == 12


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("", "skipped"),
        ("--height 1.6", "tracked"),
        ("--focal 26mm", "tracked"),
        ("--subject 3,4", "tracked"),
        ("--units m", "tracked"),
        ("--overwrite", "tracked"),
        ("--no-overwrite", "skipped"),
        ("-o .csv", "exported"),
        ("--device cpu --workers 2", "skipped"),
    ],
)
def test_other_options_track_a_clip_again(mocap, change, status):
    formats = "-o .json -o .bvh"
    assert mocap(f"track in/a.mp4 -o out/ {formats}")[0] == 0
    code, out, _ = mocap(f"track in/a.mp4 -o out/ {formats} {change} --json")
    assert (code, statuses(out)) == (0, {"a": status})


def test_files_that_another_command_replaced_are_written_again_from_the_json(mocap):
    assert mocap("track in/a.mp4 -o out/")[0] == 0
    before = contents()
    assert mocap("track in/a.mp4 -o out/a.bvh --height 1.5 --units m")[0] == 0
    assert contents() != before
    assert statuses(mocap("track in/a.mp4 -o out/ --json")[1]) == {"a": "exported"}
    assert contents() == before
    assert statuses(mocap("track in/a.mp4 -o out/ --json")[1]) == {"a": "skipped"}


@pytest.mark.parametrize("damage", ["half", "edited", "older"])
def test_a_json_that_is_not_the_result_is_tracked_again(mocap, damage):
    assert mocap("track in/a.mp4 -o out/ -o .json")[0] == 0
    whole = Path("out/a.json").read_bytes()
    if damage == "half":
        Path("out/a.json").write_bytes(whole[: len(whole) // 2])
    elif damage == "edited":
        read_motion("out/a.json").edit(mirror=True).save("out/a.json")
    else:
        Path("out/a.json").write_bytes(whole.replace(b'"mocap":"', b'"mocap":"0'))
    assert statuses(mocap("track in/a.mp4 -o out/ -o .json --json")[1]) == {"a": "tracked"}
    assert Path("out/a.json").read_bytes() == whole


def rows(path: str = "summary.csv") -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_json_with_its_provenance_fits_the_schema(mocap):
    assert mocap("track in/a.mp4 -o a.json --height 1.6 --subject 3,4")[0] == 0
    found = json.loads(Path("a.json").read_text())
    jsonschema.validate(found, json.loads(SCHEMA.read_text()))
    assert found["provenance"]["options"] == {"subject": "3,4", "height": 1.6}
    content = Path("in/a.mp4").read_bytes()
    assert found["provenance"]["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_list_gives_spans_and_heights_and_a_name_for_each(mocap):
    Path("clips.csv").write_text(
        "path,athlete,height,start,end,name\n"
        "in/a.mp4,Ann,1.6,,,\n"
        "in/b.mp4,Bea,,0.1,0.2,\n"
        "in/b.mp4,Bea,,0.2,,\n"
        "in/c.mp4,Cat,,,,day1/cat\n"
    )
    assert mocap("track --from clips.csv -o out/ -o .json --height 1.5")[0] == 0
    assert sorted(contents()) == ["a.json", "b_0.1-0.2.json", "b_0.2-end.json", "day1/cat.json"]
    options = {n: read_motion(f"out/{n}").provenance.options for n in contents()}
    assert options["a.json"] == {"subject": "auto", "height": 1.6}
    assert options["b_0.1-0.2.json"] == {
        "subject": "auto", "height": 1.5, "start": 0.1, "end": 0.2,
    }  # fmt: skip
    assert len(read_motion("out/b_0.1-0.2.json").times) == 4


def test_a_text_file_lists_one_path_a_line(mocap):
    Path("clips.txt").write_text("in/a.mp4\n\nin/c.mp4\n")
    assert mocap("track --from clips.txt -o out/ -o .json")[0] == 0
    assert sorted(contents()) == ["a.json", "c.json"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("video\na.mp4\n", "clips.csv has no column path"),
        ("path,height\nin/a.mp4,170\n", "clips.csv, line 2: height is 170, not a number from"),
        ("path,start,end\nin/a.mp4,2,1\n", "clips.csv, line 2: end 1 is not after start 2"),
        ("path,subject\nin/a.mp4,nobody\n", "clips.csv, line 2: --subject nobody"),
        ("path,name\nin/a.mp4,../a\n", "clips.csv, line 2: name is ../a, which leads out"),
        ("path\n", "clips.csv lists no videos"),
        ("path\nin/a.mp4\nin/a.mp4\n", "a.json would be written twice"),
    ],
)
def test_a_list_that_cannot_be_is_refused_and_its_line_named(mocap, text, said):
    Path("clips.csv").write_text(text)
    code, _, err = mocap("track --from clips.csv -o out/ -o .json")
    assert (code, said in err) == (1, True), err
    assert not Path("out").exists()


def test_the_summary_has_a_row_for_each_clip_in_the_order_of_the_clips(mocap):
    Path("in/bad.mp4").write_text("no video")
    assert mocap("track in -o out/ -o .json --summary summary.csv")[0] == 1
    found = rows()
    assert [row["path"] for row in found] == [f"in/{n}.mp4" for n in ("a", "b", "bad", "c")]
    assert [row["status"] for row in found] == ["tracked", "tracked", "failed", "tracked"]
    assert "is not a video" in found[2]["error"]
    assert (found[0]["frames"], found[0]["coverage"], found[0]["verdict"]) == ("10", "1.0", "good")
    assert found[0]["version"] == __version__


def test_a_summary_is_a_list_of_the_same_clips(mocap):
    Path("clips.csv").write_text("path,name,end\nin/a.mp4,x/a,0.2\nin/b.mp4,,\n")
    assert mocap("track --from clips.csv -o out/ -o .json --summary summary.csv")[0] == 0
    first = rows()
    assert mocap("track --from summary.csv -o out/ -o .json --summary again.csv")[0] == 0
    assert [row["status"] for row in rows("again.csv")] == ["skipped", "skipped"]
    for row in (*first, *rows("again.csv")):
        for column in ("status", "seconds", "finished"):
            del row[column]
    assert rows("again.csv") != first
    assert len(first) == 2


def test_the_points_of_a_subject_are_in_the_summary_as_a_list_takes_them(mocap):
    points = "--subject 3,4 --subject 5,6@0.2"
    assert mocap(f"track in/a.mp4 -o out/ -o .json {points} --summary summary.csv")[0] == 0
    assert rows()[0]["subject"] == "3,4;5,6@0.2"
    code, out, _ = mocap("track --from summary.csv -o out/ -o .json --json")
    assert (code, statuses(out)) == (0, {"a": "skipped"})


@pytest.mark.parametrize("name", ["summary.jsonl", "summary.csv"])
def test_a_summary_is_replaced_and_another_file_is_not(mocap, name):
    command = f"track in/a.mp4 -o out/ --summary {name}"
    assert mocap(command)[0] == 0
    assert mocap(command)[0] == 0
    assert '"skipped"' in Path(name).read_text() or ",skipped," in Path(name).read_text()
    Path(name).write_text("my notes\n")
    code, _, err = mocap(command)
    assert (code, "exists already" in err) == (1, True)


def test_a_summary_may_be_parquet(mocap):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert mocap("track in -o out/ -o .json --summary summary.parquet")[0] == 0
    assert parquet.read_table("summary.parquet").column("status").to_pylist() == ["tracked"] * 3
    code, out, _ = mocap("track --from summary.parquet -o out/ -o .json --json")
    assert (code, set(statuses(out).values())) == (0, {"skipped"})


@pytest.mark.parametrize("name", ["in/a.mp4", "out/a.json", "summary.txt"])
def test_a_summary_that_cannot_be_is_refused_before_the_work(mocap, name):
    assert mocap(f"track in -o out/ --summary {name} --overwrite")[0] == 1
    assert not Path("out").exists()


def test_the_shards_share_the_clips_and_make_the_same_files(mocap):
    assert mocap("track in -o whole/ -o .json")[0] == 0
    for index in (1, 2):
        code, _, err = mocap(f"track in -o out/ -o .json --shard {index}/2")
        assert (code, f"shard {index}/2: {3 - index} of 3 clips" in err) == (0, True)
    assert contents("out") == contents("whole")
    assert mocap("track in -o out/ -o .json --shard 9/9")[0] == 0


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "1/0"])
def test_a_shard_that_cannot_be_is_bad_usage(mocap, shard):
    assert mocap(f"track in -o out/ --shard {shard}")[0] == 2


@pytest.mark.parametrize("first", [0, 1, 10])
def test_a_task_of_a_slurm_array_takes_its_shard_of_a_folder(mocap, monkeypatch, first):
    for task in range(2):
        numbers = {"ID": first + task, "COUNT": 2, "MIN": first, "MAX": first + 1}
        for key, value in numbers.items():
            monkeypatch.setenv(f"SLURM_ARRAY_TASK_{key}", str(value))
        assert f"shard {task + 1}/2" in mocap("track in -o out/ -o .json")[2]
    assert sorted(contents()) == ["a.json", "b.json", "c.json"]
    assert "shard" not in mocap("track in/a.mp4 in/b.mp4 -o out/ -o .json")[2]
    assert "shard" not in mocap("track in -o out/ -o .json --shard 1/1")[2]


class _FakeRay:
    """As much of Ray as the engine uses; the second task is lost with its node."""

    class exceptions:  # noqa: N801
        RayError = RuntimeError

    def __init__(self) -> None:
        self.most, self.waiting, self.started = 0, {}, 0

    def init(self, **options) -> None:
        if options["address"] == "nowhere":
            raise ConnectionError("no answer")

    def shutdown(self) -> None:
        pass

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def remote(self, **options):
        def start(*values):
            self.started += 1
            self.waiting[self.started] = values
            self.most = max(self.most, len(self.waiting))
            return self.started

        def decorate(function):
            self.function = function
            return SimpleNamespace(remote=start)

        return decorate

    def wait(self, tasks, **options):
        return tasks[:1], tasks[1:]

    def get(self, task):
        values = self.waiting.pop(task)
        if task == 2:
            raise RuntimeError("node died\nlong text")
        return self.function(*values)


def test_ray_gets_no_more_clips_than_it_has_cores_and_a_lost_one_fails_alone(mocap, monkeypatch):
    ray = _FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    command = "track in -o out/ -o .json --engine ray --json"
    code, out, _ = mocap(command)
    assert code == 1
    found = statuses(out)
    assert found.pop("b") == "lost by Ray: node died"
    assert found == {"a": "tracked", "c": "tracked"}
    assert ray.most == 2
    code, out, _ = mocap(command)
    assert statuses(out) == {"a": "skipped", "b": "tracked", "c": "skipped"}
    assert json.loads(out)["results"][1]["outputs"][0]["path"] == "out/b.json"
    assert mocap("track in -o local/ -o .json")[0] == 0
    assert contents("out") == contents("local")
    ray.started = 2  # none is lost
    code, out, _ = mocap(f"{BACKGROUND.replace('out', 'plates')} --engine ray --json")
    assert (code, statuses(out)) == (0, dict.fromkeys("abc", "made"))
    assert "cannot connect to Ray at nowhere" in mocap(f"{command} --address nowhere")[2]


def test_without_ray_the_engine_says_what_to_install(mocap, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = mocap("track in -o out/ --engine ray")
    assert (code, "pip install 'mocap-cli[ray]'" in err) == (1, True)
    assert mocap("track in -o out/ --address here:1")[0] == 2


def test_what_a_killed_command_left_goes_even_where_all_clips_are_done(mocap):
    assert mocap("track in -o out/ -o .json")[0] == 0
    with subprocess.Popen(["true"]) as dead:
        pass
    left = Path(f"out/.a-{_HOST}-{dead.pid}-00000000.json")
    left.touch()
    assert mocap("track in -o out/ -o .json")[0] == 0
    assert not left.exists()


def test_backgrounds_are_made_by_workers_and_those_that_are_done_are_skipped(mocap):
    Path("in/bad.mp4").write_text("no video")
    code, out, _ = mocap(f"{BACKGROUND} --json --summary summary.csv")
    assert code == 1
    found = statuses(out)
    assert "is not a video" in found.pop("bad")
    assert found == dict.fromkeys("abc", "made")
    assert [row["status"] for row in rows()] == ["made", "made", "failed", "made"]
    assert (rows()[0]["frames"], rows()[0]["method"]) == ("10", "median")
    before = contents()
    assert len(before) == 9
    film(Path("in/b.mp4"), range(12))
    Path("in/bad.mp4").unlink()
    code, out, _ = mocap(f"{BACKGROUND} --json")
    assert (code, statuses(out)) == (0, {"a": "skipped", "b": "made", "c": "skipped"})
    assert mocap(f"{BACKGROUND.replace('out', 'again')} --workers 1")[0] == 0
    assert contents("again") == contents()
    assert contents() != before


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("", "skipped"),
        ("--device cpu", "skipped"),
        ("--no-overwrite", "skipped"),
        ("--samples 5", "made"),
        ("--start 0.1", "made"),
        ("--fov 60", "made"),
        ("--overwrite", "made"),
        ("--difference", "exported"),
    ],
)
def test_other_options_make_a_background_again(mocap, change, status):
    command = "background in/a.mp4 -o out/ --no-people --median"
    assert mocap(command)[0] == 0
    code, out, _ = mocap(f"{command} {change} --json")
    assert (code, statuses(out)) == (0, {"a": status})


def test_files_are_written_again_from_a_finished_archive_and_are_the_same(mocap):
    assert mocap(BACKGROUND)[0] == 0
    before = contents()
    Path("out/a.background.png").unlink()
    Path("out/b.background.sheet.png").write_bytes(before["a.background.sheet.png"])
    archive = Path("out/c.background.npz")
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    found = statuses(mocap(f"{BACKGROUND} --json")[1])
    assert found == {"a": "exported", "b": "exported", "c": "made"}
    assert contents() == before
    assert set(statuses(mocap(f"{BACKGROUND} --json")[1]).values()) == {"skipped"}


def test_a_list_names_spans_of_videos_for_backgrounds_too(mocap):
    Path("clips.csv").write_text("path,name,start,end\nin/a.mp4,,0.1,0.2\nin/a.mp4,whole,,\n")
    assert mocap("background --from clips.csv -o out/ --no-people --median")[0] == 0
    assert sorted(contents()) == [
        "a_0.1-0.2.background.npz", "a_0.1-0.2.background.png",
        "whole.background.npz", "whole.background.png",
    ]  # fmt: skip


def test_motions_are_exported_by_workers_with_a_table(mocap):
    assert mocap("track in -o motions/ -o .json")[0] == 0
    Path("motions/bad.json").write_text("{}")
    command = "export motions -o {}/ -o .bvh -o .csv --height 1.5"
    assert mocap(f"{command.format('here')} --summary summary.csv")[0] == 1
    assert [row["status"] for row in rows()] == ["exported", "exported", "failed", "exported"]
    code, out, _ = mocap(f"{command.format('out')} --workers 2 --json")
    assert code == 1
    assert statuses(out).pop("a") == "exported"
    assert contents("out") == contents("here")
    assert len(contents("out")) == 6
    assert "shard 2/2: 2 of 4 clips" in mocap(f"{command.format('out')} --shard 2/2")[2]


def wait_for(pattern: str, child: subprocess.Popen) -> None:
    while not list(Path().glob(pattern)) and child.poll() is None:
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_ctrl_c_ends_all_workers_and_leaves_nothing_half_written(mocap):
    child = start(TRACK, seconds=0.5)
    wait_for("out/*.json", child)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does: parent and workers
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert b"Traceback" not in err
    wait_for_end(child.pid)
    for path in Path("out").iterdir():
        assert path.suffix in (".json", ".csv")
        assert not path.name.startswith(".")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_run_that_was_killed_goes_on_to_the_files_of_an_unbroken_run(tmp_path):
    assert kill_at_random(TRACK, tmp_path, kills=2, seed=1) == 8
