"""The command line: `mocap COMMAND`; each command is a file of this package."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mocap_cli import __version__
from mocap_cli.cli.background import background
from mocap_cli.cli.export import export
from mocap_cli.cli.label_fit import label_fit
from mocap_cli.cli.pretrain import pretrain
from mocap_cli.cli.streams import guard_streams
from mocap_cli.cli.track import track
from mocap_cli.errors import MocapError, user_error

_VALIDATOR = "Value error, "  # what pydantic, inside typer, puts before the reason


class _Commands(TyperGroup):
    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run a command; wrong usage is reported by its reason alone."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix(_VALIDATOR)
            raise


app = typer.Typer(
    name="mocap",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a bug keeps its plain traceback
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(track)
app.command()(export)
app.command()(background)
app.command()(pretrain)
app.command()(label_fit)


def _print_version(given: bool) -> None:
    if given:
        typer.echo(f"mocap {__version__}")
        raise typer.Exit


@app.callback()
def _mocap(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Turn ordinary videos of one person into motion-capture files."""


def main() -> None:
    """Run the command line: exit status 1 for what the user can mend, 130 for Ctrl-C."""
    guard_streams()
    signal.signal(signal.SIGTERM, _exit)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _exit)  # the terminal is gone; under nohup it is ignored
    try:
        _check_current_folder()
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
