"""Positions of the texels and vertices of anny's skin on the body, for painting textures.

Positions are those on one average body. All bodies share the texture layout, so a texture fits all
of them.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Bool, Float32
from training.synthesis.body_model import Body, make_body
from training.synthesis.mocap_clip import PART_NAMES
from training.synthesis.rasterizer import rasterize

AVERAGE_PHENOTYPE = dict(gender=0.5, age=0.6, muscle=0.5, weight=0.5, height=0.5, proportions=0.5)
TEXELS = 1024
_TORSO = ("pelvis", "spine", "chest", "left_collar", "right_collar")


@dataclass(frozen=True, slots=True)
class SkinPoints:
    """Points on the average body's skin, and their coordinates along the limbs."""

    at: Float32  # (N, 3) metres in the rest pose: Y up, facing +Z
    part: NDArray[np.int32]  # (N,)
    arm: Float32  # (N,) 0 shoulder, 1 elbow, 2 wrist; -1 on the torso, head and legs
    leg: Float32  # (N,) 0 hip, 1 knee, 2 ankle; below 0 on the torso; -1 on head and arms
    trunk: Float32  # (N,) 0 at the hips to 1 at the base of the neck, by height

    def on(self, *names: str) -> Bool:
        """Which points belong to one of the parts, of either side."""
        chosen = [i for i, part in enumerate(PART_NAMES) if part.split("_")[-1] in names]
        return np.isin(self.part, chosen)


@dataclass(frozen=True, slots=True)
class SkinChart:
    """The skin as texels and as vertices."""

    texels: SkinPoints  # only those that the mesh uses
    used: NDArray[np.int64]  # (N,) their indices in the flat texture
    vertices: SkinPoints
    weld: NDArray[np.int64]  # (V,) equal for vertices that a seam of the texture split


@functools.cache
def skin_chart() -> SkinChart:
    """The chart of anny's skin."""
    body = make_body(AVERAGE_PHENOTYPE, mesh=True)
    if body.vertices is None or body.faces is None or body.uv is None:
        raise ValueError("the chart needs a body with its mesh")
    at = body.vertices.place.sum(axis=1)
    corners = body.uv * (1, -1) * TEXELS + (0, TEXELS)
    flat = np.ones(len(at), np.float32)
    hits = rasterize(corners.astype(np.float32), flat, body.faces, (TEXELS, TEXELS))
    owners = body.faces[hits.face]  # (N, 3)
    between = np.einsum("nki,kn->ni", at[owners], hits.weights)
    nearest = owners[np.arange(len(owners)), hits.weights.argmax(axis=0)]
    parts = body.vertices.weight.argmax(axis=1).astype(np.int32)
    weld = np.unique(at.round(5), axis=0, return_inverse=True)[1].ravel()
    return SkinChart(
        _places(body, between, parts[nearest]), hits.place, _places(body, at, parts), weld
    )


def _places(body: Body, at: Float32, part: NDArray[np.int32]) -> SkinPoints:
    head = dict(zip(PART_NAMES, body.heads, strict=True))
    folded = np.abs(at) * (1, 0, 0) + at * (0, 1, 1)  # the right half mirrored to the left
    arm = _along(folded, head["left_upperarm"], head["left_forearm"], head["left_hand"])
    leg = _along(folded, head["left_thigh"], head["left_shank"], head["left_foot"])
    bare = SkinPoints(at.astype(np.float32), part, arm, leg, arm)
    torso = np.isin(part, [PART_NAMES.index(name) for name in _TORSO])
    arm = np.where(bare.on("upperarm", "forearm", "hand"), arm, -1)
    leg = np.where(bare.on("thigh", "shank", "foot", "toes"), leg, -1)
    leg = np.where(torso, np.minimum((head["left_thigh"][1] - at[:, 1]) / 0.45, 0), leg)
    low, high = head["left_thigh"][1], head["neck"][1]
    trunk = (at[:, 1] - low) / (high - low)
    return SkinPoints(bare.at, part, *(v.astype(np.float32) for v in (arm, leg, trunk)))


def _along(points: Float32, first: Float32, middle: Float32, last: Float32) -> Float32:
    """Coordinates along a limb of two parts: 0, 1 and 2 at its three joints."""
    upper, lower = middle - first, last - middle
    one = (points - first) @ upper / (upper @ upper)
    two = 1 + (points - middle) @ lower / (lower @ lower)
    return np.asarray(np.where(one < 1, one, np.maximum(two, 1)))
