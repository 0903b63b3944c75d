"""Pretrain: the loop that teaches a model from footage alone."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mocap_cli.learning.averaged import copy_for_ema
from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.loader import DeviceDataset, Loader, fits_on_gpu
from mocap_cli.learning.data.sampling import MIN_FRAMES, BatchIndices, sample_batch
from mocap_cli.learning.loop.checkpoint import RunState, load_checkpoint, save_checkpoint
from mocap_cli.learning.loop.distributed import Distributed
from mocap_cli.learning.loop.ema import update_ema
from mocap_cli.learning.loop.losses import losses
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.memory import too_large
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_file import save_model
from mocap_cli.learning.tally import PendingMetrics, StepMetrics, refuse_not_finite

LAST, BEST = "last.safetensors", "best.safetensors"

_GPU_TELLS_EVERY = 10  # steps: reading numbers off a GPU makes it wait
_HELD_OUT_BATCHES = 4
_HELD_OUT_SEED = 0x68656C64  # no step's seed
_REDRAWN = ("pixels", "features")


@dataclass(frozen=True, slots=True)
class Hooks:
    """What others do while the loop runs; none of it changes what is learnt."""

    on_step: Callable[[StepMetrics], None] = lambda told: None
    on_validation: Callable[[int, float], None] = lambda step, held_out: None
    on_preview: Callable[[int, Model, Batch], None] = lambda step, model, batch: None
    should_stop: Callable[[], bool] = lambda: False


def pretrain(
    footage: Dataset,
    settings: Settings,
    folder: Path,
    crew: Distributed,
    hooks: Hooks,
    *,
    resume: bool,
    compiled: bool = False,
) -> RunState:
    """Train to the last step, or until `hooks.stops`; the folder then holds the best and last."""
    model, optimizer = make_model_and_optimizer(settings, crew.device)
    mean = copy_for_ema(model) if settings.averaged else model  # what is looked at and kept
    if compiled:
        _compile_networks(model)
    place = RunState(step=0)
    if resume:
        place = load_checkpoint(folder / LAST, model, optimizer, mean)[1]
    # Gravity alone leaves a critic unused, and an encoder whose codes nobody draws.
    parallel = crew.wrap(model, all_used=settings.fall_steps == 0)
    every = 1 if crew.device == "cpu" else _GPU_TELLS_EVERY
    reels, gather = footage.usable_frames("train"), _batch_reader(footage, crew.device)

    def batch_of(step: int) -> Batch:
        slots, seed = settings.method_at(step).slots, (settings.seed, step)
        whole = sample_batch(reels, slots, settings.gaps, settings.batch, seed)
        return gather(whole.select(slice(crew.rank, None, crew.size)))

    if not settings.steps and crew.is_main:  # ImageNet's features as they are
        _keep(mean, footage, folder, replace(place, best=0.0))
    tally = PendingMetrics(crew)
    with Loader(batch_of, settings.steps) as loader:
        for step in range(place.step, settings.steps):
            began = time.perf_counter()
            batch = loader.batch_at(step).to(crew.device)
            waited = time.perf_counter() - began
            torch.manual_seed(_seed(settings.seed, step, crew.rank))  # dropout, how crops vary
            parts = _learn_fitting(parallel, model, optimizer, batch, settings, step, crew)
            if mean is not model:
                update_ema(mean, model, settings.averaged, step)
            seconds = tally.add(step + 1, began, waited, parts)
            place = replace(place, step=step + 1, seconds=place.seconds + seconds)
            last = place.step == settings.steps
            checks = last or place.step % settings.check_every == 0
            saves = last or place.step % settings.save_every == 0
            if not (checks or saves or place.step % every == 0):
                continue
            tally.flush(hooks.on_step)  # a loss that is not finite raises before it is saved
            stops = crew.any(hooks.should_stop())
            if checks:
                place, found = _checked(mean, footage, settings, place, folder, crew)
                hooks.on_validation(place.step, found)
            if (saves or stops) and crew.is_main:
                _refuse_broken(model, place.step)
                save_checkpoint(folder / LAST, model, optimizer, settings, place, mean)
            hooks.on_preview(place.step, mean, batch)
            if stops:
                break
    return place


def make_model_and_optimizer(
    settings: Settings, device: str
) -> tuple[Model, torch.optim.Optimizer]:
    """A model that has learnt nothing yet, and what will teach it."""
    torch.manual_seed(settings.seed)
    on_gpu = device.startswith("cuda")
    model = Model(settings.model).to(device).train()
    _to_channels_last(model)
    learning = [p for p in model.parameters() if p.requires_grad]
    return model, torch.optim.Adam(learning, lr=settings.rate, fused=on_gpu)


def _compile_networks(model: Model) -> None:
    """Fuse what the large networks do between their convolutions; the first step takes minutes."""
    whole = (model.detector, model.encoder)
    backbones = [part.backbone for part in whole if part is not None]
    for part in (*backbones, model.decoder, model.features):
        if part is not None:
            part.compile(dynamic=False)


def _to_channels_last(model: nn.Module) -> None:
    """Lay the kernels of convolutions out as matrix units read them; a CPU gains a fifth."""
    for kernel in (m.weight for m in model.modules() if isinstance(m, nn.Conv2d)):
        kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)


def _batch_reader(footage: Dataset, device: str) -> Callable[[BatchIndices], Batch]:
    """How batches come together: on the GPU if it has room for all footage, else from the disk."""
    return DeviceDataset(footage, device).gather if fits_on_gpu(footage, device) else footage.gather


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    settings: Settings,
    step: int,
) -> dict[str, Tensor]:
    """One step; gives what was lost where."""
    method = settings.method_at(step)
    with _half_precision(batch.frames.device):
        outputs = model(batch, method)
    parts = losses(outputs, batch, method, settings.weights_at(step))
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(parts.values())).sum().backward()
    optimizer.step()
    return parts


def _learn_fitting(
    parallel: nn.Module,
    model: Model,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    settings: Settings,
    step: int,
    crew: Distributed,
) -> dict[str, Tensor]:
    """One step, or an error that names a batch that would fit.

    That batch is sought on the bare model: the wrapped one would wait for the other processes,
    which are in the step that failed here. They end when this one leaves with the error.
    """
    try:
        return train_step(parallel, optimizer, batch, settings, step)
    except torch.OutOfMemoryError:
        pass  # only outside of this block is everything freed that the step held
    optimizer.zero_grad(set_to_none=True)
    raise too_large(
        batch, crew.size, lambda less: train_step(model, optimizer, less, settings, step)
    )


def _half_precision(device: torch.device) -> torch.autocast:
    """bfloat16 where a GPU multiplies it faster; its range is that of single precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def _checked(
    model: Model,
    footage: Dataset,
    settings: Settings,
    place: RunState,
    folder: Path,
    crew: Distributed,
) -> tuple[RunState, float]:
    """Look at held-out frames, and keep the model if it was never better."""
    found = _validation_loss(model, footage, settings, crew.device)
    refuse_not_finite(place.step, {"held out": found})
    if place.best is not None and found >= place.best:
        return place, found
    place = replace(place, best=found, best_step=place.step)
    if crew.is_main:
        _keep(model, footage, folder, place)
    return place, found


def _refuse_broken(model: Model, step: int) -> None:
    """The last step may have broken weights that the losses before it do not show yet."""
    total = sum(float(p.detach().float().abs().sum()) for p in model.parameters())
    refuse_not_finite(step, {"sum of the weights": total})


def _keep(model: Model, footage: Dataset, folder: Path, place: RunState) -> None:
    """As the best model so far."""
    meta = {
        "step": place.step,
        "held_out": place.best,
        "clips": [clip.name for clip in footage.clips],
        "size": list(footage.size),
    }
    save_model(folder / BEST, model, meta)


def _validation_loss(model: Model, footage: Dataset, settings: Settings, device: str) -> float:
    """How badly frames are redrawn that nothing is learnt from; where nothing is drawn, all losses.

    Every look takes the same frames, so that two looks can be compared.
    """
    method = settings.method_at(settings.steps)
    reels = footage.usable_frames("held-out")
    if not any(len(reel) >= MIN_FRAMES for reel in reels):
        reels = footage.usable_frames("train")  # clips too short to spare a frame
    total = 0.0
    model.eval()
    for i in range(_HELD_OUT_BATCHES):
        chosen = sample_batch(
            reels, method.slots, settings.gaps, settings.batch, (_HELD_OUT_SEED, i)
        )
        batch = footage.gather(chosen).to(device)
        with torch.no_grad(), _half_precision(batch.frames.device):
            parts = losses(model(batch, method), batch, method, settings.weights)
        redrawn = [parts[name] for name in _REDRAWN if name in parts] or list(parts.values())
        total += float(torch.stack(redrawn).sum()) / _HELD_OUT_BATCHES
    model.train()
    return total


def _seed(*numbers: int) -> int:
    """One seed from several numbers, so that no two steps or processes share one."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
