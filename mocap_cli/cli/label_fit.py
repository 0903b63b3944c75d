"""`mocap label-fit`: fit a model to a few labelled frames."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mocap_cli.cli.options import (
    RUN,
    Device,
    Focal,
    Fov,
    Json,
    Overwrite,
    Quiet,
    Recursive,
    check_height,
    check_lens,
    check_local,
)

_EVALUATION, _LABELS = "Evaluation", "About the labels"

_Videos = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="VIDEO",
        help="The labelled videos, or folders of them.",
        show_default="those beside the labels",
    ),
]
_Labels = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABELS|auto",
        help="Label files or folders of them; auto: pseudo-labels of the default tracker, where"
        " its confidence is high. Repeatable.",
    ),
]
_Model = Annotated[
    str,
    typer.Option(
        metavar="RUN|FILE|imagenet",
        help="Frozen encoder: a run of `mocap pretrain` or its model file; imagenet is the"
        " baseline. With --evaluate also a .mocap file.",
    ),
]
_Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        callback=check_local,
        help="The .mocap file to write; with --check or --suggest a folder.",
        show_default="named after the model",
    ),
]
_Check = Annotated[
    bool,
    typer.Option("--check", help="Only draw the labels over their frames, one PNG per label file."),
]
_Suggest = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100_000,
        metavar="N",
        help="Only choose the N frames whose labels would help most; writes them as PNG with a"
        " page to label them in the browser, and an empty COCO file for other tools.",
    ),
]
_FineTune = Annotated[
    bool,
    typer.Option(
        "--fine-tune", help="Also fine-tune the encoder, not only the heads; takes minutes."
    ),
]
_Tune = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=100_000,
        metavar="STEPS",
        help="Correct the labelled videos instead of fitting a model beside the tracker: 0 puts the"
        " labels in place of what it found, 150 also tunes its 2D network to them, which takes"
        " minutes; auto then adds confident frames of all videos.",
    ),
]
_Head = Annotated[
    Literal["A", "B"],
    typer.Option(
        help="Regression head of the paper: A, an MLP of 2048 units, or B, a residual one of 1024.",
        rich_help_panel=_EVALUATION,
    ),
]
_Evaluate = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="LABELS",
        help="Report errors on these labels, which are not used for fitting. Repeatable.",
        rich_help_panel=_EVALUATION,
    ),
]
_Scores = Annotated[
    Path | None,
    typer.Option(
        metavar="JSON", help="Also write the scores of --evaluate.", rich_help_panel=_EVALUATION
    ),
]
_Curve = Annotated[
    Path | None,
    typer.Option(
        metavar="PNG",
        help="Also plot the error against the number of labels; slow.",
        rich_help_panel=_EVALUATION,
    ),
]
_Subject = Annotated[
    list[str] | None,
    typer.Option(
        metavar="auto|largest|center|X,Y|X,Y@SECONDS",
        help="Person to track if there are several, as in `mocap track`; repeatable.",
        show_default="auto",
        rich_help_panel=_LABELS,
    ),
]
_Height = Annotated[
    float | None,
    typer.Option(
        metavar="METRES",
        callback=check_height,
        help="Height of the labelled person, 0.05 to 3; used for 2D labels.",
        show_default="1.70",
        rich_help_panel=_LABELS,
    ),
]
_Offset = Annotated[
    float | None,
    typer.Option(
        min=-1e6,
        max=1e6,
        metavar="SECONDS",
        help="Time in the video at which TRC, C3D or BVH labels start.",
        show_default="by correlation",
        rich_help_panel=_LABELS,
    ),
]
_Rate = Annotated[
    float | None,
    typer.Option(
        min=1e-3,
        max=1000,
        help="Seconds of video per second of TRC, C3D or BVH labels: 4 if the video is slowed"
        " down four times.",
        show_default="by correlation",
        rich_help_panel=_LABELS,
    ),
]
_Calibration = Annotated[
    Path | None,
    typer.Option(
        metavar="JSON",
        help="Camera calibration; 2D labels of several synchronous videos are triangulated.",
        rich_help_panel=_LABELS,
    ),
]
_Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder of cached keypoints and image features.",
        show_default="codes/ beside OUT",
        rich_help_panel=RUN,
    ),
]


def label_fit(
    videos: _Videos = None,
    labels: _Labels = None,
    model: _Model = "imagenet",
    output: _Output = None,
    check: _Check = False,
    suggest: _Suggest = None,
    fine_tune: _FineTune = False,
    tune: _Tune = None,
    recursive: Recursive = False,
    evaluate: _Evaluate = None,
    scores: _Scores = None,
    curve: _Curve = None,
    head: _Head = "B",
    subject: _Subject = None,
    height: _Height = None,
    offset: _Offset = None,
    rate: _Rate = None,
    calibration: _Calibration = None,
    focal: Focal = None,
    fov: Fov = None,
    cache: _Cache = None,
    device: Device = "auto",
    overwrite: Overwrite = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit a model to a few labelled frames, for `mocap track --model`.

    Example: mocap label-fit videos/ --model runs/ski --labels labels/ -o ski.mocap
    """
    check_lens(focal, fov)
    from mocap_cli.cli.display import Display
    from mocap_cli.cli.label_fit_jobs import LabelFitRequest
    from mocap_cli.cli.track import subject_of
    from mocap_cli.labels.label_fit import LabelFitOptions

    request = LabelFitRequest(
        videos=tuple(videos or ()), labels=tuple(labels or ()), output=output, check=check,
        suggest=suggest, evaluate=tuple(evaluate or ()), scores=scores, curve=curve,
        recursive=recursive, overwrite=overwrite, tune=tune,
        options=LabelFitOptions(
            model=model, head=head, fine_tune=fine_tune, subject=subject_of(subject),
            height=height, offset=offset, rate=rate, calibration=calibration, focal=focal,
            fov=fov, cache=cache, device=device,
        ),
    )  # fmt: skip
    request.check_combinations()
    with Display("label-fit", quiet=quiet, as_json=json) as display:
        request.run(display)
