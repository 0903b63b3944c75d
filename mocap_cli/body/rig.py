"""Rig: the bones of an animated figure, their lengths, and the joints of BODY they end at."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mocap_cli.body.anatomy import ANKLE_HEIGHT, BALL_HEIGHT, standing_height
from mocap_cli.body.rotation import frame_from_axes, inverse, unit
from mocap_cli.body.skeleton import BODY, mirror_indices
from mocap_cli.types import Float64

_HAND = 0.108
_TOES = 0.04
"""Wrist to fingertip and ball to tip of the toes, which have no joints, as shares of the height."""

_STEP = 0.005
"""Metres from Hips up to Spine. Both rotate at the pelvis: the shorter this bone, the less a
sideways bend between them changes the distance from pelvis to spine, which is constant in the
data. A bone of no length would have no direction for importers."""

_SHORTEST = 1e-3  # metres; a bone of no length has no direction


@dataclass(frozen=True, slots=True)
class Rig:
    """A tree of joints; its rest pose, with all rotations zero, faces +Z with Y up.

    Rotations are in the axes of the world: a joint's own axes are `axes` turned by them. Joints
    without children are the ends of bones: they have a position and no rotation.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]  # parents[i] < i; the root's is -1
    body_joints: tuple[str, ...]  # the joint of BODY at that position, or ""
    offsets: Float64  # (N, 3) metres from the parent in the rest pose; the root's is zero
    parts: tuple[str, ...]  # the name in `fit_rig` of the bone that ends there, or ""
    axes: Float64  # (N, 3, 3) axes of the joints in the rest pose
    mover: int = 0  # the joint that moves along the path; those above it stand still

    def __post_init__(self) -> None:
        N, lists = len(self.names), (self.parents, self.body_joints, self.parts, self.axes)
        if len(set(self.names)) != N or any(len(values) != N for values in lists):
            raise ValueError("give every joint one name of its own and one value of each list")
        if self.parents[0] != -1 or not all(0 <= p < i for i, p in enumerate(self.parents) if i):
            raise ValueError("list joints parents first, the one root before all")
        if self.offsets.shape != (N, 3) or not np.isfinite(self.offsets).all():
            raise ValueError(f"offsets are {self.offsets.shape} or not finite, wanted {(N, 3)}")

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The index of the joint of that name."""
        return self.names.index(name)

    def children(self, joint: int) -> tuple[int, ...]:
        """The children of a joint."""
        return tuple(i for i, parent in enumerate(self.parents) if parent == joint)

    def index_of(self, name: str) -> int:
        """The index of the first joint at the position of that joint of BODY."""
        return self.body_joints.index(name)

    @property
    def rest_positions(self) -> Float64:
        """(N, 3) positions of the joints in the rest pose, the root at the origin."""
        places = np.zeros((len(self), 3))
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                places[joint] = places[parent] + self.offsets[joint]
        return places

    @property
    def root_height(self) -> float:
        """Metres from the lowest point of the rest pose up to the root."""
        return -float(self.rest_positions[:, 1].min())

    @property
    def bind_matrices(self) -> Float64:
        """(N, 4, 4) world from joint in the rest pose, which stands on the ground."""
        matrices = np.tile(np.eye(4), (len(self), 1, 1))
        matrices[:, :3, :3] = self.axes
        matrices[:, :3, 3] = self.rest_positions
        matrices[:, 1, 3] += self.root_height
        return matrices

    @property
    def local_matrices(self) -> Float64:
        """(N, 4, 4) parent from joint in the rest pose, the root's from the world."""
        above = inverse(self._axes_above)
        matrices = np.tile(np.eye(4), (len(self), 1, 1))
        matrices[:, :3, :3] = above @ self.axes
        matrices[:, :3, 3] = (above @ self.offsets[..., None])[..., 0]
        matrices[0, 1, 3] = self.root_height
        return matrices

    def local_rotations(self, rotations: Float64) -> Float64:
        """(T, N, 3, 3) rotations from the parent in the joints' own axes."""
        return inverse(self._axes_above) @ rotations @ self.axes

    @property
    def _axes_above(self) -> Float64:
        """(N, 3, 3) axes of the parents; those of the world above the root."""
        return np.concatenate((np.eye(3)[None], self.axes[list(self.parents[1:])]))


_TRUNK = (  # name, parent, body joint, direction in the T-pose
    ("Hips", "", "pelvis", (0, 0, 0)),
    ("Spine", "Hips", "", (0, 1, 0)),
    ("Spine1", "Spine", "spine", (0, 1, 0)),
    ("Neck", "Spine1", "thorax", (0, 1, 0)),
    ("Head", "Neck", "neck", (0, 0.943, 0.333)),  # a level head sits in front of the chest
    ("HeadEnd", "Head", "head", (0, 1, 0)),
)
_LIMBS = (  # of the left side; x is mirrored on the right
    ("Shoulder", "Spine1", "thorax", (0, 1, 0)),
    ("Arm", "Shoulder", "shoulder", (0.883, -0.470, 0)),
    ("ForeArm", "Arm", "elbow", (1, 0, 0)),
    ("Hand", "ForeArm", "wrist", (1, 0, 0)),
    ("HandEnd", "Hand", "", (1, 0, 0)),
    ("UpLeg", "Hips", "hip", (1, 0, 0)),
    ("Leg", "UpLeg", "knee", (0, -1, 0)),
    ("Foot", "Leg", "ankle", (0, -1, 0)),
    ("ToeBase", "Foot", "toe", (0, -0.310, 0.951)),
    ("ToeBaseEnd", "ToeBase", "", (0, 0, 1)),
)


def _rows() -> list[tuple[str, str, str, tuple[float, ...]]]:
    rows: list[tuple[str, str, str, tuple[float, ...]]] = list(_TRUNK)
    for limb in (_LIMBS[:5], _LIMBS[5:]):
        for side, mirror in (("Left", 1), ("Right", -1)):
            for name, parent, joint, (x, y, z) in limb:
                trunk = parent in ("Hips", "Spine1")
                place = f"{side.lower()}_{joint}" if joint not in ("", "thorax") else joint
                above = parent if trunk else side + parent
                rows.append((side + name, above, place, (mirror * x, y, z)))
    return rows


def bone_lengths(joints: Float64, sigma: Float64 | None = None) -> Float64:
    """(J,) metres from each joint of BODY to its parent: the clip's median, the mean of both sides.

    Frames are weighted by sigma (T, J), if given; NaN does not count.
    """
    parents = np.maximum(BODY.parents, 0)  # the root's bone has no length
    length = np.linalg.norm(joints - joints[:, parents], axis=-1)  # (T, J)
    variance = np.ones_like(length) if sigma is None else sigma**2 + sigma[:, parents] ** 2
    weight = np.where(np.isfinite(length + variance), 1 / np.maximum(variance, 1e-6), 0.0)
    usual = np.array([_weighted_median(v, w) for v, w in zip(length.T, weight.T, strict=True)])
    return np.asarray((usual + usual[list(mirror_indices(BODY.names))]) / 2)


def _weighted_median(values: Float64, weights: Float64) -> float:
    """The weighted median, or the mean of the two values in the middle."""
    chosen = weights > 0
    if not chosen.any():
        return float("nan")
    order = np.argsort(values[chosen])
    values, passed = values[chosen][order], np.cumsum(weights[chosen][order])
    middle = [np.searchsorted(passed, passed[-1] / 2 * (1 + side)) for side in (-1e-9, 1e-9)]
    return float(values[middle].mean())


def fit_rig(joints: Float64) -> Rig:
    """The rig with the bone lengths of a person whose joints are (T, J, 3), without NaN."""
    rows = _rows()
    names = tuple(row[0] for row in rows)
    parents = tuple(names.index(row[1]) if row[1] else -1 for row in rows)
    body = tuple(row[2] for row in rows)
    lengths = bone_lengths(joints)
    height = standing_height(lengths)
    offsets = unit([row[3] for row in rows])
    for i, joint in enumerate(body):
        if joint and i:
            offsets[i] *= max(float(lengths[BODY.index(joint)]), _SHORTEST)
    ours = dict(zip(names, offsets, strict=True))  # views: writing to them writes to the array
    _set_hips(ours, joints)
    _set_spine(ours)
    _set_tips(ours, max(height, 10 * _SHORTEST))
    axes = np.tile(np.eye(3), (len(names), 1, 1))
    return Rig(names, parents, body, offsets, names, axes)


def _set_hips(offsets: Mapping[str, Float64], joints: Float64) -> None:
    """The hip joints in the pelvis: by their distance from each other, not from its middle."""
    at = {name: joints[:, BODY.index(name)] for name in ("pelvis", "spine")}
    left, right = (joints[:, BODY.index(f"{side}_hip")] for side in ("left", "right"))
    pelvis = frame_from_axes(left - right, at["spine"] - at["pelvis"])
    middle = ((left + right) / 2 - at["pelvis"])[:, None] @ pelvis  # in the pelvis' axes
    shift = np.median(middle[:, 0], axis=0)  # nothing, where the pelvis is their middle
    half = float(np.median(np.linalg.norm(left - right, axis=-1))) / 2
    for side, sign in (("Left", 1), ("Right", -1)):
        offsets[f"{side}UpLeg"][:] = np.where(np.abs(shift) < _SHORTEST, 0, shift)
        offsets[f"{side}UpLeg"][0] = sign * max(half, _SHORTEST)


def _set_spine(offsets: Mapping[str, Float64]) -> None:
    whole = float(offsets["Spine1"][1])
    step = min(_STEP, whole / 2)
    offsets["Spine"][:] = (0, step, 0)
    offsets["Spine1"][:] = (0, whole - step, 0)
    for side in ("Left", "Right"):
        offsets[f"{side}Shoulder"][:] = offsets["Neck"]


def _set_tips(offsets: Mapping[str, Float64], height: float) -> None:
    """The ends of hands and feet; the toes touch the ground, the ball is above it."""
    for side, sign in (("Left", 1), ("Right", -1)):
        offsets[f"{side}HandEnd"][:] = (sign * _HAND * height, 0, 0)
        foot = offsets[f"{side}ToeBase"]
        drop = min((ANKLE_HEIGHT - BALL_HEIGHT) * height, float(np.linalg.norm(foot)) / 2)
        foot[1:] = -drop, np.sqrt(foot @ foot - drop**2)
        offsets[f"{side}ToeBaseEnd"][:] = (0, -BALL_HEIGHT * height, _TOES * height)
