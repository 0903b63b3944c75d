"""Track: from a video to a Motion."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from mocap_cli import __version__
from mocap_cli.body.motion import Camera, Motion, Source
from mocap_cli.body.resample import resample_motion
from mocap_cli.body.skeleton import BODY
from mocap_cli.camera.camera_motion import CameraMotion, CameraMotionEstimator
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import readable
from mocap_cli.keypoints.follow import follow
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.person_detector import Subject
from mocap_cli.keypoints.pose_networks import network_hashes
from mocap_cli.lifting.lift import LIFTER_FILE, LiftedPose, lift, load_lifter
from mocap_cli.tracking.place import Placement, place_in_world
from mocap_cli.video.prefetch import prefetch
from mocap_cli.video.probe import VideoInfo
from mocap_cli.video.reader import Frame, VideoReader, open_video
from mocap_cli.video.shots import CutDetector
from mocap_cli.weights import Device, weight_hash, weight_path


class PoseRefinement(Protocol):
    """What a guide knows of one video."""

    @property
    def keypoints(self) -> Keypoints:
        """Keypoints, with those that were found on a second look."""

    def pose(self, level: Keypoints, camera: Pinhole, lifted: LiftedPose) -> LiftedPose:
        """The lifted pose joined with its own."""


class PoseModel(Protocol):
    """A model that was fitted to labels, beside the lifter; `labels.guide` has it."""

    @property
    def name(self) -> str:
        """Its file."""

    @property
    def digest(self) -> str:
        """SHA-256 of its file."""

    def analyse(
        self,
        video: Path,
        seen: Keypoints,
        span: tuple[float | None, float | None],
        device: Device,
        on_frame: Callable[[int], None],
    ) -> PoseRefinement:
        """Look at the same frames of the video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOptions:
    """What a user may say about a video."""

    subject: Subject = "auto"  # whom to follow where there are several
    height: float | None = None  # metres; None takes what a long fall tells, or 1.70, and says so
    focal: float | None = None  # pixels; None takes it from the file, or a stated default
    start: float | None = None  # seconds of the video
    end: float | None = None
    device: Device = "auto"
    fps: float | None = None  # frames a second of the result; None keeps the video's own times
    model: PoseModel | None = None


def _silent(done: int) -> None:
    """Nobody wants to know how many frames are done."""


def track(
    path: Path,
    options: TrackOptions,
    on_frame: Callable[[int], None] = _silent,
    on_guide: Callable[[int], None] = _silent,
) -> Motion:
    """Track one person through a video; callers are told how many frames are done, and guided."""
    watch = CameraMotionEstimator()
    with open_video(path, options.start, options.end) as video:
        # Beside the networks, which leave a core free: how the camera turned.
        with closing(prefetch(_watched(video, watch), depth=1)) as frames:
            seen = follow(_counted(frames, on_frame), options.subject, options.device)
        info, damage = video.info, video.warnings
    counsel = None
    if options.model is not None:
        span = options.start, options.end
        counsel = options.model.analyse(path, seen, span, options.device, on_guide)
        seen = counsel.keypoints
    if not seen.tracked.any():
        raise MocapError(
            f"nobody was found in {path.name} ({len(seen)} frames)",
            "say where the person is with --subject X,Y, or cut to where one is with --start",
        )
    turning = watch.estimate(options.focal or info.focal_pixels)
    camera, told = _camera(info, options.focal, turning.focal)
    turned = turning.rotations(seen.times, camera) if turning.rotates else None
    level = _unzoomed(seen, camera, turning)
    pose = lift(level, camera, load_lifter(weight_path(LIFTER_FILE)))
    pose = pose if counsel is None else counsel.pose(level, camera, pose)
    xy, score = level.xy.astype(np.float64), level.score.astype(np.float64)
    placed = place_in_world(
        pose.joints, pose.sigma, pose.contacts, xy, score, seen.times, camera, options.height,
        camera_rotation=turned, cut=seen.cut,
    )  # fmt: skip
    warnings = (*damage, *_warnings(seen), *told, *turning.warnings, *placed.warnings)
    motion = _motion(info, seen, camera, placed, warnings)
    if options.model is not None:
        motion = replace(motion, model={**motion.model, options.model.name: options.model.digest})
    return resample_motion(motion, options.fps) if options.fps else motion


def _watched(video: VideoReader, watch: CameraMotionEstimator) -> Iterator[Frame]:
    cuts = CutDetector()
    for frame in video:
        watch.add(frame.image, frame.time, cuts.is_cut(frame.image))
        yield frame


def _counted(frames: Iterable[Frame], on_frame: Callable[[int], None]) -> Iterator[Frame]:
    for done, frame in enumerate(frames, start=1):
        yield frame
        on_frame(done)


def _unzoomed(seen: Keypoints, camera: Pinhole, turning: CameraMotion) -> Keypoints:
    """The keypoints as a lens that does not zoom would have shown them."""
    if not turning.zooms:
        return seen
    centre, zoom = np.array(camera.centre), turning.zoom_factors(seen.times)[:, None, None]
    return replace(seen, xy=(centre + (seen.xy - centre) / zoom).astype(np.float32))


def _camera(
    info: VideoInfo, focal: float | None, panned: float | None
) -> tuple[Pinhole, tuple[str, ...]]:
    """The camera, and what to say where it was guessed; `panned` is what a pan tells of it."""
    guess = Pinhole.guess(info.width, info.height)
    known = focal or info.focal_pixels
    if known:
        return Pinhole(known, guess.centre), ()
    if panned:
        said = f"the pan tells a focal length of {panned:.0f} pixels"
        return Pinhole(panned, guess.centre), (f"{said}; --focal sets another",)
    said = f"the lens is not known: a focal length of {guess.focal:.0f} pixels was assumed"
    return guess, (f"{said}; --focal sets it",)


def _warnings(seen: Keypoints) -> tuple[str, ...]:
    said = []
    missing = len(seen) - int(seen.tracked.sum())
    if missing:
        said.append(f"nobody was found in {missing} of {len(seen)} frames")
    cuts = int(seen.cut.sum())
    if cuts:
        often = "once" if cuts == 1 else f"{cuts} times"
        said.append(f"the picture is cut {often}: each shot is placed as if one camera stood")
    return tuple(said)


def _motion(
    info: VideoInfo, seen: Keypoints, camera: Pinhole, placed: Placement, warnings: tuple[str, ...]
) -> Motion:
    """Everything that was found, as the one result type."""
    span = seen.times[-1] - seen.times[0]
    return Motion(
        source=Source(
            file=readable(info.path.name),
            fps=float((len(seen) - 1) / span) if span > 0 else float(info.fps),
            width=info.width,
            height=info.height,
            frames=len(seen),
            rotation=info.rotation,
        ),
        skeleton=BODY,
        space=placed.space,
        times=seen.times,
        joints=placed.joints.astype(np.float32),
        sigma=placed.sigma.astype(np.float32),
        detected=seen.detected,
        contacts=placed.contacts.astype(np.float32),
        xy=seen.xy,
        score=seen.score,
        camera=Camera(
            focal_pixels=float(camera.focal),
            centre=camera.centre,
            world_from_camera=placed.world_from_camera.astype(np.float32),
        ),
        model={"mocap": __version__, **network_hashes(), LIFTER_FILE: weight_hash(LIFTER_FILE)},
        warnings=warnings,
    )
