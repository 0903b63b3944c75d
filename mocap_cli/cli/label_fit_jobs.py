"""The work of `mocap label-fit`: fit and evaluate, or check labels, or suggest frames."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from mocap_cli.cli.display import Display, Line, Report, format_duration
from mocap_cli.cli.jobs import VIDEOS, find_inputs
from mocap_cli.cli.report import OutputFiles
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import identity, refuse_unwritable, same_file
from mocap_cli.labels.alignment.check_sheet import draw_check_sheets
from mocap_cli.labels.alignment.reconstruction import read_calibration
from mocap_cli.labels.alignment.time_alignment import TimeBase
from mocap_cli.labels.evaluate import score_table, text_columns
from mocap_cli.labels.fitting.evaluation import Evaluation, evaluate, scores_of, write_scores
from mocap_cli.labels.fitting.fine_tuning import DEFAULT_FINE_TUNING, fine_tune
from mocap_cli.labels.fitting.fit_heads import FitOptions
from mocap_cli.labels.fitting.fitted_model import (
    MODEL_SUFFIX,
    FittedModel,
    open_fitted,
    save_fitted,
)
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder, open_encoder
from mocap_cli.labels.fitting.gather import GatheredLabels, GatherOptions, gather
from mocap_cli.labels.fitting.label_efficiency import compare_encoders, draw_label_efficiency
from mocap_cli.labels.fitting.regression_head import HeadKind
from mocap_cli.labels.fitting.suggest import LABEL_FILE, suggest_frames, write_suggestions
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.poses import fit_clips, max_steps
from mocap_cli.labels.readers.dispatch import read_labels
from mocap_cli.weights import Device

_AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFitRequest:
    """The options of one call."""

    videos: tuple[Path, ...]
    model: str
    labels: tuple[str, ...]
    output: Path | None
    head: HeadKind
    fine_tune: bool
    evaluate: tuple[Path, ...]
    scores: Path | None
    curve: Path | None
    check: bool
    suggest: int | None
    height: float | None
    focal: str | None
    fov: float | None
    offset: float | None
    rate: float | None
    calibration: Path | None
    cache: Path | None
    device: Device
    recursive: bool
    no_overwrite: bool

    def check_combinations(self) -> None:
        """Refuse, before the long work, options that do not go together."""
        if self.check and self.suggest is not None:
            raise typer.BadParameter("give one of --check and --suggest")
        if self.check and self.labels and not self.label_paths:
            raise typer.BadParameter(
                "auto makes pseudo-labels: there is no label file to check", param_hint="--labels"
            )
        if not (
            self.labels or self.suggest is not None or (self.is_fitted_model and self.evaluate)
        ):
            raise typer.BadParameter("give label files, or auto", param_hint="--labels")
        if (self.scores or self.curve) and not self.evaluate:
            raise typer.BadParameter("needs --evaluate LABELS", param_hint="--scores, --curve")
        if self.is_fitted_model and (
            self.labels or self.suggest is not None or self.curve or self.fine_tune
        ):
            raise typer.BadParameter(
                "a .mocap file is fitted already: give the run that it was made from",
                param_hint="--model",
            )
        if not self.videos and (_AUTO in self.labels or not (self.labels or self.evaluate)):
            raise typer.BadParameter("give videos, or folders of videos", param_hint="VIDEO")
        if self.output is not None and self.makes_model and self.output.suffix != MODEL_SUFFIX:
            raise typer.BadParameter(f"give a file that ends in {MODEL_SUFFIX}", param_hint="-o")

    @property
    def is_fitted_model(self) -> bool:
        """The model is a .mocap file."""
        return self.model.endswith(MODEL_SUFFIX)

    @property
    def makes_model(self) -> bool:
        """A .mocap file is to be made."""
        return not (self.check or self.suggest is not None or self.is_fitted_model)

    @property
    def destination(self) -> Path:
        """The file or folder to write."""
        name = Path(self.model).stem if not Path(self.model).is_dir() else Path(self.model).name
        usual = "check" if self.check else f"suggested-{self.suggest}" if self.suggest else ""
        return self.output or Path(usual or f"{name}{MODEL_SUFFIX}")

    @property
    def label_paths(self) -> list[Path]:
        """Where labels to fit to are, but for the tracker's own."""
        return [Path(given) for given in self.labels if given != _AUTO]

    def all_videos(self) -> list[Path]:
        """Those that are given, else those that lie beside labels."""
        if self.videos:
            found = [
                video
                for given in self.videos
                for video in find_inputs(given, VIDEOS, self.recursive)
            ]
            return list(dict.fromkeys(found))
        beside = [*self.label_paths, *self.evaluate]
        folders = dict.fromkeys(path if path.is_dir() else path.parent for path in beside)
        for folder in (*folders, *(path.parent for path in folders)):
            try:
                return find_inputs(folder.absolute(), VIDEOS, False)
            except (MocapError, OSError):
                continue
        raise MocapError(f"no videos lie beside {beside[0]}", "give the videos, or their folder")


def run_label_fit(asked: LabelFitRequest, display: Display) -> None:
    """Fit, evaluate, check or suggest, by the options."""
    files = _plan_outputs(asked)
    how = GatherOptions(
        cache=asked.cache or asked.destination.absolute().parent / "codes",
        height=asked.height,
        focal=asked.focal,
        fov=asked.fov,
        clock=TimeBase(asked.offset, asked.rate),
        views=read_calibration(asked.calibration) if asked.calibration else None,
        device=asked.device,
        bar=display.bar,
    )
    if asked.check:
        _check(asked, how, display)
    elif asked.suggest is not None:
        _suggest(asked, how, asked.suggest, display)
    elif asked.is_fitted_model:
        _evaluate_only(asked, how, files, display)
    else:
        _fit(asked, how, files, display)


def _plan_outputs(asked: LabelFitRequest) -> OutputFiles:
    """The files to write; refuse one that is also read, or that is written twice."""
    files = (asked.destination if asked.makes_model else None, asked.scores, asked.curve)
    outputs = [path for path in files if path is not None]
    given = [*asked.label_paths, *asked.evaluate, Path(asked.model), *asked.all_videos()]
    if asked.calibration is not None:
        given.append(asked.calibration)
    read = {
        identity(path): path
        for one in given
        for path in ((one, *one.rglob("*")) if one.is_dir() else (one,))
    }
    for number, path in enumerate(outputs):
        refuse_unwritable(path)
        if identity(path) in read:
            raise MocapError(
                f"{path} is an input, and would be overwritten", "choose another name for it"
            )
        if any(same_file(path, other) for other in outputs[:number]):
            raise MocapError(f"{path} would be written twice", "choose two names")
    return OutputFiles.plan(outputs, no_overwrite=asked.no_overwrite)


def _read(paths: Sequence[Path]) -> list[Labels]:
    return [labels for path in paths for labels in read_labels(path)]


def _gathered(asked: LabelFitRequest, how: GatherOptions) -> GatheredLabels:
    return gather(_read(asked.label_paths), asked.all_videos(), how, taught=_AUTO in asked.labels)


def _fit(asked: LabelFitRequest, how: GatherOptions, files: OutputFiles, display: Display) -> None:
    eye, options = open_encoder(asked.model), FitOptions(kind=asked.head)
    found = _gathered(asked, how)
    asked_clips = gather(_read(asked.evaluate), asked.all_videos(), how) if asked.evaluate else None
    began = time.perf_counter()
    own = _tuned(eye, found, how, options, display) if asked.fine_tune else eye
    with display.bar("fitting", max_steps(options)) as bar:
        fitted = fit_clips(found.clips, own, how, options, bar)
    seconds = time.perf_counter() - began
    save_fitted(asked.destination, fitted)
    lines, data = _notes(found), _fit_data(fitted, found)
    if asked_clips is not None:
        scored = evaluate(fitted, asked_clips.clips, how)
        lines += [*_notes(asked_clips), *_show_scores(asked, scored, display)]
        data["evaluation"] = scores_of(scored)
    if asked.curve is not None and asked_clips is not None:
        with display.bar("learning curve", None) as bar:
            curves = compare_encoders(eye, found.clips, asked_clips.clips, how, options, bar)
        draw_label_efficiency(curves, asked.curve)
    lines += [*files.lines(), *_next(asked, fitted)]
    data["outputs"] = files.data()
    display.report(Report(_head(asked, fitted, seconds), lines, data))


def _tuned(
    eye: FrozenEncoder,
    found: GatheredLabels,
    how: GatherOptions,
    options: FitOptions,
    display: Display,
) -> FrozenEncoder:
    with display.bar("fine-tuning", DEFAULT_FINE_TUNING.steps) as bar:
        return fine_tune(eye, found.clips, how, options, DEFAULT_FINE_TUNING, bar)


def _head(asked: LabelFitRequest, fitted: FittedModel, seconds: float) -> str:
    frames, videos = fitted.about["frames"], len(fitted.about["videos"])
    many = f"{videos} video{'s' * (videos > 1)}"
    return f"{asked.destination}: fitted to {frames} frames of {many} in {format_duration(seconds)}"


def _validation(fitted: FittedModel) -> tuple[float, float]:
    """Errors on held-out labels in millimetres: of the model, and by image features alone."""
    return 1000 * fitted.both.calibration.held_out, 1000 * fitted.code.calibration.held_out


def _next(asked: LabelFitRequest, fitted: FittedModel) -> list[Line]:
    model, features = _validation(fitted)
    return [
        ("validation", f"error {model:.0f} mm; with image features only {features:.0f} mm"),
        ("next", f"mocap track NEW.mp4 --model {asked.destination} -o NEW.bvh"),
    ]


def _fit_data(fitted: FittedModel, found: GatheredLabels) -> dict[str, Any]:
    model, features = _validation(fitted)
    return {
        "frames": fitted.about["frames"],
        "videos": fitted.about["videos"],
        "validation_mm": model,
        "validation_image_features_mm": features,
        "left_out": {str(path): why for path, why in found.left_out.items()},
    }


def _notes(found: GatheredLabels) -> list[Line]:
    """What was repaired, and what was left out."""
    lines = [
        ("labels", f"{clip.labels.path.name}: {note}")
        for clip in found.clips
        for note in clip.labels.notes
    ]
    return lines + [("warning", f"{path} left out: {why}") for path, why in found.left_out.items()]


def _evaluate_only(
    asked: LabelFitRequest, how: GatherOptions, files: OutputFiles, display: Display
) -> None:
    fitted = open_fitted(Path(asked.model))
    found = gather(_read(asked.evaluate), asked.all_videos(), how)
    scored = evaluate(fitted, found.clips, how)
    frames = sum(len(clip.labels) for clip in found.clips)
    lines = [*_notes(found), *_show_scores(asked, scored, display), *files.lines()]
    data = {"frames": frames, "evaluation": scores_of(scored), "outputs": files.data()}
    display.report(Report(f"{asked.model}: evaluated on {frames} labelled frames", lines, data))


def _show_scores(asked: LabelFitRequest, scored: Evaluation, display: Display) -> list[Line]:
    """Print the tables and write --scores; what else there is to report."""
    joints = text_columns([("mm", "model", "default"), *scored.joint_rows()])
    display.show(Text(f"{score_table(scored.rows)}\n\n{joints}\n"))
    if asked.scores is not None:
        write_scores(scored, asked.scores, {"model": asked.model})
    share = f"{scored.within:.0f} % of the errors are within the predicted uncertainty"
    return [("coverage", f"{share} (70 % is ideal)")]


def _check(asked: LabelFitRequest, how: GatherOptions, display: Display) -> None:
    videos, said = asked.all_videos(), _read(asked.label_paths)
    checked = draw_check_sheets(said, videos, asked.destination, how)
    lines: list[Line] = []
    for one in checked:
        lines += [("labels", f"{one.labels.path.name}: {note}") for note in one.labels.notes]
        if one.refused:
            lines.append(("warning", f"{one.labels.path.name}: {one.refused}"))
        if one.sheet is not None:
            lines.append(("wrote", str(one.sheet)))
    good = sum(not one.refused for one in checked)
    data = {
        "usable": good,
        "files": [
            {"labels": str(one.labels.path), "error": one.refused or None, "sheet": one.sheet}
            for one in checked
        ],
    }
    head = f"{good} of {len(checked)} label files are usable; look at the sheets"
    display.report(Report(head, lines, data))
    if not good:
        raise typer.Exit(1)


def _suggest(asked: LabelFitRequest, how: GatherOptions, count: int, display: Display) -> None:
    encoder = open_encoder(asked.model)
    labels, videos = _read(asked.label_paths), asked.all_videos()
    candidates, chosen = suggest_frames(labels, videos, encoder, count, how)
    written = write_suggestions(candidates, chosen, asked.destination)
    lines: list[Line] = [
        ("frames", f"{len(frames)} of {one.video.name}")
        for one, frames in zip(candidates, chosen, strict=True)
        if len(frames)
    ]
    label_file = asked.destination / LABEL_FILE
    lines.append(
        (
            "next",
            f"open {asked.destination}/ in an annotation tool (CVAT, Label Studio, COCO"
            f" Annotator), mark the keypoints, and save them as COCO in {label_file}",
        )
    )
    data = {"images": written, "label_file": label_file}
    display.report(Report(f"{len(written)} frames to label in {asked.destination}/", lines, data))
