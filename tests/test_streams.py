"""Standard streams that are closed, full or no longer read, as a shell hands them over."""

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from poses import dance, motion_of

from mocap_cli.body.motion_json import write_motion

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")


@pytest.fixture
def typed(tmp_path):
    """Run what a user types after `mocap` in a folder with a.json and b.json; then the files."""
    times = np.arange(5) / 30
    for name in ("a.json", "b.json"):
        write_motion(motion_of(dance(times), times), tmp_path / name)

    def run(line: str) -> tuple[int, str, str, set[str]]:
        program = f"{shlex.quote(sys.executable)} -m mocap_cli {line}"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", program], cwd=tmp_path, capture_output=True, text=True
        )
        made = {path.name for path in tmp_path.glob("*.bvh")}
        return done.returncode, done.stdout, done.stderr, made

    return run


@pytest.mark.parametrize("line", ["export a.json -o a.bvh --json", "--help", "--version"])
def test_an_output_on_a_full_disk_is_one_line_and_a_hint(typed, line):
    code, _, err, _ = typed(f"{line} >/dev/full")
    assert code == 1
    assert err.splitlines() == [
        "error: cannot write to the output: No space left on device",
        "hint: free some space, or send it elsewhere",
    ]


def test_a_closed_output_is_as_good_as_dev_null(typed):
    assert typed("export a.json -o a.bvh --json >&-") == (0, "", "", {"a.bvh"})


def test_nobody_reading_on_ends_the_command_without_a_word(typed):
    assert typed("--help | true")[::2] == (1, "")


@pytest.mark.parametrize(
    "where", ["-q 2>&-", "2>/dev/full", "2>&1 >/dev/null | true",
              "--workers 1 <&- >&- 2>&-"]
)  # fmt: skip
def test_what_cannot_be_shown_stops_no_work(typed, where):
    assert typed(f"export a.json b.json -o .bvh {where}") == (0, "", "", {"a.bvh", "b.bvh"})


def test_an_error_that_cannot_be_shown_is_in_the_exit_status(typed):
    assert typed("export c.json -o .bvh 2>/dev/full")[0] == 1
