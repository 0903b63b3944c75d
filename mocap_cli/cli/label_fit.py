"""`mocap label-fit`: a few labels make a model a motion-capture system."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mocap_cli.cli.options import Quiet, check_height, check_positive
from mocap_cli.errors import MocapError

if TYPE_CHECKING:  # heavy: `mocap --help` must not wait for it
    from mocap_cli.keypoints.person_detector import Subject

_Videos = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="VIDEO",
        help="The labelled videos, or folders of them.",
        show_default="those beside the labels",
    ),
]
_Model = Annotated[
    str,
    typer.Option(
        metavar="RUN|FILE|imagenet",
        help="A run of mocap pretrain; or a .mocap file, to evaluate; or imagenet, for comparison.",
    ),
]
_LabelFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        metavar="LABELS|auto",
        help="Label files or folders; auto: the default tracker, where it is sure.",
    ),
]
_Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="The .mocap file; with --check or --suggest a folder.",
        show_default="by the model's name",
    ),
]
_HeadKind = Annotated[Literal["A", "B"], typer.Option("--head", help="Which of the paper's heads.")]
_FineTune = Annotated[
    bool,
    typer.Option(
        "--fine-tune", help="Teach the model itself as well, not only heads on it: minutes."
    ),
]
_Evaluate = Annotated[
    list[Path] | None,
    typer.Option(metavar="LABELS", help="Tell errors on these labels, which are not fitted to."),
]
_ScoresFile = Annotated[
    Path | None,
    typer.Option("--scores", metavar="JSON", help="Also write what --evaluate tells."),
]
_CurveFile = Annotated[
    Path | None,
    typer.Option(
        "--curve", metavar="PNG", help="Also draw errors against the number of labels: slow."
    ),
]
_Check = Annotated[
    bool, typer.Option("--check", help="Only draw the labels on their frames, a PNG a video.")
]
_Suggest = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Only pick N frames that would teach most, as PNG."),
]
_Height = Annotated[
    float | None,
    typer.Option(
        callback=check_height, help="Metres; how tall who was clicked is.", show_default="1.70"
    ),
]
_Focal = Annotated[
    float | None, typer.Option(callback=check_positive, help="Focal length in pixels.")
]
_Offset = Annotated[
    float | None,
    typer.Option(
        help="Second of the video at which TRC, C3D or BVH begin.",
        show_default="by correlation",
    ),
]
_Rate = Annotated[
    float | None,
    typer.Option(
        callback=check_positive,
        help="Seconds of the video in one of theirs: 4 where it is slowed down fourfold.",
        show_default="by correlation",
    ),
]
_Calibration = Annotated[
    Path | None,
    typer.Option(metavar="JSON", help="Cameras of clicks in several videos of one take."),
]
_Cache = Annotated[
    Path | None,
    typer.Option(help="Where codes are kept.", show_default="codes/ beside OUT"),
]
_Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Of 2D networks.")]


_Who = Annotated[
    str,
    typer.Option(
        "--subject",
        metavar="auto|largest|center|X,Y",
        help="Whom to follow where there are several; X,Y is a point on the person in pixels.",
    ),
]


def label_fit(
    videos: _Videos = None,
    model: _Model = "imagenet",
    labels: _LabelFiles = None,
    output: _Output = None,
    head: _HeadKind = "B",
    fine_tune: _FineTune = False,
    evaluate: _Evaluate = None,
    scores: _ScoresFile = None,
    curve: _CurveFile = None,
    check: _Check = False,
    suggest: _Suggest = None,
    subject: _Who = "auto",
    height: _Height = None,
    focal: _Focal = None,
    offset: _Offset = None,
    rate: _Rate = None,
    calibration: _Calibration = None,
    cache: _Cache = None,
    device: _Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Fit a model to a few labelled frames, for mocap track --model.

    Example: mocap label-fit videos/ --model runs/ski --labels labels/ -o ski.mocap
    """
    from mocap_cli.cli.label_fit_jobs import LabelFitRequest, run_label_fit
    from mocap_cli.labels.label_fit import LabelFitOptions

    asked = LabelFitRequest(
        videos=tuple(videos or ()),
        labels=tuple(labels or ()),
        output=output,
        evaluate=tuple(evaluate or ()),
        scores=scores,
        curve=curve,
        check=check,
        suggest=suggest,
        quiet=quiet,
        options=LabelFitOptions(
            model=model, head=head, fine_tune=fine_tune, subject=_subject(subject),
            height=height, focal=focal, offset=offset, rate=rate, calibration=calibration,
            cache=cache, device=device,
        ),
    )  # fmt: skip
    asked.check_combinations()
    run_label_fit(asked)


def _subject(text: str) -> "Subject":
    from mocap_cli.keypoints.person_detector import parse_subject

    try:
        return parse_subject(text)
    except MocapError as error:
        raise typer.BadParameter(f"{error.message}; {error.hint}") from error
