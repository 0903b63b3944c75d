"""The folder of a run: whose it is before the work, and one process at a time in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.io.file_guard import refuse_unwritable
from mocap_cli.io.lock import only_process
from mocap_cli.learning.data.ingest import RUN, RunSources
from mocap_cli.learning.data.random_backgrounds import BACKGROUNDS
from mocap_cli.learning.data.subject import SUBJECT
from mocap_cli.learning.loop.checkpoint import read_checkpoint_state
from mocap_cli.learning.loop.distributed import Distributed
from mocap_cli.learning.loop.metrics_log import MetricsLog
from mocap_cli.learning.loop.previews import CURVES, SHEETS
from mocap_cli.learning.loop.training import BEST, LAST

LOCK = ".lock"
"""Name of the file in a run's folder that keeps a second process out."""

_WRITTEN = (BEST, LAST, MetricsLog.NAME, CURVES, SHEETS, SUBJECT, BACKGROUNDS)  # after RUN


def refuse_used_folder(folder: Path) -> None:
    """Refuse a folder that holds a run, or other files that a run would overwrite.

    A run that ended before its first step may start again: its run.json was written first.
    """
    for name in (BEST, LAST):
        path = folder / name
        if path.exists() and (name == BEST or read_checkpoint_state(path)[1].step):
            raise MocapError(
                f"{folder} already holds a run: {name}",
                "continue it with --resume, or choose another -o",
            )
    if (folder / RUN).exists():
        RunSources.read(folder)
    else:
        _refuse_foreign_files(folder)
    refuse_unwritable(folder / LAST)


def _refuse_foreign_files(folder: Path) -> None:
    for name in _WRITTEN:
        if os.path.lexists(folder / name):
            raise MocapError(f"{folder / name} is not part of a run", "choose another -o")


@contextmanager
def locked(folder: Path, distributed: Distributed) -> Iterator[None]:
    """Keep other processes out of the folder of a run, until this one ends."""
    if not distributed.is_main:
        yield
        return
    with only_process(folder / LOCK):
        yield
