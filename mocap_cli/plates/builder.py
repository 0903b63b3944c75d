"""Make: from a video to its background, by the median, by halves, or on a panorama."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mocap_cli.camera.camera_path import CameraPath, fixed_camera_path
from mocap_cli.camera.path_estimation import estimate_camera_path
from mocap_cli.io.atomic import readable
from mocap_cli.plates.background import Background, BackgroundKind, gain_table
from mocap_cli.plates.layout import fit_surface, frame_surface
from mocap_cli.plates.median import apply_table, panorama_plate, static_plate
from mocap_cli.plates.misfit import misfit, told
from mocap_cli.plates.person_mask import PersonMasker
from mocap_cli.plates.plate import ALWAYS_OCCLUDED, Plate
from mocap_cli.plates.sample_store import SampleStore
from mocap_cli.types import Int64, UInt8
from mocap_cli.video.reader import VideoReader, open_video
from mocap_cli.video.shots import CutDetector
from mocap_cli.weights import Device

Progress = Callable[[int], None]

STILL_SAMPLES, PANNED_SAMPLES = 60, 90
_DISK_BYTES = 3 << 30  # that samples may take
_HOLE = 0.002  # of the picture, from which the user is told


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundOptions:
    """What a user may say about how a background is made."""

    kind: BackgroundKind | Literal["auto"] = "auto"
    samples: int | None = None  # frames that the median is taken of; None takes 60, panned 90
    start: float | None = None  # seconds of the video
    end: float | None = None
    focal: float | None = None  # pixels; where a pan begins to look for its own
    people: bool = True  # find people and leave them out
    device: Device = "auto"


def make_background(
    video: Path,
    options: BackgroundOptions = BackgroundOptions(),
    on_frame: Progress = lambda done: None,
) -> Background:
    """Find how the camera moved, then what most frames show behind the subject."""
    mask = PersonMasker(options.device) if options.people else None
    with open_video(video, options.start, options.end) as frames:
        camera = _camera(frames, options, mask, on_frame)
        damage = frames.warnings
    kind = options.kind
    if kind == "auto":
        kind = "panorama" if camera.moves else "median"
    chosen = _sampled(camera, kind, options)
    with SampleStore(camera.size) as stack:
        _collect(video, options, chosen, mask, stack)
        plates = [_plate(camera, kind, part, chosen, stack) for part in range(len(camera.kind))]
        made = Background(
            video=readable(video.name),
            kind=kind,
            camera=replace(camera, warnings=()),
            plates=tuple(plates),
        )
        fit = told(misfit(made, stack, chosen.tolist())) if kind != "split" else ()
    return replace(made, warnings=(*damage, *camera.warnings, *fit, *_holes(plates)))


def _camera(
    frames: VideoReader, options: BackgroundOptions, mask: PersonMasker | None, on_frame: Progress
) -> CameraPath:
    """How the camera moved; only where the cuts are when it is known to stand."""
    if options.kind in ("auto", "panorama"):
        focal = options.focal or frames.info.focal_pixels
        return estimate_camera_path(frames, focal, mask, on_frame)
    cuts = CutDetector()
    times: list[float] = []
    part: list[int] = []
    for done, frame in enumerate(frames, start=1):
        cut = cuts.is_cut(frame.image)
        times.append(frame.time)
        part.append(part[-1] + cut if part else 0)
        on_frame(done)
    size = frames.info.width, frames.info.height
    return fixed_camera_path(np.array(times), np.array(part, np.int64), size, float(max(size)))


def _sampled(camera: CameraPath, kind: BackgroundKind, options: BackgroundOptions) -> Int64:
    """The frames to look at: evenly over time, and over what the camera swept."""
    usual = PANNED_SAMPLES if kind == "panorama" else STILL_SAMPLES
    fit = _DISK_BYTES // (4 * camera.size[0] * camera.size[1])
    wanted = max(min(options.samples or usual, fit), 3)
    chosen = []
    for part in range(len(camera.kind)):
        frames = np.flatnonzero((camera.part == part) & camera.known)
        share = max(round(wanted * len(frames) / len(camera.times)), 5)
        if kind == "split":
            frames, share = frames[[0, -1]], 2
        chosen.append(_evenly(camera, frames, share))
    return np.concatenate(chosen)


def _evenly(camera: CameraPath, frames: Int64, count: int) -> Int64:
    if len(frames) <= count:
        return frames
    middle = np.array([camera.size[0] / 2, camera.size[1] / 2, 1.0])
    ahead = camera.rays_from_frame[frames] @ middle
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    step = np.linalg.norm(np.diff(ahead, axis=0), axis=1)
    even = np.full(len(step), 1 / len(step))
    progress = np.cumsum([0, *(even + (step / step.sum() if step.sum() > 1e-3 else 0))])
    places = np.linspace(0, progress[-1], count)
    return frames[np.unique(np.searchsorted(progress, places).clip(0, len(frames) - 1))]


def _collect(
    video: Path,
    options: BackgroundOptions,
    chosen: Int64,
    mask: PersonMasker | None,
    stack: SampleStore,
) -> None:
    """Read the video again, and keep the chosen frames on disk."""
    wanted = set(chosen.tolist())
    with open_video(video, options.start, options.end) as frames:
        for frame in frames:
            if frame.index in wanted:
                stack.add(frame.image, mask(frame.image) if mask else None)
            if len(stack) == len(chosen):
                break


def _plate(
    camera: CameraPath, kind: BackgroundKind, part: int, chosen: Int64, stack: SampleStore
) -> Plate:
    """The background of one part, from the samples that lie in it."""
    mine = np.flatnonzero(camera.part[chosen] == part)
    frames = chosen[mine]
    tables = [_evening(camera, frame) for frame in frames]
    if kind == "split":
        return _halves(camera, mine, tables, stack)
    if kind == "median" or camera.kind[part] == "fixed":
        surface = frame_surface(camera.size, float(camera.focal[frames[0]]))
        return static_plate(stack, mine.tolist(), tables, surface)
    turns = np.asarray(np.linalg.inv(camera.rays_from_frame[frames]), np.float64)
    surface = fit_surface(camera, part)
    return panorama_plate(stack, camera.size, mine.tolist(), turns, tables, surface)


def _halves(
    camera: CameraPath, mine: Int64, tables: Sequence[UInt8 | None], stack: SampleStore
) -> Plate:
    """The half of the first frame that the subject falls into, and the other of the last."""
    height = camera.size[1]
    first, last = (
        apply_table(stack.rows(int(index), 0, height), table).copy()
        for index, table in zip(mine[[0, -1]], (tables[0], tables[-1]), strict=True)
    )
    upper = np.argwhere(first[..., 3] < 255)[:, 0]
    rises = len(upper) > 0 and float(upper.mean()) > height / 2
    top, bottom = (first, last) if rises else (last, first)
    picture = np.concatenate((top[: height // 2], bottom[height // 2 :]))
    picture[..., 3] = np.where(picture[..., 3] == 255, 255, ALWAYS_OCCLUDED)
    return Plate(frame_surface(camera.size, float(camera.focal[0])), picture)


def _evening(camera: CameraPath, frame: int) -> UInt8 | None:
    """A table that takes a frame's colours to its part's, None when they are alike."""
    gain = camera.gain[frame]
    if np.abs(gain - 1).max() < 0.01:
        return None
    return gain_table(np.append(1 / gain, 1.0))


def _holes(plates: Sequence[Plate]) -> tuple[str, ...]:
    holes = {
        number: plate.occluded_share
        for number, plate in enumerate(plates, start=1)
        if plate.occluded_share > _HOLE
    }
    if not holes:
        return ()
    shares = [
        f"{hole:.1%}" + (f" of part {number}" if len(plates) > 1 else "")
        for number, hole in holes.items()
    ]
    return (f"never seen free and left transparent: {', '.join(shares)} of the background",)
