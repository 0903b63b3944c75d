"""The training loop: batch, losses, step, metrics, validation, checkpoint, in that order."""

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mocap_cli.errors import MocapError
from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.loader import Loader
from mocap_cli.learning.data.sampling import BatchIndices, BatchSampler
from mocap_cli.learning.loop.checkpoint import RunState
from mocap_cli.learning.loop.distributed import Distributed
from mocap_cli.learning.loop.ema import update_ema
from mocap_cli.learning.loop.losses import losses
from mocap_cli.learning.loop.metrics_log import PendingMetrics, StepMetrics, refuse_not_finite
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_file import save_model

LAST, BEST = "last.safetensors", "best.safetensors"

_GPU_READS_EVERY = 10  # steps: reading the losses makes the host wait for the GPU
_VALIDATION_BATCHES = 4
_VALIDATION_SEED = 0x68656C64  # differs from the seed of every step
_BACKGROUND_SEED = 0x62616E6B
_RECONSTRUCTION = ("pixels", "features")


@dataclass(frozen=True, slots=True)
class Hooks:
    """Callbacks of the training loop; they do not affect the result."""

    on_step: Callable[[StepMetrics], None] = lambda metrics: None
    on_validation: Callable[[int, float], None] = lambda step, held_out: None
    on_preview: Callable[[int, Model], None] = lambda step, model: None
    should_stop: Callable[[], bool] = lambda: False


def train(
    dataset: Dataset,
    settings: Settings,
    folder: Path,
    distributed: Distributed,
    hooks: Hooks,
    *,
    resume: bool,
    compiled: bool = False,
) -> RunState:
    """Train to the last step or until a hook stops it; writes the best and the last model."""
    model, optimizer = make_model_and_optimizer(settings, distributed.device)
    average = _copy_for_ema(model) if settings.averaged else model  # validated and kept as best
    state = RunState(step=0)
    if compiled:
        _compile_networks(model)
    if resume:
        state = RunState.load(folder / LAST, model, optimizer, average)
    elif distributed.is_main:  # a kill at any moment, be it before the first step, can be resumed
        state.save(folder / LAST, model, optimizer, settings, average)
    # The free-fall stage uses neither a critic nor codes that are not decoded.
    parallel = distributed.wrap(model, all_used=settings.fall_steps == 0)
    reads_every = 1 if distributed.device == "cpu" else _GPU_READS_EVERY
    with _open_loader(dataset, settings, distributed) as loader:
        if not settings.steps and distributed.is_main:  # ImageNet features without training
            _save_best(average, dataset, folder, replace(state, best=0.0))
        pending = PendingMetrics(distributed)
        for step in range(state.step, settings.steps):
            began = time.perf_counter()
            batch = loader.batch_at(step).to(distributed.device)
            data_seconds = time.perf_counter() - began
            torch.manual_seed(_seed(settings.seed, step, distributed.rank))  # dropout, augmentation
            found = _train_step_that_fits(
                parallel, model, optimizer, batch, settings, step, distributed
            )
            if average is not model:
                update_ema(average, model, settings.averaged, step)
            done, last = step + 1, step + 1 == settings.steps
            pending.add(done, data_seconds, found)
            validates = last or done % settings.check_every == 0
            saves = last or done % settings.save_every == 0
            if not (validates or saves or done % reads_every == 0):
                continue
            metrics = pending.read()  # a loss that is not finite raises before it is saved
            seconds = state.seconds + sum(m.seconds for m in metrics)
            state = replace(state, step=done, seconds=seconds)
            for m in metrics:
                hooks.on_step(m)
            stops = distributed.any(hooks.should_stop())
            if validates:
                state, held_out = _validate(average, dataset, settings, state, folder, distributed)
                hooks.on_validation(done, held_out)
            hooks.on_preview(done, average)  # before the save: a kill in between makes it again
            if (saves or stops) and distributed.is_main:
                _refuse_broken_weights(model, done)
                state.save(folder / LAST, model, optimizer, settings, average)
            pending.restart_clock()
            if stops:
                break
    return state


def _open_loader(dataset: Dataset, settings: Settings, distributed: Distributed) -> Loader:
    """The loader of this process's share of every batch."""
    sampler = BatchSampler(dataset.training_frames(), settings.gaps)
    share = slice(distributed.rank, None, distributed.size)

    def indices(step: int) -> BatchIndices:
        slots = settings.method_at(step).slots
        return sampler.batch(slots, settings.batch, (settings.seed, step)).select(share)

    def vary(batch: Batch, step: int) -> Batch:
        if dataset.backgrounds is None:
            return batch
        rng = np.random.default_rng((settings.seed, step, distributed.rank, _BACKGROUND_SEED))
        return dataset.backgrounds.put_behind(batch, rng)

    return Loader(dataset, distributed.device, indices, settings.steps, vary)


def make_model_and_optimizer(
    settings: Settings, device: str, *, pretrained: bool = True
) -> tuple[Model, torch.optim.Optimizer]:
    """An untrained model and its optimizer."""
    torch.manual_seed(settings.seed)
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.backends.cudnn.benchmark = True  # every step has the same shapes
    model = Model(settings.model, pretrained=pretrained).to(device).train()
    _to_channels_last(model)
    learning = [p for p in model.parameters() if p.requires_grad]
    return model, torch.optim.Adam(learning, lr=settings.rate, fused=on_gpu)


def _copy_for_ema(model: Model) -> Model:
    """A second model to hold the moving average; it starts with the weights of the first."""
    average = deepcopy(model).requires_grad_(False)
    average.features = model.features  # the loss network is frozen: one serves both
    return average


def _compile_networks(model: Model) -> None:
    """Compile the large networks; the first step then takes minutes."""
    with_backbones = (model.detector, model.encoder)
    backbones = [part.backbone for part in with_backbones if part is not None]
    for part in (*backbones, model.decoder, model.features):
        if part is not None:
            part.compile(dynamic=False)


def _to_channels_last(model: nn.Module) -> None:
    """Kernels in the memory format that matrix units read; a CPU gains a fifth."""
    for kernel in (m.weight for m in model.modules() if isinstance(m, nn.Conv2d)):
        kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    settings: Settings,
    step: int,
) -> dict[str, Tensor]:
    """One optimizer step; returns the losses, still on the device."""
    method = settings.method_at(step)
    with _autocast(batch.frames.device):
        outputs = model(batch, method)
    found = losses(outputs, batch, method, settings.weights_at(step))
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(found.values())).sum().backward()
    optimizer.step()
    return found


def _train_step_that_fits(
    parallel: nn.Module,
    model: Model,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    settings: Settings,
    step: int,
    distributed: Distributed,
) -> dict[str, Tensor]:
    """One step, or an error that names a batch size that fits into memory.

    That size is searched on the bare model: the wrapped one would wait for the other processes,
    which are still in the step that failed here. They end when this process ends with the error.
    """
    try:
        return train_step(parallel, optimizer, batch, settings, step)
    except torch.OutOfMemoryError:
        pass  # only after this block is everything freed that the step held
    optimizer.zero_grad(set_to_none=True)
    count = len(batch)
    while count := count // 2:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            train_step(model, optimizer, batch.first(count), settings, step)
        except torch.OutOfMemoryError:
            continue
        raise MocapError(
            f"a batch of {len(batch) * distributed.size} does not fit into the device's memory",
            f"pass --batch {count * distributed.size}, which does",
        )
    raise MocapError(
        "not even a batch of 1 fits into the device's memory",
        "pass --preset small, or end other programs that use it",
    )


def _autocast(device: torch.device) -> torch.autocast:
    """bfloat16 on GPUs that multiply it natively; emulated, it would be slower than float32."""
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, torch.bfloat16, enabled=native)


def _validate(
    model: Model,
    dataset: Dataset,
    settings: Settings,
    state: RunState,
    folder: Path,
    distributed: Distributed,
) -> tuple[RunState, float]:
    """The held-out loss; the model is saved if it is the best so far."""
    held_out = _validation_loss(model, dataset, settings, distributed.device)
    refuse_not_finite(state.step, {"held out": held_out})
    if state.best is not None and held_out >= state.best:
        return state, held_out
    state = replace(state, best=held_out, best_step=state.step)
    if distributed.is_main:
        _save_best(model, dataset, folder, state)
    return state, held_out


def _validation_loss(model: Model, dataset: Dataset, settings: Settings, device: str) -> float:
    """Reconstruction loss on held-out frames; all losses where the method reconstructs nothing.

    Every validation uses the same frames, so that two can be compared.
    """
    method = settings.method_at(settings.steps)
    sampler = BatchSampler(dataset.held_out_frames(), settings.gaps)
    total = 0.0
    model.eval()
    for i in range(_VALIDATION_BATCHES):
        indices = sampler.batch(method.slots, settings.batch, (_VALIDATION_SEED, i))
        batch = dataset.gather(indices).to(device)
        with torch.no_grad(), _autocast(batch.frames.device):
            found = losses(model(batch, method), batch, method, settings.weights)
        chosen = [found[name] for name in _RECONSTRUCTION if name in found] or list(found.values())
        total += float(torch.stack(chosen).sum()) / _VALIDATION_BATCHES
    model.train()
    return total


def _save_best(model: Model, dataset: Dataset, folder: Path, state: RunState) -> None:
    meta = {
        "step": state.step,
        "held_out": state.best,
        "clips": [clip.name for clip in dataset.clips],
        "size": list(dataset.size),
    }
    save_model(folder / BEST, model, meta)


def _refuse_broken_weights(model: Model, step: int) -> None:
    """The last step may have broken weights that the losses before it do not show yet."""
    total = torch.stack([p.detach().float().abs().sum() for p in model.parameters()]).sum()
    refuse_not_finite(step, {"sum of the weights": float(total)})


def _seed(*numbers: int) -> int:
    """One seed from several numbers, so that no two steps or processes share one."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
