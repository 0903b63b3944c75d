"""Builder: from a video to its background, by median, by halves, or on a panorama."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from mocap_cli import __version__
from mocap_cli.camera.camera_path import CameraPath, fixed_camera_path
from mocap_cli.camera.key_frames import KeyFrameMatcher
from mocap_cli.camera.path_estimation import solve_camera_path
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import readable
from mocap_cli.keypoints.pose_networks import network_hashes
from mocap_cli.plates.background import Background, BackgroundKind, gain_table
from mocap_cli.plates.median import apply_table, panorama_plate, static_plate
from mocap_cli.plates.person_mask import PersonMasker
from mocap_cli.plates.plate import ALWAYS_OCCLUDED, Plate
from mocap_cli.plates.sample_store import SampleStore
from mocap_cli.plates.surface import Surface
from mocap_cli.progress import Count, no_progress
from mocap_cli.types import Bool, Image, Int64, UInt8
from mocap_cli.video.probe import probe
from mocap_cli.video.reader import open_video
from mocap_cli.video.shots import CutDetector
from mocap_cli.weights import Device
from mocap_cli.workers.resources import with_one_blas_thread

_STILL_SAMPLES, _PANNED_SAMPLES = 60, 90
_PART_SAMPLES = 5  # of a part at least
_DISK_BYTES = 3 << 30  # that samples may take
_EVEN_GAIN = 0.01  # a gain nearer to 1 is left as it is
_OCCLUDED_SHARE = 0.002  # of a plate, from which there is a warning
_CHECKED_FRAMES = 24  # compared with the background
_CHECK_SIDE = 240  # pixels: at that size small shifts do not matter
_CHECK_LEVELS = 30
_CHECK_PERCENTILE = 85  # of the frames
_MISFIT_SHARE = 0.2  # of a frame


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundOptions:
    """How to make a background."""

    kind: BackgroundKind | Literal["auto"] = "auto"
    samples: int | None = None  # frames of the median; None takes 60, for panoramas 90
    start: float | None = None  # seconds of the video
    end: float | None = None
    focal: float | None = None  # pixels; the initial value for a panning camera
    people: bool = True  # detect people and leave them out
    device: Device = "auto"


@with_one_blas_thread
def make_background(
    video: Path,
    options: BackgroundOptions = BackgroundOptions(),
    on_frame: Count = no_progress,
    on_sampling: Count = no_progress,
) -> Background:
    """Estimate the camera path of a video, then the scene behind the subject.

    The callbacks get the number of frames read in each of the two passes.
    """
    with open_video(video, options.start, options.end) as frames:
        builder = BackgroundBuilder(options)
        for done, frame in enumerate(frames, start=1):
            builder.add(frame.image, frame.time)
            on_frame(done)
        damage = frames.warnings
    background = builder.build(video, on_sampling)
    return replace(background, warnings=(*damage, *background.warnings))


def networks_used(*, people: bool) -> dict[str, str]:
    """The version and the networks that decide a background, with their SHA-256."""
    return {"mocap": __version__, **(network_hashes() if people else {})}


class BackgroundBuilder:
    """Makes a background in two passes over a video: `add` every frame in order, then `build`.

    A caller that decodes the video for itself shares its pass by adding the frames.
    """

    def __init__(self, options: BackgroundOptions = BackgroundOptions()) -> None:
        self._options = options
        self._mask = PersonMasker(options.device) if options.people else None
        self._cuts = CutDetector()
        moving = options.kind in ("auto", "panorama")
        self._matcher = KeyFrameMatcher(self._mask) if moving else None
        self._size = (0, 0)
        self._times: list[float] = []
        self._part: list[int] = []

    def add(self, image: Image, time: float) -> None:
        """Take the next frame of the first pass."""
        cut = self._cuts.is_cut(image)
        if self._matcher is not None:
            self._matcher.add(image, time, cut)
            return
        self._size = image.shape[1], image.shape[0]
        self._times.append(time)
        self._part.append(self._part[-1] + cut if self._part else 0)

    def build(self, video: Path, on_frame: Count = no_progress) -> Background:
        """Sample frames in a second pass over the video, and make the background of them."""
        camera = self._camera(self._options.focal or probe(video).focal_pixels)
        kind = self._options.kind
        if kind == "auto":
            kind = "panorama" if camera.moves else "median"
        chosen = _choose_samples(camera, kind, self._options.samples)
        with SampleStore(camera.size) as store:
            sampled = _read_samples(
                video, self._options, camera, chosen, self._mask, store, on_frame
            )
            parts = range(len(camera.kind))
            plates = [_plate(camera, kind, part, sampled, store) for part in parts]
            background = Background(
                video=readable(video.name),
                kind=kind,
                camera=replace(camera, warnings=()),
                plates=tuple(plates),
                model=networks_used(people=self._options.people),
            )
            misfit = _misfit(background, store, sampled) if kind != "split" else ()
        missing = _missing(len(chosen) - len(sampled))
        warnings = (*camera.warnings, *missing, *misfit, *_occluded(plates))
        return replace(background, warnings=warnings)

    def _camera(self, focal: float | None) -> CameraPath:
        if self._matcher is not None:
            return solve_camera_path(self._matcher.matches, focal)
        times, part = np.array(self._times), np.array(self._part, np.int64)
        return fixed_camera_path(times, part, self._size, float(max(self._size)))


def _choose_samples(camera: CameraPath, kind: BackgroundKind, samples: int | None) -> Int64:
    """Frames to sample: even over time, and over the angle that the camera swept."""
    usual = _PANNED_SAMPLES if kind == "panorama" else _STILL_SAMPLES
    most = _DISK_BYTES // (4 * camera.size[0] * camera.size[1])
    wanted = max(min(samples or usual, most), 3)
    chosen = []
    for part in range(len(camera.kind)):
        frames = np.flatnonzero((camera.part == part) & camera.known)
        count = max(round(wanted * len(frames) / len(camera.times)), _PART_SAMPLES)
        if kind == "split":
            frames = np.unique(frames[[0, -1]])
        chosen.append(_spread_evenly(camera, frames, count))
    return np.concatenate(chosen)


def _spread_evenly(camera: CameraPath, frames: Int64, count: int) -> Int64:
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


def _read_samples(
    video: Path,
    options: BackgroundOptions,
    camera: CameraPath,
    chosen: Int64,
    mask: PersonMasker | None,
    store: SampleStore,
    on_frame: Count,
) -> Int64:
    """Store the chosen frames, and return those that were found, in the order of the store.

    Frames are found by their time: a damaged video may decode to other frames in each pass.
    """
    frame_at = {float(camera.times[frame]): int(frame) for frame in chosen}
    found = []
    with open_video(video, options.start, options.end) as frames:
        for done, frame in enumerate(frames, start=1):
            on_frame(done)
            if frame.time in frame_at:
                store.add(frame.image, mask(frame.image) if mask else None)
                found.append(frame_at.pop(frame.time))
            if not frame_at:
                break
    if not found:
        raise MocapError(
            f"{video} is damaged: no frame could be decoded twice", "re-encode it as H.264 MP4"
        )
    return np.array(found, np.int64)


def _missing(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    frames = "1 sampled frame" if count == 1 else f"{count} sampled frames"
    return (f"left {frames} out of the background that could not be decoded again",)


def _plate(
    camera: CameraPath, kind: BackgroundKind, part: int, sampled: Int64, store: SampleStore
) -> Plate:
    """The background of one part, from the samples that lie in it."""
    own = np.flatnonzero(camera.part[sampled] == part)
    frames = sampled[own]
    if not len(frames):  # a damaged video: none of them could be decoded again
        unknown = np.zeros((*camera.size[::-1], 4), np.uint8)
        return Plate(Surface.of_frame(camera.size, float(max(camera.size))), unknown)
    tables = [_inverse_gain(camera, frame) for frame in frames]
    if kind == "split":
        return _halves(camera, own, tables, store)
    if kind == "median" or camera.kind[part] == "fixed":
        surface = Surface.of_frame(camera.size, float(camera.focal[frames[0]]))
        return static_plate(store, own.tolist(), tables, surface)
    frame_from_rays = np.asarray(np.linalg.inv(camera.rays_from_frame[frames]), np.float64)
    surface = Surface.around(camera, part)
    return panorama_plate(store, camera.size, own.tolist(), frame_from_rays, tables, surface)


def _halves(
    camera: CameraPath, own: Int64, tables: Sequence[UInt8 | None], store: SampleStore
) -> Plate:
    """The half of the first frame that the subject falls into, and the other of the last."""
    height = camera.size[1]
    first, last = (
        apply_table(store.rows(int(index), 0, height), table).copy()
        for index, table in zip(own[[0, -1]], (tables[0], tables[-1]), strict=True)
    )
    person_rows = np.argwhere(first[..., 3] < 255)[:, 0]
    rises = len(person_rows) > 0 and float(person_rows.mean()) > height / 2
    top, bottom = (first, last) if rises else (last, first)
    image = np.concatenate((top[: height // 2], bottom[height // 2 :]))
    image[..., 3] = np.where(image[..., 3] == 255, 255, ALWAYS_OCCLUDED)
    return Plate(Surface.of_frame(camera.size, float(camera.focal[0])), image)


def _inverse_gain(camera: CameraPath, frame: int) -> UInt8 | None:
    """The table that evens out a frame's brightness, None where that changes little."""
    gain = camera.gain[frame]
    if np.abs(gain - 1).max() < _EVEN_GAIN:
        return None
    return gain_table(np.append(1 / gain, 1.0))


def _misfit(background: Background, store: SampleStore, sampled: Int64) -> tuple[str, ...]:
    """Warn where frames differ from their own background, apart from the people in them."""
    width, height = background.camera.size
    shrink = _CHECK_SIDE / max(width, height)
    size = max(round(width * shrink), 1), max(round(height * shrink), 1)
    checked = np.unique(np.linspace(0, len(sampled) - 1, _CHECKED_FRAMES).round().astype(int))
    shares = []
    for index in checked:
        frame = cv2.resize(store.rows(int(index), 0, height), size, interpolation=cv2.INTER_AREA)
        image, known = background.at(float(background.camera.times[sampled[index]]), size)
        difference = cv2.absdiff(np.ascontiguousarray(frame[..., :3]), image).max(axis=-1)
        compared: Bool = known & (frame[..., 3] > 250)
        shares.append(((difference > _CHECK_LEVELS) & compared).sum() / max(compared.sum(), 1))
    share = float(np.percentile(shares, _CHECK_PERCENTILE))
    if share < _MISFIT_SHARE:
        return ()
    return (
        f"frames do not match their background: {share:.0%} of the image differs in some;"
        " check it with --sheet before use",
    )


def _occluded(plates: Sequence[Plate]) -> tuple[str, ...]:
    shares = {number: plate.occluded_share for number, plate in enumerate(plates, start=1)}
    texts = [
        f"{share:.1%}" + (f" of part {number}" if len(plates) > 1 else "")
        for number, share in shares.items()
        if share > _OCCLUDED_SHARE
    ]
    if not texts:
        return ()
    return (f"always occluded by a person, so left transparent: {', '.join(texts)}",)
