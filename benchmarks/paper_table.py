"""The paper's tables I and V on your footage: every system against the share of labels.

    python benchmarks/paper_table.py TRAIN TEST -o OUT [--methods ours css] [--preset full]
                                     [--keypoints auto] [--boxes tracker] [--seed 1]

TRAIN and TEST are folders of videos with their labels, in any form of mocap label-fit, of different
people. Each system is pretrained on the videos of TRAIN, its encoder is frozen, and a head is
fitted to every K-th label of TRAIN and scored on TEST by N-MPJPE. The paper's figures for Human3.6M
stand in brackets. One system is done at a time and written to OUT/rows.json; the command continues
where it was stopped, in the middle of a pretraining too.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import mocap_cli as mocap
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.inputs import find_videos
from mocap_cli.labels.fitting.fit_heads import FitOptions
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip, clip_examples, gather
from mocap_cli.labels.fitting.label_efficiency import label_efficiency
from mocap_cli.labels.readers.dispatch import read_labels

SHARES = (0.003, 0.01, 0.14, 0.5, 1.0)
PAPER: Mapping[str, Sequence[float]] = {  # N-MPJPE in mm at those shares
    "mv-css": (216.2, 206.1, 203.2, 202.7, 202.5),
    "nsd": (140.9, 115.4, 94.5, 91.0, 88.9),
    "css": (230.8, 216.0, 197.2, 195.7, 194.7),
    "drnet": (158.8, 126.2, 108.2, 106.4, 100.4),
    "dsl": (227.2, 220.6, 198.3, 193.1, 191.2),
    "dsl-stn": (236.3, 211.9, 202.6, 199.2, 198.2),
    "dsl-stn-dec": (185.8, 159.3, 135.9, 129.6, 127.5),
    "ae-stn-dec": (187.3, 161.5, 130.2, 117.0, 114.7),
    "css-stn-dec-split": (163.6, 137.5, 110.6, 104.2, 99.3),
    "ours": (149.3, 122.4, 100.2, 97.4, 95.4),
    "imagenet": (),
    "imagenet-2d": (),
}
FEWEST = 4  # labels that a head is fitted to

Row = dict[str, float | str]  # N-MPJPE by share, or why there is none


def main() -> None:
    """Do the systems that are missing, and print the table after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=PAPER, default=list(PAPER))
    parser.add_argument("--preset", choices=("full", "small"), default="full")
    parser.add_argument("--steps", type=int, help="of pretraining")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--keypoints", nargs="+", default=(), help="2D labels, or auto")
    parser.add_argument("--boxes", choices=("detector", "tracker"), default="detector")
    parser.add_argument("--seed", type=int, default=1, help="one OUT each")
    parser.add_argument("--head-steps", type=int, default=FitOptions().steps)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    fill(options.train, options.test, options.output, options)


def fill(train: Path, test: Path, output: Path, options: argparse.Namespace) -> None:
    """Add the rows that the output folder lacks."""
    how = GatherOptions(cache=output / "cache", device=options.device)
    labelled, scored = (labelled_clips(folder, how) for folder in (train, test))
    for method in options.methods:
        rows = read_rows(output)
        if method not in rows:
            rows[method] = row(method, train, labelled, scored, output, how, options)
            with write_atomically(output / "rows.json") as aside:
                aside.write_text(json.dumps(rows, indent=1))
        print(table(rows), flush=True)


def labelled_clips(folder: Path, how: GatherOptions) -> Sequence[LabelledClip]:
    """The labelled videos of a folder."""
    return gather(read_labels(folder), find_videos([folder]), how).clips


def read_rows(output: Path) -> dict[str, Row]:
    """The rows that are done."""
    path = output / "rows.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def row(
    method: str,
    train: Path,
    labelled: Sequence[LabelledClip],
    scored: Sequence[LabelledClip],
    output: Path,
    how: GatherOptions,
    options: argparse.Namespace,
) -> Row:
    """Pretrain, fit and score one system."""
    run = output / method
    try:
        if not finished(run):
            began = (run / "last.safetensors").is_file()
            mocap.pretrain(
                train, run, resume=began, preset=options.preset, method=method,
                steps=options.steps, batch=options.batch, device=options.device,
                keypoints=options.keypoints, boxes=options.boxes, seed=options.seed,
            )  # fmt: skip
    except MocapError as error:  # as where no two cameras filmed the same moment
        return {"none": error.message}
    encoder = FrozenEncoder.open(run, options.device)
    parts = [clip_examples(clips, encoder, how, points=False) for clips in (labelled, scored)]
    total = len(parts[0])
    counts = {share: max(FEWEST, round(share * total)) for share in SHARES}
    fitting = FitOptions(kind="A", steps=options.head_steps)
    found = dict(label_efficiency(*parts, fitting, sorted({*counts.values()} - {total})))
    return {f"{share:g}": found[min(count, total)] for share, count in counts.items()}


def finished(run: Path) -> bool:
    """Whether pretraining has ended, or there is nothing to train."""
    if not (run / "best.safetensors").is_file():
        return False
    if not (run / "last.safetensors").is_file():
        return run.name == "imagenet"
    from mocap_cli.learning.loop.checkpoint import read_checkpoint_state

    settings, state = read_checkpoint_state(run / "last.safetensors")
    return state.step >= settings.steps


def table(rows: Mapping[str, Row]) -> str:
    """Ours beside the paper's, in mm."""
    lines = [
        "| system | " + " | ".join(f"{100 * share:g} %" for share in SHARES) + " |",
        "|---" * (len(SHARES) + 1) + "|",
    ]
    for method, found in rows.items():
        if "none" in found:
            lines.append(f"| {method} | {found['none']} |" + " |" * (len(SHARES) - 1))
            continue
        paper = PAPER[method] or [None] * len(SHARES)
        cells = [
            f"{found[f'{share:g}']:.1f}" + ("" if theirs is None else f" ({theirs})")
            for share, theirs in zip(SHARES, paper, strict=True)
        ]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
