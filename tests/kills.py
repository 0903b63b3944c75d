"""Kills: runs over many clips that are killed at random moments must end as an unbroken one.

    python tests/kills.py [--kills 50] [--seed 0]

The clips are tiny and the tracker is a made-up one, so that a run takes seconds. Every second kill
ends all processes of a run, the others its parent alone.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from film import film

_SCRIPT = """
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
import mocap_cli.clips.clip_tracker, mocap_cli.clips.background_maker  # not in every fork
from mocap_cli.workers import processes
processes._CONTEXT, processes._limit_threads = get_context("fork"), lambda count: None
from mocap_cli.cli import main
sys.argv = "mocap {command}".split()
main.main()
"""
TRACK = "track in -o out/ -o .json -o .csv --workers 2"
BACKGROUND = "background in -o out/ --no-people --median --sheet --workers 2"


def start(command: str = TRACK, seconds: float = 0.0, folder: Path = Path()) -> subprocess.Popen:
    """Run a command whose tracker takes so many seconds a clip."""
    script = _SCRIPT.format(tests=str(Path(__file__).parent), command=command, seconds=seconds)
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=folder,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_for_end(group: int) -> None:
    """Workers end with their parent."""
    deadline = time.monotonic() + 30
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.02)
        raise AssertionError("a worker outlives its parent")


def results(folder: Path) -> dict[str, bytes]:
    """Every file of the output folder, hidden ones included."""
    out = folder / "out"
    return {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def finish(command: str, folder: Path) -> float:
    """A run to its end; the seconds that it took."""
    began = time.monotonic()
    run = start(command, 0.2, folder)
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors.decode()
    return time.monotonic() - began


def kill_at_random(command: str, folder: Path, kills: int, seed: int) -> int:
    """Kill so many runs, then compare one to the end with an unbroken one; how many files."""
    (folder / "in").mkdir()
    for number in range(4):
        film(folder / f"in/{number}.mp4", range(5 + number))
    longest = finish(command, folder)
    whole, chance = results(folder), random.Random(seed)
    for path in (folder / "out").iterdir():
        path.unlink()
    for number in range(kills):
        run = start(command, 0.2, folder)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(chance.uniform(0.3, 1) * longest)
            for path in random.Random(number).sample(sorted((folder / "out").iterdir()), 3):
                path.unlink(missing_ok=True)  # it has ended: leave something to do
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if number % 2 else os.kill)(run.pid, signal.SIGKILL)
        run.communicate()
        wait_for_end(run.pid)
    finish(command, folder)
    again = results(folder)
    assert again.keys() == whole.keys(), sorted(again.keys() ^ whole.keys())
    assert again == whole, [name for name in whole if again[name] != whole[name]]
    return len(whole)


def main() -> None:
    """Kill runs of `mocap track` and of `mocap background`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for command in (TRACK, BACKGROUND):
        with tempfile.TemporaryDirectory() as folder:
            files = kill_at_random(command, Path(folder), options.kills, options.seed)
        print(f"{command}: {options.kills} kills, the same {files} files", flush=True)


if __name__ == "__main__":
    main()
