"""Files appear whole or not at all, as their owner wants them."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import readable, write_atomically
from mocap_cli.io.lock import only_process
from mocap_cli.learning.data.store import ClipWriter, StoreRecipe

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and signals are POSIX")


def write(path: Path, text: str = "new") -> None:
    with write_atomically(path) as aside:
        aside.write_text(text)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_file_has_the_mode_that_the_umask_leaves_and_a_rewritten_one_keeps_its_own(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "new.txt")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "new.txt") == 0o640
    own = tmp_path / "own.txt"
    own.write_text("old")
    own.chmod(0o600)
    write(own)
    assert (own.read_text(), mode_of(own)) == ("new", 0o600)


def test_the_umask_is_never_changed_while_other_threads_may_create_files(tmp_path, monkeypatch):
    def changed(mask: int) -> int:
        raise AssertionError("the umask is the whole process's")

    monkeypatch.setattr(os, "umask", changed)
    write(tmp_path / "a.txt")


def test_a_write_protected_file_is_not_replaced(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(MocapError, match="write-protected"):
        write(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_what_is_written_reaches_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    whole, order = os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda f: (order.append((tmp_path / "a").exists()), whole(f)))
    write(tmp_path / "a")
    assert order == [False]


def test_a_name_as_long_as_a_name_may_be_can_be_written(tmp_path):
    for name in ("a" * 251 + ".txt", "\N{SNOWMAN}" * 83 + ".txt"):
        write(tmp_path / name)
        assert (tmp_path / name).read_text() == "new"


KILLED = """
import os, signal
from pathlib import Path
from mocap_cli.io.atomic import write_atomically
from mocap_cli.learning.data.store import ClipWriter, StoreRecipe
recipe = StoreRecipe(width=64, height=48)
with write_atomically(Path("a.txt")) as aside, ClipWriter.store(Path(), "clip", recipe) as clip:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_by_the_next_and_that_of_a_living_one_is_not(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert len(list(tmp_path.glob(".*"))) == 2
    with write_atomically(tmp_path / "a.txt") as aside:
        aside.write_text("slow")
        write(tmp_path / "a.txt", "quick")
    with ClipWriter.store(tmp_path, "clip", StoreRecipe(width=64, height=48)):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "clip"]
    assert (tmp_path / "a.txt").read_text() == "slow"


def test_a_folder_is_listed_once_however_many_files_are_written_to_it(tmp_path, monkeypatch):
    subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, check=False)
    listed, whole = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or whole(folder))
    for name in "bcd":
        write(tmp_path / name)
    monkeypatch.undo()
    assert listed.count(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "c", "d"]


def test_a_full_disk_is_one_line_for_tensors_too_and_leaves_nothing(tmp_path):
    script = """
import resource, signal, sys, torch
from pathlib import Path
from mocap_cli.errors import MocapError
from mocap_cli.io.sealed import write_tensors
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_tensors(Path("a.safetensors"), {"a": torch.zeros(100_000)}, {})
except MocapError as error:
    print(error.message)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("cannot write a.safetensors"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_not_utf8_become_text_that_json_can_hold():
    assert readable("caf\udce9.mp4") == "caf\N{REPLACEMENT CHARACTER}.mp4"
    assert readable("caf\xe9.mp4") == "caf\xe9.mp4"


HOLDER = """
import sys
from pathlib import Path
from mocap_cli.errors import MocapError
from mocap_cli.io.lock import only_process
try:
    with only_process(Path("run/.lock"), wait="wait" in sys.argv):
        print("entered", flush=True)
        if "stay" in sys.argv:
            sys.stdin.read()
except MocapError as error:
    print(error.message)
"""


@pytest.fixture
def hold(tmp_path):
    """Starts a process that takes the lock."""
    started = []

    def start(*how: str) -> subprocess.Popen:
        command = [sys.executable, "-c", HOLDER, *how]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        started.append(subprocess.Popen(command, cwd=tmp_path, text=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_process_is_told_which_one_holds_a_folder(tmp_path, hold):
    with only_process(tmp_path / "run/.lock"):
        said = hold().communicate()[0]
    assert said.startswith(f"process {os.getpid()} on ")
    assert said.strip().endswith("writes to run")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_file_that_is_not_a_lock_is_refused_and_stays(tmp_path):
    path = tmp_path / ".lock"
    path.write_text("mine")
    with pytest.raises(MocapError, match=r"\.lock is not a lock of mocap"), only_process(path):
        pass
    assert path.read_text() == "mine"
    for left in ("", "process 1 on another\n"):
        path.write_text(left)
        with only_process(path):
            assert path.read_text().startswith(f"process {os.getpid()} on ")
        assert not path.exists()


def test_the_lock_of_a_killed_process_is_taken_over_by_one_that_waits(tmp_path, hold):
    first = hold("stay")
    assert first.stdout.readline() == "entered\n"
    second = hold("wait")
    assert f"waiting for process {first.pid} on " in second.stderr.readline()
    first.kill()
    assert second.communicate(timeout=20)[0] == "entered\n"
    assert list((tmp_path / "run").iterdir()) == []


def test_of_many_threads_one_at_a_time_holds_a_lock_that_is_removed_and_made_again(tmp_path):
    inside, most = [], []

    def hold_often() -> None:
        for _ in range(20):
            with only_process(tmp_path / ".lock", wait=True):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0002)
                inside.pop()

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(hold_often) for _ in range(4)]:
            done.result()
    assert most == [1] * 80
    assert list(tmp_path.iterdir()) == []
