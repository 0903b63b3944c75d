"""The commands: `mocap COMMAND`; each is a file of this package."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mocap_cli import __version__
from mocap_cli.cli.background import background
from mocap_cli.cli.export import export
from mocap_cli.cli.label_fit import label_fit
from mocap_cli.cli.pretrain import pretrain
from mocap_cli.cli.track import track

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
