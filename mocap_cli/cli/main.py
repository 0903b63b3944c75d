"""The command line: runs a command, and turns what stops it into an exit status."""

import signal
import sys
from pathlib import Path
from types import FrameType

from mocap_cli.cli.streams import guard_streams
from mocap_cli.errors import MocapError, user_error


def main() -> None:
    """Run the command line: exit status 1 for what the user can mend, 130 for Ctrl-C."""
    guard_streams()
    signal.signal(signal.SIGTERM, _exit)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _exit)  # the terminal is gone; under nohup it is ignored
    try:
        _check_current_folder()
        from mocap_cli.cli.app import app  # here: an interrupt of the import has no traceback

        app(prog_name="mocap")
    except Exception as error:
        if (shown := user_error(error)) is None:
            raise
        from mocap_cli.cli.display import show_error

        show_error(shown)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _check_current_folder() -> None:
    """Refuse a current folder that is deleted: paths have no meaning there, and torch aborts."""
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise MocapError("the current folder does not exist any more", "cd to another") from error


def _exit(number: int, frame: FrameType | None) -> None:
    """Exit as Ctrl-C does, so that half-written files are removed."""
    sys.exit(128 + number)
