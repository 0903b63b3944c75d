"""Pose head: what predicts a pose from a code."""

from torch import Tensor, nn


class PoseHead(nn.Module):
    """Code (..., code) to numbers (..., out): linear, residual blocks of two layers, linear."""

    def __init__(self, code: int, out: int, width: int = 1024, blocks: int = 3) -> None:
        super().__init__()
        self.enter = nn.Linear(code, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
            for _ in range(blocks)
        )
        self.leave = nn.Linear(width, out)

    def forward(self, code: Tensor) -> Tensor:
        """The predicted numbers."""
        x = self.enter(code)
        for block in self.blocks:
            x = x + block(x)
        return self.leave(x)
