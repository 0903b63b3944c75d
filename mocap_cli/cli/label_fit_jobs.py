"""Fitting: gather labels and videos, fit and evaluate, or check and suggest, and say what came."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.text import Text

from mocap_cli.cli.outputs import VIDEOS, find_inputs
from mocap_cli.cli.pretrain_table import format_duration
from mocap_cli.cli.progress import ProgressDisplay, progress_display
from mocap_cli.cli.report import labelled_lines
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import identity, refuse_unwritable, same_file
from mocap_cli.labels.alignment.check_sheet import draw_check_sheets
from mocap_cli.labels.alignment.reconstruction import read_calibration
from mocap_cli.labels.alignment.time_alignment import TimeBase
from mocap_cli.labels.evaluate import score_table, text_columns
from mocap_cli.labels.fitting.evaluation import Evaluation, evaluate, write_scores
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
_Line = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFitRequest:
    """What the user asked for."""

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
    focal: float | None
    offset: float | None
    rate: float | None
    calibration: Path | None
    cache: Path | None
    device: Device
    quiet: bool

    def check_combinations(self) -> None:
        """Options that do not go together are told before the long work."""
        if self.check and self.suggest is not None:
            raise typer.BadParameter("give one of --check and --suggest")
        if not (
            self.labels or self.suggest is not None or (self.is_fitted_model and self.evaluate)
        ):
            raise typer.BadParameter("give label files, or auto", param_hint="--labels")
        if (self.scores or self.curve) and not self.evaluate:
            raise typer.BadParameter("wants --evaluate LABELS", param_hint="--scores, --curve")
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
    """Do what was asked for."""
    _refuse_overwriting(asked)
    with progress_display(asked.quiet) as screen:
        how = GatherOptions(
            cache=asked.cache or asked.destination.absolute().parent / "codes",
            height=asked.height,
            focal=asked.focal,
            clock=TimeBase(asked.offset, asked.rate),
            views=read_calibration(asked.calibration) if asked.calibration else None,
            device=asked.device,
            bar=screen.bar,
        )
        if asked.check:
            _check(asked, how, screen)
        elif asked.suggest is not None:
            _suggest(asked, how, asked.suggest, screen)
        elif asked.is_fitted_model:
            _evaluate_only(asked, how, screen)
        else:
            _fit(asked, how, screen)


def _refuse_overwriting(asked: LabelFitRequest) -> None:
    """Refuse a file to write that is also read, or that is written twice."""
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


def _said(paths: Sequence[Path]) -> list[Labels]:
    return [labels for path in paths for labels in read_labels(path)]


def _gathered(asked: LabelFitRequest, how: GatherOptions) -> GatheredLabels:
    return gather(_said(asked.label_paths), asked.all_videos(), how, taught=_AUTO in asked.labels)


def _fit(asked: LabelFitRequest, how: GatherOptions, screen: ProgressDisplay) -> None:
    eye, options = open_encoder(asked.model), FitOptions(kind=asked.head)
    found = _gathered(asked, how)
    asked_clips = gather(_said(asked.evaluate), asked.all_videos(), how) if asked.evaluate else None
    began = time.perf_counter()
    own = _tuned(eye, found, how, options, screen) if asked.fine_tune else eye
    with screen.bar("fitting", max_steps(options), "steps") as bar:
        fitted = fit_clips(found.clips, own, how, options, bar)
    seconds = time.perf_counter() - began
    save_fitted(asked.destination, fitted)
    lines = _notes(found)
    if asked_clips is not None:
        lines += _told(asked, evaluate(fitted, asked_clips.clips, how), _notes(asked_clips), screen)
    if asked.curve is not None and asked_clips is not None:
        lines += _curve(asked.curve, eye, found, asked_clips, how, options, screen)
    screen.show(labelled_lines(_head(asked, fitted, seconds), [*lines, *_next(asked, fitted)]))


def _tuned(
    eye: FrozenEncoder,
    found: GatheredLabels,
    how: GatherOptions,
    options: FitOptions,
    screen: ProgressDisplay,
) -> FrozenEncoder:
    with screen.bar("fine-tuning", DEFAULT_FINE_TUNING.steps, "steps") as bar:
        return fine_tune(eye, found.clips, how, options, DEFAULT_FINE_TUNING, bar)


def _head(asked: LabelFitRequest, fitted: FittedModel, seconds: float) -> str:
    frames, videos = fitted.about["frames"], len(fitted.about["videos"])
    many = f"{videos} video{'s' * (videos > 1)}"
    return f"{asked.destination}: fitted to {frames} frames of {many} in {format_duration(seconds)}"


def _next(asked: LabelFitRequest, fitted: FittedModel) -> list[_Line]:
    code, both = (1000 * e.calibration.held_out for e in (fitted.code, fitted.both))
    return [
        (
            "held out",
            f"{both:.0f} mm off on labels it was not taught; by its code alone {code:.0f}",
        ),
        ("next", f"mocap track NEW.mp4 --model {asked.destination} -o NEW.bvh"),
    ]


def _notes(found: GatheredLabels) -> list[_Line]:
    """What was repaired, and what was left out."""
    lines = [
        ("labels", f"{clip.labels.path.name}: {note}")
        for clip in found.clips
        for note in clip.labels.notes
    ]
    return lines + [("warning", f"{path} left out: {why}") for path, why in found.left_out.items()]


def _evaluate_only(asked: LabelFitRequest, how: GatherOptions, screen: ProgressDisplay) -> None:
    fitted = open_fitted(Path(asked.model))
    found = gather(_said(asked.evaluate), asked.all_videos(), how)
    lines = _told(asked, evaluate(fitted, found.clips, how), _notes(found), screen)
    screen.show(
        labelled_lines(f"{asked.model}: asked about {_frames(found)} labelled frames", lines)
    )


def _frames(found: GatheredLabels) -> int:
    return sum(len(clip.labels) for clip in found.clips)


def _told(
    asked: LabelFitRequest, told: Evaluation, lines: list[_Line], screen: ProgressDisplay
) -> list[_Line]:
    """Print the tables; what else there is to say."""
    joints = text_columns([("mm", "model", "default"), *told.joint_rows()])
    screen.show(Text(f"{score_table(told.rows)}\n\n{joints}\n"))
    lines.append(("within", f"{told.within:.0f} % of errors are as large as expected, or less"))
    if asked.scores is not None:
        write_scores(told, asked.scores, {"model": asked.model})
        lines.append(("wrote", str(asked.scores)))
    return lines


def _curve(
    path: Path,
    eye: FrozenEncoder,
    taught: GatheredLabels,
    held: GatheredLabels,
    how: GatherOptions,
    options: FitOptions,
    screen: ProgressDisplay,
) -> list[_Line]:
    with screen.bar("curve", None, "fits") as bar:
        curves = compare_encoders(eye, taught.clips, held.clips, how, options, bar)
    draw_label_efficiency(curves, path)
    return [("wrote", str(path))]


def _check(asked: LabelFitRequest, how: GatherOptions, screen: ProgressDisplay) -> None:
    videos, said = asked.all_videos(), _said(asked.label_paths)
    checked = draw_check_sheets(said, videos, asked.destination, how)
    lines: list[_Line] = []
    for one in checked:
        lines += [("labels", f"{one.labels.path.name}: {note}") for note in one.labels.notes]
        if one.refused:
            lines.append(("warning", f"{one.labels.path.name}: {one.refused}"))
        if one.sheet is not None:
            lines.append(("wrote", str(one.sheet)))
    good = sum(not one.refused for one in checked)
    screen.show(
        labelled_lines(f"{good} of {len(checked)} label files can be used: look at them", lines)
    )
    if all(one.refused for one in checked):
        raise typer.Exit(1)


def _suggest(
    asked: LabelFitRequest, how: GatherOptions, count: int, screen: ProgressDisplay
) -> None:
    eye = open_encoder(asked.model)
    seen, chosen = suggest_frames(_said(asked.label_paths), asked.all_videos(), eye, count, how)
    written = write_suggestions(seen, chosen, asked.destination)
    lines = [("frames", f"{len(frames)} of {one.video.name}") for one, frames in
             zip(seen, chosen, strict=True) if len(frames)]  # fmt: skip
    lines.append(("next", f"click them into {asked.destination / LABEL_FILE} (COCO keypoints)"))
    screen.show(labelled_lines(f"{len(written)} pictures to label in {asked.destination}", lines))
