"""Formats: which suffix is written by what, and whether a file can be written at all."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mocap_cli.body.motion import Motion, write_motion
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.bvh import write_bvh
from mocap_cli.export.formats.c3d import write_c3d
from mocap_cli.export.formats.coco import write_coco
from mocap_cli.export.formats.glb import write_glb
from mocap_cli.export.formats.joint_tables import write_angles, write_csv, write_npz
from mocap_cli.export.formats.trc import write_trc
from mocap_cli.export.formats.usd import write_usd
from mocap_cli.export.quality import measure_quality
from mocap_cli.export.rigs import RigNames
from mocap_cli.export.views.motion_report import write_report
from mocap_cli.export.views.overlay import PLAIN, OverlayOptions, write_overlay
from mocap_cli.export.views.page import write_page
from mocap_cli.io.atomic import refuse_unwritable, same_file

Units = Literal["cm", "m"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What a format may need besides the motion."""

    video: Path | None = None  # what the motion was read from
    link_video: bool = False  # from the page, instead of putting it in
    overlay: OverlayOptions = PLAIN  # what the overlay shows besides the skeleton
    units: Units = "cm"  # of the BVH
    rig: RigNames = "default"  # how BVH, GLB and USD call their joints
    fps: float | None = None  # of BVH, GLB and USD; None is the video's own
    on_frame: Callable[[int], None] = lambda done: None

    def with_progress(self, on_frame: Callable[[int], None]) -> "WriteOptions":
        """The same, but somebody else is told how far the work is."""
        return replace(self, on_frame=on_frame)


@dataclass(frozen=True, slots=True)
class _Format:
    """How files of one suffix come about."""

    description: str
    write: Callable[[Motion, Path, WriteOptions], None]
    bytes_per_frame: int  # about; 0 where the video's own size is the measure
    video: Literal["unused", "welcome", "needed"] = "unused"


def _bvh(motion: Motion, path: Path, options: WriteOptions) -> None:
    write_bvh(motion, path, units=options.units, fps=options.fps, rig=options.rig)


def _mp4(motion: Motion, path: Path, options: WriteOptions) -> None:
    if options.video is None:
        raise MocapError(f"{path} needs the video {motion.source.file}", "give it with --video")
    write_overlay(motion, options.video, path, options.on_frame, options.overlay)


def _html(motion: Motion, path: Path, options: WriteOptions) -> None:
    video, link = options.video, options.link_video
    write_page(motion, path, video, link=link, on_frame=options.on_frame)


def _png(motion: Motion, path: Path, options: WriteOptions) -> None:
    write_report(motion, path, options.video)


def _glb(motion: Motion, path: Path, options: WriteOptions) -> None:
    write_glb(motion, path, fps=options.fps, rig=options.rig)


def _json(motion: Motion, path: Path, options: WriteOptions) -> None:
    write_motion(motion, path, measure_quality(motion).block())


def _usda(motion: Motion, path: Path, options: WriteOptions) -> None:
    write_usd(motion, path, fps=options.fps, rig=options.rig)


def _without_options(
    write: Callable[[Motion, Path], None],
) -> Callable[[Motion, Path, WriteOptions], None]:
    """What needs no options."""
    return lambda motion, path, options: write(motion, path)


FORMATS = {
    ".bvh": _Format("motion for Blender, MotionBuilder, Maya and games", _bvh, 800),
    ".glb": _Format("a skinned body for Blender, Unity, Unreal and the web", _glb, 600),
    ".usda": _Format("the same for Omniverse, Houdini and Maya", _usda, 3500),
    ".json": _Format("everything that is known, for programs", _json, 2000),
    ".csv": _Format(
        "a table of joints for spreadsheets and statistics", _without_options(write_csv), 1400
    ),
    ".angles.csv": _Format("a table of joint angles", _without_options(write_angles), 200),
    ".npz": _Format("arrays for NumPy", _without_options(write_npz), 900),
    ".trc": _Format("markers for OpenSim and Visual3D", _without_options(write_trc), 600),
    ".c3d": _Format(
        "markers for Visual3D, Vicon's and MATLAB's readers", _without_options(write_c3d), 310
    ),
    ".coco.json": _Format("2D keypoints for vision programs", _without_options(write_coco), 1100),
    ".mp4": _Format("the video with the skeleton drawn in", _mp4, 0, "needed"),
    ".html": _Format("a page that shows it beside its video, in any browser", _html, 0, "welcome"),
    ".png": _Format("a report: key poses, curves and how far to trust it", _png, 0, "welcome"),
}
DEFAULT_SUFFIXES = (".bvh", ".json")
_PROBE_BYTES = 64 << 10


def write(motion: Motion, path: Path, options: WriteOptions) -> None:
    """Write the motion in the format of the suffix."""
    format_of(path).write(motion, path, options)


def suffix_of(path: Path) -> str:
    """How the name ends, in small letters: the longest that is known, else the last part."""
    name = path.name.lower()
    known = [suffix for suffix in FORMATS if name.endswith(suffix)]
    return max(known, key=len, default=path.suffix.lower() or _bare(name))


def _bare(name: str) -> str:
    """A name that is all suffix: .xyz."""
    return name if name.startswith(".") else ""


def format_of(path: Path) -> _Format:
    """The format of the suffix, or an error that names the ones there are."""
    suffix = suffix_of(path)
    if suffix == ".fbx":
        raise MocapError(
            f"cannot write {path}: no free program but Blender writes FBX that others read well",
            "write .glb, import it in Blender, and export it from there: File > Export > FBX",
        )
    if suffix not in FORMATS:
        raise MocapError(
            f"cannot write {path}: {suffix or 'no suffix'} is not a known format",
            f"end the name with one of {', '.join(FORMATS)}; end a folder's name with /",
        )
    return FORMATS[suffix]


def check_output(path: Path, inputs: Mapping[str, Path], frames: int) -> None:
    """Refuse, before the long work, what could not be written after it.

    `inputs` are the files it is made from, by what they are: "video", "motion".
    """
    known = format_of(path)
    refuse_unwritable(path)
    for what, given in inputs.items():
        if same_file(path, given):
            raise MocapError(f"{path} is the {what} itself", "choose another name with -o")
    free = _free_bytes(path)
    needed = known.bytes_per_frame * frames
    if not needed and "video" in inputs:
        needed = inputs["video"].stat().st_size
    if needed > free:
        raise MocapError(
            f"cannot write {path}: it needs about {needed >> 20} MB and {free >> 20} MB are free",
            "free some space, or choose another place with -o",
        )


def _free_bytes(path: Path) -> int:
    """Bytes that are free where the file is to be, after a trial."""
    folder = next(p for p in (path.absolute().parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise MocapError(
            f"cannot write {path}: {error.strerror}", "choose another place with -o"
        ) from error
