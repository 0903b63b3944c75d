"""NSD's codes: points in space, seen by one camera and turned to be seen by another."""

from torch import Tensor

from mocap_cli.errors import MocapError


def rotate_between_views(tv: Tensor, turns: Tensor | None) -> Tensor:
    """Codes (B, S, 3 n) with slots 0 and 1, one instant in two views, made from each other.

    `turns` are the rotations camera_from_world (B, S, 3, 3). The other slots keep their own.
    """
    if turns is None:
        raise MocapError(
            "method nsd needs to know how the cameras are turned",
            "give calibrated views, or choose another method",
        )
    points = tv.unflatten(-1, (-1, 3))  # (B, S, n, 3)
    other = [1, 0, *range(2, tv.shape[1])]
    here_from_there = turns @ turns[:, other].transpose(-1, -2)
    return (points[:, other] @ here_from_there.transpose(-1, -2)).flatten(-2)
