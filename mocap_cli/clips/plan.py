"""Plan: which clips there are in videos, folders and lists, and where their files go."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mocap_cli.clips.clip import Clip
from mocap_cli.clips.manifest import ManifestRow, read_manifest
from mocap_cli.clips.shard import Shard
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import holds_several, with_companions
from mocap_cli.io.file_guard import refuse_overlaps
from mocap_cli.io.inputs import MOTIONS, OVERLAY, VIDEOS, InputKind, find_inputs
from mocap_cli.keypoints.subject import Subject


def files_of(outputs: Sequence[Path]) -> tuple[Path, ...]:
    """The outputs, and the files that their formats write beside them."""
    return tuple(file for path in outputs for file in with_companions(path))


def share_files(files: Sequence[Path], motions: Sequence[Path]) -> bool:
    """Whether these files are for all motions together, of which a format can hold several."""
    return any(map(holds_several, files)) and not any(path.is_dir() for path in motions)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRequest:
    """The files to make from each input: some by name, others by their suffix in a folder."""

    files: tuple[Path, ...] = ()
    suffixes: tuple[str, ...] = ()
    folder: Path | None = Path()  # None: that of each input
    video_ending: str = OVERLAY  # of .mp4 files that are named after a video
    overlay: bool = False  # with such a file beside the first of the others

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPlan:
    """Options that say which clips there are; a row of a list may have its own."""

    inputs: Sequence[Path]
    request: OutputRequest
    kind: InputKind = VIDEOS
    manifest: Path | None = None
    recursive: bool = False
    subject: Subject = "auto"
    height: float | None = None
    start: float | None = None
    end: float | None = None
    shard: Shard | None = None  # None takes that of the Slurm job array
    written: Callable[[tuple[Path, ...]], Iterable[Path]] = files_of  # for these outputs

    def clips(
        self,
        note: Callable[[str], None] = lambda text: None,
        *,
        also_read: Iterable[Path] = (),
        summary: Path | None = None,
    ) -> Sequence[Clip]:
        """The clips of all inputs, or those of one shard; no two write the same file.

        `note` takes remarks about what is left out.
        """
        clips = [*self._of_inputs(note), *self._of_manifest()]
        manifest = () if self.manifest is None else (self.manifest,)
        tables = () if summary is None else ((summary, Path("--summary")),)
        writes = ((file, clip.source) for clip in clips for file in self.written(clip.outputs))
        reads = (path for clip in clips for path in (clip.source, *clip.others))
        refuse_overlaps((*writes, *tables), (*reads, *manifest, *also_read))
        return self._sharded(clips, note)

    def _of_inputs(self, note: Callable[[str], None]) -> list[Clip]:
        inputs = self.inputs
        if self.kind is MOTIONS and len(inputs) > 1 and share_files(self.request.files, inputs):
            return self._together(note)
        found = {
            path: path.parent.relative_to(source) if source.is_dir() else Path()
            for source in inputs
            for path in find_inputs(source, self.kind, recursive=self.recursive)
        }
        if not self.recursive and (folders := self.kind.skipped_folders(inputs)):
            more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
            note(f"skipped the sub-folder {folders[0]}{more}: --recursive includes them")
        return [
            Clip(
                source=path, name=(sub / path.stem).as_posix(),
                outputs=self.request.outputs(path, sub / path.stem),
                subject=self.subject, height=self.height, start=self.start, end=self.end,
            )
            for path, sub in found.items()
        ]  # fmt: skip

    def _together(self, note: Callable[[str], None]) -> list[Clip]:
        """One clip for the files of all inputs, and one of each for what suffixes ask for."""
        request = self.request
        first = replace(self, inputs=self.inputs[:1], request=replace(request, suffixes=()))
        each = replace(self, request=replace(request, files=()))
        (clip,) = first._of_inputs(note)
        rest = each._of_inputs(note) if request.suffixes else []
        return [replace(clip, others=tuple(dict.fromkeys(self.inputs))[1:]), *rest]

    def _of_manifest(self) -> list[Clip]:
        rows = [] if self.manifest is None else read_manifest(self.manifest)
        if self.request.files and len(rows) > 1:
            raise MocapError(
                f"{self.request.files[0]} is one file, and {self.manifest} lists {len(rows)} clips",
                "give a folder (out/), suffixes (.bvh), or both",
            )
        return [self._of_row(row) for row in rows]

    def _of_row(self, row: ManifestRow) -> Clip:
        """What a row leaves open is taken from the command line; a span is taken whole."""
        spans = row.start is not None or row.end is not None
        return Clip(
            source=row.path,
            name=row.name,
            outputs=self.request.outputs(row.path, Path(row.name)),
            subject=self.subject if row.subject is None else row.subject,
            height=self.height if row.height is None else row.height,
            start=row.start if spans else self.start,
            end=row.end if spans else self.end,
        )

    def _sharded(self, clips: Sequence[Clip], note: Callable[[str], None]) -> Sequence[Clip]:
        """One shard of the clips; single inputs are not left out because of a job array."""
        shard, source = self.shard, "--shard"
        if shard is None and (self.manifest or any(path.is_dir() for path in self.inputs)):
            shard, source = Shard.of_slurm(), "the Slurm job array; --shard 1/1 takes all"
        if shard is None or shard.count == 1:
            return clips
        chosen = shard.of(clips)
        note(f"shard {shard.index}/{shard.count}: {len(chosen)} of {len(clips)} clips ({source})")
        return chosen
