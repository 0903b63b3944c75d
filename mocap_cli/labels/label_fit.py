"""`mocap label-fit` as library calls: fit, evaluate, check labels, suggest frames to label."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mocap_cli import __version__
from mocap_cli.keypoints.subject import Subject
from mocap_cli.labels.alignment.reconstruction import CalibratedCamera
from mocap_cli.labels.alignment.time_alignment import TimeBase
from mocap_cli.labels.check_sheet import CheckedLabels, draw_check_sheets
from mocap_cli.labels.fitting.evaluation import Evaluation, evaluate, evaluate_tracker
from mocap_cli.labels.fitting.fine_tuning import FineTuneOptions, fine_tune
from mocap_cli.labels.fitting.fit_heads import FitOptions, fit_heads
from mocap_cli.labels.fitting.fitted_model import FittedModel
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
from mocap_cli.labels.fitting.gather import (
    Bar,
    GatheredLabels,
    GatherOptions,
    LabelledClip,
    clip_examples,
    gather,
    no_bar,
)
from mocap_cli.labels.fitting.label_efficiency import compare_encoders, draw_label_efficiency
from mocap_cli.labels.fitting.regression_head import HeadKind
from mocap_cli.labels.fitting.suggest import suggest_frames
from mocap_cli.labels.fitting.verdict import Verdict, judge
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.readers.dispatch import read_labels
from mocap_cli.labels.tuning.tuned_tracker import TunedTracker
from mocap_cli.progress import Count, no_progress
from mocap_cli.weights import Device

AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFitOptions:
    """What may be set beside videos and labels; the options of the command are described here."""

    model: str = FrozenEncoder.IMAGENET  # or a run or model file of `mocap pretrain`
    head: HeadKind = "B"  # which of the paper's heads
    fine_tune: bool = False  # train the encoder on the labels as well
    subject: Subject = "auto"  # whom to follow where there are several people
    height: float | None = None  # metres, of the person in 2D labels; None: 1.70
    focal: float | str | None = None  # pixels or "26mm"; None: of the file, a pan, or a default
    fov: float | None = None  # degrees across the longer side, instead of focal
    offset: float | None = None  # seconds of the video at which a mocap session begins
    rate: float | None = None  # seconds of video by second of session; None: by correlation
    calibration: Path | None = None  # cameras, for 2D labels of several videos of one take
    cache: Path | None = None  # folder of keypoints and features; None computes them anew
    device: Device = "auto"  # for the 2D networks and the encoder

    def gathering(self, bar: Bar) -> GatherOptions:
        """The part of the options that concerns videos and labels."""
        return GatherOptions(
            cache=self.cache,
            subject=self.subject,
            height=self.height,
            focal=self.focal,
            fov=self.fov,
            time_base=TimeBase(self.offset, self.rate),
            cameras=CalibratedCamera.read_all(self.calibration) if self.calibration else None,
            device=self.device,
            bar=bar,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitResult:
    """A fitted model, and what it was fitted to."""

    model: FittedModel
    labels: GatheredLabels
    seconds: float  # without tracking
    held_out: GatheredLabels | None  # labels that it was only evaluated on
    evaluation: Evaluation | None
    verdict: Verdict | None  # None: too few frames to hold some out


def fit_labels(
    videos: Sequence[Path],
    labels: Sequence[Path | str],
    output: Path,
    options: LabelFitOptions = LabelFitOptions(),
    *,
    evaluate_on: Sequence[Path] = (),
    curve: Path | None = None,
    bar: Bar = no_bar,
) -> FitResult:
    """Fit a model to labels of videos and write it to `output`; "auto" adds pseudo-labels.

    A second model, fitted without some clips, is compared with the default tracker on those. With
    `evaluate_on` the model is evaluated on other labels, and `curve` draws the error against the
    number of labels.
    """
    how, fitting = options.gathering(bar), FitOptions(kind=options.head)
    encoder = FrozenEncoder.open(options.model, options.device)
    given, others = _read(labels), _read(evaluate_on)  # a file that is missing is told at once
    found = gather(given, videos, how, pseudo=AUTO in map(str, labels))
    held_out = gather(others, videos, how) if evaluate_on else None

    def fit(clips: Sequence[LabelledClip]) -> FittedModel:
        own, tuning = encoder, FineTuneOptions()
        if options.fine_tune:
            with bar("fine-tuning", tuning.steps) as on_step:
                own = fine_tune(encoder, clips, how, fitting, tuning, on_step)
        with bar("fitting", _max_steps(fitting)) as on_step:
            return fit_model(clips, own, how, fitting, on_step)

    began = time.perf_counter()
    model = fit(found.clips)
    seconds = time.perf_counter() - began
    model.save(output)
    verdict = judge(found.clips, fit, how)
    evaluation = None if held_out is None else evaluate(model, held_out.clips, how)
    if curve is not None and held_out is not None:
        with bar("learning curve", None) as on_point:
            curves = compare_encoders(encoder, found.clips, held_out.clips, how, fitting, on_point)
        draw_label_efficiency(curves, curve)
    return FitResult(
        model=model, labels=found, seconds=seconds, held_out=held_out, evaluation=evaluation,
        verdict=verdict,
    )  # fmt: skip


def fit_model(
    clips: Sequence[LabelledClip],
    encoder: FrozenEncoder,
    how: GatherOptions,
    options: FitOptions,
    on_step: Count = no_progress,
) -> FittedModel:
    """Fit both ensembles of heads: on image features, and on these with keypoints and pose."""
    examples = [
        clip_examples(clips, encoder, how, points=points, copies=options.copies)
        for points in (False, True)
    ]
    image, full = replace(options, points=False), replace(options, points=True)
    first = _max_steps(options) // 2
    tuned = encoder.tuned
    image_heads = fit_heads(examples[0], image, on_step, fine_tuned=tuned)
    full_heads = fit_heads(examples[1], full, lambda done: on_step(first + done), fine_tuned=tuned)
    about = {
        "mocap": __version__,
        "model": encoder.method,
        "head": options.kind,
        "tuned": tuned,
        "frames": sum(len(clip.labels) for clip in clips),
        "videos": sorted({clip.video.name for clip in clips}),
    }
    return FittedModel(encoder, image_heads, full_heads, about)


def _max_steps(options: FitOptions) -> int:
    """Training steps of `fit_model` at most."""
    return 2 * options.folds * options.steps


def evaluate_labels(
    model: Path,
    videos: Sequence[Path],
    labels: Sequence[Path],
    options: LabelFitOptions = LabelFitOptions(),
    *,
    bar: Bar = no_bar,
) -> tuple[Evaluation, GatheredLabels]:
    """Compare a fitted model or a tuned network and the default tracker with labels."""
    how = options.gathering(bar)
    if TunedTracker.KIND.matches(model):
        tuned = TunedTracker.open(model).without_labels()
        found = gather(_read(labels), videos, how)
        return evaluate_tracker(tuned, found.clips, how), found
    fitted = FittedModel.open(model, options.device)
    found = gather(_read(labels), videos, how)
    return evaluate(fitted, found.clips, how), found


def check_labels(
    videos: Sequence[Path],
    labels: Sequence[Path],
    folder: Path,
    options: LabelFitOptions = LabelFitOptions(),
    *,
    bar: Bar = no_bar,
) -> list[CheckedLabels]:
    """Draw labels on their frames, a sheet a label file."""
    return draw_check_sheets(_read(labels), videos, folder, options.gathering(bar))


def suggest_labels(
    videos: Sequence[Path],
    labels: Sequence[Path],
    count: int,
    folder: Path,
    options: LabelFitOptions = LabelFitOptions(),
    *,
    bar: Bar = no_bar,
) -> dict[Path, list[Path]]:
    """Write the frames that are most worth a label as images, by video."""
    how = options.gathering(bar)
    encoder = FrozenEncoder.open(options.model, options.device)
    return suggest_frames(_read(labels), videos, encoder, count, folder, how)


def _read(paths: Sequence[Path | str]) -> list[Labels]:
    return [labels for path in paths if str(path) != AUTO for labels in read_labels(Path(path))]
