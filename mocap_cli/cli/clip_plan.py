"""Clip plan: which clips `mocap track` tracks, and where their files go."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mocap_cli.cli.display import Display
from mocap_cli.cli.jobs import OutputRequest
from mocap_cli.clips.clip import Clip
from mocap_cli.clips.manifest import ManifestRow, read_manifest
from mocap_cli.clips.shard import Shard
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import FORMATS, with_companions
from mocap_cli.io.file_guard import refuse_overlaps
from mocap_cli.keypoints.subject import Subject

_DEFAULT_SUFFIXES = (".bvh", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPlan:
    """Options of `mocap track` that say which clips there are."""

    videos: Sequence[Path]
    manifest: Path | None
    output: Sequence[str]
    overlay: bool
    recursive: bool
    subject: Subject
    height: float | None
    start: float | None
    end: float | None
    shard: Shard | None  # None takes that of the Slurm job array

    def clips(
        self, display: Display, *, also_read: Iterable[Path], also_written: Iterable[Path]
    ) -> Sequence[Clip]:
        """The clips of all inputs, or those of one shard; no two write the same file."""
        request = OutputRequest.parse(self.output, FORMATS, _DEFAULT_SUFFIXES)
        clips = [*self._of_videos(request, display), *self._of_manifest(request)]
        manifest = () if self.manifest is None else (self.manifest,)
        refuse_overlaps(
            (
                *(
                    (file, clip.video)
                    for clip in clips
                    for path in clip.outputs
                    for file in with_companions(path)
                ),
                *((path, Path("--summary")) for path in also_written),
            ),
            (*(clip.video for clip in clips), *manifest, *also_read),
        )
        return self._sharded(clips, display)

    def _of_videos(self, request: OutputRequest, display: Display) -> list[Clip]:
        jobs = request.jobs(
            self.videos, display, recursive=self.recursive, overlay=self.overlay
        ) if self.videos else []  # fmt: skip
        return [
            Clip(
                video=job.source, name=request.name_of(job), outputs=job.outputs,
                subject=self.subject, height=self.height, start=self.start, end=self.end,
            )
            for job in jobs
        ]  # fmt: skip

    def _of_manifest(self, request: OutputRequest) -> list[Clip]:
        rows = [] if self.manifest is None else read_manifest(self.manifest)
        if request.files and len(rows) > 1:
            raise MocapError(
                f"{request.files[0]} is one file, and {self.manifest} lists {len(rows)} clips",
                "give a folder (out/), suffixes (.bvh), or both",
            )
        return [self._of_row(row, request) for row in rows]

    def _of_row(self, row: ManifestRow, request: OutputRequest) -> Clip:
        """What a row leaves open is taken from the command line; a span is taken whole."""
        spans = row.start is not None or row.end is not None
        return Clip(
            video=row.path,
            name=row.name,
            outputs=request.outputs(Path(row.name), overlay=self.overlay),
            subject=self.subject if row.subject is None else row.subject,
            height=self.height if row.height is None else row.height,
            start=row.start if spans else self.start,
            end=row.end if spans else self.end,
        )

    def _sharded(self, clips: Sequence[Clip], display: Display) -> Sequence[Clip]:
        """One shard of the clips; single videos are not left out because of a job array."""
        shard, source = self.shard, "--shard"
        if shard is None and (self.manifest or any(video.is_dir() for video in self.videos)):
            shard, source = Shard.of_slurm(), "the Slurm job array; --shard 1/1 takes all"
        if shard is None or shard.count == 1:
            return clips
        chosen = shard.of(clips)
        text = f"shard {shard.index}/{shard.count}: {len(chosen)} of {len(clips)} clips ({source})"
        display.note(text)
        return chosen
