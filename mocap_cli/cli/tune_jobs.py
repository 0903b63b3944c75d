"""The work of `mocap label-fit --tune`: keep labels, tune the 2D network, report."""

from collections.abc import Sequence
from pathlib import Path

from mocap_cli.cli.display import Display, Line, Report, format_duration
from mocap_cli.cli.report import OutputFiles
from mocap_cli.labels.label_fit import LabelFitOptions
from mocap_cli.labels.label_tune import TuneResult, tune_labels
from mocap_cli.labels.tuning.tune import TuneOptions, Tuning

_ADVICE = {
    "worse": "the network is worse in these: keep the labels alone (--tune 0), or label more",
    "unclear": "so few frames do not tell whether the network is better: compare with --tune 0",
}


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
    lines: list[Line] = [
        ("labels", f"{clip.labels.path.name}: {note}")
        for clip in found.labels.clips
        for note in clip.labels.notes
    ]
    lines += [("warning", warning) for warning in found.labels.warnings]
    if found.tuning is not None:
        lines += _verdict(found.tuning)
    next_step = f"mocap track VIDEO --model {output} -o VIDEO.bvh, for the labelled videos"
    lines += [("next", next_step), *files.lines()]
    data = {
        "frames": len(found.labels),
        "left_out": {str(path): why for path, why in found.labels.left_out.items()},
        "outputs": files.data(),
        **_data(found),
    }
    display.report(Report(_head(output, found), lines, data))


def _head(output: Path, found: TuneResult) -> str:
    if found.tuning is None:
        return f"{output}: {len(found.labels)} labelled frames kept"
    head = f"{output}: 2D network tuned to {found.tuning.labelled} labelled frames"
    return f"{head} in {format_duration(found.seconds)}"


def _verdict(tuning: Tuning) -> list[Line]:
    """What held-out labels say."""
    errors = (
        f"keypoints are off by {100 * tuning.after:.1f} % of the body's size in "
        f"{tuning.held_out} held-out frames, {100 * tuning.before:.1f} % before"
    )
    lines: list[Line] = [("held out", errors)]
    return lines if tuning.verdict == "better" else [*lines, ("warning", _ADVICE[tuning.verdict])]


def _data(found: TuneResult) -> dict[str, object]:
    tuning = found.tuning
    if tuning is None:
        return {}
    return {
        "confident": found.confident,
        "held_out": tuning.held_out,
        "error_before": tuning.before,
        "error_after": tuning.after,
        "verdict": tuning.verdict,
    }
