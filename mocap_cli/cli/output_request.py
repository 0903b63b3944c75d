"""Output request: which files -o asks for, of one input or of many."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import typer

from mocap_cli.clips.plan import OutputRequest, share_files
from mocap_cli.io.url import output_path


def parse_outputs(
    values: Sequence[str],
    known: Iterable[str],
    default: Sequence[str],
    inputs: Sequence[Path],
    *,
    motions: bool = False,  # they may share a file
) -> OutputRequest:
    """Tell files (dive.bvh), bare suffixes (.bvh) and a folder (out/) apart."""
    known = set(known)
    suffixes = [v.lower() for v in values if v.lower() in known]
    others = [v for v in values if v.lower() not in known]
    folders = [output_path(v) for v in others if is_folder(v)]
    files = [output_path(v) for v in others if not is_folder(v)]
    if len(folders) > 1:
        raise typer.BadParameter("give at most one folder", param_hint="-o")
    if not suffixes and (folders or not files):
        suffixes = list(default)
    if not (motions and share_files(files, inputs)):
        refuse_several(files, inputs)
    return OutputRequest(
        files=tuple(dict.fromkeys(files)),
        suffixes=tuple(dict.fromkeys(suffixes)),
        folder=folders[0] if folders else Path(),
    )


def refuse_several(files: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse to write one file from several inputs."""
    if files and (len(set(inputs)) > 1 or any(path.is_dir() for path in inputs)):
        raise typer.BadParameter(
            f"{files[0]} is one file, but there may be several inputs;"
            " give a folder (out/), suffixes (.bvh), or both",
            param_hint="-o",
        )


def is_folder(value: str) -> bool:
    """Whether -o names a folder: by its slash, because it exists, or for want of a suffix."""
    with suppress(OSError):  # a name that is too long is refused where outputs are checked
        if value.endswith(("/", "\\")) or output_path(value).is_dir():
            return True
    typing_error = value.startswith(".") and Path(value).name == value  # .xyz is meant as a suffix
    return not Path(value).suffix and not typing_error
