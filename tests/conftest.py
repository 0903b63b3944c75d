"""Fixtures that several test files share."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from person import fork_workers, stand

from mocap_cli.cli import main

if "PYTEST_XDIST_WORKER" in os.environ:  # all cores have a worker already
    os.environ.setdefault("OMP_NUM_THREADS", "1")


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


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Copies of the tiny data sets of tests/tiny_datasets.py, each made once."""
    import tiny_datasets

    folder = tmp_path_factory.mktemp("published")
    made: dict[tuple[str, ...], Path] = {}

    def get(name: str, place: Path, **how: str) -> Path:
        key = name, *how.values()
        if key not in made:
            whole = folder / "_".join(key).replace("/", "_")
            made[key] = getattr(tiny_datasets, name)(whole, **how)
        shutil.copytree(made[key], place)
        return place

    return get


@pytest.fixture
def convert(tmp_path, capsys) -> Callable[..., tuple[int, str, str]]:
    """Convert the data set tmp_path/NAME to tmp_path/out: exit status, stdout and stderr."""
    from training.datasets.__main__ import main

    def run(name: str, *options: str) -> tuple[int, str, str]:
        status = main([name, str(tmp_path / name), "-o", str(tmp_path / "out"), *options])
        return status, *capsys.readouterr()

    return run
