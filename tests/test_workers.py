"""Worker processes, whatever they do."""

import atexit
import time
from pathlib import Path

from mocap_cli.workers.job import Job
from mocap_cli.workers.processes import WorkerProcess


class LingeringWork:
    """Does nothing; its process takes long to end, once it has been told to."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def open(self):
        atexit.register(self.linger)

    def linger(self):
        self.sign.touch()
        time.sleep(0.5)


def test_a_process_that_ends_already_is_not_interrupted(tmp_path, capfd):
    worker = WorkerProcess[Job, None](LingeringWork(tmp_path / "ends"), 1)
    worker._connection.close()
    until = time.monotonic() + 60
    while not (tmp_path / "ends").exists():
        assert time.monotonic() < until, worker.process.kill()
        time.sleep(0.02)
    worker.end()
    worker.join(10)
    assert worker.process.exitcode == 0
    assert capfd.readouterr().err == ""
