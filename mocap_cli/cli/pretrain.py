"""`mocap pretrain`: learn from unlabelled clips."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mocap_cli.cli.options import LARGEST_SEED, Quiet, check_positive
from mocap_cli.learning.model.methods import METHODS

_NAMES = ", ".join(METHODS)

_Videos = Annotated[
    list[Path] | None,
    typer.Argument(metavar="VIDEO", help="Videos, or folders of videos, of one person each."),
]
_Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="RUN", help="Folder of the run, as runs/ski.")
]
_Preset = Annotated[
    Literal["auto", "full", "small"],
    typer.Option(help="full: the paper's networks, for a GPU; small: trains on two CPU cores."),
]
_MethodName = Annotated[
    str, typer.Option("--method", help=f"The paper's or one it is compared with: {_NAMES}.")
]
_Steps = Annotated[int | None, typer.Option(min=1, help="Steps to learn.", show_default="preset's")]
_FallSteps = Annotated[
    int, typer.Option(min=0, help="Of them at the beginning with gravity: people in free fall.")
]
_BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch",
        min=1,
        max=1_000_000,
        help="Items a step, four frames each.",
        show_default="preset's",
    ),
]
_Near = Annotated[
    float | None,
    typer.Option(callback=check_positive, help="Seconds within which poses are alike."),
]
_Far = Annotated[
    float | None,
    typer.Option(callback=check_positive, help="Seconds from which poses are unlike."),
]
_Side = Annotated[
    int | None,
    typer.Option(
        min=32, max=4096, help="Longer side of stored frames, pixels.", show_default="preset's"
    ),
]
_Fps = Annotated[
    float | None, typer.Option(callback=check_positive, help="Frames a second to store at most.")
]
_Background = Annotated[
    Literal["auto", "median", "split", "panorama"],
    typer.Option(help="How backgrounds are made where no VIDEO.background.npz lies beside."),
]
_Crowds = Annotated[
    Literal["skip", "keep"],
    typer.Option(help="Frames with several people: the method is made for one."),
]
_Keypoints = Annotated[
    bool,
    typer.Option("--keypoints", help="Learn also from the keypoints of VIDEO.json (mocap track)."),
]
_PixelWeight = Annotated[
    float | None,
    typer.Option(
        callback=check_positive, help="Weight of colours; 0.05 for rough backgrounds such as snow."
    ),
]
_Centred = Annotated[
    bool, typer.Option("--centred", help="The subject is mostly in the middle of the picture.")
]
_Rate = Annotated[
    float | None,
    typer.Option(callback=check_positive, help="Learning rate.", show_default="preset's"),
]
_Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Another seed, another run.")]
_Store = Annotated[
    Path | None,
    typer.Option(help="Where decoded frames are kept.", show_default="frames/ beside RUN"),
]
_Minutes = Annotated[
    float, typer.Option(callback=check_positive, help="Between sheets of pictures.")
]
_Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where to learn.")]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in RUN.")]
_Compile = Annotated[
    bool, typer.Option("--compile", help="Fuse operations with torch.compile: minutes, once.")
]
TensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard.")
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")]


def pretrain(
    context: typer.Context,
    videos: _Videos = None,
    output: _Output = Path("runs/pretrain"),
    preset: _Preset = "auto",
    method: _MethodName = "ours",
    steps: _Steps = None,
    fall_steps: _FallSteps = 0,
    batch: _BatchSize = None,
    near: _Near = None,
    far: _Far = None,
    side: _Side = None,
    fps: _Fps = None,
    background: _Background = "auto",
    crowds: _Crowds = "skip",
    keypoints: _Keypoints = False,
    pixel_weight: _PixelWeight = None,
    centred: _Centred = False,
    rate: _Rate = None,
    seed: _Seed = 1,
    store: _Store = None,
    sheet_minutes: _Minutes = 5.0,
    device: _Device = "auto",
    compiled: _Compile = False,
    tensorboard: TensorBoard = False,
    resume: _Resume = False,
    dry_run: _DryRun = False,
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
    from mocap_cli.cli.pretrain_jobs import Continued, RunDisplay, resume_run, start_run
    from mocap_cli.cli.pretrain_options import PretrainRequest

    manner = RunDisplay(
        minutes=sheet_minutes, compiled=compiled, tensorboard=tensorboard, quiet=quiet
    )
    if resume:
        resume_run(
            output, Continued(steps=steps, batch=batch, rate=rate), device=device, manner=manner
        )
        return
    wanted = PretrainRequest(
        videos=tuple(videos or ()), output=output, preset=preset, method=method, steps=steps,
        fall_steps=fall_steps, batch=batch, near=near, far=far, side=side, fps=fps,
        background=background, crowds=crowds, keypoints=keypoints, pixel_weight=pixel_weight,
        centred=centred, rate=rate, seed=seed, store=store or output.parent / "frames",
        device=device,
    )  # fmt: skip
    start_run(wanted, manner, dry=dry_run)


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
