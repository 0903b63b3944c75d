"""The Python API: the commands as functions. `import mocap_cli as mocap` offers all of them.

Paths may be strings or Paths. `progress` is called with the name of a stage, how much of it is
done, and its total, or None where that is unknown.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mocap_cli.camera.lens import focal_pixels
from mocap_cli.progress import Count, Progress, count_stage, no_progress

if TYPE_CHECKING:  # heavy: `import mocap_cli` must not wait for them
    from mocap_cli.body.motion import Motion
    from mocap_cli.export.swap_video import SwapResult
    from mocap_cli.keypoints.subject import SubjectLike
    from mocap_cli.keypoints.thinned_frames import Quality
    from mocap_cli.plates.background import Background, BackgroundKind
    from mocap_cli.tracking.estimate import PoseModel
    from mocap_cli.tracking.given_keypoints import GivenKeypoints
    from mocap_cli.weights import Device


def track(
    video: str | Path,
    *,
    height: float | None = None,
    subject: "SubjectLike" = "auto",
    start: float | None = None,
    end: float | None = None,
    fps: float | None = None,
    focal: float | str | None = None,
    fov: float | None = None,
    quality: "Quality" = "balanced",
    keypoints: "str | Path | GivenKeypoints | None" = None,
    model: "str | Path | PoseModel | None" = None,
    device: "Device" = "auto",
    progress: Progress = no_progress,
) -> "Motion":
    """Track one person through a video.

    Args:
        video: Video file.
        height: Height of the person in metres; sets the scale. By default it is measured from a
            long fall, else 1.70 is assumed and a note says so.
        subject: Person to track where there are several: "auto", "largest", "center", or a point
            on the person in pixels, (x, y) or "X,Y", or at a time, (x, y, seconds); or several.
        start: Start time in the video, in seconds.
        end: End time in the video, in seconds.
        fps: Frames per second of the result; by default the frames are the video's own.
        focal: Focal length in pixels, or its 35 mm equivalent such as "26mm". By default it is
            read from the file or estimated from a pan; else that of a phone is assumed.
        fov: Field of view across the longer side of the image in degrees, instead of `focal`.
        quality: "balanced" detects the person in every frame, "fast" in some of them, "best" again
            in frames that are unsure.
        keypoints: File or folder of 2D keypoints of this video from another detector, used instead
            of the bundled networks.
        model: A .mocap file of `mocap label-fit`.
        device: Device that runs the networks.
        progress: Progress callback.
    """
    from mocap_cli.body.provenance import Provenance
    from mocap_cli.keypoints.subject import check_subject, parse_subject, subject_text
    from mocap_cli.tracking import track as tracking
    from mocap_cli.tracking.given_keypoints import GivenKeypoints
    from mocap_cli.video.probe import probe

    info, chosen = probe(Path(video)), parse_subject(subject)
    check_subject(chosen, info, start, end)
    fitted = _open_model(model, device)
    if isinstance(keypoints, str | Path):
        keypoints = GivenKeypoints.open(Path(keypoints))
    options = tracking.TrackOptions(
        subject=chosen, height=height, focal=focal_pixels(focal, fov, (info.width, info.height)),
        start=start, end=end, fps=fps, device=device, model=fitted,
        quality=quality, keypoints=keypoints,
    )  # fmt: skip
    counts = _counts(progress, info.frames_between(start, end), quality, fitted)
    motion = tracking.track(info.path, options, **counts)
    given = dict(subject=subject_text(chosen), height=height, start=start, end=end, fps=fps,
                 focal=focal, fov=fov, quality=quality)  # fmt: skip
    return replace(motion, provenance=Provenance.of(info.path, given))


def _counts(
    progress: Progress,
    frames: int | None,
    quality: "Quality",
    fitted: "PoseModel | None" = None,
) -> dict[str, Count]:
    """The counters of what is done with the frames, by the name of the argument."""
    counts = {"on_frame": count_stage(progress, "tracking", frames)}
    if fitted is not None:
        counts["on_model"] = count_stage(progress, fitted.name, frames)
    if quality == "best":
        counts["on_again"] = count_stage(progress, "detecting again", None)
    return counts


def _open_model(model: "str | Path | PoseModel | None", device: "Device") -> "PoseModel | None":
    """Open a .mocap file, unless it is open or there is none."""
    if not isinstance(model, str | Path):
        return model
    from mocap_cli.labels.pose_models import open_pose_model

    return open_pose_model(Path(model), device)


def track_all(
    video: str | Path,
    *,
    height: float | None = None,
    start: float | None = None,
    end: float | None = None,
    fps: float | None = None,
    focal: float | str | None = None,
    fov: float | None = None,
    quality: "Quality" = "balanced",
    device: "Device" = "auto",
    progress: Progress = no_progress,
) -> "list[Motion]":
    """Track everybody in a video who stays for long enough, in one pass.

    The most prominent person comes first. All are in one world, with the same camera and times.

    Args:
        video: Video file.
        height: Height of everybody in metres; by default as in `track`.
        start: Start time in the video, in seconds.
        end: End time in the video, in seconds.
        fps: Frames per second of the results; by default the frames are the video's own.
        focal: Focal length in pixels, or its 35 mm equivalent such as "26mm".
        fov: Field of view across the longer side of the image in degrees, instead of `focal`.
        quality: As in `track`.
        device: Device that runs the networks.
        progress: Progress callback.
    """
    from mocap_cli.body.provenance import Provenance
    from mocap_cli.tracking import track as tracking
    from mocap_cli.video.probe import probe

    info = probe(Path(video))
    options = tracking.TrackOptions(
        height=height, focal=focal_pixels(focal, fov, (info.width, info.height)),
        start=start, end=end, fps=fps, quality=quality, device=device,
    )  # fmt: skip
    counts = _counts(progress, info.frames_between(start, end), quality)
    motions = tracking.track_all(info.path, options, **counts)
    given = {
        "subject": "all", "height": height, "start": start, "end": end, "fps": fps,
        "focal": focal, "fov": fov, "quality": quality,
    }  # fmt: skip
    provenance = Provenance.of(info.path, given)
    return [replace(motion, provenance=provenance) for motion in motions]


def background(
    video: str | Path,
    *,
    kind: 'BackgroundKind | Literal["auto"]' = "auto",
    samples: int | None = None,
    start: float | None = None,
    end: float | None = None,
    focal: float | str | None = None,
    fov: float | None = None,
    people: bool = True,
    device: "Device" = "auto",
    progress: Progress = no_progress,
) -> "Background":
    """Make the clean plate of a video: the scene without the person.

    Args:
        video: Video file.
        kind: "median" for a fixed camera, "panorama" for one that pans or zooms, "split" to join
            halves of the first and the last frame; "auto" decides by the camera's motion.
        samples: Number of frames in the median; by default 60, for a panorama 90.
        start: Start time in the video, in seconds.
        end: End time in the video, in seconds.
        focal: Initial focal length of a panorama in pixels, or its 35 mm equivalent ("26mm").
        fov: Field of view across the longer side of the image in degrees, instead of `focal`.
        people: Detect people and leave them out of the median.
        device: Device that runs the person detector.
        progress: Progress callback.
    """
    from mocap_cli.body.provenance import Provenance
    from mocap_cli.plates.builder import BackgroundOptions, make_background
    from mocap_cli.video.probe import probe

    info = probe(Path(video))
    options = BackgroundOptions(
        kind=kind, samples=samples, start=start, end=end,
        focal=focal_pixels(focal, fov, (info.width, info.height)), people=people, device=device,
    )  # fmt: skip
    frames = info.frames_between(start, end)
    stages = (count_stage(progress, stage, frames) for stage in ("background", "sampling"))
    made = make_background(info.path, options, *stages)
    given = {
        "kind": kind, "samples": samples, "start": start, "end": end, "focal": focal, "fov": fov,
        "people": people,
    }  # fmt: skip
    return replace(made, provenance=Provenance.of(info.path, given))


def swap_appearance(
    video: str | Path,
    appearance: str | Path,
    output: str | Path,
    *,
    model: str | Path = "runs/pretrain",
    start: float | None = None,
    end: float | None = None,
    panel: bool = False,
    progress: Progress = no_progress,
) -> "SwapResult":
    """Redraw the person of a video with the appearance of the person in another video.

    Args:
        video: Video whose motion is kept, as are its size, timing and sound.
        appearance: Video of the person whose appearance is taken.
        output: The .mp4 file to write.
        model: Model of `pretrain`, best of both videos: the folder of its run, or a file.
        start: Start time in `video`, in seconds.
        end: End time in `video`, in seconds.
        panel: Add the two original videos beside the result.
        progress: Progress callback.
    """
    from mocap_cli.export.swap_video import swap_video

    return swap_video(
        Path(video), Path(appearance), Path(output), Path(model),
        start=start or 0.0, end=end, panel=panel, progress=progress,
    )  # fmt: skip
