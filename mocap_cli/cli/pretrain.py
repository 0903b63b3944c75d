"""`mocap pretrain`: learn from unlabelled clips."""

from pathlib import Path

import typer

from mocap_cli.cli import pretrain_options as given
from mocap_cli.cli.options import Device, Json, Quiet, Recursive, allow_only


def pretrain(
    context: typer.Context,
    videos: given.Videos = None,
    output: given.Output = Path("runs/pretrain"),
    preset: given.Preset = "auto",
    steps: given.Steps = None,
    batch: given.Batch = None,
    recursive: Recursive = False,
    resume: given.Resume = False,
    dry_run: given.DryRun = False,
    fps: given.Fps = None,
    side: given.Side = None,
    background: given.Background = "auto",
    crowds: given.Crowds = "skip",
    keypoints: given.Keypoints = None,
    store: given.Store = None,
    workers: given.Workers = None,
    method: given.Method = "ours",
    boxes: given.Boxes = "detector",
    encoder: given.Encoder = None,
    tv: given.Tv = None,
    ti: given.Ti = None,
    similarity: given.Similarity = "clamped",
    dsl_distance: given.DslDistance = None,
    contrast_weight: given.ContrastWeight = None,
    random_backgrounds: given.RandomBackgrounds = None,
    fall_steps: given.FallSteps = None,
    near: given.Near = None,
    far: given.Far = None,
    pixel_weight: given.PixelWeight = None,
    centred: given.Centred = False,
    rate: given.Rate = None,
    seed: given.Seed = 1,
    device: Device = "auto",
    sheet_minutes: given.PreviewMinutes = 5.0,
    compiled: given.Compile = False,
    tensorboard: given.TensorBoard = False,
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
        device=device,
        compiled=compiled,
        tensorboard=tensorboard,
        sheet_minutes=sheet_minutes,
        workers=workers,
    )
    options = PretrainOptions(
        preset=preset, method=method, steps=steps, fall_steps=fall_steps, batch=batch, near=near,
        far=far, side=side, fps=fps, background=background, crowds=crowds, boxes=boxes,
        keypoints=bool(keypoints),
        pixel_weight=pixel_weight, centred=centred, rate=rate, seed=seed, store=store,
        encoder=encoder, tv=tv, ti=ti, similarity=similarity, dsl_distance=dsl_distance,
        contrast_weight=contrast_weight, random_backgrounds=random_backgrounds,
    )  # fmt: skip
    with Display("pretrain", quiet=quiet, as_json=json) as display:
        run_pretrain(
            videos or [], output, options, run, display,
            keypoints=keypoints or (), recursive=recursive, resumed=resume, dry_run=dry_run,
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
