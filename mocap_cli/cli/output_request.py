"""Output request: which files -o asks for, of one input or of many."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import typer

from mocap_cli.io.inputs import OVERLAY


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRequest:
    """The values of -o: files, bare suffixes and a folder."""

    files: tuple[Path, ...] = ()
    suffixes: tuple[str, ...] = ()
    folder: Path | None = Path()  # None: that of each input
    video_ending: str = OVERLAY  # of .mp4 files that are named after a video
    overlay: bool = False  # with such a file beside the first of the others

    @staticmethod
    def parse(
        values: Sequence[str], known: Iterable[str], default: Sequence[str]
    ) -> "OutputRequest":
        """Tell files (dive.bvh), bare suffixes (.bvh) and a folder (out/) apart."""
        known = set(known)
        suffixes = [v.lower() for v in values if v.lower() in known]
        others = [v for v in values if v.lower() not in known]
        folders = [Path(v) for v in others if _is_folder(v)]
        files = [Path(v) for v in others if not _is_folder(v)]
        if len(folders) > 1:
            raise typer.BadParameter("give at most one folder", param_hint="-o")
        if not suffixes and (folders or not files):
            suffixes = list(default)
        return OutputRequest(
            files=tuple(dict.fromkeys(files)),
            suffixes=tuple(dict.fromkeys(suffixes)),
            folder=folders[0] if folders else Path(),
        )

    def outputs(self, source: Path, name: Path) -> tuple[Path, ...]:
        """The files to make from an input; `name` is their place in the folder, and their name."""
        place = (source.parent if self.folder is None else self.folder) / name
        made = [*self.files, *(place.with_name(self._name(place.name, s)) for s in self.suffixes)]
        if self.overlay and not any(path.suffix.lower() == ".mp4" for path in made):
            made.append(made[0].with_name(self._name(made[0].stem, ".mp4")))
        return tuple(dict.fromkeys(made))

    def _name(self, stem: str, suffix: str) -> str:
        """A video that we make is named so that it is not taken for an input."""
        return stem + (self.video_ending if suffix == ".mp4" else suffix)


def _is_folder(value: str) -> bool:
    with suppress(OSError):  # a name that is too long is refused where outputs are checked
        if value.endswith(("/", "\\")) or Path(value).is_dir():
            return True
    typing_error = value.startswith(".") and Path(value).name == value  # .xyz is meant as a suffix
    return not Path(value).suffix and not typing_error
