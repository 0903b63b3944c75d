"""Draw angles.png of docs/conventions.md: joint angles of three poses, as mocap measures them.

PYTHONPATH=. python docs/pictures/angles.py
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from mocap_cli.body.joint_angles import joint_angles
from mocap_cli.body.skeleton import BODY
from mocap_cli.export.views.canvas import DIM, INK, Canvas
from mocap_cli.export.views.figure import SIDE_COLOURS, limb_side
from mocap_cli.types import Float64
from tests.poses import motion_of, posed

SIZE, SCALE = 450, 200  # pixels of a view, and of a metre
HANGING = {"left_shoulder": (0, 0, -90), "right_shoulder": (0, 0, 90)}
FORWARDS = tuple(
    (Rotation.from_euler("x", -50, degrees=True) * Rotation.from_euler("z", 90, degrees=True))
    .as_rotvec(degrees=True).tolist()
)  # fmt: skip
MIDDLE = (128, 137, 150)

# A view: its name, the axes to its right and upwards, turns in degrees (X left, Y up, Z front), and
# for each angle the joint, the bone at zero (from, to; "" where the
# angle tells it), and the bone.
VIEWS = (
    ("from the right", (2, 1), {
        "right_hip": (-45, 0, 0), "right_knee": (65, 0, 0), "right_ankle": (-15, 0, 0),
        "spine": (25, 0, 0), "right_shoulder": FORWARDS, "right_elbow": (0, 60, 0),
    }, {
        "right_hip_flexion": ("right_hip", "thorax", "pelvis", "right_knee"),
        "right_knee_flexion": ("right_knee", "right_hip", "right_knee", "right_ankle"),
        "right_ankle_dorsiflexion": ("right_ankle", "", "", "right_toe"),
        "trunk_flexion": ("spine", "pelvis", "spine", "thorax"),
        "right_elbow_flexion": ("right_elbow", "right_shoulder", "right_elbow", "right_wrist"),
    }),
    ("from the front", (0, 1), {
        "left_hip": (0, 0, 30), "spine": (0, 0, -18), "right_shoulder": (0, 0, 20),
    }, {
        "left_hip_abduction": ("left_hip", "thorax", "pelvis", "left_knee"),
        "trunk_left_bend": ("spine", "pelvis", "spine", "thorax"),
        "right_shoulder_elevation": ("right_shoulder", "thorax", "spine", "right_elbow"),
    }),
    ("from above", (0, 2), {
        "spine": (0, 25, 0), "left_shoulder": (0, -40, 0), "right_shoulder": (0, 0, 0),
    }, {
        "trunk_left_turn": ("thorax", "left_hip", "right_hip", "right_shoulder"),
        "left_shoulder_plane": ("left_shoulder", "thorax", "left_shoulder", "left_elbow"),
    }),
)  # fmt: skip


def pose_of(turns: dict[str, tuple[float, float, float]]) -> tuple[Float64, dict[str, float]]:
    """(J, 3) joints of somebody with hanging arms and these turns, and the angles of that pose."""
    moves = {name: np.tile(np.radians(t), (9, 1)) for name, t in {**HANGING, **turns}.items()}
    joints = posed(moves, np.zeros((9, 3)))
    angles = joint_angles(motion_of(joints, np.arange(9) / 30))
    return joints[4], {name: float(values[4]) for name, values in angles.items()}


def draw_angle(
    canvas: Canvas, at: dict[str, Float64], name: str, value: float, bone: tuple[str, ...]
) -> None:
    """The bone at zero, dashed, the arc to the bone, and the measured angle."""
    joint, start, end, tip = bone
    now = at[tip] - at[joint]
    last = np.arctan2(now[1], now[0])
    bone_at_zero = at[end] - at[start] if start else np.zeros(2)
    first = np.arctan2(bone_at_zero[1], bone_at_zero[0]) if start else last + np.radians(value)
    zero = np.array((np.cos(first), np.sin(first)))
    turn = (last - first + np.pi) % (2 * np.pi) - np.pi
    for k in range(0, 60, 8):
        canvas.line([at[joint] + k * zero, at[joint] + (k + 4) * zero], DIM, 1)
    way = first + np.linspace(0, turn, 20)
    canvas.line(at[joint] + 38 * np.stack((np.cos(way), np.sin(way)), -1), INK, 2)
    middle = first + turn / 2
    x, y = at[joint] + 46 * np.array((np.cos(middle), np.sin(middle)))
    side = "left" if np.cos(middle) > -0.2 else "right"
    canvas.text((x, y + 4), f"{name} {value:+.0f}°", 13, INK, side)


def main() -> None:
    """Draw the views side by side."""
    canvas = Canvas(SIZE * len(VIEWS), SIZE)
    for column, (view, axes, turns, shown) in enumerate(VIEWS):
        joints, angles = pose_of(turns)
        flat = joints[:, axes] * (SCALE, SCALE if view == "from above" else -SCALE)
        centre = (flat.min(axis=0) + flat.max(axis=0)) / 2
        flat = flat - centre + (SIZE * (column + 0.48), SIZE * 0.54)
        at = dict(zip(BODY.names, flat, strict=True))
        canvas.text((SIZE * column + 14, 26), view, 16, DIM)
        for a, b in BODY.bones:
            side = limb_side(BODY.names[a], BODY.names[b])
            colour = MIDDLE if side == "middle" else SIDE_COLOURS[side]
            canvas.line([flat[a], flat[b]], colour, 5)
        for name, bone in shown.items():
            draw_angle(canvas, at, name, angles[name], bone)
    Path(__file__).with_name("angles.png").write_bytes(canvas.png())


if __name__ == "__main__":
    main()
