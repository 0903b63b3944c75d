"""The work of `mocap label-fit --tune`: keep labels, tune the 2D network, report."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mocap_cli.cli.display import Display, Line, Report, format_duration
from mocap_cli.cli.report import OutputFiles
from mocap_cli.labels.fitting.gather import GatheredLabels
from mocap_cli.labels.label_fit import LabelFitOptions
from mocap_cli.labels.label_tune import TuneResult, tune_labels
from mocap_cli.labels.tuning.tune import TuneOptions
from mocap_cli.labels.tuning.tune_verdict import TuneVerdict


def tune_network(
    videos: Sequence[Path],
    labels: Sequence[str],
    output: Path,
    options: LabelFitOptions,
    tuning: TuneOptions,
    files: OutputFiles,
    display: Display,
) -> None:
    """Tune, write the .mocap file and report."""
    found = tune_labels(videos, labels, output, options, tuning, bar=display.bar)
    lines = label_lines(found.labels)
    if found.verdict is not None:
        lines += _verdict(found.verdict)
    next_step = f"mocap track VIDEO --model {output} -o VIDEO.bvh, for the labelled videos"
    lines += [("next", next_step), *files.lines()]
    data = {
        "frames": len(found.labels),
        "left_out": {str(path): why for path, why in found.labels.left_out.items()},
        "outputs": files.data(),
        **_data(found),
    }
    display.report(Report(_head(output, found), lines, data))


def label_lines(found: GatheredLabels) -> list[Line]:
    """What was corrected in labels, what was left out, and what is doubtful."""
    lines = [
        ("labels", f"{clip.labels.path.name}: {note}")
        for clip in found.clips
        for note in clip.labels.notes
    ]
    return lines + [("warning", warning) for warning in found.warnings]


def _head(output: Path, found: TuneResult) -> str:
    if not found.keeps_network:
        return f"{output}: {len(found.labels)} labelled frames kept"
    head = f"{output}: 2D network tuned to {found.learnt} labelled frames"
    return f"{head} in {format_duration(found.seconds)}"


def _verdict(found: TuneVerdict) -> list[Line]:
    """What the tracker finds in held-out labelled frames."""
    default, labels, tuned = (
        f"{100 * error:.1f} %" for error in (found.default, found.labels, found.tuned)
    )
    text = f"{found.held_out} labelled frames, tracked without their labels"
    errors = f"off by {default} of the body's size, {labels} with the other labels"
    lines: list[Line] = [("held out", f"{text}: {errors}, {tuned} with the tuned network too")]
    if found.better:
        return lines
    advice = "the tuned network is not better there: the labels alone are kept, as with --tune 0"
    return [*lines, ("warning", advice)]


def _data(found: TuneResult) -> dict[str, object]:
    verdict = found.verdict
    if verdict is None:
        return {}
    return {"confident": found.confident, "better": verdict.better, **asdict(verdict)}
