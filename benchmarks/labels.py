"""Few labels: errors of poses after fitting to 10, 30, 100 ... labelled frames.

    python benchmarks/labels.py curve FOOTAGE MODEL --cache CODES [--picture CURVE.png]
    python benchmarks/labels.py tune FOOTAGE MODEL --cache CODES
    python benchmarks/labels.py auto FOOTAGE MODEL --cache CODES [--clips 4] [--fine-tune]
    python benchmarks/labels.py time FOOTAGE MODEL --cache CODES

FOOTAGE is a folder that examples/pretrain_footage.py made, MODEL a run of mocap pretrain on
FOOTAGE/train.

curve: N-MPJPE on held-out labels, for the model's image features, for ImageNet features, for both
with 2D keypoints and the lifted pose, and for the default tracker; fitted to labels of
FOOTAGE/train, tested on FOOTAGE/clips and FOOTAGE/persons. tune: the same for image features alone,
with the encoder frozen and fine-tuned, and the minutes of fine-tuning. auto: motion blur is added
to two stretches of each clip of FOOTAGE/train, a model is fitted to pseudo-labels of the frames in
which the default tracker is confident, and `mocap track` is measured on the blurred frames with and
without it.
time: seconds of a fit to 30 labels of one clip.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion
from mocap_cli.labels.fitting.evaluation import PoseScores
from mocap_cli.labels.fitting.fine_tuning import FineTuneOptions, fine_tune
from mocap_cli.labels.fitting.fit_heads import FitOptions, fit_heads
from mocap_cli.labels.fitting.fitted_tracker import FittedTracker
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip, clip_examples, gather
from mocap_cli.labels.fitting.label_efficiency import draw_label_efficiency, label_efficiency
from mocap_cli.labels.label_fit import fit_model
from mocap_cli.labels.labels import make_labels
from mocap_cli.tracking.track import TrackOptions, track
from mocap_cli.types import Float64
from mocap_cli.video.reader import open_video

TUNED = (30, 300)  # labels, and all that there are
TRAIN, TESTS = "train", ("clips", "persons")  # folders of the footage
BLURRED = ((0.25, 0.45), (0.7, 0.9))  # shares of a clip
STREAK = 15  # pixels of blur at 192x128, along a turning direction


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("curve", "tune", "auto", "time"))
    parser.add_argument("footage", type=Path)
    parser.add_argument("model")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--clips", type=int, help="auto: take only so many")
    parser.add_argument("--streak", type=int, default=STREAK, help="pixels of blur")
    parser.add_argument("--head", choices=("A", "B"), default="B")
    parser.add_argument("--fine-tune", action="store_true", help="auto: also tune the model")
    options = parser.parse_args()
    how = GatherOptions(cache=options.cache)
    videos = videos_of(options.footage / TRAIN)[: options.clips]
    encoder, fitting = FrozenEncoder.open(options.model), FitOptions(kind=options.head)
    if options.what == "curve":
        compare(options.footage, encoder, how, fitting, options.picture)
    elif options.what == "tune":
        compare_tuned(options.footage, encoder, how, fitting)
    elif options.what == "auto":
        teach_by_tracker(videos, encoder, how, fitting, options.streak, tuned=options.fine_tune)
    else:
        measure_time(videos[0], encoder, how, fitting)


def truth_of(video: Path) -> Float64:
    """(T, 19, 3) metres, camera axes."""
    return np.load(video.with_suffix(".truth.npz"))["joints"].astype(np.float64)


def clip_of(video: Path, frames: NDArray[np.int64], how: GatherOptions) -> LabelledClip:
    """A clip with those frames of its truth as labels."""
    estimate, joints = how.estimate(video), truth_of(video)
    labels = make_labels(video, video.name, frames=frames, joints=joints[frames], in_camera=True)
    return LabelledClip(video, replace(labels, times=estimate.times[labels.frames]), estimate)


def splits(
    footage: Path, how: GatherOptions
) -> dict[str, tuple[list[LabelledClip], list[LabelledClip]]]:
    """By the name of the test clips' folder, clips to fit to and test clips."""
    parts = {
        name: [clip_of(v, np.arange(len(truth_of(v))), how) for v in videos_of(footage / name)]
        for name in (TRAIN, *TESTS)
    }
    return {name: (parts[TRAIN], parts[name]) for name in TESTS}


def videos_of(folder: Path) -> list[Path]:
    """The clips of a folder."""
    return sorted(folder.glob("*.mp4"))


def compare(
    footage: Path,
    encoder: FrozenEncoder,
    how: GatherOptions,
    options: FitOptions,
    picture: Path | None,
) -> None:
    """A table for each split, and the curve of the first as a picture."""
    baseline = FrozenEncoder.open(FrozenEncoder.IMAGENET)
    rows = {"ours": (encoder, False), "imagenet": (baseline, False), "ours + 2D": (encoder, True),
            "imagenet + 2D": (baseline, True)}  # fmt: skip
    for name, (labelled, held_out) in splits(footage, how).items():
        curves = {}
        print(f"\n{name}\n")
        for row, (own, points) in rows.items():
            both = [clip_examples(clips, own, how, points=points) for clips in (labelled, held_out)]
            curves[row] = label_efficiency(both[0], both[1], replace(options, points=points))
            if len(curves) == 1:
                print("| labels |", " | ".join(str(n) for n, _ in curves[row]), "|")
                print("|---" * (1 + len(curves[row])), "|", sep="")
            print(f"| {row} |", " | ".join(f"{e:.0f}" for _, e in curves[row]), "|", flush=True)
        usual = lifter(held_out)
        print("| default tracker |", " | ".join(f"{usual:.0f}" for _ in curves["ours"]), "|")
        if picture is not None:
            curves["default"] = [(n, usual) for n, _ in curves["ours"]]
            draw_label_efficiency(curves, picture)
            picture = None


def compare_tuned(
    footage: Path, encoder: FrozenEncoder, how: GatherOptions, options: FitOptions
) -> None:
    """N-MPJPE by image features alone with frozen and fine-tuned encoders, by number of labels."""
    for name, (labelled, held_out) in splits(footage, how).items():
        print(f"\n{name}\n\n| labels | frozen | fine-tuned | minutes |\n|---|---|---|---|")
        total = sum(len(clip.labels) for clip in labelled)
        for count in (*TUNED, total):
            clips = thinned(labelled, count)
            began = time.perf_counter()
            own = fine_tune(encoder, clips, how, options, FineTuneOptions())
            minutes = (time.perf_counter() - began) / 60
            frozen, tuned = (asked_after(clips, held_out, e, how, options) for e in (encoder, own))
            print(f"| {count} | {frozen:.0f} | {tuned:.0f} | {minutes:.1f} |", flush=True)


def thinned(clips: Sequence[LabelledClip], count: int) -> list[LabelledClip]:
    """So many of their labels, evenly spread."""
    lengths = [len(clip.labels) for clip in clips]
    chosen = np.zeros(sum(lengths), bool)
    chosen[np.unique(np.linspace(0, len(chosen) - 1, count).round().astype(int))] = True
    parts = np.split(chosen, np.cumsum(lengths)[:-1])
    both = zip(clips, parts, strict=True)
    return [replace(clip, labels=clip.labels.select(part)) for clip, part in both if part.any()]


def asked_after(
    labelled: Sequence[LabelledClip],
    held_out: Sequence[LabelledClip],
    encoder: FrozenEncoder,
    how: GatherOptions,
    options: FitOptions,
) -> float:
    """N-MPJPE by image features alone on clips, after fitting to others."""
    own, others = (
        clip_examples(clips, encoder, how, points=False) for clips in (labelled, held_out)
    )
    expert = fit_heads(
        own, replace(options, folds=min(options.folds, len(own))), fine_tuned=encoder.tuned
    )
    joints, _ = expert.predict(others.inputs, others.flipped)
    times = others.frames.astype(np.float64)
    return PoseScores.of(joints, others.joints.astype(np.float64), times, others.clips).n_mpjpe


def lifter(clips: Sequence[LabelledClip]) -> float:
    """N-MPJPE of the default tracker in labelled frames."""
    predicted = np.concatenate([c.estimate.pose.joints[c.labels.frames] for c in clips])
    truth = np.concatenate([c.labels.joints - c.labels.joints[:, :1] for c in clips])
    times = np.concatenate([c.labels.times for c in clips])
    return PoseScores.of(
        predicted, truth, times, np.repeat(np.arange(len(clips)), [len(c.labels) for c in clips])
    ).n_mpjpe


def teach_by_tracker(
    videos: Sequence[Path],
    encoder: FrozenEncoder,
    how: GatherOptions,
    options: FitOptions,
    streak: int,
    *,
    tuned: bool,
) -> None:
    """`mocap track` with and without a model fitted to pseudo-labels, on blurred frames."""
    assert how.cache is not None
    folder = how.cache / f"blurred-{streak}"
    blurred = [blur(video, folder / video.name, streak) for video in videos]
    found = gather([], blurred, how, pseudo=True)
    own = fine_tune(encoder, found.clips, how, options, FineTuneOptions()) if tuned else encoder
    fitted = fit_model(found.clips, own, how, options)
    fitted.save(folder / "auto.mocap")
    guide = FittedTracker.open(folder / "auto.mocap")
    for path, why in found.left_out.items():
        print(f"{path.name}: {why}")
    predicted = {
        name: [camera_joints(track(video, TrackOptions(model=own))) for video in blurred]
        for name, own in (("default", None), ("--labels auto", guide))
    }
    default, ours = predicted["default"], predicted["--labels auto"]
    lost = [np.where(np.isfinite(a), np.nan, b) for a, b in zip(default, ours, strict=True)]
    shared = [np.where(np.isfinite(a), b, np.nan) for a, b in zip(default, ours, strict=True)]
    for where, wanted in (("blurred", True), ("sharp", False)):
        rows = [("default", default), ("auto, same frames", shared), ("auto, the rest", lost)]
        held_out = ((name, asked_of(poses, videos, wanted)) for name, poses in rows)
        scores = [(name, found) for name, found in held_out if found is not None]
        print(f"\n{where} frames\n\n{PoseScores.table(scores)}", flush=True)


def blur(video: Path, path: Path, streak: int) -> Path:
    """The clip with streaks in two stretches."""
    with open_video(video) as reader:
        frames = [(frame.image, frame.time) for frame in reader]
        count, fps = len(frames), reader.info.fps
        path.parent.mkdir(parents=True, exist_ok=True)
        size = (reader.info.width, reader.info.height)
        film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
    for i, (image, _) in enumerate(frames):
        picture = streaked(image, i, streak) if in_blur(i, count) else image
        film.write(np.ascontiguousarray(picture[..., ::-1]))
    film.release()
    return path


def in_blur(i: int, count: int) -> bool:
    """Whether a frame is in one of the stretches."""
    return any(low <= i / count < high for low, high in BLURRED)


def streaked(image: NDArray[np.uint8], i: int, streak: int) -> NDArray[np.uint8]:
    """With motion blur."""
    kernel = np.zeros((streak, streak), np.float32)
    cv2.line(kernel, (0, streak // 2), (streak - 1, streak // 2), 1.0)
    turn = cv2.getRotationMatrix2D(((streak - 1) / 2,) * 2, 25.0 * i, 1.0)
    kernel = cv2.warpAffine(kernel, turn, (streak, streak))
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def camera_joints(motion: Motion) -> Float64:
    """(T, 19, 3) about the pelvis in camera axes."""
    joints = motion.joints.astype(np.float64)
    if motion.space == "world":
        pose = motion.camera.world_from_camera.astype(np.float64)
        joints = (joints - pose[:, None, :, 3]) @ pose[:, :, :3]
    return np.asarray(joints - joints[:, :1])


def asked_of(poses: Sequence[Float64], videos: Sequence[Path], blurred: bool) -> PoseScores | None:
    """Scores on the blurred frames, or on the others; None where there are none."""
    predicted, truth, clips, times = [], [], [], []
    for number, (pose, video) in enumerate(zip(poses, videos, strict=True)):
        joints = truth_of(video)[: len(pose)]
        at = [i for i in range(len(joints)) if in_blur(i, len(joints)) == blurred]
        predicted.append(pose[at])
        truth.append((joints - joints[:, :1])[at])
        clips += [number] * len(at)
        times += at
    if not np.isfinite(np.concatenate(predicted)).any():
        return None
    return PoseScores.of(
        np.concatenate(predicted),
        np.concatenate(truth),
        np.array(times, np.float64),
        np.array(clips),
    )


def measure_time(
    video: Path, encoder: FrozenEncoder, how: GatherOptions, options: FitOptions
) -> None:
    """Seconds for 30 labels of one clip, its features cached."""
    count = len(truth_of(video))
    clip = clip_of(video, np.linspace(0, count - 1, 30).round().astype(np.int64), how)
    clip_examples([clip], encoder, how, points=True, copies=options.copies)
    began = time.perf_counter()
    fit_model([clip], encoder, how, options)
    print(f"{count} frames of {video.name}: fitted in {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
