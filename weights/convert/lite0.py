"""EfficientNet-Lite0 of ImageNet as plain convolutions, where `mocap pretrain` starts from.

    python weights/convert/lite0.py efficientnet-lite0-57934424.pth OUT.safetensors

Batch normalisation is folded into the convolutions in double precision. The deepest stages and the
classifier stay out: they see too coarsely to be of use here.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

EPSILON = 1e-3  # of the normalisation, as the network was trained
BLOCKS = 11  # of 16: down to a sixteenth of the picture
PARTS = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))


def main() -> None:
    """Read, fold, write."""
    source, target = map(Path, sys.argv[1:])
    state = torch.load(source, map_location="cpu", weights_only=True)
    pairs = [("_conv_stem", "_bn0", "stem")]
    for block in range(BLOCKS):
        place = f"_blocks.{block}."
        parts = [part for part in PARTS if f"{place}{part[0]}.weight" in state]
        pairs += [(place + c, place + n, f"blocks.{block}.{i}") for i, (c, n) in enumerate(parts)]
    tensors: dict[str, Tensor] = {}
    for convolution, normal, name in pairs:
        weight, bias = folded(state, convolution, normal)
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = weight.half().contiguous(), bias.half()
    save_file(tensors, target)


def folded(state: dict[str, Tensor], convolution: str, normal: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of one convolution that does what it and its normalisation did."""

    def of(name: str) -> Tensor:
        return state[f"{normal}.{name}"].double()

    scale = of("weight") / (of("running_var") + EPSILON).sqrt()
    weight = state[f"{convolution}.weight"].double() * scale[:, None, None, None]
    return weight, of("bias") - of("running_mean") * scale


if __name__ == "__main__":
    main()
