"""The Python API of learning: pretraining on videos, and fitting to labels; see api.py."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mocap_cli.progress import Progress, count_stage, no_progress

_Paths = str | Path | Sequence[str | Path]  # one, or several

if TYPE_CHECKING:  # heavy: `import mocap_cli` must not wait for them
    from mocap_cli.keypoints.subject import SubjectLike
    from mocap_cli.labels.label_fit import FitResult
    from mocap_cli.weights import Device


def pretrain(
    videos: _Paths,
    output: str | Path = "runs/pretrain",
    *,
    resume: bool = False,
    preset: Literal["auto", "full", "small"] = "auto",
    method: str = "ours",
    steps: int | None = None,
    encoder: Literal["resnet50", "resnet101", "lite0"] | None = None,
    tv: int | None = None,
    ti: int | None = None,
    similarity: Literal["clamped", "plain"] = "clamped",
    dsl_distance: float | None = None,
    contrast_weight: float | None = None,
    random_backgrounds: str | Path | None = None,
    fall_steps: int | None = None,
    batch: int | None = None,
    rate: float | None = None,
    near: float | None = None,
    far: float | None = None,
    side: int | None = None,
    fps: float | None = None,
    background: Literal["auto", "median", "split", "panorama"] = "auto",
    crowds: Literal["skip", "keep"] = "skip",
    keypoints: _Paths = (),
    boxes: Literal["detector", "tracker"] = "detector",
    pixel_weight: float | None = None,
    centred: bool = False,
    seed: int = 1,
    store: str | Path | None = None,
    workers: int | None = 1,
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
        encoder: Backbone of the encoder; by default the preset's.
        tv: Length of the time-variant code; by default the preset's.
        ti: Length of the time-invariant code; by default the preset's.
        similarity: Form of the distance-based similarity loss: codes of far frames are pushed
            apart until orthogonal ("clamped") or opposite ("plain").
        dsl_distance: Seconds from which that loss counts poses as unlike; by default half of `far`.
        contrast_weight: Weight of the contrastive loss; by default the preset's.
        random_backgrounds: Folder of images that the person is put before while training.
        fall_steps: Number of initial steps trained with the free-fall losses; by default a tenth,
            if the clips are short and mostly show people in free fall.
        batch: Batch size; an item has four frames. By default the preset's.
        rate: Learning rate; by default the preset's.
        near: Frames closer than this many seconds are positive pairs.
        far: Frames further apart than this many seconds are negative pairs.
        side: Longer side of the stored frames in pixels; by default the preset's.
        fps: Maximum frames per second to store.
        background: Background method for videos without a VIDEO.background.npz.
        crowds: Whether frames that show several people are skipped or kept.
        keypoints: Weak 2D labels: label files or folders as of `fit_labels`, or "auto" for the
            confident keypoints of the default tracker.
        boxes: Boxes of the person: "detector" learns to find them, "tracker" takes those of the
            default tracker.
        pixel_weight: Weight of the pixel reconstruction loss; by default the preset's.
        centred: Expect the person near the centre of the image.
        seed: Random seed.
        store: Folder of the decoded frames; by default frames/ beside the run.
        workers: Videos decoded and tracked at the same time, each in a process; None is what cores
            and memory allow. With more than one, a script needs `if __name__ == "__main__":`.
        sheet_minutes: Minutes between preview sheets.
        device: Device to train on.
        compiled: Compile the networks with torch.compile; takes minutes once.
        tensorboard: Also write TensorBoard event files.
        progress: Progress callback.
    """
    from mocap_cli.io.inputs import find_videos
    from mocap_cli.labels.weak_labels import WeakLabels
    from mocap_cli.learning import pretraining
    from mocap_cli.learning.data.subject import track_subject
    from mocap_cli.learning.loop.training import BEST
    from mocap_cli.learning.options import PretrainOptions

    folder, display = Path(output), pretraining.ProgressDisplay(progress)
    run = pretraining.RunOptions(
        device=device,
        compiled=compiled,
        tensorboard=tensorboard,
        sheet_minutes=sheet_minutes,
        workers=workers,
    )
    if resume:
        pretraining.resume(folder, run, display, steps=steps, batch=batch, rate=rate)
        return folder / BEST
    given = [keypoints] if isinstance(keypoints, str | Path) else keypoints
    options = PretrainOptions(
        preset=preset, method=method, steps=steps, fall_steps=fall_steps, batch=batch, near=near,
        far=far, side=side, fps=fps, background=background, crowds=crowds, boxes=boxes,
        keypoints=bool(given),
        pixel_weight=pixel_weight, centred=centred, rate=rate, seed=seed, encoder=encoder, tv=tv,
        ti=ti, similarity=similarity, dsl_distance=dsl_distance, contrast_weight=contrast_weight,
        store=None if store is None else Path(store),
        random_backgrounds=None if random_backgrounds is None else Path(random_backgrounds),
    )  # fmt: skip
    found = find_videos(_as_paths(videos))
    subjects = WeakLabels(given, found) if given else track_subject
    pretraining.pretrain(found, folder, options, run, display, subjects)
    return folder / BEST


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
