"""The work of `mocap label-fit --tune`: tune the 2D network, and say whether it is better."""

from collections.abc import Sequence
from pathlib import Path

from mocap_cli.cli.display import Display, Line, Report, format_duration
from mocap_cli.cli.report import OutputFiles
from mocap_cli.labels.label_fit import LabelFitOptions
from mocap_cli.labels.label_tune import TuneResult, tune_labels

_ADVICE = {
    "worse": "the network is worse in these: label frames that are more like them, or more frames",
    "unclear": "so few frames do not tell whether the network is better: compare the results",
}


def tune_network(
    videos: Sequence[Path],
    labels: Sequence[str],
    output: Path,
    options: LabelFitOptions,
    files: OutputFiles,
    display: Display,
) -> None:
    """Tune, write the .mocap file and report."""
    found = tune_labels(videos, labels, output, options, bar=display.bar)
    tuning, left_out = found.tuning, found.labels.left_out
    notes: list[Line] = [
        ("labels", f"{clip.labels.path.name}: {note}")
        for clip in found.labels.clips
        for note in clip.labels.notes
    ]
    notes += [("warning", f"{path} left out: {why}") for path, why in left_out.items()]
    data = {
        "frames": tuning.labelled,
        "confident": found.confident,
        "held_out": tuning.held_out,
        "error_before": tuning.before,
        "error_after": tuning.after,
        "verdict": tuning.verdict,
        "left_out": {str(path): why for path, why in left_out.items()},
        "outputs": files.data(),
    }
    lines = [*notes, *_verdict(output, found), *files.lines()]
    head = f"{output}: 2D network tuned to {tuning.labelled} labelled frames"
    display.report(Report(f"{head} in {format_duration(found.seconds)}", lines, data))


def _verdict(output: Path, found: TuneResult) -> list[Line]:
    """What held-out labels say, and what to do next."""
    tuning = found.tuning
    errors = (
        f"keypoints are off by {100 * tuning.after:.1f} % of the body's size in "
        f"{tuning.held_out} held-out frames, {100 * tuning.before:.1f} % before"
    )
    lines: list[Line] = [("held out", errors)]
    if tuning.verdict != "better":
        lines.append(("warning", _ADVICE[tuning.verdict]))
    next_step = f"mocap track VIDEO --model {output} -o VIDEO.bvh, for the labelled videos"
    return [*lines, ("next", next_step)]
