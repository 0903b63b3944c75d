"""Check that a Rigify rig follows a motion: directions of its bones, frame by frame.

    mocap export dive.json -o dive.blend.py --rig rigify
    /tmp/blender/bin/python tests/blender/check_rigify.py dive.blend.py
Exits with 1 when a limb, the chest or the head points elsewhere. The environment is that of
check.py. Writes dive.blend.blend beside the script.
"""

import math
import os
import runpy
import sys
from pathlib import Path

import bpy

DRIVE = Path(__file__).parents[2] / "examples/blender/drive_rigify.py"
SHOWN = [
    f"{bone}.{side}" for bone in ("upper_arm", "forearm", "thigh", "shin", "foot") for side in "LR"
]
LIMIT = 0.5  # degrees


def main() -> int:
    """0 when all point the same way."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_basic_human_metarig_add()
    bpy.ops.pose.rigify_generate()
    rig = bpy.context.object
    hero = Path(sys.argv[1]).with_suffix(".blend")
    bpy.ops.wm.save_as_mainfile(filepath=str(hero.absolute()))
    known = set(bpy.data.objects.keys())
    runpy.run_path(sys.argv[1], run_name="__main__")
    runpy.run_path(str(DRIVE), run_name="__main__")
    motion = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o.name not in known)
    worst = 0.0
    scene = bpy.context.scene
    for frame in range(scene.frame_start, scene.frame_end + 1, 10):
        scene.frame_set(frame)
        for bone in (*SHOWN, "spine", "spine.003", "spine.006"):
            wanted = motion.matrix_world.to_3x3() @ motion.pose.bones[bone].vector
            found = rig.matrix_world.to_3x3() @ rig.pose.bones[f"ORG-{bone}"].vector
            worst = max(worst, math.degrees(wanted.angle(found)))
    print(f"Blender {bpy.app.version_string}, Rigify: bones turned off by {worst:.3f} degrees")
    return int(worst > LIMIT)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # Blender as a library may hang while it is torn down
