"""Gallery: now and then a sheet of pictures and the curves so far, so that one sees it learn."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mocap_cli.learning.batch import Batch
from mocap_cli.learning.curves import draw_curves
from mocap_cli.learning.footage import Footage
from mocap_cli.learning.journal import METRICS, read_metrics
from mocap_cli.learning.model import Model
from mocap_cli.learning.sampling import FEWEST, draw
from mocap_cli.learning.settings import Settings
from mocap_cli.learning.sheet import draw_sheet, write_sheet

CURVES, SHEETS = "curves.png", "sheets"

_SHOWN = 5  # frames, of different clips where there are as many
_SOUGHT = 64
_SEED = 0x73686F77  # no step's seed


class Gallery:
    """The same frames every time, so that sheets can be compared."""

    def __init__(self, footage: Footage, settings: Settings, folder: Path, minutes: float) -> None:
        self._batch = _shown(footage, settings)
        self._folder, self._steps, self._seconds = folder, settings.steps, 60 * minutes
        self._due = time.monotonic()

    def show(self, step: int, model: Model) -> None:
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


def _shown(footage: Footage, settings: Settings) -> Batch:
    """A frame of each of some clips, that nothing is learnt from where clips can spare any."""
    reels = footage.reels("held-out")
    if not any(len(reel) >= FEWEST for reel in reels):
        reels = footage.reels("train")
    slots = settings.method_at(settings.steps).slots
    drawn = draw(reels, slots, settings.gaps, _SOUGHT, (_SEED,))
    _, first = np.unique(drawn.clips[:, 0], return_index=True)
    rest = np.setdiff1d(np.arange(_SOUGHT), first)
    return footage.gather(drawn.only(np.concatenate((first, rest))[:_SHOWN]))
