"""Track: from a video to a Motion, the person placed in the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mocap_cli import __version__
from mocap_cli.body.motion import Motion
from mocap_cli.body.recording import Camera, Source
from mocap_cli.body.resample import resample_motion
from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import readable
from mocap_cli.keypoints.pose_networks import network_hashes
from mocap_cli.lifting.lift import LIFTER_FILE
from mocap_cli.progress import Count, no_progress
from mocap_cli.tracking.estimate import (
    Estimate,
    EstimateOptions,
    PoseModel,
    estimate,
    estimate_all,
)
from mocap_cli.tracking.given_keypoints import GivenKeypoints
from mocap_cli.tracking.head_facing import head_facing
from mocap_cli.tracking.person import Person
from mocap_cli.tracking.place import Placement, place_people
from mocap_cli.video.probe import VideoInfo, probe
from mocap_cli.weights import weight_hash
from mocap_cli.workers.resources import with_one_blas_thread


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOptions(EstimateOptions):
    """What a user may say about a video and the result."""

    height: float | None = None  # metres; None takes it from a long fall, or 1.70 with a warning
    fps: float | None = None  # frames a second of the result; None keeps the video's own times


@with_one_blas_thread
def track(
    path: Path,
    options: TrackOptions,
    on_frame: Count = no_progress,
    on_model: Count = no_progress,
    on_again: Count = no_progress,
) -> Motion:
    """Track one person through a video; the callbacks get the number of frames done."""
    video = probe(path)
    found = estimate(video, options, on_frame, on_model, on_again=on_again)
    if not found.keypoints.tracked.any():
        raise MocapError(
            f"no person was found in {path.name} ({len(found.times)} frames)",
            "say where the person is with --subject X,Y, or cut to where one is with --start",
        )
    return _placed(video, [found], options)[0]


@with_one_blas_thread
def track_all(
    path: Path,
    options: TrackOptions,
    on_frame: Count = no_progress,
    on_again: Count = no_progress,
) -> list[Motion]:
    """Track everybody who stays for long enough through a video, in one pass and one world."""
    video = probe(path)
    found = estimate_all(video, options, on_frame, on_again)
    if not found:
        raise MocapError(
            f"nobody stays long enough in {path.name} to be tracked",
            "cut to where people are with --start and --end, or track one with --subject X,Y",
        )
    return _placed(video, found, options)


def _placed(video: VideoInfo, people: Sequence[Estimate], options: TrackOptions) -> list[Motion]:
    """The people in one world."""
    placements = place_people([person_of(found) for found in people], options.height)
    networks = networks_used(options.model, options.keypoints)
    motions = [
        _motion(video, found, placed, networks)
        for found, placed in zip(people, placements, strict=True)
    ]
    return [resample_motion(m, options.fps) if options.fps else m for m in motions]


def person_of(found: Estimate) -> Person:
    """What is known of the person before there is a world."""
    steady, pose = found.steady_keypoints, found.pose
    return Person.of(
        pose.joints, pose.sigma, pose.contacts,
        steady.xy.astype(np.float64), steady.score.astype(np.float64),
        found.times, found.camera, found.rotation, found.keypoints.cut, found.walks,
    )  # fmt: skip


def networks_used(
    model: PoseModel | None = None, keypoints: GivenKeypoints | None = None
) -> dict[str, str]:
    """The version and the networks that decide a result, with their SHA-256."""
    detectors = {keypoints.name: keypoints.digest} if keypoints else network_hashes()
    bundled = {"mocap": __version__, **detectors, LIFTER_FILE: weight_hash(LIFTER_FILE)}
    return bundled if model is None else {**bundled, model.name: model.digest}


def _motion(
    video: VideoInfo, found: Estimate, placed: Placement, networks: dict[str, str]
) -> Motion:
    """Everything that was found, as the one result type."""
    keypoints = found.keypoints
    span = keypoints.times[-1] - keypoints.times[0]
    return Motion(
        source=Source(
            file=readable(video.path.name),
            fps=float((len(keypoints) - 1) / span) if span > 0 else float(video.fps),
            width=video.width,
            height=video.height,
            frames=len(keypoints),
            rotation=video.rotation,
        ),
        skeleton=BODY,
        space=placed.space,
        times=keypoints.times,
        joints=placed.joints.astype(np.float32),
        sigma=placed.sigma.astype(np.float32),
        detected=keypoints.detected,
        contacts=placed.contacts.astype(np.float32),
        xy=keypoints.xy,
        score=keypoints.score,
        camera=Camera(
            focal_pixels=float(found.camera.focal),
            centre=found.camera.centre,
            world_from_camera=placed.world_from_camera.astype(np.float32),
        ),
        model=networks,
        warnings=(*found.warnings, *placed.warnings),
        notes=(*found.notes, *placed.notes),
        facing=head_facing(
            placed.joints, placed.world_from_camera, found.camera, found.steady_keypoints
        ),
        switches=keypoints.switches,
    )
