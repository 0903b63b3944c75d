"""All kinds of cases by name."""

import importlib
import random
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.faults import documents, kills, machine, media
from tests.faults.samples import Samples
from tests.faults.trial import Trial

__all__ = ["KINDS", "Samples", "load_heavy_modules"]

_MODULES = ("cli.background_jobs", "cli.export_jobs", "cli.label_fit_jobs", "cli.clip_run",
            "cli.pretrain_jobs", "clips.background_maker", "clips.clip_tracker",
            "clips.motion_exporter", "tracking.track", "plates.builder",
            "export.registry")  # fmt: skip

_Kind = Callable[[random.Random, Path, Samples], Trial]

KINDS: Mapping[str, _Kind] = {
    "odd-video": lambda rng, folder, samples: media.odd_video(rng, folder),
    "lying-video": lambda rng, folder, samples: media.lying_video(rng, folder),
    "damaged-video": lambda rng, folder, samples: media.damaged_video(rng, folder),
    "no-video": lambda rng, folder, samples: media.no_video(rng, folder),
    "result": documents.damaged_result,
    "archive": documents.damaged_archive,
    "labels": documents.damaged_labels,
    "model": documents.damaged_model,
    "run-and-store": documents.damaged_run,
    "cache": documents.damaged_cache,
    "paths": machine.aliased_paths,
    "options": machine.wild_options,
    "killed": machine.killed,
    "killed-pretrain": kills.killed_pretrain,
    "killed-track": kills.killed_track,
    "killed-background": kills.killed_background,
    "full-disk": machine.full_disk,
    "two-at-once": machine.two_at_once,
}


def load_heavy_modules() -> None:
    """Import once what every trial needs; a trial is a fork of this process."""
    for name in _MODULES:
        importlib.import_module(f"mocap_cli.{name}")
    import cv2
    import matplotlib.pyplot  # noqa: F401
    import torch
    import torch._dynamo  # the optimizers import it, which takes longer than a trial

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
