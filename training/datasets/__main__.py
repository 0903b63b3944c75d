"""Convert a data set to a folder of clips and labels: `python -m training.datasets --help`."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mocap_cli.errors import MocapError
from training.datasets.clips import Choice, Clip
from training.datasets.converted_folder import write_folder
from training.datasets.diving import read_diving
from training.datasets.human36m import read_human36m
from training.datasets.mpi_inf_3dhp import read_mpi_inf_3dhp
from training.datasets.ski_ptz import read_ski_ptz
from training.datasets.three_dpw import read_three_dpw

_READERS: Mapping[str, Callable[[Path, Choice], Iterator[Clip]]] = {
    "h36m": read_human36m,
    "mpi-inf-3dhp": read_mpi_inf_3dhp,
    "3dpw": read_three_dpw,
    "ski-ptz": read_ski_ptz,
    "diving": read_diving,
}


def main(arguments: list[str] | None = None) -> int:
    """Read a data set, write its clips; the exit status."""
    options = _options(arguments)
    choice = Choice(
        only=tuple(options.only) if options.only else None,
        labels_every=options.labels_every,
        fps=options.fps,
    )
    try:
        clips = _read(options.dataset, options.folder, choice)
        write_folder(clips, options.output, options.dataset, _show)
    except MocapError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return 1
    labels = sum(len(clip.frames) for clip in clips)
    print(f"{options.output}: {len(clips)} clips, {labels} labelled frames")
    return 0


def _read(dataset: str, folder: Path, choice: Choice) -> list[Clip]:
    """All clips, before anything is written: a fault of the folder leaves nothing behind."""
    if not folder.is_dir():
        raise MocapError(f"{folder} is no folder", "give the folder of the unpacked data set")
    clips = list(_READERS[dataset](folder, choice))
    if not clips:
        raise MocapError(f"{folder} holds no clips", "docs/datasets.md shows the layout")
    return clips


def _show(clip: Clip) -> None:
    if sys.stderr.isatty():
        print(clip.name, file=sys.stderr)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.datasets", description=__doc__)
    parser.add_argument("dataset", choices=sorted(_READERS), help="The data set.")
    parser.add_argument("folder", type=Path, help="Where its archives were unpacked.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Folder to write.")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="Convert these subjects, sequences or takes only."
    )
    parser.add_argument(
        "--labels-every", type=_positive, metavar="K", help="Keep the labels of every K-th frame."
    )
    parser.add_argument(
        "--fps", type=_positive, help="Frames a second of footage that is published as images."
    )
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 100_000:
        raise argparse.ArgumentTypeError("give 1 to 100000")
    return number


if __name__ == "__main__":
    sys.exit(main())
