"""Estimate: from a video to one person's keypoints, the camera and the lifted pose.

`mocap track` places the result in the world. Label fitting, suggestion and the benchmarks use it
as it is, so that models are fitted to the same poses that they later refine.
"""

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.io.video_cache import cached, source_hash
from mocap_cli.keypoints.follow import follow
from mocap_cli.keypoints.follow_all import follow_all
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.pose_networks import network_hashes
from mocap_cli.keypoints.second_pass import second_pass
from mocap_cli.keypoints.subject import NobodyThereError, Subject, SubjectPoint
from mocap_cli.keypoints.thinned_frames import Quality
from mocap_cli.lifting.lift import LIFTER_FILE, LiftedPose, lift
from mocap_cli.lifting.network import Lifter
from mocap_cli.progress import Count, no_progress
from mocap_cli.tracking.given_keypoints import GivenKeypoints
from mocap_cli.tracking.observe import Frames, Observation, observe
from mocap_cli.types import Bool, Float64
from mocap_cli.video.probe import VideoInfo
from mocap_cli.weights import Device, weight_path
from mocap_cli.workers.resources import with_one_blas_thread

_RELIABLE_SIGMA = 0.13  # metres, the mean of the joints; tumbling divers have more
_OBSERVING = ("keypoints", "camera", "video")  # packages whose source an observation depends on


class _PoseRefinement(Protocol):
    """What a fitted model knows of one video."""

    @property
    def keypoints(self) -> Keypoints:
        """The keypoints, with the frames that were found in a second pass."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What should be known about the model and this video."""

    def pose(self, keypoints: Keypoints, camera: Pinhole, lifted: LiftedPose) -> LiftedPose:
        """The lifted pose fused with the model's own."""


class PoseModel(Protocol):
    """A model made of labels; `FittedTracker` and `TunedTracker` implement it."""

    @property
    def name(self) -> str:
        """File name."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""

    def movenet(self, video: Path) -> bytes | None:
        """The ONNX file that replaces the bundled MoveNet in that video, if any."""

    def points(self, video: Path) -> tuple[SubjectPoint, ...]:
        """Where the person is in that video at some times, if it knows."""

    def analyse(
        self,
        video: Path,
        keypoints: Keypoints,
        span: tuple[float | None, float | None],
        device: Device,
        on_frame: Count,
    ) -> _PoseRefinement:
        """Encode the same frames of the video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateOptions:
    """Whom to follow in which part of a video, through which lens."""

    subject: Subject = "auto"  # whom to follow where there are several people
    focal: float | None = None  # pixels; None takes it from the file, a pan, or a default
    start: float | None = None  # seconds of the video
    end: float | None = None
    device: Device = "auto"  # for the 2D networks
    quality: Quality = "balanced"  # "fast" detects in some frames, "best" again where unsure
    model: PoseModel | None = None  # refines keypoints and pose
    keypoints: GivenKeypoints | None = None  # of another detector; None runs the 2D networks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """One person's keypoints and pose in every frame, and the camera that saw them."""

    size: tuple[int, int]  # displayed pixels
    camera: Pinhole
    keypoints: Keypoints  # displayed pixels
    pose: LiftedPose  # about the pelvis, in camera axes
    rotation: Float64 | None = None  # (T, 3, 3) to the axes of the shot's first frame; None: fixed
    zoom: Float64 | None = None  # (T,) focal length by the usual one; None: constant
    walks: Bool | None = None  # (T,) the camera moves through the scene; None: nowhere
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what was assumed, and the option that sets it

    @property
    def times(self) -> Float64:
        """(T,) seconds."""
        return self.keypoints.times

    @property
    def steady_keypoints(self) -> Keypoints:
        """The keypoints with the zoom divided out, as the lifter gets them."""
        return _without_zoom(self.keypoints, self.camera, self.zoom)

    @property
    def confident(self) -> Bool:
        """(T,) frames whose keypoints can be trusted."""
        return self.keypoints.confident

    @property
    def reliable(self) -> Bool:
        """(T,) frames whose pose is nearly always about right: labels are compared with them."""
        sigma = np.nan_to_num(self.pose.sigma.mean(axis=1), nan=np.inf)
        return np.asarray(self.confident & (sigma < _RELIABLE_SIGMA))

    def bounding_squares(self) -> Float64:
        """(T, 3) middle and side of a square around the person, in pixels; NaN without one."""
        return self.keypoints.bounding_squares()


@with_one_blas_thread
def estimate(
    video: VideoInfo,
    options: EstimateOptions,
    on_frame: Count = no_progress,
    on_model: Count = no_progress,
    cache: Path | None = None,
    on_again: Count = no_progress,
) -> Estimate:
    """Follow one person, estimate the camera and lift the pose; frames without them hold NaN.

    `cache` is a folder where the slow part is kept and found again: keypoints and camera motion.
    `on_again` counts what `--quality best` looks at once more.
    """
    tuned = options.model.movenet(video.path) if options.model else None
    if tuned and options.keypoints:
        raise MocapError(
            "the model is a 2D network, and the keypoints are of another",
            "give --model or --keypoints",
        )

    span, sparing = (options.start, options.end), options.quality == "fast"

    def observe_subject(subject: Subject) -> Observation:
        def follow_subject(frames: Frames) -> list[Keypoints]:
            if options.keypoints is not None:
                return [options.keypoints.follow(frames, video, subject, options.start)]
            found = follow(frames, subject, options.device, sparing=sparing, tuned=tuned)
            if options.quality == "best":
                found = second_pass(video, found, options.device, tuned, on_again)
            return [found]

        detectors = options.keypoints.digest if options.keypoints else network_hashes()
        key = [*span, repr(subject), options.focal, options.quality, detectors]
        if options.model and tuned:
            key.append(options.model.digest)
        return cached(
            Observation, video.path, cache, [*key, source_hash(*_OBSERVING)],
            lambda: observe(
                video, span, options.focal, on_frame, follow_subject, sparing=sparing
            )[0],
        )  # fmt: skip

    labelled = options.model.points(video.path) if options.model else ()
    if not labelled or options.subject != "auto":
        return _estimate(video, options, observe_subject(options.subject), on_model)
    try:
        observed = observe_subject(labelled)
    except NobodyThereError:  # the frames up to there are decoded again
        observed = observe_subject("auto")
    return _estimate(video, options, observed, on_model)


@with_one_blas_thread
def estimate_all(
    video: VideoInfo,
    options: EstimateOptions,
    on_frame: Count = no_progress,
    on_again: Count = no_progress,
) -> list[Estimate]:
    """Follow everybody who stays for long enough, in one pass over the video."""

    def everybody(frames: Frames) -> list[Keypoints]:
        people = follow_all(frames, options.device, sparing=sparing)
        if options.quality == "best":
            people = [second_pass(video, p, options.device, None, on_again) for p in people]
        return people

    span, sparing = (options.start, options.end), options.quality == "fast"
    observed = observe(video, span, options.focal, on_frame, everybody, sparing=sparing)
    return [_estimate(video, options, person, no_progress) for person in observed]


def _estimate(
    video: VideoInfo, options: EstimateOptions, observed: Observation, on_model: Count
) -> Estimate:
    """Refine and lift the keypoints of one person."""
    keypoints, refinement = observed.keypoints, None
    if options.model is not None:
        span = options.start, options.end
        refinement = options.model.analyse(video.path, keypoints, span, options.device, on_model)
        if options.keypoints is None:  # those that were named are not mixed with others
            keypoints = refinement.keypoints
    size = video.width, video.height
    camera = Pinhole(float(observed.focal), Pinhole.guess(*size).centre)
    found = estimate_from_keypoints(keypoints, camera, size, _unless_empty(observed.zoom))
    pose = found.pose
    if refinement is not None:
        pose = refinement.pose(found.steady_keypoints, camera, pose)
    return replace(
        found,
        pose=pose,
        rotation=_unless_empty(observed.rotation),
        walks=observed.walks,
        warnings=(
            *observed.file_warnings.tolist(),
            *_missing_frames(keypoints),
            *(options.keypoints.warnings(keypoints, video) if options.keypoints else ()),
            *observed.camera_warnings.tolist(),
        ),
        notes=(
            *(options.keypoints.notes if options.keypoints else ()),
            *(refinement.notes if refinement else ()),
            *_choice(keypoints),
            *_cuts(keypoints),
            *observed.lens_notes.tolist(),
        ),
    )


def estimate_from_keypoints(
    keypoints: Keypoints, camera: Pinhole, size: tuple[int, int], zoom: Float64 | None = None
) -> Estimate:
    """Lift keypoints that are known already with the bundled lifter."""
    pose = lift(_without_zoom(keypoints, camera, zoom), camera, _bundled_lifter())
    return Estimate(size=size, camera=camera, keypoints=keypoints, pose=pose, zoom=zoom)


@functools.cache
def _bundled_lifter() -> Lifter:
    return Lifter.load(weight_path(LIFTER_FILE))


def _unless_empty(values: Float64) -> Float64 | None:
    return values if len(values) else None


def _without_zoom(keypoints: Keypoints, camera: Pinhole, zoom: Float64 | None) -> Keypoints:
    """The keypoints as a lens of constant focal length would have shown them."""
    if zoom is None:
        return keypoints
    centre = np.array(camera.centre)
    xy = centre + (keypoints.xy - centre) / zoom[:, None, None]
    return replace(keypoints, xy=xy.astype(np.float32))


def _missing_frames(keypoints: Keypoints) -> tuple[str, ...]:
    missing = len(keypoints) - int(keypoints.tracked.sum())
    if not missing:
        return ()
    return (f"no person was found in {missing} of {len(keypoints)} frames",)


def _choice(keypoints: Keypoints) -> tuple[str, ...]:
    """Who was chosen and who else may be meant, where that was not clear."""
    if not keypoints.other:
        return ()
    first = int(keypoints.tracked.argmax())
    here, since = keypoints.xy[first].mean(axis=0), float(keypoints.times[first])
    x, y, time = keypoints.other
    other = SubjectPoint(round(x), round(y), round(time, 2) if time > keypoints.times[0] else None)
    return (
        f"not clear whom to follow: chose the person at {here[0]:.0f},{here[1]:.0f} at {since:.2f}"
        f" s; --subject {other} follows another",
    )


def _cuts(keypoints: Keypoints) -> tuple[str, ...]:
    cuts = int(keypoints.cut.sum())
    if not cuts:
        return ()
    count = "1 cut" if cuts == 1 else f"{cuts} cuts"
    return (f"the video has {count}: each shot is placed as if filmed by one camera",)
