"""Fitting: gather labels and videos, fit and evaluate, or check and suggest, and say what came."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.text import Text

from mocap_cli.commands.destinations import VIDEOS, inputs
from mocap_cli.commands.live import duration
from mocap_cli.commands.report import lines_of
from mocap_cli.commands.screen import Bars, bars
from mocap_cli.errors import MocapError
from mocap_cli.files import identity, refuse_unwritable, same_file
from mocap_cli.labels.agree import Clock
from mocap_cli.labels.check import draw_checks
from mocap_cli.labels.clicked import read_views
from mocap_cli.labels.curve import learn_curves, write_curve
from mocap_cli.labels.evaluate import columns, table
from mocap_cli.labels.evaluation import Evaluation, evaluate, write_scores
from mocap_cli.labels.eye import Eye, open_eye
from mocap_cli.labels.fit import FitOptions
from mocap_cli.labels.fitted import SUFFIX, Fitted, open_fitted, save_fitted
from mocap_cli.labels.gather import Gathered, Gathering, gather
from mocap_cli.labels.head import Kind
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.poses import fit_clips, steps_of
from mocap_cli.labels.read import read_labels
from mocap_cli.labels.suggest import LABEL_FILE, find_next, write_suggestions
from mocap_cli.labels.tune import TUNING, tune
from mocap_cli.weights import Device

AUTO = "auto"
Line = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user asked for."""

    videos: tuple[Path, ...]
    model: str
    labels: tuple[str, ...]
    output: Path | None
    head: Kind
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

    def refuse_what_cannot_be(self) -> None:
        """Options that do not go together are told before the long work."""
        if self.check and self.suggest is not None:
            raise typer.BadParameter("give one of --check and --suggest")
        if not (self.labels or self.suggest is not None or (self.fitted and self.evaluate)):
            raise typer.BadParameter("give label files, or auto", param_hint="--labels")
        if (self.scores or self.curve) and not self.evaluate:
            raise typer.BadParameter("wants --evaluate LABELS", param_hint="--scores, --curve")
        if self.fitted and (
            self.labels or self.suggest is not None or self.curve or self.fine_tune
        ):
            raise typer.BadParameter(
                "a .mocap file is fitted already: give the run that it was made from",
                param_hint="--model",
            )
        if not self.videos and (AUTO in self.labels or not (self.labels or self.evaluate)):
            raise typer.BadParameter("give videos, or folders of videos", param_hint="VIDEO")
        if self.output is not None and self.fits and self.output.suffix != SUFFIX:
            raise typer.BadParameter(f"give a file that ends in {SUFFIX}", param_hint="-o")

    @property
    def fitted(self) -> bool:
        """The model is a .mocap file."""
        return self.model.endswith(SUFFIX)

    @property
    def fits(self) -> bool:
        """A .mocap file is to be made."""
        return not (self.check or self.suggest is not None or self.fitted)

    @property
    def destination(self) -> Path:
        """The file or folder to write."""
        name = Path(self.model).stem if not Path(self.model).is_dir() else Path(self.model).name
        usual = "check" if self.check else f"suggested-{self.suggest}" if self.suggest else ""
        return self.output or Path(usual or f"{name}{SUFFIX}")

    @property
    def label_paths(self) -> list[Path]:
        """Where labels to fit to are, but for the tracker's own."""
        return [Path(given) for given in self.labels if given != AUTO]

    def all_videos(self) -> list[Path]:
        """Those that are given, else those that lie beside labels."""
        if self.videos:
            found = [video for given in self.videos for video in inputs(given, VIDEOS)]
            return list(dict.fromkeys(found))
        beside = [*self.label_paths, *self.evaluate]
        folders = dict.fromkeys(path if path.is_dir() else path.parent for path in beside)
        for folder in (*folders, *(path.parent for path in folders)):
            try:
                return inputs(folder.absolute(), VIDEOS)
            except (MocapError, OSError):
                continue
        raise MocapError(f"no videos lie beside {beside[0]}", "give the videos, or their folder")


def run(asked: Asked) -> None:
    """Do what was asked for."""
    _refuse_overwriting(asked)
    with bars(asked.quiet) as screen:
        how = Gathering(
            cache=asked.cache or asked.destination.absolute().parent / "codes",
            height=asked.height,
            focal=asked.focal,
            clock=Clock(asked.offset, asked.rate),
            views=read_views(asked.calibration) if asked.calibration else None,
            device=asked.device,
            bar=screen.bar,
        )
        if asked.check:
            _check(asked, how, screen)
        elif asked.suggest is not None:
            _suggest(asked, how, asked.suggest, screen)
        elif asked.fitted:
            _evaluate_only(asked, how, screen)
        else:
            _fit(asked, how, screen)


def _refuse_overwriting(asked: Asked) -> None:
    """Refuse a file to write that is also read, or that is written twice."""
    files = (asked.destination if asked.fits else None, asked.scores, asked.curve)
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


def _gathered(asked: Asked, how: Gathering) -> Gathered:
    return gather(_said(asked.label_paths), asked.all_videos(), how, taught=AUTO in asked.labels)


def _fit(asked: Asked, how: Gathering, screen: Bars) -> None:
    eye, options = open_eye(asked.model), FitOptions(kind=asked.head)
    found = _gathered(asked, how)
    asked_clips = gather(_said(asked.evaluate), asked.all_videos(), how) if asked.evaluate else None
    began = time.perf_counter()
    own = _tuned(eye, found, how, options, screen) if asked.fine_tune else eye
    with screen.bar("fitting", steps_of(options), "steps") as bar:
        fitted = fit_clips(found.clips, own, how, options, bar)
    seconds = time.perf_counter() - began
    save_fitted(asked.destination, fitted)
    lines = _notes(found)
    if asked_clips is not None:
        lines += _told(asked, evaluate(fitted, asked_clips.clips, how), _notes(asked_clips), screen)
    if asked.curve is not None and asked_clips is not None:
        lines += _curve(asked.curve, eye, found, asked_clips, how, options, screen)
    screen.show(lines_of(_head(asked, fitted, seconds), [*lines, *_next(asked, fitted)]))


def _tuned(eye: Eye, found: Gathered, how: Gathering, options: FitOptions, screen: Bars) -> Eye:
    with screen.bar("fine-tuning", TUNING.steps, "steps") as bar:
        return tune(eye, found.clips, how, options, TUNING, bar)


def _head(asked: Asked, fitted: Fitted, seconds: float) -> str:
    frames, videos = fitted.about["frames"], len(fitted.about["videos"])
    many = f"{videos} video{'s' * (videos > 1)}"
    return f"{asked.destination}: fitted to {frames} frames of {many} in {duration(seconds)}"


def _next(asked: Asked, fitted: Fitted) -> list[Line]:
    code, both = (1000 * e.calibration.held_out for e in (fitted.code, fitted.both))
    return [
        (
            "held out",
            f"{both:.0f} mm off on labels it was not taught; by its code alone {code:.0f}",
        ),
        ("next", f"mocap track NEW.mp4 --model {asked.destination} -o NEW.bvh"),
    ]


def _notes(found: Gathered) -> list[Line]:
    """What was repaired, and what was left out."""
    lines = [
        ("labels", f"{clip.labels.path.name}: {note}")
        for clip in found.clips
        for note in clip.labels.notes
    ]
    return lines + [("warning", f"{path} left out: {why}") for path, why in found.left_out.items()]


def _evaluate_only(asked: Asked, how: Gathering, screen: Bars) -> None:
    fitted = open_fitted(Path(asked.model))
    found = gather(_said(asked.evaluate), asked.all_videos(), how)
    lines = _told(asked, evaluate(fitted, found.clips, how), _notes(found), screen)
    screen.show(lines_of(f"{asked.model}: asked about {_frames(found)} labelled frames", lines))


def _frames(found: Gathered) -> int:
    return sum(len(clip.labels) for clip in found.clips)


def _told(asked: Asked, told: Evaluation, lines: list[Line], screen: Bars) -> list[Line]:
    """Print the tables; what else there is to say."""
    joints = columns([("mm", "model", "default"), *told.joint_rows()])
    screen.show(Text(f"{table(told.rows)}\n\n{joints}\n"))
    lines.append(("within", f"{told.within:.0f} % of errors are as large as expected, or less"))
    if asked.scores is not None:
        write_scores(told, asked.scores, {"model": asked.model})
        lines.append(("wrote", str(asked.scores)))
    return lines


def _curve(
    path: Path,
    eye: Eye,
    taught: Gathered,
    held: Gathered,
    how: Gathering,
    options: FitOptions,
    screen: Bars,
) -> list[Line]:
    with screen.bar("curve", None, "fits") as bar:
        curves = learn_curves(eye, taught.clips, held.clips, how, options, bar)
    write_curve(curves, path)
    return [("wrote", str(path))]


def _check(asked: Asked, how: Gathering, screen: Bars) -> None:
    videos, said = asked.all_videos(), _said(asked.label_paths)
    checked = draw_checks(said, videos, asked.destination, how)
    lines: list[Line] = []
    for one in checked:
        lines += [("labels", f"{one.labels.path.name}: {note}") for note in one.labels.notes]
        if one.refused:
            lines.append(("warning", f"{one.labels.path.name}: {one.refused}"))
        if one.sheet is not None:
            lines.append(("wrote", str(one.sheet)))
    good = sum(not one.refused for one in checked)
    screen.show(lines_of(f"{good} of {len(checked)} label files can be used: look at them", lines))
    if all(one.refused for one in checked):
        raise typer.Exit(1)


def _suggest(asked: Asked, how: Gathering, count: int, screen: Bars) -> None:
    eye = open_eye(asked.model)
    seen, chosen = find_next(_said(asked.label_paths), asked.all_videos(), eye, count, how)
    written = write_suggestions(seen, chosen, asked.destination)
    lines = [("frames", f"{len(frames)} of {one.video.name}") for one, frames in
             zip(seen, chosen, strict=True) if len(frames)]  # fmt: skip
    lines.append(("next", f"click them into {asked.destination / LABEL_FILE} (COCO keypoints)"))
    screen.show(lines_of(f"{len(written)} pictures to label in {asked.destination}", lines))
