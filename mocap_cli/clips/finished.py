"""Finished: whether the files of a clip are what tracking it now would give."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import read_motion
from mocap_cli.body.provenance import Provenance
from mocap_cli.clips.clip import Clip, ClipOptions
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import with_companions
from mocap_cli.keypoints.subject import subject_text


def provenance_of(clip: Clip, options: ClipOptions, people: int | None = None) -> Provenance:
    """What the JSON of a clip records; `people` is the number of those that were tracked.

    It also names the unit of .bvh, so that other units write that file again.
    """
    in_metres = options.units == "m" and any(p.suffix.lower() == ".bvh" for p in clip.outputs)
    subject = subject_text(clip.subject) if people is None else "all"
    units = "m" if in_metres else None
    given = {**options.of(clip), "subject": subject, "units": units, "people": people}
    return Provenance.of(clip.source, given)


def finished_motion(
    outputs: Sequence[Path], provenance: Provenance, networks: Mapping[str, str]
) -> Motion | None:
    """The motion in the JSON files among the outputs, if all are of this provenance."""
    results = [path for path in outputs if is_result(path)]
    try:
        motions = [read_motion(path) for path in results]
    except MocapError:  # missing, damaged or of another version
        return None
    fits = [motion.provenance == provenance and motion.model == networks for motion in motions]
    return motions[0] if motions and all(fits) else None


def is_result(path: Path) -> bool:
    """Whether the file is the JSON of `mocap track`."""
    name = path.name.lower()
    return name.endswith(".json") and not name.endswith(".coco.json")


def all_written(outputs: Sequence[Path]) -> bool:
    """Whether all files are there, and none was written after the JSON, by another command."""
    try:
        files = (file for path in outputs for file in with_companions(path))
        times = {file: file.stat().st_mtime_ns for file in files}
    except OSError:
        return False
    last = min(time for path, time in times.items() if is_result(path))
    return all(time <= last for path, time in times.items() if not is_result(path))
