"""Shard: one of several equal parts of a list of clips, for a job array."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mocap_cli.errors import MocapError

_T = TypeVar("_T")
_SLURM = "SLURM_ARRAY_TASK_"


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `index` of `count`, counted from 1: every count-th clip of the list."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise MocapError(
                f"there is no shard {self.index}/{self.count}", "count them from 1, as in 3/16"
            )

    @staticmethod
    def parse(text: str) -> "Shard":
        """The shard that 3/16 names."""
        if (match := re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)) is None:
            raise MocapError(
                f"{text} is not a shard", "give its number and their count, as in 3/16"
            )
        return Shard(int(match[1]), int(match[2]))

    @staticmethod
    def of_slurm(environment: Mapping[str, str] = os.environ) -> "Shard | None":
        """The shard of this task of a Slurm job array; None outside of one."""
        keys = ("ID", "COUNT", "MIN", "MAX")
        values = [environment.get(_SLURM + key, "") for key in keys]
        if not (values[0].isdecimal() and values[1].isdecimal()):
            return None
        number, count = int(values[0]), int(values[1])
        low, high = (int(v) if v.isdecimal() else default for v, default in
                     zip(values[2:], (0, count - 1), strict=True))  # fmt: skip
        step = max(1, (high - low) // max(count - 1, 1))
        if low + step * (count - 1) != high or (number - low) % step:
            raise MocapError(
                f"the job array of {count} tasks from {low} to {high} has gaps",
                "give a range such as --array=0-15, or --shard",
            )
        return Shard((number - low) // step + 1, count)

    def of(self, items: Sequence[_T]) -> Sequence[_T]:
        """Its items."""
        return items[self.index - 1 :: self.count]
