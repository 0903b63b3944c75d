"""Fixtures that several test files share."""

import shlex
import sys
from collections.abc import Callable

import pytest
from person import fork_workers, stand

from mocap_cli.cli import main


@pytest.fixture
def run_mocap(monkeypatch, capsys, tmp_path) -> Callable[[str], tuple[int, str, str]]:
    """Run what a user types after `mocap` in an empty folder: exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(typed: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mocap", *shlex.split(typed)])
        with pytest.raises(SystemExit) as left:
            main.main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


@pytest.fixture
def mocap(run_mocap, monkeypatch):
    """As `run_mocap`, with a tracker that finds somebody who stands still."""
    monkeypatch.setattr("mocap_cli.tracking.track.track", stand)
    fork_workers(monkeypatch)
    return run_mocap
