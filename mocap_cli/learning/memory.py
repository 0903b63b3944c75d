"""Memory: when a batch does not fit, find one that does and say so."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import torch

from mocap_cli.errors import MocapError
from mocap_cli.learning.data.batch import Batch


def too_large(batch: Batch, share: int, attempt: Callable[[Batch], object]) -> MocapError:
    """The error for a batch that did not fit, naming one with which `attempt` succeeded.

    `share` processes take as much each, and the user gives the sum.
    """
    count = len(batch)
    while count := count // 2:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            attempt(first(batch, count))
        except torch.OutOfMemoryError:
            continue
        return MocapError(
            f"a batch of {len(batch) * share} does not fit into the memory of the device",
            f"pass --batch {count * share}, which does",
        )
    return MocapError(
        "not even a batch of 1 fits into the memory of the device",
        "pass --preset small, or end other programs that use it",
    )


def first(batch: Batch, count: int) -> Batch:
    """Only the first items."""
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    fewer: dict[str, Any] = {k: v if v is None else v[:count] for k, v in values.items()}
    return replace(batch, **fewer)
