"""Observe: one pass over a video for the keypoints of people and for the camera."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap_cli.camera.camera_motion import CameraMotionEstimator
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.progress import Count
from mocap_cli.types import Bool, Float32, Float64
from mocap_cli.video.prefetch import prefetch
from mocap_cli.video.probe import VideoInfo
from mocap_cli.video.reader import Frame, VideoReader, open_video
from mocap_cli.video.shots import with_cuts

Frames = Iterable[tuple[Frame, bool]]
"""Frames of a video, and whether each begins a shot."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observation:
    """One person and the camera, as flat arrays that can be cached."""

    times: Float64  # (T,) and below: see Keypoints
    xy: Float32
    score: Float32
    detected: Bool
    cut: Bool
    switches: Float64  # (S,)
    other: Float64  # (3,) or (0,)
    focal: Float64  # () pixels
    rotation: Float64  # (T, 3, 3); (0, 3, 3) for a fixed camera
    zoom: Float64  # (T,); (0,) for a constant focal length
    walks: Bool  # (T,)
    file_warnings: NDArray[np.str_]
    camera_warnings: NDArray[np.str_]
    lens_notes: NDArray[np.str_]

    @property
    def keypoints(self) -> Keypoints:
        """The keypoints as their own type."""
        return Keypoints(
            times=self.times, xy=self.xy, score=self.score, detected=self.detected, cut=self.cut,
            switches=tuple(self.switches.tolist()), other=tuple(self.other.tolist()),
        )  # fmt: skip


def observe(
    video: VideoInfo,
    span: tuple[float | None, float | None],
    focal: float | None,
    on_frame: Count,
    follow_people: Callable[[Frames], Sequence[Keypoints]],
    *,
    sparing: bool = False,
) -> list[Observation]:
    """Follow people and the camera in one pass; all observations have the same camera."""
    estimator = CameraMotionEstimator(sparing=sparing)
    with open_video(video, *span) as reader:
        # In a thread beside the networks, which leave a core free.
        with closing(prefetch(_with_camera(reader, estimator), depth=1)) as frames:
            people = follow_people(_counted(frames, on_frame))
        damage = reader.warnings
    if not people:
        return []
    motion = estimator.estimate(focal or video.focal_pixels)
    camera, lens_notes = _choose_lens(video, focal, motion.focal)
    times = people[0].times
    first = Observation(
        **_fields(people[0]),
        focal=np.array(camera.focal, np.float64),
        rotation=(motion.rotations(times, camera) if motion.rotates else np.empty((0, 3, 3))),
        zoom=motion.zoom_factors(times) if motion.zooms else np.empty(0),
        walks=motion.walks(times),
        file_warnings=np.array(damage, np.str_),
        camera_warnings=np.array(motion.warnings, np.str_),
        lens_notes=np.array(lens_notes, np.str_),
    )
    return [replace(first, **_fields(keypoints)) for keypoints in people]


def _fields(keypoints: Keypoints) -> dict[str, NDArray[Any]]:
    """The keypoints as flat arrays."""
    return {f.name: np.asarray(getattr(keypoints, f.name)) for f in fields(keypoints)}


def _with_camera(
    reader: VideoReader, estimator: CameraMotionEstimator
) -> Iterator[tuple[Frame, bool]]:
    for frame, cut in with_cuts(reader):
        estimator.add(frame.image, frame.time, cut)
        yield frame, cut


def _counted(frames: Iterable[tuple[Frame, bool]], on_frame: Count) -> Iterator[tuple[Frame, bool]]:
    for done, frame in enumerate(frames, start=1):
        yield frame
        on_frame(done)


def _choose_lens(
    video: VideoInfo, focal: float | None, panned: float | None
) -> tuple[Pinhole, tuple[str, ...]]:
    """The camera, and a note where it was not given; `panned` is the focal length of a pan."""
    guess = Pinhole.guess(video.width, video.height)
    known = focal or video.focal_pixels
    if known:
        return Pinhole(known, guess.centre), ()
    if panned:
        text = f"focal length estimated from the pan: {panned:.0f} pixels"
        return Pinhole(panned, guess.centre), (f"{text}; --focal or --fov sets another",)
    text = f"focal length unknown: assumed {guess.focal:.0f} pixels"
    return guess, (f"{text}; --focal or --fov sets it",)
