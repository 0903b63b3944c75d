"""The Python API of many clips; see api.py."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mocap_cli.progress import Progress, no_progress

if TYPE_CHECKING:  # heavy: `import mocap_cli` must not wait for them
    from mocap_cli.clips.clip import Clip, ClipFacts
    from mocap_cli.keypoints.subject import SubjectLike
    from mocap_cli.keypoints.thinned_frames import Quality
    from mocap_cli.weights import Device
    from mocap_cli.workers.job import Result, Work


def track_clips(
    videos: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    suffixes: Sequence[str] = (".bvh", ".json"),
    manifest: str | Path | None = None,
    recursive: bool = False,
    subject: "SubjectLike" = "auto",
    height: float | None = None,
    start: float | None = None,
    end: float | None = None,
    fps: float | None = None,
    focal: float | str | None = None,
    fov: float | None = None,
    units: Literal["cm", "m"] = "cm",
    quality: "Quality" = "balanced",
    model: str | Path | None = None,
    device: "Device" = "auto",
    summary: str | Path | None = None,
    workers: int | None = 1,
    clip_timeout: float | None = None,
    overwrite: bool | None = None,
    progress: Progress = no_progress,
) -> list[dict[str, Any]]:
    """Track many clips into files; those that are done are skipped, as by `mocap track`.

    Returns the rows of the summary, one for each clip: what failed is in `status` and `error`, and
    stops no other clip. The columns are those of docs/library.md.

    Args:
        videos: Videos, or folders of videos.
        output: Folder of the files, or a URL such as s3://bucket/motion/.
        suffixes: Endings of the files to write of each clip.
        manifest: List of further clips, as the command's `--from`.
        recursive: Include sub-folders of the given folders.
        subject: As in `track`, or "all" for everybody.
        height: As in `track`; a row of the list may have its own, as well as subject and span.
        start: Start time in each video, in seconds.
        end: End time in each video, in seconds.
        fps: Frames per second of the results; by default those of the videos.
        focal: Focal length in pixels, or its 35 mm equivalent such as "26mm".
        fov: Field of view across the longer side of the image in degrees, instead of `focal`.
        units: Length unit of .bvh.
        quality: As in `track`.
        model: A .mocap file of `fit_labels`; blended with the default tracker.
        device: Device that runs the networks.
        summary: Table of all clips to write, .csv, .jsonl or .parquet.
        workers: Clips tracked at the same time, each in a process; None is what cores and memory
            allow, 1 tracks them in this process. With more than one, a script needs
            `if __name__ == "__main__":`.
        clip_timeout: Seconds after which a clip is stopped and counted as failed; needs workers.
        overwrite: Track clips that are done again (True), or replace no file (False).
        progress: Called with "clips", how many are done, and how many there are.
    """
    from mocap_cli.clips.clip import ClipOptions
    from mocap_cli.clips.everybody import numbered_files
    from mocap_cli.clips.plan import ClipPlan, OutputRequest, files_of
    from mocap_cli.clips.remote_outputs import with_remote_outputs
    from mocap_cli.clips.shard import Shard
    from mocap_cli.clips.summary import check_summary, motion_row, summary_row, write_summary
    from mocap_cli.io.url import output_path
    from mocap_cli.keypoints.subject import parse_subject

    everybody = subject == "all"
    options = ClipOptions(
        focal=focal, fov=fov, fps=fps, units=units, quality=quality, device=device,
        model=None if model is None else Path(model), everybody=everybody, overwrite=overwrite,
    )  # fmt: skip
    given = [videos] if isinstance(videos, str | Path) else videos
    plan = ClipPlan(
        inputs=[Path(video) for video in given],
        manifest=None if manifest is None else Path(manifest),
        request=OutputRequest(suffixes=tuple(suffixes), folder=output_path(output)),
        recursive=recursive, subject=parse_subject("auto" if everybody else subject),
        height=height, start=start, end=end, shard=Shard(1, 1),
        written=numbered_files if everybody else files_of,
    )  # fmt: skip
    table = None if summary is None else Path(summary)
    check_summary(table, overwrite)
    clips = plan.clips(summary=table, also_read=[options.model] if options.model else ())
    work = with_remote_outputs(options, clips, overwrite)
    results: dict[int, Result[ClipFacts]] = {}
    try:
        _track(clips, work, results, workers, clip_timeout, progress)
    finally:
        if table is not None:
            write_summary(table, clips, results, motion_row)
    return [summary_row(clip, results[n], motion_row) for n, clip in enumerate(clips)]


def _track(
    clips: "Sequence[Clip]",
    work: "Work[Clip, ClipFacts]",
    results: "dict[int, Result[ClipFacts]]",
    workers: int | None,
    timeout: float | None,
    progress: Progress,
) -> None:
    from mocap_cli.workers.job import run_here
    from mocap_cli.workers.processes import run_in_processes

    if workers == 1 and timeout is None:
        done = run_here(clips, work, no_progress)
    else:
        done = run_in_processes(clips, work, no_progress, workers=workers, timeout=timeout)
    with closing(done):  # an interrupt ends the workers too
        for number, result in done:
            results[number] = result
            progress("clips", len(results), len(clips))
