"""Plan: what a run would take, before anything is decoded or trained."""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.data.store import StoreRecipe
from mocap_cli.learning.free_fall import FreeFall
from mocap_cli.learning.loop.pose_distances import PoseDistances
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.loop.training import make_model_and_optimizer, train_step
from mocap_cli.learning.tracked_samples import track_samples
from mocap_cli.progress import Count, no_progress
from mocap_cli.video.probe import VideoInfo

_TIMED_STEPS = 3  # after one that warms up
_NIGHT = 8 * 3600.0  # seconds
_BENCHMARK = 3600 * 8  # items of the benchmark's run, in docs/benchmarks.md


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The numbers of a run."""

    clips: int
    hours: float  # of video
    frames: int  # to store, about
    recipe: StoreRecipe
    settings: Settings
    device: str
    step_seconds: float  # measured on this device, with noise for images
    memory: int | None  # peak bytes of such a step, where that can be known
    skipped: Mapping[Path, str]
    poses: PoseDistances | None
    free_fall: FreeFall | None  # None: the user chose the number of steps

    @property
    def store_bytes(self) -> int:
        """Disk space of the frames; backgrounds of moving cameras take as much again."""
        return self.frames * self.recipe.width * self.recipe.height * 3

    def text(self) -> str:
        """One line for each number."""
        s, r = self.settings, self.recipe
        fall = f", {s.fall_steps} of them in free fall" if s.fall_steps else ""
        lines = [
            f"clips      {self.clips}, {self.hours:.2f} hours",
            f"frames     about {self.frames} of {r.width}x{r.height}, at most {r.fps:g} a second",
            f"store      {self.store_bytes / 1e9:.2f} GB; up to 2.3 times that for moving cameras",
            f"method     {s.method}: {s.steps} steps of {s.batch} items{fall}",
            f"networks   {s.model.encoder} encodes, {_detector(s)} detects",
            f"gaps       near within {s.gaps.near:.2f} s, far from {s.gaps.far:.2f} s",
            f"time       {_hours(s.steps * self.step_seconds)} on {self.device},"
            f" {1 / self.step_seconds:.2f} steps/s as measured",
        ]
        if s.steps:
            lines += self._worth()
        if self.memory is not None:
            where = " of the GPU, and the frames if they fit" if "cuda" in self.device else ""
            lines.append(f"memory     {self.memory / 1e9:.1f} GB{where}")
        if self.free_fall is not None:
            lines.append(f"falls      {self.free_fall.line()}")
        nobody = ["poses      nobody is seen for long enough to tell how fast they change"]
        lines += nobody if self.poses is None else self.poses.lines()
        lines += [f"left out   {path}: {why}" for path, why in self.skipped.items()]
        return "\n".join(lines)

    def _worth(self) -> list[str]:
        """What a night buys, and whether the run is too short to be of use."""
        batch, steps = self.settings.batch, round(_NIGHT / self.step_seconds)
        lines = [
            f"night      8 hours buy {steps} steps, {steps * batch / _BENCHMARK:.1f} times the"
            " items of the benchmark's run"
        ]
        if self.settings.steps < (needed := self.settings.settling_steps):
            lines.append(
                f"too short  boxes and masks settle after about {needed} such steps;"
                " pass a larger --steps"
            )
        return lines


def make_plan(
    infos: Mapping[Path, VideoInfo],
    skipped: Mapping[Path, str],
    settings: Settings,
    recipe: StoreRecipe,
    device: str,
    on_progress: Callable[[str], None] = lambda text: None,
    *,
    chooses_fall: bool = False,
) -> _Plan:
    """Count the videos, time a few training steps, track samples.

    The samples tell how fast poses change and, if `chooses_fall`, whether people fall.
    `on_progress` takes what is being done.
    """

    def open_bar(video: Path, frames: int | None) -> AbstractContextManager[Count]:
        on_progress(f"tracking a part of {video.name}")
        return nullcontext(no_progress)

    hours = sum(info.duration or 0.0 for info in infos.values()) / 3600
    frames = sum((info.duration or 0.0) * min(info.fps, recipe.fps) for info in infos.values())
    seconds, memory = _time_steps(settings, recipe, device, on_progress)
    found, fall = track_samples(infos, device, open_bar), None
    if chooses_fall:
        fall = FreeFall.choose(infos.values(), settings.steps, lambda: found)
        settings = replace(settings, fall_steps=fall.steps)
    return _Plan(
        clips=len(infos),
        hours=hours,
        frames=round(frames),
        recipe=recipe,
        settings=settings,
        device=device,
        step_seconds=seconds,
        memory=memory,
        skipped=skipped,
        poses=PoseDistances.measure(found),
        free_fall=fall,
    )


def _time_steps(
    settings: Settings, recipe: StoreRecipe, device: str, on_progress: Callable[[str], None]
) -> tuple[float, int | None]:
    """Seconds of a training step on noise, and its peak memory.

    Steps at the end of a run are timed: the first ones, with boxes not yet settled, are cheaper.
    """
    if not settings.steps:
        return 1e-9, None
    on_progress("building the networks")
    model, optimizer = make_model_and_optimizer(settings, device, pretrained=False)
    batch = _noise_batch(settings, recipe).to(device)
    began = 0.0
    for step in range(_TIMED_STEPS + 1):
        on_progress(f"timing a training step on {device}, {step + 1} of {_TIMED_STEPS + 1}")
        train_step(model, optimizer, batch, settings, max(settings.steps, settings.shrink_steps))
        _synchronize(device)
        began = time.perf_counter() if step == 0 else began
    seconds = (time.perf_counter() - began) / _TIMED_STEPS
    return seconds, _peak_memory(device)


def _synchronize(device: str) -> None:
    """Wait for the work that was queued on a GPU."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()


def _peak_memory(device: str) -> int | None:
    """Bytes: of a GPU what torch allocated; on a CPU what this process ever had."""
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # on Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _noise_batch(settings: Settings, recipe: StoreRecipe) -> Batch:
    """A batch of the right shapes, filled with noise."""
    B, S, H, W = settings.batch, 4, recipe.height, recipe.width
    g = torch.Generator().manual_seed(0)
    keypoints, given = settings.model.keypoints, settings.model.boxes == "given"
    return Batch(
        frames=torch.randint(0, 255, (B, S, 3, H, W), generator=g, dtype=torch.uint8),
        plates=torch.randint(0, 255, (B, S, 3, H, W), generator=g, dtype=torch.uint8),
        known=torch.ones(B, S, 1, H, W, dtype=torch.bool),
        times=torch.rand(B, S, generator=g),
        views=torch.arange(S).expand(B, S),
        labels=torch.rand(B, S, keypoints, 3, generator=g) if keypoints else None,
        boxes=torch.tensor([0.5, 0.5, 0, 0]).expand(B, S, 4) if given else None,
        clips=torch.arange(B),
        rotations=torch.eye(3).expand(B, S, 3, 3),
    )


def _detector(settings: Settings) -> str:
    return "the default tracker" if settings.model.boxes == "given" else settings.model.detector


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"
