"""`mocap pretrain`: learn from unlabelled clips."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mocap_cli.commands.options import LARGEST_SEED, Quiet, positive
from mocap_cli.learning.methods import METHODS

_NAMES = ", ".join(METHODS)

Videos = Annotated[
    list[Path] | None,
    typer.Argument(metavar="VIDEO", help="Videos, or folders of videos, of one person each."),
]
Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="RUN", help="Folder of the run, as runs/ski.")
]
Preset = Annotated[
    Literal["auto", "full", "small"],
    typer.Option(help="full: the paper's networks, for a GPU; small: trains on two CPU cores."),
]
MethodName = Annotated[
    str, typer.Option("--method", help=f"The paper's or one it is compared with: {_NAMES}.")
]
Steps = Annotated[int | None, typer.Option(min=1, help="Steps to learn.", show_default="preset's")]
FallSteps = Annotated[
    int, typer.Option(min=0, help="Of them at the beginning with gravity: people in free fall.")
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch",
        min=1,
        max=1_000_000,
        help="Items a step, four frames each.",
        show_default="preset's",
    ),
]
Near = Annotated[
    float | None,
    typer.Option(callback=positive, help="Seconds within which poses are alike."),
]
Far = Annotated[
    float | None,
    typer.Option(callback=positive, help="Seconds from which poses are unlike."),
]
Side = Annotated[
    int | None,
    typer.Option(
        min=32, max=4096, help="Longer side of stored frames, pixels.", show_default="preset's"
    ),
]
Fps = Annotated[
    float | None, typer.Option(callback=positive, help="Frames a second to store at most.")
]
Background = Annotated[
    Literal["auto", "median", "split", "panorama"],
    typer.Option(help="How backgrounds are made where no VIDEO.background.npz lies beside."),
]
Crowds = Annotated[
    Literal["skip", "keep"],
    typer.Option(help="Frames with several people: the method is made for one."),
]
Keypoints = Annotated[
    bool,
    typer.Option("--keypoints", help="Learn also from the keypoints of VIDEO.json (mocap track)."),
]
PixelWeight = Annotated[
    float | None,
    typer.Option(
        callback=positive, help="Weight of colours; 0.05 for rough backgrounds such as snow."
    ),
]
Centred = Annotated[
    bool, typer.Option("--centred", help="The subject is mostly in the middle of the picture.")
]
Rate = Annotated[
    float | None,
    typer.Option(callback=positive, help="Learning rate.", show_default="preset's"),
]
Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Another seed, another run.")]
Store = Annotated[
    Path | None,
    typer.Option(help="Where decoded frames are kept.", show_default="frames/ beside RUN"),
]
Minutes = Annotated[float, typer.Option(callback=positive, help="Between sheets of pictures.")]
Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where to learn.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in RUN.")]
Compile = Annotated[
    bool, typer.Option("--compile", help="Fuse operations with torch.compile: minutes, once.")
]
TensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")]


def pretrain(
    context: typer.Context,
    videos: Videos = None,
    output: Output = Path("runs/pretrain"),
    preset: Preset = "auto",
    method: MethodName = "ours",
    steps: Steps = None,
    fall_steps: FallSteps = 0,
    batch: BatchSize = None,
    near: Near = None,
    far: Far = None,
    side: Side = None,
    fps: Fps = None,
    background: Background = "auto",
    crowds: Crowds = "skip",
    keypoints: Keypoints = False,
    pixel_weight: PixelWeight = None,
    centred: Centred = False,
    rate: Rate = None,
    seed: Seed = 1,
    store: Store = None,
    sheet_minutes: Minutes = 5.0,
    device: Device = "auto",
    compiled: Compile = False,
    tensorboard: TensorBoard = False,
    resume: Resume = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Learn to find, draw and encode a person from unlabelled videos.

    Example: mocap pretrain ./videos -o runs/ski --preset small
    """
    if near is not None and far is not None and near >= far:
        raise typer.BadParameter(f"{near:g} s is not below --far {far:g} s", param_hint="--near")
    if resume:
        _refuse_what_is_kept(context)
    elif not videos:
        raise typer.BadParameter("give videos, or folders of videos", param_hint="VIDEO")
    from mocap_cli.commands.training import Continued, Manner, go_on, run
    from mocap_cli.commands.wanted import Wanted

    manner = Manner(minutes=sheet_minutes, compiled=compiled, tensorboard=tensorboard, quiet=quiet)
    if resume:
        go_on(output, Continued(steps=steps, batch=batch, rate=rate), device=device, manner=manner)
        return
    wanted = Wanted(
        videos=tuple(videos or ()), output=output, preset=preset, method=method, steps=steps,
        fall_steps=fall_steps, batch=batch, near=near, far=far, side=side, fps=fps,
        background=background, crowds=crowds, keypoints=keypoints, pixel_weight=pixel_weight,
        centred=centred, rate=rate, seed=seed, store=store or output.parent / "frames",
        device=device,
    )  # fmt: skip
    run(wanted, manner, dry=dry_run)


_OF_A_RESUME = {
    "output", "steps", "batch", "rate", "sheet_minutes", "device", "compiled", "tensorboard",
    "resume", "quiet",
}  # fmt: skip


def _refuse_what_is_kept(context: typer.Context) -> None:
    """A resumed run keeps its clips and its recipe, so another one is refused, not ignored."""
    for option in context.command.params:
        name, source = option.name or "", context.get_parameter_source(option.name or "")
        if name not in _OF_A_RESUME and source is not None and source.name == "COMMANDLINE":
            hint = option.opts[-1] if option.param_type_name == "option" else "VIDEO"
            raise typer.BadParameter(
                "a resumed run keeps its own; only --steps, --batch, --rate, --device,"
                " --sheet-minutes, --compile and --tensorboard can be given with --resume",
                param_hint=hint,
            )
