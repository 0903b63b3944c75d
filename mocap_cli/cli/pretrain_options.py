"""The options of `mocap pretrain`: data, research and run, each with its help panel."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mocap_cli.cli.options import AS_MANY_AS_FIT, RUN, check_local, workers_option
from mocap_cli.learning.model.methods import METHODS

_MAX_SEED = 2**63 - 1
_DATA, _RESEARCH = "Data", "Research"

Videos = Annotated[
    list[Path] | None,
    typer.Argument(metavar="VIDEO", help="Videos of one person each, or folders of videos."),
]
Output = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="RUN",
        callback=check_local,
        help="Folder of the run, such as runs/ski.",
    ),
]
Preset = Annotated[
    Literal["auto", "full", "small"],
    typer.Option(
        help="Size of the model. full: the paper's networks, for a GPU; small: trains on two CPU"
        " cores; auto: full if there is a CUDA GPU."
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(min=1, max=10**9, help="Number of training steps.", show_default="preset's"),
]
Batch = Annotated[
    int | None,
    typer.Option(
        min=1, max=1_000_000, help="Batch size; an item has four frames.", show_default="preset's"
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue the run in RUN; only --steps, --batch and --rate can change.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print the plan with time and memory, measured on a few steps, and how fast poses"
        " change, and stop.",
    ),
]
Fps = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=1000,
        help="Maximum frames per second to store.",
        show_default="15 to 60, by --near",
        rich_help_panel=_DATA,
    ),
]
Side = Annotated[
    int | None,
    typer.Option(
        min=32,
        max=4096,
        help="Longer side of the stored frames, in pixels.",
        show_default="preset's",
        rich_help_panel=_DATA,
    ),
]
Background = Annotated[
    Literal["auto", "median", "split", "panorama"],
    typer.Option(
        help="Background method for videos without a VIDEO.background.npz.",
        rich_help_panel=_DATA,
    ),
]
Crowds = Annotated[
    Literal["skip", "keep"],
    typer.Option(help="Frames that show several people.", rich_help_panel=_DATA),
]
Keypoints = Annotated[
    list[str] | None,
    typer.Option(
        "--keypoints",
        metavar="LABELS|auto",
        help="Weak 2D labels: label files or folders as of `mocap label-fit`, or auto for the"
        " confident keypoints of the default tracker. Can be repeated.",
        rich_help_panel=_DATA,
    ),
]
Boxes = Annotated[
    Literal["detector", "tracker"],
    typer.Option(
        help="Boxes of the person: the model learns a detector, or takes those of the default"
        " tracker.",
        rich_help_panel=_RESEARCH,
    ),
]
Store = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder of the decoded frames; runs share it.",
        show_default="frames/ beside RUN",
        rich_help_panel=_DATA,
    ),
]
Workers = Annotated[
    int | None,
    workers_option(AS_MANY_AS_FIT, doing="Videos decoded and tracked", panel=_DATA),
]
Method = Annotated[
    str,
    typer.Option(help=f"Training method: {', '.join(METHODS)}.", rich_help_panel=_RESEARCH),
]
Encoder = Annotated[
    Literal["resnet50", "resnet101", "lite0"] | None,
    typer.Option(
        help="Backbone of the encoder, with ImageNet weights.",
        show_default="preset's",
        rich_help_panel=_RESEARCH,
    ),
]
Tv = Annotated[
    int | None,
    typer.Option(
        "--tv",
        min=1,
        max=65536,
        help="Length of the time-variant code; the paper has 600, or 900 for diving.",
        show_default="preset's",
        rich_help_panel=_RESEARCH,
    ),
]
Ti = Annotated[
    int | None,
    typer.Option(
        "--ti",
        min=1,
        max=65536,
        help="Length of the time-invariant code; the paper has 129.",
        show_default="preset's",
        rich_help_panel=_RESEARCH,
    ),
]
Similarity = Annotated[
    Literal["clamped", "plain"],
    typer.Option(
        help="Form of the distance-based similarity loss: codes of far frames are pushed apart"
        " until orthogonal (clamped) or opposite (plain).",
        rich_help_panel=_RESEARCH,
    ),
]
DslDistance = Annotated[
    float | None,
    typer.Option(
        "--dsl-distance",
        metavar="SECONDS",
        min=1e-6,
        max=1e6,
        help="Distance in time from which that loss counts poses as unlike, D of the paper.",
        show_default="half of --far",
        rich_help_panel=_RESEARCH,
    ),
]
ContrastWeight = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1e6,
        help="Weight of the contrastive loss.",
        show_default="0.1",
        rich_help_panel=_RESEARCH,
    ),
]
RandomBackgrounds = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Put the person before random images of this folder while training.",
        rich_help_panel=_RESEARCH,
    ),
]
FallSteps = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=10**9,
        help="Number of initial steps trained with the free-fall losses.",
        show_default="a tenth if the clips are falls, else 0",
        rich_help_panel=_RESEARCH,
    ),
]
Near = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=1e-4,
        max=1e6,
        help="Frames closer than this are positive pairs.",
        show_default="by the clips' length",
        rich_help_panel=_RESEARCH,
    ),
]
Far = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=1e-4,
        max=1e6,
        help="Frames further apart than this are negative pairs.",
        show_default="by the clips' length",
        rich_help_panel=_RESEARCH,
    ),
]
PixelWeight = Annotated[
    float | None,
    typer.Option(
        min=1e-9,
        max=1e6,
        help="Weight of the pixel reconstruction loss; 0.05 suits textured backgrounds such as"
        " snow.",
        show_default="preset's",
        rich_help_panel=_RESEARCH,
    ),
]
Centred = Annotated[
    bool,
    typer.Option(
        "--centred",
        help="Expect the person near the centre of the image.",
        rich_help_panel=_RESEARCH,
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        min=1e-9,
        max=1000,
        help="Learning rate.",
        show_default="preset's",
        rich_help_panel=_RESEARCH,
    ),
]
Seed = Annotated[
    int, typer.Option(min=0, max=_MAX_SEED, help="Random seed.", rich_help_panel=_RESEARCH)
]
PreviewMinutes = Annotated[
    float,
    typer.Option(
        "--sheet-minutes",
        min=0.01,
        max=1e6,
        help="Minutes between preview sheets.",
        rich_help_panel=RUN,
    ),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Compile the networks with torch.compile; takes minutes once.",
        rich_help_panel=RUN,
    ),
]
TensorBoard = Annotated[
    bool,
    typer.Option("--tensorboard", help="Also write TensorBoard event files.", rich_help_panel=RUN),
]
