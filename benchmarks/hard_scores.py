"""Errors on hard footage: python benchmarks/hard_scores.py FOOTAGE [MODEL.mocap ...].

FOOTAGE is what hard_footage.py drew, with --track. Frames in which the default tracker is sure,
unsure and silent are counted apart, for the default tracker and `mocap track` with each model.
Splits: `learn` is the clips to learn from, `clips` are other clips of the same persons, `person` is
a person that no clip to learn from shows. Frames that a tracker leaves out get its nearest pose, so
that all trackers are measured on all frames; "answered" is the share that it did not leave out.
Frames whose labels a model of `label-fit --tune` keeps do not count.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import read_motion, write_motion
from mocap_cli.errors import MocapError
from mocap_cli.io.video_cache import file_sha256
from mocap_cli.labels.fitting.evaluation import PoseScores
from mocap_cli.labels.frame_kinds import FRAME_KINDS, frame_kinds, with_nearest_poses
from mocap_cli.labels.pose_models import open_pose_model
from mocap_cli.labels.tuning.tuned_tracker import TunedTracker
from mocap_cli.tracking.estimate import PoseModel
from mocap_cli.tracking.track import TrackOptions, track
from mocap_cli.types import Float64

WATER = -0.1
"""Metres; frames with half of the joints below it, or out of the picture, do not count."""


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one clip that count."""

    clip: str
    kind: NDArray[np.str_]  # (N,)
    truth: Float64  # (N, 19, 3) about the pelvis, camera axes
    predicted: Float64
    answered: NDArray[np.bool_]
    times: Float64

    @property
    def sport(self) -> str:
        """What is done."""
        return self.clip.split("-")[1]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("footage", type=Path)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--splits", nargs="+", default=["clips", "person"])
    options = parser.parse_args()
    splits = json.loads((options.footage / "splits.json").read_text())
    trackers: dict[str, Callable[[Path], Motion | None]] = {"default": default_motion}
    models = [open_pose_model(path) for path in options.models]
    for path, model in zip(options.models, models, strict=True):
        trackers[path.stem] = model_motion(model)
    for split in options.splits:
        movies = [options.footage / f"{name}.mp4" for name in splits[split]]
        labels = [labelled_times(movie, models) for movie in movies]
        found = {name: [frames_of(*one, motion) for one in zip(movies, labels, strict=True)]
                 for name, motion in trackers.items()}  # fmt: skip
        print(f"\n## {split}: {len(movies)} clips\n\n{by_kind(found)}\n\n{by_sport(found)}")


def default_motion(movie: Path) -> Motion | None:
    """What the default tracker says; None where it finds nobody in the whole clip."""
    path = movie.with_suffix(".default.json")
    if not path.exists():
        raise MocapError(f"{path} is missing", "run hard_footage.py with --track")
    return kept_motion(path)


def kept_motion(path: Path) -> Motion | None:
    """What a tracker said; None where the file is empty."""
    return read_motion(path) if path.stat().st_size else None


def keep_motion(movie: Path, options: TrackOptions, path: Path) -> None:
    """Write what the tracker says, or an empty file if it finds nobody."""
    try:
        write_motion(track(movie, options), path)
    except MocapError as error:
        print(error)
        path.touch()


def model_motion(model: PoseModel) -> Callable[[Path], Motion | None]:
    """`mocap track --model`, kept beside the clip."""

    def motion(movie: Path) -> Motion | None:
        kept = movie.with_suffix(f".{model.digest[:12]}.json")
        if not kept.exists():
            keep_motion(movie, TrackOptions(model=model), kept)
        return kept_motion(kept)

    return motion


def labelled_times(movie: Path, models: Sequence[PoseModel]) -> Float64:
    """Times of the frames whose labels one of the models keeps."""
    video = file_sha256(movie)
    tuned = [model for model in models if isinstance(model, TunedTracker)]
    times = [model.labels[video].times for model in tuned if video in model.labels]
    return np.concatenate([np.zeros(0), *times])


def frames_of(movie: Path, labelled: Float64, tracker: Callable[[Path], Motion | None]) -> Frames:
    """The frames of a clip that count, as that tracker sees them."""
    truth, motion = read_motion(movie.with_suffix(".truth.json")), tracker(movie)
    count = len(truth.times)
    size = (truth.source.width, truth.source.height)
    inside = ((truth.xy >= 0) & (truth.xy < size)).all(axis=2).mean(axis=1) > 0.5
    used = inside & ((truth.joints[..., 1] > WATER).mean(axis=1) > 0.5)
    for time in labelled:
        used[np.abs(truth.times - time).argmin()] = False
    predicted = np.full((count, 19, 3), np.nan)
    if motion is not None:
        predicted[: len(motion.times)] = camera_joints(motion)[:count]
    answered = np.isfinite(predicted).all(axis=(1, 2))
    return Frames(
        movie.stem, kinds(default_motion(movie), count)[used], camera_joints(truth)[used],
        with_nearest_poses(predicted)[used], answered[used], truth.times[used],
    )  # fmt: skip


def kinds(motion: Motion | None, count: int) -> NDArray[np.str_]:
    """(T,) what the default tracker says of each frame."""
    result = np.full(count, "silent")
    if motion is not None:
        found = frame_kinds(motion.detected, motion.score, motion.sigma)
        result[: len(found)] = found[:count]
    return result


def camera_joints(motion: Motion) -> Float64:
    """(T, 19, 3) about the pelvis in camera axes."""
    joints = motion.joints.astype(np.float64)
    if motion.space == "world":
        joints = joints @ motion.camera.world_from_camera[:, :, :3].astype(np.float64)
    return np.asarray(joints - joints[:, :1])


def scores(clips: Sequence[Frames], chosen: Sequence[NDArray[np.bool_]]) -> PoseScores | None:
    """Scores of those frames of the clips."""
    both = list(zip(clips, chosen, strict=True))
    if not any(some.any() for some in chosen):
        return None
    return PoseScores.of(
        np.concatenate([clip.predicted[some] for clip, some in both]),
        np.concatenate([clip.truth[some] for clip, some in both]),
        np.concatenate([clip.times[some] for clip, some in both]),
        np.repeat(np.arange(len(both)), [some.sum() for some in chosen]),
    )


def by_kind(found: dict[str, list[Frames]]) -> str:
    """A table of all clips: sure, unsure and silent frames, and all."""
    lines = [
        "| frames | tracker | number | answered % | P-MPJPE | N-MPJPE | MPJPE |",
        "|---" * 7 + "|",
    ]
    for kind in (*FRAME_KINDS, "all"):
        for name, clips in found.items():
            chosen = [(clip.kind == kind) | (kind == "all") for clip in clips]
            one = scores(clips, chosen)
            if one is not None:
                both = zip(clips, chosen, strict=True)
                answered = np.concatenate([clip.answered[some] for clip, some in both]).mean()
                lines.append(
                    f"| {kind} | {name} | {one.frames} | {100 * answered:.0f} | {one.p_mpjpe:.0f} "
                    f"| {one.n_mpjpe:.0f} | {one.mpjpe:.0f} |"
                )
    return "\n".join(lines)


def by_sport(found: dict[str, list[Frames]]) -> str:
    """P-MPJPE by sport and kind of frame."""
    sports = sorted({clip.sport for clips in found.values() for clip in clips})
    lines = ["| sport | tracker | " + " | ".join((*FRAME_KINDS, "all")) + " |", "|---" * 6 + "|"]
    for sport in sports:
        for name, clips in found.items():
            cells = []
            for kind in (*FRAME_KINDS, "all"):
                own = [(c.kind == kind) | (kind == "all") for c in clips]
                own = [some & (c.sport == sport) for some, c in zip(own, clips, strict=True)]
                one = scores(clips, own)
                cells.append("-" if one is None else f"{one.p_mpjpe:.0f} ({one.frames})")
            lines.append(f"| {sport} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
