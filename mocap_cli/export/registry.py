"""Registry: which module writes which suffix, and whether a file can be written at all."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import write_motion
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.animation import Animation, animate
from mocap_cli.export.formats.bvh import Units, write_bvh
from mocap_cli.export.formats.c3d import write_c3d
from mocap_cli.export.formats.coco import write_coco
from mocap_cli.export.formats.fbx import write_fbx
from mocap_cli.export.formats.joint_tables import write_angles, write_csv, write_npz
from mocap_cli.export.formats.mot import BESIDE, write_mot
from mocap_cli.export.formats.trc import write_trc
from mocap_cli.export.formats.usd import write_usd
from mocap_cli.export.one_world import refuse_other_world
from mocap_cli.export.rigs.retarget import retarget
from mocap_cli.export.rigs.tables import RIG_TABLES, RIGGED, RigName
from mocap_cli.export.views.motion_report import write_report
from mocap_cli.export.views.overlay import OverlayOptions, write_overlay
from mocap_cli.export.views.page import write_page
from mocap_cli.io.file_guard import refuse_overlaps, refuse_unwritable
from mocap_cli.progress import Count, no_progress
from mocap_cli.quality.measures import measure_quality

_PROBE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Options of the formats; each format takes those it needs."""

    video: Path | None = None  # the source of the motion, for .mp4, .html, .png and .blend.py
    link_video: bool = False  # .html plays the video file instead of embedding it
    overlay: OverlayOptions | None = None  # what .mp4 shows in addition to the person
    units: Units = "cm"  # of .bvh
    rig: RigName = "default"  # bones of .bvh, .glb, .fbx and .usda
    fps: float | None = None  # of .bvh, .glb, .fbx and .usda; None is the motion's own

    def __post_init__(self) -> None:
        for name, value, known in (("units", self.units, Units), ("rig", self.rig, RigName)):
            if value not in get_args(known):
                raise MocapError(
                    f"unknown {name} {value!r}", f"choose one of {', '.join(get_args(known))}"
                )


class MotionWriter:
    """Writes one motion to any number of files; what they share is computed once.

    `others` are further people in the same world, for formats that hold several.
    """

    def __init__(
        self,
        motion: Motion,
        options: WriteOptions | None = None,
        others: Sequence[Motion] = (),
    ) -> None:
        self.motion = motion
        self.options = options or WriteOptions()
        self.others = [MotionWriter(other, options) for other in others]
        for other in others:
            refuse_other_world(motion, other)

    @cached_property
    def animation(self) -> Animation:
        """The motion as rotations of the default rig."""
        return animate(self.motion, self.options.fps)

    @cached_property
    def retargeted(self) -> Animation:
        """The motion as rotations of the rig of the options."""
        return retarget(self.animation, self.options.rig)

    @property
    def other_motions(self) -> list[Motion]:
        """Those of the others."""
        return [other.motion for other in self.others]

    @property
    def other_animations(self) -> list[Animation]:
        """The others on the rig of the options; those who are in no frame are left out."""
        return [other.retargeted for other in self.others if other.motion.tracked.any()]

    def write(self, path: Path, on_frame: Count = no_progress) -> None:
        """Write the motion in the format of the suffix.

        `on_frame` is called with the number of video frames done, by formats that show the video.
        """
        check_rig(path, self.options.rig)
        if self.others:
            check_several(path, self.options.rig)
        format_of(path).write(self, path, on_frame)


def write(
    motion: Motion,
    path: Path,
    options: WriteOptions | None = None,
    on_frame: Count = no_progress,
) -> None:
    """Write a motion in the format of the suffix; for several files see MotionWriter."""
    MotionWriter(motion, options).write(path, on_frame)


@dataclass(frozen=True, slots=True)
class _Format:
    """How files of one suffix are written."""

    write: Callable[[MotionWriter, Path, Count], None]
    bytes_per_frame: int  # about; 0 where the size of the video is the estimate
    video: Literal["unused", "welcome", "needed"] = "unused"
    several: bool = False  # one file may hold several people
    beside: tuple[str, ...] = ()  # endings of further files, after the name without the suffix


def _bvh(writer: MotionWriter, path: Path, on_frame: Count) -> None:
    write_bvh(writer.retargeted, path, units=writer.options.units)


def _glb(writer: MotionWriter, path: Path, on_frame: Count) -> None:
    from mocap_cli.export.formats.glb import write_glb  # pygltflib is slow to import

    humanoid = writer.options.rig == "vrm"
    write_glb(writer.retargeted, path, writer.other_animations, humanoid=humanoid)


def _fbx(writer: MotionWriter, path: Path, on_frame: Count) -> None:
    write_fbx(writer.retargeted, path, writer.other_animations)


def _usda(writer: MotionWriter, path: Path, on_frame: Count) -> None:
    write_usd(writer.retargeted, path, writer.other_animations)


def _blend(writer: MotionWriter, path: Path, on_frame: Count) -> None:
    from mocap_cli.export.formats.blender import write_blender  # it takes the body of a GLB

    video = writer.options.video
    write_blender(writer.retargeted, writer.motion, path, video, writer.other_animations)


def _json(writer: MotionWriter, path: Path, on_frame: Count) -> None:
    write_motion(writer.motion, path, measure_quality(writer.motion).block())


def _mp4(writer: MotionWriter, path: Path, on_frame: Count) -> None:
    motion, video = writer.motion, writer.options.video
    if video is None:
        raise MocapError(f"{path} needs the video {motion.source.file}", "give it with --video")
    write_overlay(motion, video, path, writer.options.overlay, on_frame, writer.other_motions)


def _html(writer: MotionWriter, path: Path, on_frame: Count) -> None:
    motion, options = writer.motion, writer.options
    animation = writer.animation if motion.tracked.any() else None
    write_page(
        motion,
        path,
        options.video,
        writer.other_motions,
        animation=animation,
        link=options.link_video,
        on_frame=on_frame,
    )


def _png(writer: MotionWriter, path: Path, on_frame: Count) -> None:
    write_report(writer.motion, path, writer.options.video)


def _without_options(
    write: Callable[[Motion, Path], None],
) -> Callable[[MotionWriter, Path, Count], None]:
    """The writer of a format without options."""
    return lambda writer, path, on_frame: write(writer.motion, path)


FORMATS = {
    ".bvh": _Format(_bvh, 800),
    ".glb": _Format(_glb, 600, several=True),
    ".fbx": _Format(_fbx, 800, several=True),
    ".usda": _Format(_usda, 3500, several=True),
    ".blend.py": _Format(_blend, 900, "welcome", several=True),
    ".json": _Format(_json, 2000),
    ".csv": _Format(_without_options(write_csv), 1400),
    ".angles.csv": _Format(_without_options(write_angles), 200),
    ".npz": _Format(_without_options(write_npz), 900),
    ".trc": _Format(_without_options(write_trc), 600),
    ".mot": _Format(_without_options(write_mot), 1300, beside=BESIDE),
    ".c3d": _Format(_without_options(write_c3d), 310),
    ".coco.json": _Format(_without_options(write_coco), 1100),
    ".mp4": _Format(_mp4, 0, "needed", several=True),
    ".html": _Format(_html, 0, "welcome", several=True),
    ".png": _Format(_png, 0, "welcome"),
}


def _suffix_of(path: Path) -> str:
    """The suffix in lower case: the longest known one, else the last part."""
    name = path.name.lower()
    known = [suffix for suffix in FORMATS if name.endswith(suffix)]
    return max(known, key=len, default=path.suffix.lower() or _bare(name))


def _bare(name: str) -> str:
    """A name that is only a suffix: .xyz."""
    return name if name.startswith(".") else ""


def format_of(path: Path) -> _Format:
    """The format of the suffix; an unknown one is an error that lists the known ones."""
    suffix = _suffix_of(path)
    if suffix not in FORMATS:
        raise MocapError(
            f"cannot write {path}: {suffix or 'no suffix'} is not a known format",
            f"end the name with one of {', '.join(FORMATS)}; end a folder's name with /",
        )
    return FORMATS[suffix]


def with_companions(path: Path) -> tuple[Path, ...]:
    """The file, and those that its format writes beside it."""
    known = FORMATS.get(_suffix_of(path))
    beside = () if known is None else known.beside
    return path, *(path.with_name(path.stem + ending) for ending in beside)


def check_rig(path: Path, rig: RigName) -> None:
    """Raise when files of that suffix cannot hold the rig; those without a rig can."""
    table, suffix = RIG_TABLES.get(rig), _suffix_of(path)
    if table and suffix in RIGGED and suffix not in table.formats:
        raise MocapError(f"cannot write {path} with --rig {rig}", f"write {table.instead}")


def holds_several(path: Path) -> bool:
    """Whether a file of that suffix may hold several people."""
    known = FORMATS.get(_suffix_of(path))
    return known is not None and known.several


def check_several(path: Path, rig: RigName) -> None:
    """Raise when a file of that suffix, with that rig, holds one person only."""
    if not holds_several(path):
        several = [suffix for suffix, known in FORMATS.items() if known.several]
        raise MocapError(
            f"cannot write several people to {path}: its format holds one",
            f"write a file for each, or one of {', '.join(several)}",
        )
    if rig == "vrm":
        raise MocapError(
            f"cannot write several people to {path}: a VRM avatar is one person",
            "write a file for each, or leave out --rig vrm",
        )


def check_output(path: Path, inputs: Mapping[str, Path], frames: int) -> None:
    """Raise, before any work, when the file could not be written after it.

    `inputs` are the files that it is made from, by kind: "video", "motion".
    """
    known = format_of(path)
    files = with_companions(path)
    for file in files:
        refuse_unwritable(file)
    refuse_overlaps([(file, path) for file in files], inputs.values())
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
    """Free bytes in the folder of the file, after a trial write."""
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
