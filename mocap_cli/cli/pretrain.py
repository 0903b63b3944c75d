"""`mocap pretrain`: learn from unlabelled clips."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mocap_cli.cli.options import (
    RUN,
    Device,
    Json,
    Quiet,
    Recursive,
    allow_only,
    check_positive,
)
from mocap_cli.learning.model.methods import METHODS

_MAX_SEED = 2**63 - 1
_DATA, _RESEARCH = "Data", "Research"

_Videos = Annotated[
    list[Path] | None,
    typer.Argument(metavar="VIDEO", help="Videos of one person each, or folders of videos."),
]
_Output = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="RUN", help="Folder of the run, such as runs/ski."),
]
_Preset = Annotated[
    Literal["auto", "full", "small"],
    typer.Option(
        help="Size of the model. full: the paper's networks, for a GPU; small: trains on two CPU"
        " cores; auto: full if there is a CUDA GPU."
    ),
]
_Steps = Annotated[
    int | None, typer.Option(min=1, help="Number of training steps.", show_default="preset's")
]
_Batch = Annotated[
    int | None,
    typer.Option(
        min=1, max=1_000_000, help="Batch size; an item has four frames.", show_default="preset's"
    ),
]
_Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue the run in RUN; only --steps, --batch and --rate can change.",
    ),
]
_DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print the plan with time and memory, measured on a few steps, and stop."
    ),
]
_Fps = Annotated[
    float | None,
    typer.Option(
        callback=check_positive,
        help="Maximum frames per second to store.",
        show_default="15 to 60, by --near",
        rich_help_panel=_DATA,
    ),
]
_Side = Annotated[
    int | None,
    typer.Option(
        min=32,
        max=4096,
        help="Longer side of the stored frames, in pixels.",
        show_default="preset's",
        rich_help_panel=_DATA,
    ),
]
_Background = Annotated[
    Literal["auto", "median", "split", "panorama"],
    typer.Option(
        help="Background method for videos without a VIDEO.background.npz.",
        rich_help_panel=_DATA,
    ),
]
_Crowds = Annotated[
    Literal["skip", "keep"],
    typer.Option(help="Frames that show several people.", rich_help_panel=_DATA),
]
_Keypoints = Annotated[
    bool,
    typer.Option(
        "--keypoints",
        help="Train a pose head on the keypoints in VIDEO.json from `mocap track`.",
        rich_help_panel=_DATA,
    ),
]
_Store = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder of the decoded frames; runs share it.",
        show_default="frames/ beside RUN",
        rich_help_panel=_DATA,
    ),
]
_Method = Annotated[
    str,
    typer.Option(help=f"Training method: {', '.join(METHODS)}.", rich_help_panel=_RESEARCH),
]
_FallSteps = Annotated[
    int,
    typer.Option(
        min=0,
        help="Number of initial steps trained with the free-fall losses.",
        rich_help_panel=_RESEARCH,
    ),
]
_Near = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        callback=check_positive,
        help="Frames closer than this are positive pairs.",
        show_default="by the clips' length",
        rich_help_panel=_RESEARCH,
    ),
]
_Far = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        callback=check_positive,
        help="Frames further apart than this are negative pairs.",
        show_default="by the clips' length",
        rich_help_panel=_RESEARCH,
    ),
]
_PixelWeight = Annotated[
    float | None,
    typer.Option(
        callback=check_positive,
        help="Weight of the pixel reconstruction loss; 0.05 suits textured backgrounds such as"
        " snow.",
        show_default="preset's",
        rich_help_panel=_RESEARCH,
    ),
]
_Centred = Annotated[
    bool,
    typer.Option(
        "--centred",
        help="Expect the person near the centre of the image.",
        rich_help_panel=_RESEARCH,
    ),
]
_Rate = Annotated[
    float | None,
    typer.Option(
        callback=check_positive,
        help="Learning rate.",
        show_default="preset's",
        rich_help_panel=_RESEARCH,
    ),
]
_Seed = Annotated[
    int, typer.Option(min=0, max=_MAX_SEED, help="Random seed.", rich_help_panel=_RESEARCH)
]
_PreviewMinutes = Annotated[
    float,
    typer.Option(
        "--sheet-minutes",
        callback=check_positive,
        help="Minutes between preview sheets.",
        rich_help_panel=RUN,
    ),
]
_Compile = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Compile the networks with torch.compile; takes minutes once.",
        rich_help_panel=RUN,
    ),
]
_TensorBoard = Annotated[
    bool,
    typer.Option("--tensorboard", help="Also write TensorBoard event files.", rich_help_panel=RUN),
]


def pretrain(
    context: typer.Context,
    videos: _Videos = None,
    output: _Output = Path("runs/pretrain"),
    preset: _Preset = "auto",
    steps: _Steps = None,
    batch: _Batch = None,
    recursive: Recursive = False,
    resume: _Resume = False,
    dry_run: _DryRun = False,
    fps: _Fps = None,
    side: _Side = None,
    background: _Background = "auto",
    crowds: _Crowds = "skip",
    keypoints: _Keypoints = False,
    store: _Store = None,
    method: _Method = "ours",
    fall_steps: _FallSteps = 0,
    near: _Near = None,
    far: _Far = None,
    pixel_weight: _PixelWeight = None,
    centred: _Centred = False,
    rate: _Rate = None,
    seed: _Seed = 1,
    device: Device = "auto",
    sheet_minutes: _PreviewMinutes = 5.0,
    compiled: _Compile = False,
    tensorboard: _TensorBoard = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a model of a person's appearance and pose on unlabelled videos.

    Example: mocap pretrain ./videos -o runs/ski --preset small
    """
    _check_gaps(near, far)
    if resume:
        allow_only(context, _RESUME_OPTIONS, _RESUME_HINT)
    elif not videos:
        raise typer.BadParameter("give videos, or folders of videos", param_hint="VIDEO")
    from mocap_cli.cli.display import Display
    from mocap_cli.cli.pretrain_jobs import run_pretrain
    from mocap_cli.learning.options import PretrainOptions
    from mocap_cli.learning.pretraining import RunOptions

    run = RunOptions(
        device=device, compiled=compiled, tensorboard=tensorboard, sheet_minutes=sheet_minutes
    )
    options = PretrainOptions(
        preset=preset, method=method, steps=steps, fall_steps=fall_steps, batch=batch, near=near,
        far=far, side=side, fps=fps, background=background, crowds=crowds, keypoints=keypoints,
        pixel_weight=pixel_weight, centred=centred, rate=rate, seed=seed, store=store,
    )  # fmt: skip
    with Display("pretrain", quiet=quiet, as_json=json) as display:
        run_pretrain(
            videos or [], output, options, run, display,
            recursive=recursive, resumed=resume, dry_run=dry_run,
        )  # fmt: skip


def _check_gaps(near: float | None, far: float | None) -> None:
    if near is not None and far is not None and near >= far:
        raise typer.BadParameter(f"{near:g} s is not below --far {far:g} s", param_hint="--near")


_RESUME_OPTIONS = {
    "output", "steps", "batch", "rate", "sheet_minutes", "device", "compiled", "tensorboard",
    "resume", "json", "quiet",
}  # fmt: skip
_RESUME_HINT = (
    "a resumed run keeps its own; with --resume only --steps, --batch, --rate, --device,"
    " --sheet-minutes, --compile and --tensorboard can be given"
)
