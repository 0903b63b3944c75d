"""Key poses: moves of divers, skaters and gymnasts from a few poses given by joint angles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

from mocap_cli.types import Float32, Float64
from training.synthesis.mocap_clip import LIMBS, PART_NAMES, MocapClip

_WHOLE = ("tilt", "bend", "side", "twist", "head")
"""Of the pelvis and of the trunk: forward, forward, to the left, to the left; head forward."""
_LIMB = ("hip", "spread", "knee", "point", "arm", "lift", "cross", "elbow")
"""Flexion, abduction, flexion, pointed toes; arm forward, sideways, across the chest, flexion."""
ANGLES = (*_WHOLE, *(f"{side}_{angle}" for side in ("left", "right") for angle in _LIMB))
"""Degrees; all 0 is standing with hanging arms."""
_SHRUG = 25.0
"""Degrees by which a collar bone rises below an arm that points up."""

Angles = Mapping[str, float]
"""By name of ANGLES; a name of a limb without its side is of both sides."""

POSES: dict[str, Angles] = {
    "stand": dict(lift=8, elbow=12),
    "ready": dict(lift=150, arm=20, elbow=10),
    "crouch": dict(tilt=25, bend=20, hip=75, knee=85, point=-25, arm=-45, elbow=10),
    "stretch": dict(arm=165, elbow=8, point=50, bend=-5),
    "tuck": dict(bend=60, head=35, hip=125, knee=140, point=40, arm=55, elbow=45),
    "pike": dict(bend=50, head=20, hip=115, point=50, arm=80, elbow=8),
    "entry": dict(arm=178, lift=6, point=60),
    "layout": dict(bend=-20, hip=-8, point=50, lift=80),
    "twist": dict(cross=45, arm=60, elbow=110, point=50),
    "glide": dict(tilt=25, bend=15, left_hip=45, left_knee=40, left_point=-15, right_hip=-15,
                  right_spread=12, right_knee=12, right_point=30, lift=55, elbow=12),
    "upright spin": dict(arm=55, cross=48, elbow=105, right_hip=25, right_knee=45, right_point=45),
    "camel": dict(tilt=72, bend=8, head=-35, left_hip=70, right_hip=8, right_point=45, lift=85),
    "sit spin": dict(tilt=35, bend=35, left_hip=105, left_knee=112, left_point=-30, right_hip=100,
                     right_knee=12, right_point=40, arm=75, cross=12, elbow=15),
    "layback": dict(tilt=-18, bend=-42, head=-35, left_hip=-12, right_hip=-25, right_knee=85,
                    right_spread=18, right_point=40, arm=140, lift=25, elbow=45),
    "handstand": dict(arm=178, point=55, bend=-6, head=-30),
    "straddle": dict(lift=168, spread=42, point=45, head=-15),
    "bridge": dict(tilt=-10, bend=-75, head=-55, hip=-35, knee=72, point=-10, arm=195, elbow=5),
    "plank": dict(arm=82, lift=8, point=-10, head=-20, elbow=6),
    "low plank": dict(arm=35, lift=35, point=-10, head=-20, elbow=105),
    "straddle sit": dict(hip=92, spread=48, point=45, arm=45, lift=30),
    "folded": dict(tilt=25, bend=55, hip=100, spread=50, point=45, arm=110, lift=25),
    "split": dict(left_hip=85, right_hip=-75, point=45, lift=85, tilt=5),
    "squat": dict(tilt=30, bend=40, head=-10, hip=120, knee=135, point=-25, arm=70, elbow=15),
    "slalom": dict(tilt=28, bend=28, head=-25, hip=72, knee=62, point=-22, spread=9, arm=30,
                   lift=28, elbow=62),
    "schuss": dict(tilt=45, bend=40, head=-55, hip=112, knee=98, point=-25, spread=7, arm=75,
                   elbow=95),
    "arms folded": dict(arm=38, cross=42, elbow=100),
    "seated": dict(hip=85, knee=85, tilt=4, bend=12, arm=35, elbow=60),
    "cheer": dict(lift=140, elbow=40),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wobble:
    """Slow random deviations from key poses, different for every performance."""

    size: Float64  # (A, 3) degrees of three sines for each angle
    rate: Float64  # (A, 3) hertz
    phase: Float64  # (A, 3)

    @staticmethod
    def random(rng: np.random.Generator, degrees: float) -> "Wobble":
        """Deviations of about so many degrees."""
        shape = (len(ANGLES), 3)
        return Wobble(
            rng.normal(0, degrees / 2, shape), rng.uniform(0.1, 1.2, shape),
            rng.uniform(0, 2 * np.pi, shape),
        )  # fmt: skip

    def at(self, times: Float64) -> Float64:
        """(T, A) degrees."""
        waves = np.sin(2 * np.pi * self.rate * times[:, None, None] + self.phase)
        return np.asarray((self.size * waves).sum(axis=-1))


def pose_angles(pose: str | Angles) -> Float64:
    """(A,) degrees of a pose, by its name or by angles."""
    given = POSES[pose] if isinstance(pose, str) else pose
    named = {k.split("_", 1)[1]: v for k, v in given.items() if k in ANGLES and "_" in k}
    assert all(k in ANGLES or k in _LIMB for k in given), (given, named)
    return np.array([given.get(a, given.get(a.split("_")[-1], 0.0)) for a in ANGLES], np.float64)


def key_angles(
    keys: Sequence[tuple[float, str | Angles]], times: Float64, wobble: Wobble | None = None
) -> Float64:
    """(T, A) degrees between key poses at seconds; the first and the last are held."""
    at = np.array([second for second, _ in keys])
    curve = PchipInterpolator(at, np.stack([pose_angles(pose) for _, pose in keys]))
    angles = curve(np.clip(times, at[0], at[-1]))
    return np.asarray(angles if wobble is None else angles + wobble.at(times))


def clip_of_angles(angles: Float64, turns: Float32, name: str, fps: float) -> MocapClip:
    """The clip of (T, A) degrees, the whole turned by (T, 3, 3), its pelvis at the origin."""
    by = dict(zip(ANGLES, angles.T, strict=True))
    turn = {"pelvis": Rotation.from_matrix(turns) * _about("x", by["tilt"])}
    for part, share in (("spine", 0.45), ("chest", 0.55)):
        above = turn["pelvis" if part == "spine" else "spine"]
        bend = _about("x", share * by["bend"]) * _about("z", -share * by["side"])
        turn[part] = above * bend * _about("y", share * by["twist"])
    turn["neck"] = turn["chest"] * _about("x", by["head"] / 2)
    turn["head"] = turn["neck"] * _about("x", by["head"] / 2)
    for side, out in (("left", 1.0), ("right", -1.0)):
        _add_limbs(turn, {a: by[f"{side}_{a}"] for a in _LIMB}, side, out)
    rotations = np.stack([turn[part].as_matrix() for part in PART_NAMES], axis=1)
    rest = np.array([[0, -1 if part in LIMBS else 0, 0] for part in PART_NAMES], np.float32)
    root = np.zeros((len(angles), 3), np.float32)
    return MocapClip(name, fps, rotations.astype(np.float32), rest, root)


def _add_limbs(turn: dict[str, Rotation], by: Mapping[str, Float64], side: str, out: float) -> None:
    """Arm and leg of one side; `out` is 1 where that side is +X."""
    arm = _about("z", out * by["lift"]) * _about("y", -out * by["cross"]) * _about("x", -by["arm"])
    height = np.clip(-arm.as_matrix()[:, 1, 1], 0, 1)
    turn[f"{side}_collar"] = turn["chest"] * _about("z", out * _SHRUG * height)
    turn[f"{side}_upperarm"] = turn["chest"] * arm
    turn[f"{side}_forearm"] = turn[f"{side}_upperarm"] * _about("x", -by["elbow"])
    turn[f"{side}_hand"] = turn[f"{side}_forearm"]
    leg = _about("z", out * by["spread"]) * _about("x", -by["hip"])
    turn[f"{side}_thigh"] = turn["pelvis"] * leg
    turn[f"{side}_shank"] = turn[f"{side}_thigh"] * _about("x", by["knee"])
    turn[f"{side}_foot"] = turn[f"{side}_shank"] * _about("x", by["point"])
    turn[f"{side}_toes"] = turn[f"{side}_foot"] * _about("x", np.maximum(by["point"], 0) / 4)


def _about(axis: str, degrees: Float64) -> Rotation:
    return Rotation.from_euler(axis, np.atleast_1d(degrees)[:, None], degrees=True)
