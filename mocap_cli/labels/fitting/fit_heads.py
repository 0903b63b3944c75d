"""Fitting of heads to labelled frames, with early stopping on held-out folds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mocap_cli.body.skeleton import BODY, mirror_indices
from mocap_cli.errors import MocapError
from mocap_cli.labels.fitting.ensemble import HeadEnsemble
from mocap_cli.labels.fitting.error_calibration import ErrorCalibration, Novelty
from mocap_cli.labels.fitting.examples import Examples
from mocap_cli.labels.fitting.regression_head import HeadConfig, HeadKind, RegressionHead
from mocap_cli.progress import Count, no_progress
from mocap_cli.types import Bool, Float32, Int64

_MIRRORED_JOINTS = list(mirror_indices(BODY.names))
_HALF_WEIGHT_SIGMA = 0.05  # metres: labels of that uncertainty have half the weight


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How heads are fitted."""

    kind: HeadKind = "B"
    points: bool = False  # inputs end with 2D keypoints and the lifted pose
    folds: int = 3  # heads; each has another part of the labels held out
    steps: int = 1000  # at most
    batch: int = 64
    rate: float = 5e-4
    decay: float = 0.02
    copies: int = 1  # degraded copies of every labelled frame
    noise: float = 0.2  # of each input's standard deviation, drawn anew in every step
    look: int = 25  # steps between validations
    patience: int = 10  # validations without improvement, after which a head is done
    longest: int = 1024  # inputs that heads read as they are
    reduce: int = 256  # principal directions that longer inputs are projected onto
    fewest: int = 4  # labelled frames, below which nothing is fitted
    seed: int = 1

    def principal_directions(self, inputs: Float32) -> Float32:
        """(D, R) the principal directions of the labelled frames; the identity when D is small."""
        D = inputs.shape[1]
        if self.longest >= D:
            return np.eye(D, dtype=np.float32)
        centred = inputs - inputs.mean(0)
        _, _, directions = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
        return np.ascontiguousarray(directions[: self.reduce].T, np.float32)

    def held_out(self, examples: Examples) -> Bool:
        """(N,) examples that fine-tuning of the encoder holds out: the first fold."""
        return np.asarray(_assign_folds(examples, self.folds) == 0)


@dataclass(frozen=True, slots=True, eq=False)
class ExampleTensors:
    """Examples as tensors of projected inputs."""

    inputs: Tensor  # (N, D)
    flipped: Tensor  # (N, D)
    joints: Tensor  # (N, 19, 3) without NaN
    weight: Tensor  # (N, 19) 0 where a joint is unknown

    @staticmethod
    def of(examples: Examples) -> "ExampleTensors":
        """Tensors of examples whose inputs are projected; certain labels have more weight."""
        known = np.asarray(np.isfinite(examples.joints).all(axis=-1))
        known[:, 0] = False  # the pelvis is the origin: there is nothing to learn
        weight = np.where(known, 1 / (1 + (examples.sigma / _HALF_WEIGHT_SIGMA) ** 2), 0)
        return ExampleTensors(
            torch.from_numpy(examples.inputs),
            torch.from_numpy(examples.flipped),
            torch.from_numpy(np.nan_to_num(examples.joints)),
            torch.from_numpy(weight.astype(np.float32)),
        )

    def select(self, chosen: Tensor) -> "ExampleTensors":
        """Only those frames."""
        return ExampleTensors(
            self.inputs[chosen], self.flipped[chosen], self.joints[chosen], self.weight[chosen]
        )

    def with_mirrored(self) -> "ExampleTensors":
        """The same examples and their mirror images."""
        side = self.joints.new_tensor([-1.0, 1, 1])
        return ExampleTensors(
            torch.cat((self.inputs, self.flipped)),
            torch.cat((self.flipped, self.inputs)),
            torch.cat((self.joints, self.joints[:, _MIRRORED_JOINTS] * side)),
            torch.cat((self.weight, self.weight[:, _MIRRORED_JOINTS])),
        )

    def loss(self, predicted: Tensor) -> Tensor:
        """Weighted mean distance of the known joints; not squared, so that outliers count less."""
        distance = (predicted - self.joints).norm(dim=-1)
        return (distance * self.weight).sum() / self.weight.sum().clamp(min=1e-6)


def fit_heads(
    examples: Examples,
    options: FitOptions = FitOptions(),
    on_step: Count = no_progress,
    *,
    fine_tuned: bool = False,
) -> HeadEnsemble:
    """Fit one head a fold; the fold that each has held out stops it and calibrates its errors.

    Where the encoder was fine-tuned on these examples, only `options.held_out` can calibrate.
    """
    if len(examples) < options.fewest:
        raise MocapError(
            f"{len(examples)} labelled frames are too few", f"label {options.fewest} and more"
        )
    extra = Examples.KEYPOINT_SIZE if options.points else 0
    basis = options.principal_directions(examples.inputs[:, : examples.inputs.shape[1] - extra])
    projected = replace(
        examples,
        inputs=HeadEnsemble.project(examples.inputs, basis),
        flipped=HeadEnsemble.project(examples.flipped, basis),
    )
    tensors, folds = ExampleTensors.of(projected), _assign_folds(projected, options.folds)
    torch.manual_seed(options.seed)
    pose = Examples.LIFTED_SIZE if options.points else 0
    config = HeadConfig.default(options.kind, tensors.inputs.shape[1], basis.shape[1], pose)
    heads, predicted = [], np.full(examples.joints.shape, np.nan, np.float32)
    novelty = np.ones(len(examples))
    for fold in range(int(folds.max()) + 1):
        held = folds == fold
        parts = [tensors.select(torch.from_numpy(np.flatnonzero(part))) for part in (~held, held)]
        with _one_thread():
            head = _fit_head(parts[0], parts[1], config, options, fold * options.steps, on_step)
        heads.append(head)
        found = HeadEnsemble.mean_prediction(
            [head], projected.inputs[held], projected.flipped[held]
        )
        predicted[held] = found - found[:, :1]
        novelty[held] = Novelty.fit(projected.inputs[~held])(projected.inputs[held])
    fair = options.held_out(projected) if fine_tuned else np.ones(len(projected), bool)
    return HeadEnsemble(
        basis=basis,
        heads=tuple(heads),
        novelty=Novelty.fit(projected.inputs),
        calibration=ErrorCalibration.fit(predicted[fair], novelty[fair], examples.select(fair)),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Heads are small: threads gain nothing, and on a busy machine wait long for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _assign_folds(examples: Examples, count: int) -> Int64:
    """(N,) the fold of each frame: whole clips where there are enough, else stretches of time.

    Degraded copies of a frame are in its fold.
    """
    clips = np.unique(examples.clips)
    if len(clips) >= count:
        return np.asarray(np.searchsorted(clips, examples.clips) % count, np.int64)
    both = np.stack((examples.clips, examples.frames))
    frames, which = np.unique(both, axis=1, return_inverse=True)
    N = frames.shape[1]
    return np.asarray(which.reshape(-1) * min(count, N) // N, np.int64)


def _fit_head(
    tensors: ExampleTensors,
    held: ExampleTensors,
    config: HeadConfig,
    options: FitOptions,
    done: int,
    on_step: Count,
) -> RegressionHead:
    """One head, with the weights of its least error on the held-out frames."""
    head = RegressionHead(config)
    both = tensors.with_mirrored()
    head.normalise(both.inputs, both.joints, both.weight > 0)
    head.fit_linear(both.inputs, both.joints, both.weight, lambda: _error(head, held))
    optimizer = torch.optim.AdamW(head.parameters(), options.rate, weight_decay=options.decay)
    best, state, since = float("inf"), head.state_dict(), 0
    for step in range(options.steps + 1):
        if step % options.look == 0:
            error = _error(head, held)
            if error < best:
                best, since = error, 0
                state = {name: value.clone() for name, value in head.state_dict().items()}
            else:
                since += 1
            if since > options.patience:
                break
        batch = both.select(torch.randint(len(both.inputs), (options.batch,)))
        noise = options.noise * head.spread * torch.randn_like(batch.inputs)
        loss = batch.loss(head(batch.inputs + noise))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        on_step(done + step)
    head.load_state_dict(state)
    return head.eval()


@torch.inference_mode()
def _error(head: RegressionHead, tensors: ExampleTensors) -> float:
    was, _ = head.training, head.eval()
    error = float(tensors.loss(head(tensors.inputs)))
    head.train(was)
    return error
