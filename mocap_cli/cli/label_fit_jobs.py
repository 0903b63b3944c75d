"""`mocap label-fit`: library calls with progress bars, and a summary of the result."""

from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.text import Text

from mocap_cli.cli.outputs import VIDEOS, find_inputs
from mocap_cli.cli.pretrain_table import format_duration
from mocap_cli.cli.progress import ProgressDisplay, progress_display
from mocap_cli.cli.report import labelled_lines
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import identity, refuse_unwritable, same_file
from mocap_cli.labels.fitting.evaluation import Evaluation
from mocap_cli.labels.fitting.fitted_model import MODEL_SUFFIX
from mocap_cli.labels.fitting.gather import GatheredLabels
from mocap_cli.labels.fitting.suggest import LABEL_FILE
from mocap_cli.labels.label_fit import (
    AUTO,
    LabelFitOptions,
    check_labels,
    evaluate_labels,
    fit_labels,
    suggest_labels,
)

_Line = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFitRequest:
    """A command line: which part of the command, on what, and the library's options."""

    videos: tuple[Path, ...]
    labels: tuple[str, ...]
    output: Path | None
    evaluate: tuple[Path, ...]
    scores: Path | None
    curve: Path | None
    check: bool
    suggest: int | None
    quiet: bool
    options: LabelFitOptions

    def check_combinations(self) -> None:
        """Refuse options that exclude each other, before the long work."""
        if self.check and self.suggest is not None:
            raise typer.BadParameter("give one of --check and --suggest")
        if self.check and self.labels and not self.label_paths:
            raise typer.BadParameter("auto has no label files to check", param_hint="--labels")
        if not (
            self.labels or self.suggest is not None or (self.is_fitted_model and self.evaluate)
        ):
            raise typer.BadParameter("give label files, or auto", param_hint="--labels")
        if (self.scores or self.curve) and not self.evaluate:
            raise typer.BadParameter("wants --evaluate LABELS", param_hint="--scores, --curve")
        if self.is_fitted_model and (
            self.labels or self.suggest is not None or self.curve or self.options.fine_tune
        ):
            raise typer.BadParameter(
                "a .mocap file is fitted already: give the run that it was made from",
                param_hint="--model",
            )
        if not self.videos and (AUTO in self.labels or not (self.labels or self.evaluate)):
            raise typer.BadParameter("give videos, or folders of videos", param_hint="VIDEO")
        if self.output is not None and self.makes_model and self.output.suffix != MODEL_SUFFIX:
            raise typer.BadParameter(f"give a file that ends in {MODEL_SUFFIX}", param_hint="-o")

    @property
    def is_fitted_model(self) -> bool:
        """The model is a .mocap file."""
        return self.options.model.endswith(MODEL_SUFFIX)

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
        return self.output or Path(usual or f"{name}{MODEL_SUFFIX}")

    @property
    def label_paths(self) -> list[Path]:
        """Where labels to fit to are, but for the tracker's own."""
        return [Path(given) for given in self.labels if given != AUTO]

    def all_videos(self) -> list[Path]:
        """Those that are given, else those that lie beside labels."""
        if self.videos:
            found = [video for given in self.videos for video in find_inputs(given, VIDEOS)]
            return list(dict.fromkeys(found))
        beside = [*self.label_paths, *self.evaluate]
        folders = dict.fromkeys(path if path.is_dir() else path.parent for path in beside)
        for folder in (*folders, *(path.parent for path in folders)):
            try:
                return find_inputs(folder.absolute(), VIDEOS)
            except (MocapError, OSError):
                continue
        raise MocapError(f"no videos lie beside {beside[0]}", "give the videos, or their folder")


def run_label_fit(asked: LabelFitRequest) -> None:
    """Run the requested part of the command and print a summary."""
    _refuse_overwriting(asked)
    cache = asked.options.cache or asked.destination.absolute().parent / "codes"
    options = replace(asked.options, cache=cache)
    with progress_display(asked.quiet) as screen:
        if asked.check:
            _check(asked, options, screen)
        elif asked.suggest is not None:
            _suggest(asked, options, asked.suggest, screen)
        elif asked.is_fitted_model:
            _evaluate_only(asked, options, screen)
        else:
            _fit(asked, options, screen)


def _refuse_overwriting(asked: LabelFitRequest) -> None:
    """Refuse a file to write that is also read, or that is written twice."""
    files = (asked.destination if asked.makes_model else None, asked.scores, asked.curve)
    outputs = [path for path in files if path is not None]
    given = [*asked.label_paths, *asked.evaluate, Path(asked.options.model), *asked.all_videos()]
    if asked.options.calibration is not None:
        given.append(asked.options.calibration)
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


def _fit(asked: LabelFitRequest, options: LabelFitOptions, screen: ProgressDisplay) -> None:
    found = fit_labels(
        asked.all_videos(), asked.labels, asked.destination, options,
        evaluate_on=asked.evaluate, curve=asked.curve, bar=screen.bar,
    )  # fmt: skip
    lines = _notes(found.labels)
    if found.evaluation is not None and found.held_out is not None:
        lines += _notes(found.held_out) + _scores(asked, found.evaluation, screen)
    if asked.curve is not None:
        lines.append(("wrote", str(asked.curve)))
    about, heads = found.model.about, (found.model.full_heads, found.model.image_heads)
    full, image = (1000 * one.calibration.held_out for one in heads)
    lines += [
        ("held out", f"validation error {full:.0f} mm; by image features only {image:.0f} mm"),
        ("next", f"mocap track NEW.mp4 --model {asked.destination} -o NEW.bvh"),
    ]
    videos = f"{len(about['videos'])} video{'s' * (len(about['videos']) > 1)}"
    seconds = format_duration(found.seconds)
    head = f"{asked.destination}: fitted to {about['frames']} frames of {videos} in {seconds}"
    screen.show(labelled_lines(head, lines))


def _notes(found: GatheredLabels) -> list[_Line]:
    """Corrections, and what was left out."""
    lines = [
        ("labels", f"{clip.labels.path.name}: {note}")
        for clip in found.clips
        for note in clip.labels.notes
    ]
    return lines + [("warning", f"{path} left out: {why}") for path, why in found.left_out.items()]


def _evaluate_only(
    asked: LabelFitRequest, options: LabelFitOptions, screen: ProgressDisplay
) -> None:
    model = Path(options.model)
    found, labels = evaluate_labels(
        model, asked.all_videos(), asked.evaluate, options, bar=screen.bar
    )
    lines = _notes(labels) + _scores(asked, found, screen)
    screen.show(labelled_lines(f"{model}: evaluated on {len(labels)} labelled frames", lines))


def _scores(asked: LabelFitRequest, found: Evaluation, screen: ProgressDisplay) -> list[_Line]:
    """Print the tables, and write the scores where that is requested."""
    screen.show(Text(f"{found.text()}\n"))
    lines = [("within", f"{found.within:.0f} % of errors are within the reported uncertainty")]
    if asked.scores is not None:
        found.write(asked.scores, {"model": asked.options.model})
        lines.append(("wrote", str(asked.scores)))
    return lines


def _check(asked: LabelFitRequest, options: LabelFitOptions, screen: ProgressDisplay) -> None:
    checked = check_labels(
        asked.all_videos(), asked.label_paths, asked.destination, options, bar=screen.bar
    )
    lines: list[_Line] = []
    for one in checked:
        lines += [("labels", f"{one.labels.path.name}: {note}") for note in one.labels.notes]
        if one.refused:
            lines.append(("warning", f"{one.labels.path.name}: {one.refused}"))
        if one.sheet is not None:
            lines.append(("wrote", str(one.sheet)))
    good = sum(not one.refused for one in checked)
    head = f"{good} of {len(checked)} label files can be used"
    screen.show(labelled_lines(f"{head}; see the sheets for mistakes", lines))
    if not good:
        raise typer.Exit(1)


def _suggest(
    asked: LabelFitRequest, options: LabelFitOptions, count: int, screen: ProgressDisplay
) -> None:
    folder = asked.destination
    found = suggest_labels(
        asked.all_videos(), asked.label_paths, count, folder, options, bar=screen.bar
    )
    lines = [("frames", f"{number} of {video.name}") for video, number in found]
    tools = "CVAT, Label Studio or another editor of COCO keypoints"
    lines += [
        ("next", f"open the images and {folder / LABEL_FILE} in {tools}"),
        ("then", f"mocap label-fit --labels {folder / LABEL_FILE} --check"),
    ]
    screen.show(labelled_lines(f"{count} images to label in {folder}", lines))
