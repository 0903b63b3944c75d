"""The Python API: the commands as functions. `import mocap_cli as mocap` offers all of them.

Paths may be strings or Paths. `progress` is called with the name of a stage, how much of it is
done, and its total, or None where that is unknown.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mocap_cli.camera.lens import focal_pixels
from mocap_cli.progress import Progress, count_stage, no_progress

_Paths = str | Path | Sequence[str | Path]  # one, or several

if TYPE_CHECKING:  # heavy: `import mocap_cli` must not wait for them
    from mocap_cli.body.motion import Motion
    from mocap_cli.export.swap_video import SwapResult
    from mocap_cli.keypoints.subject import SubjectLike
    from mocap_cli.labels.fitting.fitted_tracker import FittedTracker
    from mocap_cli.labels.label_fit import FitResult
    from mocap_cli.plates.background import Background, BackgroundKind
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
    keypoints: "str | Path | GivenKeypoints | None" = None,
    model: "str | Path | FittedTracker | None" = None,
    device: "Device" = "auto",
    progress: Progress = no_progress,
) -> "Motion":
    """Track one person through a video.

    Args:
        video: Video file.
        height: Height of the person in metres; sets the scale. By default it is measured from a
            long fall, else 1.70 is assumed and a warning says so.
        subject: Person to track where there are several: "auto", "largest", "center", or a point
            on the person in pixels, (x, y) or "X,Y"; at a time, (x, y, seconds) or "X,Y@SECONDS";
            or a list of such points.
        start: Start time in the video, in seconds.
        end: End time in the video, in seconds.
        fps: Frames per second of the result; by default the frames are the video's own.
        focal: Focal length in pixels, or its 35 mm equivalent such as "26mm". By default it is
            read from the file or estimated from a pan; else that of a phone is assumed.
        fov: Field of view across the longer side of the image in degrees, instead of `focal`.
        keypoints: File or folder of 2D keypoints of this video from another detector, used instead
            of the bundled networks.
        model: A .mocap file of `fit_labels`; blended with the default tracker.
        device: Device that runs the networks.
        progress: Progress callback.
    """
    from mocap_cli.body.provenance import Provenance
    from mocap_cli.keypoints.subject import check_subject, parse_subject, subject_text
    from mocap_cli.tracking import track as tracking
    from mocap_cli.tracking.given_keypoints import GivenKeypoints
    from mocap_cli.video.probe import probe

    info = probe(Path(video))
    chosen = parse_subject(subject)
    check_subject(chosen, info, start, end)
    fitted = None
    if model is not None:
        from mocap_cli.labels.fitting.fitted_tracker import FittedTracker

        fitted = FittedTracker.open(Path(model), device) if isinstance(model, str | Path) else model
    if isinstance(keypoints, str | Path):
        keypoints = GivenKeypoints.open(Path(keypoints))
    options = tracking.TrackOptions(
        subject=chosen, height=height, focal=focal_pixels(focal, fov, (info.width, info.height)),
        start=start, end=end, fps=fps, device=device, model=fitted,
        keypoints=keypoints,
    )  # fmt: skip
    frames = info.frames_between(start, end)
    stages = ["tracking"] if fitted is None else ["tracking", fitted.name]
    count = [count_stage(progress, stage, frames) for stage in stages]
    motion = tracking.track(info.path, options, *count)
    given = dict(subject=subject_text(chosen), height=height, start=start, end=end, fps=fps,
                 focal=focal, fov=fov)  # fmt: skip
    return replace(motion, provenance=Provenance.of(info.path, given))


def track_all(
    video: str | Path,
    *,
    height: float | None = None,
    start: float | None = None,
    end: float | None = None,
    fps: float | None = None,
    focal: float | str | None = None,
    fov: float | None = None,
    device: "Device" = "auto",
    progress: Progress = no_progress,
) -> "list[Motion]":
    """Track everybody in a video who stays for long enough, in one pass.

    The most prominent person comes first. Camera and times are the same for all; each motion has
    a world of its own, with the ground under that person.

    Args:
        video: Video file.
        height: Height of everybody in metres; by default as in `track`.
        start: Start time in the video, in seconds.
        end: End time in the video, in seconds.
        fps: Frames per second of the results; by default the frames are the video's own.
        focal: Focal length in pixels, or its 35 mm equivalent such as "26mm".
        fov: Field of view across the longer side of the image in degrees, instead of `focal`.
        device: Device that runs the networks.
        progress: Progress callback.
    """
    from mocap_cli.body.provenance import Provenance
    from mocap_cli.tracking import track as tracking
    from mocap_cli.video.probe import probe

    info = probe(Path(video))
    options = tracking.TrackOptions(
        height=height, focal=focal_pixels(focal, fov, (info.width, info.height)),
        start=start, end=end, fps=fps, device=device,
    )  # fmt: skip
    count = count_stage(progress, "tracking", info.frames_between(start, end))
    motions = tracking.track_all(info.path, options, count)
    given = {
        "subject": "all", "height": height, "start": start, "end": end, "fps": fps,
        "focal": focal, "fov": fov,
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
    from mocap_cli.plates.builder import BackgroundOptions, make_background
    from mocap_cli.video.probe import probe

    info = probe(Path(video))
    options = BackgroundOptions(
        kind=kind, samples=samples, start=start, end=end,
        focal=focal_pixels(focal, fov, (info.width, info.height)), people=people, device=device,
    )  # fmt: skip
    frames = info.frames_between(start, end)
    return make_background(info.path, options, count_stage(progress, "background", frames))


def pretrain(
    videos: _Paths,
    output: str | Path = "runs/pretrain",
    *,
    resume: bool = False,
    preset: Literal["auto", "full", "small"] = "auto",
    method: str = "ours",
    steps: int | None = None,
    fall_steps: int = 0,
    batch: int | None = None,
    rate: float | None = None,
    near: float | None = None,
    far: float | None = None,
    side: int | None = None,
    fps: float | None = None,
    background: Literal["auto", "median", "split", "panorama"] = "auto",
    crowds: Literal["skip", "keep"] = "skip",
    keypoints: bool = False,
    pixel_weight: float | None = None,
    centred: bool = False,
    seed: int = 1,
    store: str | Path | None = None,
    sheet_minutes: float = 5.0,
    device: "Device" = "auto",
    compiled: bool = False,
    tensorboard: bool = False,
    progress: Progress = no_progress,
) -> Path:
    """Train a model of a person's appearance and pose on unlabelled videos; return its file.

    Args:
        videos: A video, a folder of videos, or several of them, of one person each.
        output: Folder of the run; its best.safetensors is returned.
        resume: Continue the run in `output`; `videos` may be empty, and of the training options
            only `steps`, `batch` and `rate` are used.
        preset: Size of the model: "full" for a GPU, "small" for two CPU cores.
        method: Training method, "ours" or one of those it is compared with.
        steps: Number of training steps; by default the preset's.
        fall_steps: Number of initial steps trained with the free-fall losses.
        batch: Batch size; an item has four frames. By default the preset's.
        rate: Learning rate; by default the preset's.
        near: Frames closer than this many seconds are positive pairs.
        far: Frames further apart than this many seconds are negative pairs.
        side: Longer side of the stored frames in pixels; by default the preset's.
        fps: Maximum frames per second to store.
        background: Background method for videos without a VIDEO.background.npz.
        crowds: Whether frames that show several people are skipped or kept.
        keypoints: Train a pose head on the keypoints in VIDEO.json from `track`.
        pixel_weight: Weight of the pixel reconstruction loss; by default the preset's.
        centred: Expect the person near the centre of the image.
        seed: Random seed.
        store: Folder of the decoded frames; by default frames/ beside the run.
        sheet_minutes: Minutes between preview sheets.
        device: Device to train on.
        compiled: Compile the networks with torch.compile; takes minutes once.
        tensorboard: Also write TensorBoard event files.
        progress: Progress callback.
    """
    from mocap_cli.io.inputs import find_videos
    from mocap_cli.learning import pretraining
    from mocap_cli.learning.loop.training import BEST
    from mocap_cli.learning.options import PretrainOptions

    folder, display = Path(output), pretraining.ProgressDisplay(progress)
    run = pretraining.RunOptions(
        device=device, compiled=compiled, tensorboard=tensorboard, sheet_minutes=sheet_minutes
    )
    if resume:
        pretraining.resume(folder, run, display, steps=steps, batch=batch, rate=rate)
        return folder / BEST
    options = PretrainOptions(
        preset=preset, method=method, steps=steps, fall_steps=fall_steps, batch=batch, near=near,
        far=far, side=side, fps=fps, background=background, crowds=crowds, keypoints=keypoints,
        pixel_weight=pixel_weight, centred=centred, rate=rate, seed=seed,
        store=None if store is None else Path(store),
    )  # fmt: skip
    pretraining.pretrain(find_videos(_as_paths(videos)), folder, options, run, display)
    return folder / BEST


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


def fit_labels(
    videos: _Paths,
    labels: _Paths,
    output: str | Path,
    *,
    model: str | Path = "imagenet",
    head: Literal["A", "B"] = "B",
    fine_tune: bool = False,
    evaluate_on: _Paths = (),
    subject: "SubjectLike" = "auto",
    height: float | None = None,
    focal: float | str | None = None,
    fov: float | None = None,
    offset: float | None = None,
    rate: float | None = None,
    calibration: str | Path | None = None,
    cache: str | Path | None = None,
    device: "Device" = "auto",
    progress: Progress = no_progress,
) -> "FitResult":
    """Fit a model to labels of videos and write it as a .mocap file, for `track(model=...)`.

    Args:
        videos: Videos, or folders of videos.
        labels: Label files or folders; "auto" adds pseudo-labels of the default tracker.
        output: The .mocap file to write.
        model: Frozen encoder: a run of `pretrain` or its model file; "imagenet" is the baseline.
        head: Regression head of the paper.
        fine_tune: Also fine-tune the encoder, not only the heads.
        evaluate_on: Label files on which the model is evaluated; they are not fitted to.
        subject: Person to track where there are several, as in `track`.
        height: Height of the labelled person in metres, for 2D labels; by default 1.70.
        focal: Focal length in pixels, or its 35 mm equivalent such as "26mm".
        fov: Field of view across the longer side of the image in degrees, instead of `focal`.
        offset: Time in the video at which TRC, C3D or BVH labels start; by default by correlation.
        rate: Seconds of video per second of such labels; by default by correlation.
        calibration: JSON file of cameras, to triangulate 2D labels of several videos.
        cache: Folder of keypoints and image features; by default they are computed anew.
        device: Device that runs the networks.
        progress: Progress callback.
    """
    from mocap_cli.io.inputs import find_videos
    from mocap_cli.keypoints.subject import parse_subject
    from mocap_cli.labels import label_fit

    options = label_fit.LabelFitOptions(
        model=str(model), head=head, fine_tune=fine_tune,
        subject=parse_subject(subject),
        height=height, focal=focal, fov=fov, offset=offset, rate=rate,
        calibration=None if calibration is None else Path(calibration),
        cache=None if cache is None else Path(cache), device=device,
    )  # fmt: skip
    given = [labels] if isinstance(labels, str | Path) else labels
    paths = [label_fit.AUTO if path == label_fit.AUTO else Path(path) for path in given]
    return label_fit.fit_labels(
        find_videos(_as_paths(videos)), paths, Path(output), options,
        evaluate_on=_as_paths(evaluate_on),
        bar=lambda stage, total: nullcontext(count_stage(progress, stage, total)),
    )  # fmt: skip


def _as_paths(paths: _Paths) -> list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
