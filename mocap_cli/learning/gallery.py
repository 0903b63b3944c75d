"""Gallery: now and then a sheet of pictures and the curves so far, so that one sees it learn."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.sampling import MIN_FRAMES, sample_batch
from mocap_cli.learning.loop.loss_curves import draw_curves
from mocap_cli.learning.loop.metrics_log import METRICS, read_metrics
from mocap_cli.learning.loop.previews import draw_sheet, write_sheet
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.model.model import Model

CURVES, SHEETS = "curves.png", "sheets"

_SHOWN = 5  # frames, of different clips where there are as many
_SOUGHT = 64
_SEED = 0x73686F77  # no step's seed


class Previews:
    """The same frames every time, so that sheets can be compared."""

    def __init__(self, footage: Dataset, settings: Settings, folder: Path, minutes: float) -> None:
        self._batch = _shown(footage, settings)
        self._folder, self._steps, self._seconds = folder, settings.steps, 60 * minutes
        self._due = time.monotonic()

    def update(self, step: int, model: Model) -> None:
        """Draw when it is time: at first, every so many minutes, and after the last step."""
        if step < self._steps and time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._seconds
        device = next(model.parameters()).device
        parts = model.parts_for_sheet(self._batch.to(device))
        known = self._batch.known[:, 0].to(device)
        parts = replace(parts, plates=torch.where(known, parts.plates, 0.5 * parts.plates + 0.5))
        sheet = draw_sheet(parts, f"step {step}; pale background is not known")
        write_sheet(sheet, self._folder / SHEETS / f"step-{step:07d}.png")
        curves = draw_curves(read_metrics(self._folder / METRICS))
        write_sheet(curves, self._folder / CURVES)


def _shown(footage: Dataset, settings: Settings) -> Batch:
    """A frame of each of some clips, that nothing is learnt from where clips can spare any."""
    reels = footage.usable_frames("held-out")
    if not any(len(reel) >= MIN_FRAMES for reel in reels):
        reels = footage.usable_frames("train")
    slots = settings.method_at(settings.steps).slots
    drawn = sample_batch(reels, slots, settings.gaps, _SOUGHT, (_SEED,))
    _, first = np.unique(drawn.clips[:, 0], return_index=True)
    rest = np.setdiff1d(np.arange(_SOUGHT), first)
    return footage.gather(drawn.select(np.concatenate((first, rest))[:_SHOWN]))
