"""A library of videos: workers that crash or hang, runs that stop, and runs that go on."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from film import film
from person import fork_workers, stand

from mocap_cli.body.motion import read_motion


def act(path, options, on_frame=lambda done: None):
    """Track somebody who stands still; what else happens is in the name of the video."""
    if "killed" in path.name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "hangs" in path.name:
        time.sleep(600)
    if "memory" in path.name:
        raise MemoryError
    return stand(path, options, on_frame)


@pytest.fixture
def mocap(run_mocap, monkeypatch):
    """Run what a user types after `mocap` in a folder with three videos in `in/`."""
    monkeypatch.setattr("mocap_cli.tracking.track.track", act)
    fork_workers(monkeypatch)
    Path("in").mkdir()
    for name in "abc":
        film(Path(f"in/{name}.mp4"), range(10))
    return run_mocap


def contents(folder: str = "out") -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in Path(folder).rglob("*.*")}


def statuses(text: str) -> dict[str, str]:
    found = json.loads(text)
    done = {Path(clip["input"]).stem: clip["status"] for clip in found["results"]}
    return done | {Path(clip["input"]).stem: clip["error"] for clip in found["failures"]}


@pytest.mark.parametrize(
    ("name", "said"), [("killed", "was killed"), ("memory", "ran out of memory")]
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


_SLOW = """
import sys, time, types
sys.path.insert(0, {tests!r})
from multiprocessing import get_context
from person import stand
tracking = types.ModuleType("mocap_cli.tracking.track")  # the true one takes seconds to import
tracking.TrackOptions, tracking.networks_used = types.SimpleNamespace, lambda *model: {{}}
def track(path, options, on_frame):
    time.sleep({seconds})
    return stand(path, options, on_frame)
tracking.track = track
sys.modules[tracking.__name__] = tracking
from mocap_cli.library import worker_processes
worker_processes._CONTEXT, worker_processes._limit_threads = get_context("fork"), lambda count: None
from mocap_cli.cli import main
sys.argv = "mocap track in -o out/ -o .json -o .csv --workers 2".split()
main.main()
"""


def start(seconds: float) -> subprocess.Popen:
    script = _SLOW.format(tests=str(Path(__file__).parent), seconds=seconds)
    return subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, start_new_session=True
    )


def wait_for(pattern: str, child: subprocess.Popen) -> None:
    while not list(Path().glob(pattern)) and child.poll() is None:
        time.sleep(0.01)


def wait_for_end(group: int) -> None:
    """Workers end with their parent."""
    deadline = time.monotonic() + 20
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.02)
        pytest.fail("a worker outlives its parent")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_ctrl_c_ends_all_workers_and_leaves_nothing_half_written(mocap):
    child = start(seconds=0.5)
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
def test_a_run_that_was_killed_twice_goes_on_to_the_files_of_an_unbroken_run(mocap):
    for kill, written in ((os.killpg, "out/*.csv"), (os.kill, "out/*.json")):
        child = start(seconds=0.3)
        wait_for(written, child)
        kill(child.pid, signal.SIGKILL)
        child.wait()
        wait_for_end(child.pid)
    assert start(seconds=0).wait(60) == 0
    again = contents()
    assert sorted(again) == ["a.csv", "a.json", "b.csv", "b.json", "c.csv", "c.json"]
    for path in Path("out").iterdir():
        path.unlink()
    assert start(seconds=0).wait(60) == 0
    assert contents() == again
