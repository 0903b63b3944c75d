"""Let a Rigify rig follow the motion of a script of `mocap export --rig rigify`.

    mocap export dive.json -o dive.blend.py --rig rigify
    blender hero.blend -P dive.blend.py -P examples/blender/drive_rigify.py

hero.blend holds a rig that Rigify has generated from its basic human. Limbs are set to FK and get
constraints; bake them with Pose > Animation > Bake Action, Visual Keying and Clear Constraints.
"""

import bpy

FOLLOWS = {  # bone of the motion to the control that takes its rotation
    "spine": "spine_fk",
    "spine.001": "spine_fk.001",
    "spine.002": "spine_fk.002",
    "spine.003": "spine_fk.003",
    "spine.004": "neck",
    "spine.006": "head",
    **{f"shoulder.{side}": f"shoulder.{side}" for side in "LR"},
    **{
        f"{bone}.{side}": f"{bone}_fk.{side}"
        for bone in ("upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe")
        for side in "LR"
    },
}


def main():
    """Constrain the first Rigify rig to the first motion."""
    figures = [thing for thing in bpy.data.objects if thing.type == "ARMATURE"]
    rigs = [figure for figure in figures if "rig_id" in figure.data]
    motions = [figure for figure in figures if "spine.006_end" in figure.data.bones]
    if not rigs or not motions:
        raise SystemExit("open a file with a Rigify rig, and run a .blend.py of --rig rigify first")
    drive(rigs[0].pose.bones, motions[-1])


def drive(controls, motion):
    """Rotations in the world, since controls have the axes of the metarig, and the torso's path."""
    for bone in ("upper_arm", "thigh"):
        for side in "LR":
            controls[f"{bone}_parent.{side}"]["IK_FK"] = 1.0
    torso = controls["torso"].constraints.new("ARMATURE").targets.new()
    torso.target, torso.subtarget = motion, "spine"
    for bone, control in FOLLOWS.items():
        if control in controls:
            copy = controls[control].constraints.new("COPY_ROTATION")
            copy.target, copy.subtarget = motion, bone


main()
