"""Body: a person's shape with its true joints and keypoints, posed by a MocapClip.

Shapes come from the package anny (code Apache-2.0, bodies CC0). Skinning is linear, so every
point of the body (a vertex, a joint, or a keypoint that is a mean of vertices) moves as
    point(t) = sum over parts of  transform_part(t) @ anchor[point, part]
with a constant 4-vector anchor; a few dozen anchors are enough to train a lifter.
"""

import contextlib
import functools
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.types import Float32
from training.synthesis.mocap_clip import LEG_LENGTH, PART_NAMES, PART_PARENTS, MocapClip

PART_OF_BONE = {
    "root": "pelvis", "pelvis": "pelvis", "spine05": "spine", "spine04": "spine",
    "spine03": "chest", "spine02": "chest", "spine01": "chest", "neck": "neck", "head": "head",
    "eye": "head", "clavicle": "collar", "shoulder01": "collar", "upperarm": "upperarm",
    "lowerarm": "forearm", "wrist": "hand", "finger": "hand", "metacarpal": "hand",
    "upperleg": "thigh", "lowerleg": "shank", "foot": "foot", "toe": "toes",
}  # fmt: skip
HEAD_OF_PART = {
    "pelvis": "root", "spine": "spine05", "chest": "spine03", "neck": "neck01", "head": "head",
    "collar": "clavicle", "upperarm": "upperarm01", "forearm": "lowerarm01", "hand": "wrist",
    "thigh": "upperleg01", "shank": "lowerleg01", "foot": "foot", "toes": "toe2-1",
}  # fmt: skip
END_OF_LIMB = {"upperarm": "forearm", "forearm": "hand", "thigh": "shank", "shank": "foot"}
ASIS, PSIS, ACROMION, EPICONDYLES = 10920, 10978, 8220, [11232, 12970]
"""Vertices of anny's mesh, left side: the front and back upper spines of the pelvis, the top of
the shoulder's edge, the widest points of the knee. docs/conventions.md has the sources."""
HIP_BY_PELVIS = ((0.33, 7.3), (-0.30, -10.9), (-0.24, -9.9))
"""Harrington et al. 2007: the hip's way outwards and up by the pelvis' width, forward by its
depth, from the middle of the front spines; factors and millimetres."""
UNDER_SKIN = 0.010
"""Metres from the skin to the spines of the pelvis."""
BELOW_ACROMION = 0.0123
"""Of the height: the shoulder's centre below the skin (LaiUhlrich2022's trunk length)."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """Points fixed to parts of the body in the rest pose."""

    weight: Float32  # (N, P) skinning weights; rows sum to 1
    place: Float32  # (N, P, 3) metres, weight times the position in the rest pose


@dataclass(frozen=True, slots=True)
class Body:
    """A shape in the rest pose (facing +Z, Y up, arms half lowered) with its skinning data."""

    heads: Float32  # (P, 3) joint about which each part rotates
    limbs: Float32  # (P, 3) unit rest directions of the limbs, zero for other parts
    joints: Anchors
    keypoints: Anchors
    height: float  # crown to sole, metres
    vertices: Anchors | None = None
    faces: NDArray[np.int32] | None = None  # (F, 3)
    uv: Float32 | None = None  # (V, 2)
    part_of_vertex: NDArray[np.int32] | None = None  # (V,)

    @property
    def leg_length(self) -> float:
        """Hip to ankle, metres."""
        thigh, shank, foot = (
            self.heads[PART_NAMES.index(f"left_{p}")] for p in ("thigh", "shank", "foot")
        )
        return float(np.linalg.norm(shank - thigh) + np.linalg.norm(foot - shank))

    def transforms(self, clip: MocapClip, frames: slice = slice(None)) -> Float32:
        """(T, P, 3, 4) transforms of every part from the rest pose to the clip's poses."""
        align = _alignment(self.limbs, clip.rest)  # (P, 3, 3)
        rotations = clip.rotations[frames] @ align
        moved = np.zeros((len(rotations), len(PART_NAMES), 3), np.float32)
        hips = (
            self.heads[PART_NAMES.index("left_thigh")] + self.heads[PART_NAMES.index("right_thigh")]
        ) / 2
        path = clip.root[frames] * (self.leg_length / LEG_LENGTH)
        moved[:, 0] = path + rotations[:, 0] @ (self.heads[0] - hips)
        for part, parent in enumerate(PART_PARENTS):
            if parent >= 0:
                step = self.heads[part] - self.heads[parent]
                moved[:, part] = moved[:, parent] + rotations[:, parent] @ step
        shift = moved - np.einsum("tpij,pj->tpi", rotations, self.heads)
        return np.concatenate((rotations, shift[..., None]), axis=-1)


def transform_anchors(anchors: Anchors, transforms: Float32) -> Float32:
    """Positions of anchored points: (T, P, 3, 4) to (T, N, 3)."""
    T, P = transforms.shape[:2]
    four = np.concatenate((anchors.place, anchors.weight[..., None]), axis=-1)  # (N, P, 4)
    flat = transforms.transpose(0, 2, 1, 3).reshape(T * 3, P * 4) @ four.reshape(-1, P * 4).T
    return flat.reshape(T, 3, -1).transpose(0, 2, 1)


def _alignment(own: Float32, theirs: Float32) -> Float32:
    """Smallest rotations from our limbs' rest directions to those of the recording rig."""
    align = np.tile(np.eye(3, dtype=np.float32), (len(own), 1, 1))
    for part in range(len(own)):
        a, b = own[part].astype(float), theirs[part].astype(float)
        if a.any() and b.any():
            v, c = np.cross(a, b), float(a @ b)
            k = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
            align[part] = np.eye(3) + k + k @ k / (1 + c)
    for side in ("left", "right"):  # in both rest poses hands are in line with forearms
        align[PART_NAMES.index(f"{side}_hand")] = align[PART_NAMES.index(f"{side}_forearm")]
    return align


@functools.cache
def _anny() -> tuple[Any, Any]:
    os.environ.setdefault("WARP_QUIET", "1")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import anny

            model = anny.Anny()
    except ImportError as error:
        raise MocapError(
            "rendered bodies need the package anny", "pip install -e '.[training]'"
        ) from error
    return model, anny.keypoints.KeypointsRegressor.coco(model)


def _part_of_bone(label: str) -> int:
    name, _, side = label.partition(".")
    part = next(part for stem, part in PART_OF_BONE.items() if name.startswith(stem))
    prefix = {"L": "left_", "R": "right_", "": ""}[side]
    return PART_NAMES.index(part if part in PART_NAMES else prefix + part)


def _bone_of(part: str, table: Mapping[str, str]) -> str | None:
    side, _, what = part.rpartition("_")
    bone = table.get(what)
    return None if bone is None else bone + {"left": ".L", "right": ".R", "": ""}[side]


def make_body(phenotype: Mapping[str, float], *, mesh: bool = False) -> Body:
    """The body of that phenotype (anny's names, 0..1); `mesh` adds what rendering needs."""
    import torch

    model, regressor = _anny()
    values = {k: torch.full((1,), float(v), dtype=model.dtype) for k, v in phenotype.items()}
    with torch.inference_mode():
        rest = model(phenotype_kwargs=values)
    bones = _y_up(rest["rest_bone_heads"][0].numpy())
    points = _y_up(rest["rest_vertices"][0].numpy())
    at = dict(zip(model.bone_labels, bones, strict=True))
    skin = _skin_weights(model, len(points))
    heads = np.stack([at[_bone_of(p, HEAD_OF_PART) or ""] for p in PART_NAMES])
    regress = regressor.regression_weights.numpy()
    named = {label: regress[i] for i, label in enumerate(regressor.labels)}
    centres = _joint_centres(points, at["lowerleg01.L"], named["left_elbow"] @ points)
    for part, centre in centres.items():
        heads[PART_NAMES.index(part)] = centre
    keypoints = _blend(np.stack([named[_coco(k)] for k in KEYPOINTS]), points, skin)
    body = Body(
        heads=heads.astype(np.float32),
        limbs=_limb_directions(heads),
        joints=_joint_anchors(heads, at, points),
        keypoints=keypoints,
        height=float(np.ptp(points[:, 1])),
    )
    return _with_mesh(body, model, points, skin) if mesh else body


def _joint_centres(
    points: NDArray[np.float64], knee: NDArray[np.float64], elbow: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Anatomical centres of hips, knees, shoulders and elbows in the rest pose.

    anny's own bones start up to 35 mm away, and stand with knees bent by 9 degrees.
    """
    height = np.ptp(points[:, 1])
    left = {
        "thigh": _hip(points[ASIS], points[PSIS]),
        "shank": (points[EPICONDYLES].mean(0) + knee) / 2,
        "upperarm": points[ACROMION] - (0, BELOW_ACROMION * height, 0),
        "forearm": elbow,
    }
    mirror = np.array((-1, 1, 1))
    return {
        f"{side}_{part}": centre * sign
        for part, centre in left.items()
        for side, sign in (("left", 1), ("right", mirror))
    }


def _hip(asis: NDArray[np.float64], psis: NDArray[np.float64]) -> NDArray[np.float64]:
    """The left hip's centre from the left spines of the pelvis, metres."""
    inwards = np.array((0, 0, UNDER_SKIN))
    asis, psis = asis - inwards, psis + inwards
    along = (asis - psis) * (0, 1, 1)
    depth = np.linalg.norm(along)
    ahead = along / depth
    up = np.cross(ahead, (1.0, 0.0, 0.0))
    width = 2 * asis[0]
    sizes = (width, width, depth)
    x, y, z = (a * s + b / 1000 for (a, b), s in zip(HIP_BY_PELVIS, sizes, strict=True))
    return np.asarray(asis * (0, 1, 1) + (x, 0, 0) + y * up + z * ahead)


def _y_up(points: NDArray[Any]) -> NDArray[np.float64]:
    """From anny's axes (Z up, facing -Y) to ours (Y up, facing +Z)."""
    return np.stack((points[:, 0], points[:, 2], -points[:, 1]), axis=-1).astype(np.float64)


def _coco(name: str) -> str:
    return name.replace("_toe", "_big_toe")


def _skin_weights(model: Any, count: int) -> Float32:
    """(V, P) skinning weights gathered from bones to parts."""
    weights = np.zeros((count, len(PART_NAMES)), np.float32)
    part = np.array([_part_of_bone(label) for label in model.bone_labels])
    index, weight = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
    rows = np.broadcast_to(np.arange(count)[:, None], index.shape)
    np.add.at(weights, (rows, part[index]), weight)
    return np.asarray(weights / weights.sum(1, keepdims=True))


def _blend(regress: NDArray[Any], points: NDArray[np.float64], skin: Float32) -> Anchors:
    """Anchors of points that are means of vertices."""
    weight = regress @ skin
    each = np.einsum("nv,vp,vi->npi", regress, skin, points, optimize=True)
    return Anchors(weight.astype(np.float32), each.astype(np.float32))


def _limb_directions(heads: NDArray[np.float64]) -> Float32:
    limbs = np.zeros((len(PART_NAMES), 3), np.float32)
    for i, part in enumerate(PART_NAMES):
        side, _, what = part.rpartition("_")
        if what in END_OF_LIMB:
            along = heads[PART_NAMES.index(f"{side}_{END_OF_LIMB[what]}")] - heads[i]
            limbs[i] = along / np.linalg.norm(along)
    return limbs


def _joint_anchors(
    heads: NDArray[np.float64], at: Mapping[str, Any], points: NDArray[np.float64]
) -> Anchors:
    """The 19 joints of docs/conventions.md, each fixed to one part."""
    head = dict(zip(PART_NAMES, heads, strict=True))
    crown = points[points[:, 1].argmax()] * (0, 1, 0) + head["head"] * (1, 0, 1)
    pelvis = (head["left_thigh"] + head["right_thigh"]) / 2
    where: dict[str, tuple[str, Any]] = {
        "pelvis": ("pelvis", pelvis),
        "spine": ("spine", (pelvis + head["neck"]) / 2),
        "thorax": ("chest", head["neck"]),
        "neck": ("neck", head["head"]),
        "head": ("head", crown),
    }
    for side, dot in (("left", ".L"), ("right", ".R")):
        ball = (at["toe1-1" + dot] + at["toe2-1" + dot] + at["toe3-1" + dot]) / 3
        where |= {
            f"{side}_hip": ("pelvis", head[f"{side}_thigh"]),
            f"{side}_knee": (f"{side}_thigh", head[f"{side}_shank"]),
            f"{side}_ankle": (f"{side}_shank", head[f"{side}_foot"]),
            f"{side}_toe": (f"{side}_foot", ball),
            f"{side}_shoulder": (f"{side}_collar", head[f"{side}_upperarm"]),
            f"{side}_elbow": (f"{side}_upperarm", head[f"{side}_forearm"]),
            f"{side}_wrist": (f"{side}_forearm", head[f"{side}_hand"]),
        }
    weight = np.zeros((len(BODY), len(PART_NAMES)), np.float32)
    spot = np.zeros((len(BODY), len(PART_NAMES), 3), np.float32)
    for i, joint in enumerate(BODY.names):
        part, place_at_rest = where[joint]
        weight[i, PART_NAMES.index(part)] = 1
        spot[i, PART_NAMES.index(part)] = place_at_rest
    return Anchors(weight, spot)


def _with_mesh(body: Body, model: Any, points: NDArray[np.float64], skin: Float32) -> Body:
    """The body with its surface, vertices doubled where the texture has a seam."""
    from dataclasses import replace

    faces, face_uv = np.asarray(model.faces), np.asarray(model.face_texture_coordinate_indices)
    pairs = np.stack((faces.ravel(), face_uv.ravel()), axis=1)
    unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
    skin, points = skin[unique[:, 0]], points[unique[:, 0]]
    return replace(
        body,
        vertices=Anchors(skin, (skin[..., None] * points[:, None]).astype(np.float32)),
        faces=inverse.reshape(-1, 3).astype(np.int32),
        uv=np.asarray(model.texture_coordinates, np.float32)[unique[:, 1]],
        part_of_vertex=skin.argmax(1).astype(np.int32),
    )
