"""The work of `mocap label-fit`: fit and evaluate, or check labels, or suggest frames."""

import glob
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from mocap_cli.cli.display import Display, Line, Report, format_duration
from mocap_cli.cli.report import OutputFiles
from mocap_cli.cli.tune_jobs import label_lines, tune_network
from mocap_cli.errors import MocapError
from mocap_cli.io.file_guard import existing_outputs, refuse_overlaps, with_contents
from mocap_cli.io.inputs import find_inputs, find_videos
from mocap_cli.labels.fitting.evaluation import Evaluation
from mocap_cli.labels.fitting.fitted_model import FittedModel
from mocap_cli.labels.fitting.gather import GatheredLabels
from mocap_cli.labels.fitting.suggest import LABEL_FILE, LABEL_PAGE
from mocap_cli.labels.fitting.verdict import Verdict
from mocap_cli.labels.label_fit import (
    AUTO,
    LabelFitOptions,
    check_labels,
    evaluate_labels,
    fit_labels,
    suggest_labels,
)
from mocap_cli.labels.tuning.tune import TuneOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFitRequest:
    """The options of one call."""

    videos: tuple[Path, ...]
    labels: tuple[str, ...]
    output: Path | None
    evaluate: tuple[Path, ...]
    scores: Path | None
    curve: Path | None
    check: bool
    suggest: int | None
    tune: int | None
    recursive: bool
    overwrite: bool | None
    options: LabelFitOptions

    def check_combinations(self) -> None:
        """Refuse, before the long work, options that do not go together."""
        if self.check and self.suggest is not None:
            raise typer.BadParameter("give one of --check and --suggest")
        if self.tune is not None and not (self.makes_model and self.label_paths):
            raise typer.BadParameter("needs labels made by hand", param_hint="--tune")
        if self.tune is not None and (self.evaluate or self.options.fine_tune):
            raise typer.BadParameter(
                "evaluates and tunes by itself: first tune, then --model FILE.mocap --evaluate",
                param_hint="--tune",
            )
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
            self.labels or self.suggest is not None or self.curve or self.options.fine_tune
        ):
            raise typer.BadParameter(
                "a .mocap file is fitted already: give the run that it was made from",
                param_hint="--model",
            )
        if not self.videos and (AUTO in self.labels or not (self.labels or self.evaluate)):
            raise typer.BadParameter("give videos, or folders of videos", param_hint="VIDEO")
        suffix = FittedModel.SUFFIX
        if self.output is not None and self.makes_model and self.output.suffix != suffix:
            raise typer.BadParameter(f"give a file that ends in {suffix}", param_hint="-o")

    @property
    def is_fitted_model(self) -> bool:
        """The model is a .mocap file."""
        return self.options.model.endswith(FittedModel.SUFFIX)

    @property
    def makes_model(self) -> bool:
        """A .mocap file is to be made."""
        return not (self.check or self.suggest is not None or self.is_fitted_model)

    @property
    def destination(self) -> Path:
        """The file or folder to write."""
        model = Path(self.options.model)
        name = model.name if model.is_dir() else model.stem
        usual = "check" if self.check else f"suggested-{self.suggest}" if self.suggest else ""
        return self.output or Path(usual or f"{name}{FittedModel.SUFFIX}")

    @property
    def label_paths(self) -> list[Path]:
        """The label files to fit to, without `auto`."""
        return [Path(given) for given in self.labels if given != AUTO]

    def all_videos(self) -> list[Path]:
        """The given videos, else those beside the labels."""
        if self.videos:
            return list(dict.fromkeys(find_videos(self.videos, recursive=self.recursive)))
        beside = [*self.label_paths, *self.evaluate]
        folders = dict.fromkeys(path if path.is_dir() else path.parent for path in beside)
        for folder in (*folders, *(path.parent for path in folders)):
            try:
                return find_inputs(folder.absolute())
            except (MocapError, OSError):
                continue
        raise MocapError(
            f"there are no videos beside {beside[0]}", "give the videos, or their folder"
        )

    def run(self, display: Display) -> None:
        """Fit, evaluate, check or suggest, by the options."""
        files = _plan_outputs(self)
        cache = self.options.cache or self.destination.absolute().parent / "codes"
        options = replace(self.options, cache=cache)
        if self.check:
            _check(self, options, files, display)
        elif self.suggest is not None:
            _suggest(self, options, self.suggest, display)
        elif self.is_fitted_model:
            _evaluate_only(self, options, files, display)
        elif self.tune is not None:
            tuning = TuneOptions(steps=self.tune)
            videos = self.all_videos()
            tune_network(videos, self.labels, self.destination, options, tuning, files, display)
        else:
            _fit(self, options, files, display)


def _plan_outputs(asked: LabelFitRequest) -> OutputFiles:
    """The files to write; refuse one that is also read, or that is written twice."""
    files = (asked.destination if asked.makes_model else None, asked.scores, asked.curve)
    outputs = [path for path in files if path is not None]
    given = [*asked.label_paths, *asked.evaluate, Path(asked.options.model), *asked.all_videos()]
    if asked.options.calibration is not None:
        given.append(asked.options.calibration)
    refuse_overlaps([(path, asked.destination) for path in outputs], with_contents(given))
    planned = OutputFiles.plan(outputs, overwrite=asked.overwrite)
    images = existing_outputs(_images(asked), asked.overwrite)
    return replace(planned, existed=planned.existed | images)


def _images(asked: LabelFitRequest) -> list[Path]:
    """Images in the folder with names that --check or --suggest gives to its own."""
    if asked.makes_model or asked.is_fitted_model:
        return []
    patterns = (
        ("{}.check.png", "{}.*.check.png") if asked.check else ("{}_" + 6 * "[0-9]" + ".png",)
    )
    stems = {glob.escape(video.stem) for video in asked.all_videos()}
    folder = asked.destination
    return [path for stem in stems for p in patterns for path in folder.glob(p.format(stem))]


def _fit(
    asked: LabelFitRequest, options: LabelFitOptions, files: OutputFiles, display: Display
) -> None:
    found = fit_labels(
        asked.all_videos(), asked.labels, asked.destination, options,
        evaluate_on=asked.evaluate, curve=asked.curve, bar=display.bar,
    )  # fmt: skip
    lines, data = label_lines(found.labels), _fit_data(found.model, found.labels)
    if found.evaluation is not None and found.held_out is not None:
        lines += [*label_lines(found.held_out), *_show_scores(asked, found.evaluation, display)]
        data["evaluation"] = found.evaluation.data()
    lines += [*files.lines(), *_next(asked, found.model), *_verdict_lines(found.verdict)]
    data["verdict"] = None if found.verdict is None else found.verdict.data()
    data["outputs"] = files.data()
    display.report(Report(_head(asked, found.model, found.seconds), lines, data))


def _head(asked: LabelFitRequest, fitted: FittedModel, seconds: float) -> str:
    frames, videos = fitted.about["frames"], len(fitted.about["videos"])
    many = f"{videos} video{'s' * (videos > 1)}"
    return f"{asked.destination}: fitted to {frames} frames of {many} in {format_duration(seconds)}"


def _validation(fitted: FittedModel) -> tuple[float, float]:
    """Errors on held-out labels in millimetres: of the model, and by image features alone."""
    full, image = fitted.full_heads.calibration, fitted.image_heads.calibration
    return 1000 * full.held_out, 1000 * image.held_out


def _next(asked: LabelFitRequest, fitted: FittedModel) -> list[Line]:
    model, features = _validation(fitted)
    return [
        ("held out", f"error {model:.0f} mm; with image features only {features:.0f} mm"),
        ("next", f"mocap track NEW.mp4 --model {asked.destination} -o NEW.bvh"),
    ]


def _verdict_lines(verdict: Verdict | None) -> list[Line]:
    if verdict is None:
        return [("warning", "too few frames to compare the model with the default tracker")]
    lines: list[Line] = [("verdict", line) for line in verdict.lines()]
    if verdict.better:
        return lines
    return [*lines, ("warning", "not measurably better: track without --model, or label frames")]


def _fit_data(fitted: FittedModel, found: GatheredLabels) -> dict[str, Any]:
    model, features = _validation(fitted)
    return {
        "frames": fitted.about["frames"],
        "videos": fitted.about["videos"],
        "validation_mm": model,
        "validation_image_features_mm": features,
        "left_out": {str(path): why for path, why in found.left_out.items()},
    }


def _evaluate_only(
    asked: LabelFitRequest, options: LabelFitOptions, files: OutputFiles, display: Display
) -> None:
    model = Path(options.model)
    found, labels = evaluate_labels(
        model, asked.all_videos(), asked.evaluate, options, bar=display.bar
    )
    lines = [*label_lines(labels), *_show_scores(asked, found, display), *files.lines()]
    data = {"frames": len(labels), "evaluation": found.data(), "outputs": files.data()}
    display.report(Report(f"{model}: evaluated on {len(labels)} labelled frames", lines, data))


def _show_scores(asked: LabelFitRequest, found: Evaluation, display: Display) -> list[Line]:
    """Print the tables and write --scores; what else there is to report."""
    display.show(Text(f"{found.text()}\n"))
    if asked.scores is not None:
        found.write(asked.scores, {"model": asked.options.model})
    share = f"{found.within:.0f} % of the errors are within the predicted uncertainty"
    return [("coverage", f"{share} (70 % is ideal)")]


def _check(
    asked: LabelFitRequest, options: LabelFitOptions, files: OutputFiles, display: Display
) -> None:
    checked = check_labels(
        asked.all_videos(), asked.label_paths, asked.destination, options, bar=display.bar
    )
    lines: list[Line] = []
    for one in checked:
        lines += [("labels", f"{one.labels.path.name}: {note}") for note in one.labels.notes]
        if one.refused:
            lines.append(("warning", f"{one.labels.path.name}: {one.refused}"))
        if one.sheet is not None:
            done = "replaced" if one.sheet in files.existed else "wrote"
            lines.append((done, str(one.sheet)))
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


def _suggest(
    asked: LabelFitRequest, options: LabelFitOptions, count: int, display: Display
) -> None:
    folder = asked.destination
    found = suggest_labels(
        asked.all_videos(), asked.label_paths, count, folder, options, bar=display.bar
    )
    lines: list[Line] = [
        ("frames", f"{len(images)} of {video.name}") for video, images in found.items()
    ]
    label_file, label_page = folder / LABEL_FILE, folder / LABEL_PAGE
    lines += [
        ("next", f"open {label_page} in a browser, correct the joints, download {LABEL_FILE}"),
        (
            "or",
            f"open {folder}/ in an annotation tool (CVAT, Label Studio, COCO"
            f" Annotator), mark the keypoints, and save them as COCO in {label_file}",
        ),
    ]
    images = [image for images in found.values() for image in images]
    data = {"images": images, "label_file": label_file, "label_page": label_page}
    display.report(Report(f"{len(images)} frames to label in {folder}/", lines, data))
