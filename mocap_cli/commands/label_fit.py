"""`mocap label-fit`: a few labels make a model a motion-capture system."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mocap_cli.commands.options import Quiet, positive, tall

Videos = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="VIDEO",
        help="The labelled videos, or folders of them.",
        show_default="those beside the labels",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        metavar="RUN|FILE|imagenet",
        help="A run of mocap pretrain; or a .mocap file, to evaluate; or imagenet, for comparison.",
    ),
]
LabelFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        metavar="LABELS|auto",
        help="Label files or folders; auto: the default tracker, where it is sure.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="The .mocap file; with --check or --suggest a folder.",
        show_default="by the model's name",
    ),
]
HeadKind = Annotated[Literal["A", "B"], typer.Option("--head", help="Which of the paper's heads.")]
FineTune = Annotated[
    bool,
    typer.Option(
        "--fine-tune", help="Teach the model itself as well, not only heads on it: minutes."
    ),
]
Evaluate = Annotated[
    list[Path] | None,
    typer.Option(metavar="LABELS", help="Tell errors on these labels, which are not fitted to."),
]
ScoresFile = Annotated[
    Path | None,
    typer.Option("--scores", metavar="JSON", help="Also write what --evaluate tells."),
]
CurveFile = Annotated[
    Path | None,
    typer.Option(
        "--curve", metavar="PNG", help="Also draw errors against the number of labels: slow."
    ),
]
Check = Annotated[
    bool, typer.Option("--check", help="Only draw the labels on their frames, a PNG a video.")
]
Suggest = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Only pick N frames that would teach most, as PNG."),
]
Height = Annotated[
    float | None,
    typer.Option(callback=tall, help="Metres; how tall who was clicked is.", show_default="1.70"),
]
Focal = Annotated[float | None, typer.Option(callback=positive, help="Focal length in pixels.")]
Offset = Annotated[
    float | None,
    typer.Option(
        help="Second of the video at which TRC, C3D or BVH begin.",
        show_default="by correlation",
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        callback=positive,
        help="Seconds of the video in one of theirs: 4 where it is slowed down fourfold.",
        show_default="by correlation",
    ),
]
Calibration = Annotated[
    Path | None,
    typer.Option(metavar="JSON", help="Cameras of clicks in several videos of one take."),
]
Cache = Annotated[
    Path | None,
    typer.Option(help="Where codes are kept.", show_default="codes/ beside OUT"),
]
Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Of 2D networks.")]


def label_fit(
    videos: Videos = None,
    model: Model = "imagenet",
    labels: LabelFiles = None,
    output: Output = None,
    head: HeadKind = "B",
    fine_tune: FineTune = False,
    evaluate: Evaluate = None,
    scores: ScoresFile = None,
    curve: CurveFile = None,
    check: Check = False,
    suggest: Suggest = None,
    height: Height = None,
    focal: Focal = None,
    offset: Offset = None,
    rate: Rate = None,
    calibration: Calibration = None,
    cache: Cache = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Fit a model to a few labelled frames, for mocap track --model.

    Example: mocap label-fit videos/ --model runs/ski --labels labels/ -o ski.mocap
    """
    from mocap_cli.commands.fitting import Asked, run

    asked = Asked(
        videos=tuple(videos or ()),
        model=model,
        labels=tuple(labels or ()),
        output=output,
        head=head,
        fine_tune=fine_tune,
        evaluate=tuple(evaluate or ()),
        scores=scores,
        curve=curve,
        check=check,
        suggest=suggest,
        height=height,
        focal=focal,
        offset=offset,
        rate=rate,
        calibration=calibration,
        cache=cache,
        device=device,
        quiet=quiet,
    )
    asked.refuse_what_cannot_be()
    run(asked)
