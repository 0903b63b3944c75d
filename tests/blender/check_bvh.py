"""Check by hand that Blender reads our BVH as our JSON says: positions of bones, frame by frame.

In an environment of its own, since Blender brings its own numpy:
    python3.11 -m venv /tmp/blender && /tmp/blender/bin/pip install "bpy==4.5.*"
    mocap track dive.mp4 -o dive.bvh -o dive.json
    /tmp/blender/bin/python tests/blender/check_bvh.py dive.bvh dive.json
Exits with 1 when a joint is further off than the limit, by default 15 mm in the median (bones in a
BVH have one length, in the JSON they may wobble).
"""

import argparse
import json
import sys
from pathlib import Path

import bpy
import numpy as np

JOINT_OF = {
    "pelvis": "Hips", "spine": "Spine1", "thorax": "Neck", "neck": "Head",
    **{f"{s.lower()}_{a}": s + b for s in ("Left", "Right") for a, b in (
        ("shoulder", "Arm"), ("elbow", "ForeArm"), ("wrist", "Hand"),
        ("hip", "UpLeg"), ("knee", "Leg"), ("ankle", "Foot"), ("toe", "ToeBase"))},
}  # fmt: skip


def import_bvh(path: Path, scale: float) -> "bpy.types.Object":
    """The armature that Blender's importer makes with its defaults, but for the scale."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_anim.bvh(
        filepath=str(path), global_scale=scale, update_scene_fps=True, update_scene_duration=True
    )
    return bpy.context.object


def bone_places(armature: "bpy.types.Object", frames: int) -> np.ndarray:
    """(T, 18, 3) heads of the bones in metres, Y up as in our files; Blender's world has Z up."""
    places = np.empty((frames, len(JOINT_OF), 3))
    for frame in range(frames):
        bpy.context.scene.frame_set(frame + 1)
        for i, bone in enumerate(JOINT_OF.values()):
            x, y, z = armature.matrix_world @ armature.pose.bones[bone].head
            places[frame, i] = x, z, -y
    return places


def main() -> int:
    """Print what was found; 0 when it is near enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bvh", type=Path)
    parser.add_argument("json", type=Path)
    parser.add_argument("--scale", type=float, default=0.01, help="0.01 for cm, 1 for m")
    parser.add_argument("--limit", type=float, default=15.0, help="median error allowed, mm")
    options = parser.parse_args()
    motion = json.loads(options.json.read_text())
    names = motion["skeleton"]["names"]
    joints = np.array(motion["joints"], float)[:, [names.index(name) for name in JOINT_OF]]
    armature = import_bvh(options.bvh, options.scale)
    scene = bpy.context.scene
    frames = int(armature.animation_data.action.frame_range[1])
    error = 1000 * np.linalg.norm(bone_places(armature, len(joints)) - joints, axis=-1)
    print(
        f"Blender {bpy.app.version_string}: {frames} frames for {len(joints)},"
        f" {scene.render.fps / scene.render.fps_base:.3f} frames/s for"
        f" {motion['source']['fps']:.3f}; off by {np.nanmedian(error):.3f} mm in the median,"
        f" {np.nanmax(error):.3f} mm at most"
    )
    return int(np.nanmedian(error) > options.limit or frames != len(joints))


if __name__ == "__main__":
    sys.exit(main())
