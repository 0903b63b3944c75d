"""Fit: heads taught by labels, each stopped by frames that it was not taught."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mocap_cli.body.skeleton import BODY, mirror_indices
from mocap_cli.errors import MocapError
from mocap_cli.labels.fitting.ensemble import (
    HeadEnsemble,
    calibrate_errors,
    fit_novelty,
    project_inputs,
)
from mocap_cli.labels.fitting.examples import KEYPOINT_SIZE, LIFTED_SIZE, Examples, mirror_pose
from mocap_cli.labels.fitting.regression_head import (
    HeadConfig,
    HeadKind,
    RegressionHead,
    default_head,
)
from mocap_cli.types import Float32

_JOINT_SIDE = list(mirror_indices(BODY.names))


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How heads are taught."""

    kind: HeadKind = "B"
    points: bool = False  # inputs end with what 2D keypoints and the lifter tell
    folds: int = 3  # heads, each of which is not taught another part of the labels
    steps: int = 1000  # at most
    batch: int = 64
    rate: float = 5e-4
    decay: float = 0.02
    copies: int = 1  # of every labelled frame, spoilt
    noise: float = 0.2  # of each input's spread, added anew in every step
    look: int = 25  # steps between looks at the held-out frames
    patience: int = 10  # looks without getting better, after which a head is done
    longest: int = 1024  # inputs that heads read as they are
    reduce: int = 256  # numbers to which longer ones are projected
    fewest: int = 4  # labelled frames, below which nothing is fitted
    seed: int = 1


DEFAULT_FIT = FitOptions()


@dataclass(frozen=True, slots=True, eq=False)
class ExampleTensors:
    """Examples as tensors of projected inputs."""

    inputs: Tensor  # (N, D)
    flipped: Tensor  # (N, D)
    joints: Tensor  # (N, 19, 3) without NaN
    weight: Tensor  # (N, 19) 0 where a joint is unknown

    def part(self, chosen: Tensor) -> "ExampleTensors":
        """Only those."""
        return ExampleTensors(
            self.inputs[chosen], self.flipped[chosen], self.joints[chosen], self.weight[chosen]
        )


def fit_heads(
    examples: Examples,
    options: FitOptions = DEFAULT_FIT,
    on_step: Callable[[int], None] = lambda done: None,
    *,
    tuned: bool = False,
) -> HeadEnsemble:
    """Teach as many heads as there are folds; what each was not taught tells its errors.

    Where the eye was tuned to these examples, only what is `untold` to it can tell.
    """
    if len(examples) < options.fewest:
        raise MocapError(
            f"{len(examples)} labelled frames are too few", f"label {options.fewest} and more"
        )
    extra = KEYPOINT_SIZE if options.points else 0
    basis = principal_directions(examples.inputs[:, : examples.inputs.shape[1] - extra], options)
    told = replace(
        examples,
        inputs=project_inputs(examples.inputs, basis),
        flipped=project_inputs(examples.flipped, basis),
    )
    lesson, folds = to_tensors(told), _assign_folds(told, options.folds)
    parts = [folds == fold for fold in range(int(folds.max()) + 1)]
    torch.manual_seed(options.seed)
    pose = LIFTED_SIZE if options.points else 0
    config = default_head(options.kind, lesson.inputs.shape[1], basis.shape[1], pose)
    heads, unseen = [], np.full(examples.joints.shape, np.nan, np.float32)
    news = np.ones(len(examples))
    for fold, held in enumerate(parts):
        taught, asked = (torch.from_numpy(np.flatnonzero(part)) for part in (~held, held))
        done = fold * options.steps
        with _one_thread():
            head = _fit_head(
                lesson.part(taught), lesson.part(asked), config, options, done, on_step
            )
        heads.append(head)
        unseen[held] = _predict([head], told.inputs[held], told.flipped[held])
        news[held] = fit_novelty(told.inputs[~held], 500)(told.inputs[held])
    tells = held_out_fold(told, options) if tuned else np.ones(len(told), bool)
    return HeadEnsemble(
        basis=basis,
        heads=tuple(heads),
        novelty=fit_novelty(told.inputs, 500),
        calibration=calibrate_errors(unseen[tells], news[tells], examples.only(tells)),
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


def principal_directions(inputs: Float32, options: FitOptions) -> Float32:
    """(D, R) onto the directions in which labelled frames differ; as it is when D is small."""
    D = inputs.shape[1]
    if options.longest >= D:
        return np.eye(D, dtype=np.float32)
    off = inputs - inputs.mean(0)
    _, _, directions = np.linalg.svd(off.astype(np.float64), full_matrices=False)
    return np.ascontiguousarray(directions[: options.reduce].T, np.float32)


def _assign_folds(examples: Examples, count: int) -> NDArray[np.int64]:
    """(N,) which part each frame is in: whole clips where there are enough, else stretches.

    Copies of a frame are in its part.
    """
    clips = np.unique(examples.clips)
    if len(clips) >= count:
        return np.asarray(np.searchsorted(clips, examples.clips) % count, np.int64)
    both = np.stack((examples.clips, examples.frames))
    frames, which = np.unique(both, axis=1, return_inverse=True)
    N = frames.shape[1]
    return np.asarray(which.reshape(-1) * min(count, N) // N, np.int64)


def held_out_fold(examples: Examples, options: FitOptions) -> NDArray[np.bool_]:
    """(N,) examples that are kept from an eye that is tuned: the first fold."""
    return np.asarray(_assign_folds(examples, options.folds) == 0)


def to_tensors(examples: Examples) -> ExampleTensors:
    """Tensors of examples whose inputs are projected; sure labels count more."""
    known = np.asarray(np.isfinite(examples.joints).all(axis=-1))
    known[:, 0] = False  # the pelvis is the origin: there is nothing to learn
    weight = np.where(known, 1 / (1 + (examples.sigma / _HALF_WEIGHT_SIGMA) ** 2), 0).astype(
        np.float32
    )
    return ExampleTensors(
        torch.from_numpy(examples.inputs),
        torch.from_numpy(examples.flipped),
        torch.from_numpy(np.nan_to_num(examples.joints)),
        torch.from_numpy(weight),
    )


_HALF_WEIGHT_SIGMA = 0.05  # metres: labels that may be off by this count half


def _fit_head(
    lesson: ExampleTensors,
    held: ExampleTensors,
    config: HeadConfig,
    options: FitOptions,
    done: int,
    on_step: Callable[[int], None],
) -> RegressionHead:
    """One head, as it was when it did best on frames that it is not taught."""
    head = RegressionHead(config)
    both = add_mirrored(lesson)
    head.normalise(both.inputs, both.joints, both.weight > 0)
    solve_linear(head, both, held)
    optimizer = torch.optim.AdamW(head.parameters(), options.rate, weight_decay=options.decay)
    best, state, since = float("inf"), head.state_dict(), 0
    for step in range(options.steps + 1):
        if step % options.look == 0:
            found = _error(head, held)
            if found < best:
                best, since = found, 0
                state = {name: value.clone() for name, value in head.state_dict().items()}
            else:
                since += 1
            if since > options.patience:
                break
        drawn = both.part(torch.randint(len(both.inputs), (options.batch,)))
        noise = options.noise * head.spread * torch.randn_like(drawn.inputs)
        loss = joint_distance(head(drawn.inputs + noise), drawn)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        on_step(done + step)
    head.load_state_dict(state)
    return head.eval()


def solve_linear(head: RegressionHead, lesson: ExampleTensors, held: ExampleTensors) -> None:
    """Set the linear part, held to zero as much as serves the held-out frames best."""

    def error(ridge: float) -> float:
        head.solve(lesson.inputs, lesson.joints, lesson.weight, ridge)
        return _error(head, held)

    error(min(_RIDGES, key=error))


_RIDGES = (0.03, 0.3, 1.0, 3.0, 30.0, 1000.0)  # of the inputs' mean power


def add_mirrored(lesson: ExampleTensors) -> ExampleTensors:
    """The same examples, and what a mirror makes of them."""
    side = torch.tensor([-1.0, 1, 1])
    return ExampleTensors(
        torch.cat((lesson.inputs, lesson.flipped)),
        torch.cat((lesson.flipped, lesson.inputs)),
        torch.cat((lesson.joints, lesson.joints[:, _JOINT_SIDE] * side)),
        torch.cat((lesson.weight, lesson.weight[:, _JOINT_SIDE])),
    )


def joint_distance(answer: Tensor, lesson: ExampleTensors) -> Tensor:
    """Mean distance of the joints that are known; no joint counts by its square."""
    apart = (answer - lesson.joints).norm(dim=-1)
    return (apart * lesson.weight).sum() / lesson.weight.sum().clamp(min=1e-6)


@torch.inference_mode()
def _error(head: RegressionHead, lesson: ExampleTensors) -> float:
    was, _ = head.training, head.eval()
    error = float(joint_distance(head(lesson.inputs), lesson))
    head.train(was)
    return error


@torch.inference_mode()
def _predict(
    heads: list[RegressionHead] | tuple[RegressionHead, ...], inputs: Float32, flipped: Float32
) -> Float32:
    """(N, 19, 3) what heads say of frames, averaged with what they say of the mirror images."""
    a, b = torch.from_numpy(inputs), torch.from_numpy(flipped)
    said = [head(a).numpy() for head in heads]
    said += [mirror_pose(head(b).numpy()) for head in heads]
    joints = np.mean(said, axis=0)
    return np.asarray(joints - joints[:, :1], np.float32)
