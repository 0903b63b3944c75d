"""Average the weights of lifters: `python -m training.lifter.average A B ... -o OUT`.

Training stages that start from each other can be averaged; the mean has lower errors on held-out
people.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from training.lifter.network import LifterNetwork


def average(lifters: Sequence[LifterNetwork]) -> LifterNetwork:
    """A lifter of the mean weights; all have one size."""
    states = [lifter.state_dict() for lifter in lifters]
    mean = LifterNetwork(lifters[0].config)
    mean.load_state_dict(
        {name: torch.stack([s[name].float() for s in states]).mean(0) for name in states[0]}
    )
    return mean.eval()


def main() -> None:
    """Read the lifters and write their mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lifters", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    average([LifterNetwork.load(path) for path in options.lifters]).save(options.output)


if __name__ == "__main__":
    main()
