"""Tables of the rigs that `--rig` names: bones, parents, rest poses and axes of other programs.

Facts about each rig with their sources are in docs/formats.md. Lengths are always the person's.
"""

from dataclasses import dataclass
from typing import Literal

RigName = Literal["default", "mixamo", "rokoko", "ue5", "vrm", "rigify", "smpl"]

_Direction = tuple[float, float, float]  # X to the person's left, Y up, Z to the front
RIGGED = (".bvh", ".glb", ".fbx", ".usda")  # formats that hold a rig


@dataclass(frozen=True, slots=True)
class Bone:
    """One bone, or with stars in its names one on each side; values are of the left side."""

    name: str
    parent: str
    at: str  # the joint of the default rig where it starts, and which it follows
    along: float = 0.0  # how far it starts towards the end of that joint's bone, 0 to 1
    axes: str = "LUF"  # where X, Y, Z point in the T-pose: Left, Right, Up, Down, Front, Back
    rest: _Direction | None = None  # direction in the rest pose, if it is not the T-pose's


@dataclass(frozen=True, slots=True)
class RigTable:
    """The bones of a rig, parents first."""

    bones: tuple[Bone, ...]
    sides: tuple[str, str]  # what stands for the star in names of the left and the right
    aligned: bool = False  # one axis points exactly along the bone
    negated: tuple[int, int, int] = (
        -1,
        1,
        1,
    )  # signs of right axes against the left's mirror image
    formats: tuple[str, ...] = RIGGED
    instead: str = ""  # what to choose in place of the other formats


_MIXAMO = RigTable(
    (
        Bone("mixamorig:Hips", "", "Hips"),
        Bone("mixamorig:Spine", "mixamorig:Hips", "Spine"),
        Bone("mixamorig:Spine1", "mixamorig:Spine", "Spine", 0.5),
        Bone("mixamorig:Spine2", "mixamorig:Spine1", "Spine1"),
        Bone("mixamorig:Neck", "mixamorig:Spine2", "Neck"),
        Bone("mixamorig:Head", "mixamorig:Neck", "Head"),
        Bone("mixamorig:HeadTop_End", "mixamorig:Head", "HeadEnd"),
        Bone("mixamorig:*Shoulder", "mixamorig:Spine2", "*Shoulder", axes="BLD"),
        Bone("mixamorig:*Arm", "mixamorig:*Shoulder", "*Arm", axes="BLD"),
        Bone("mixamorig:*ForeArm", "mixamorig:*Arm", "*ForeArm", axes="BLD"),
        Bone("mixamorig:*Hand", "mixamorig:*ForeArm", "*Hand", axes="BLD"),
        Bone("mixamorig:*HandMiddle1", "mixamorig:*Hand", "*Hand", 0.5, "BLD"),
        Bone("mixamorig:*HandMiddle2", "mixamorig:*HandMiddle1", "*Hand", 0.7, "BLD"),
        Bone("mixamorig:*HandMiddle3", "mixamorig:*HandMiddle2", "*Hand", 0.85, "BLD"),
        Bone("mixamorig:*HandMiddle4", "mixamorig:*HandMiddle3", "*HandEnd", axes="BLD"),
        Bone("mixamorig:*UpLeg", "mixamorig:Hips", "*UpLeg", axes="RDF"),
        Bone("mixamorig:*Leg", "mixamorig:*UpLeg", "*Leg", axes="RDF"),
        Bone("mixamorig:*Foot", "mixamorig:*Leg", "*Foot", axes="RFU"),
        Bone("mixamorig:*ToeBase", "mixamorig:*Foot", "*ToeBase", axes="RFU"),
        Bone("mixamorig:*Toe_End", "mixamorig:*ToeBase", "*ToeBaseEnd", axes="RFU"),
    ),
    sides=("Left", "Right"),
    aligned=True,
)

_ROKOKO = RigTable(
    (
        Bone("Hips", "", "Hips"),
        Bone("Spine1", "Hips", "Spine"),
        Bone("Spine2", "Spine1", "Spine", 0.5),
        Bone("Spine3", "Spine2", "Spine1"),
        Bone("Spine4", "Spine3", "Spine1", 0.5),
        Bone("Neck", "Spine4", "Neck"),
        Bone("Head", "Neck", "Head"),
        Bone("*Shoulder", "Spine4", "*Shoulder"),
        Bone("*Arm", "*Shoulder", "*Arm"),
        Bone("*ForeArm", "*Arm", "*ForeArm"),
        Bone("*Hand", "*ForeArm", "*Hand"),
        Bone("*Thigh", "Hips", "*UpLeg"),
        Bone("*Shin", "*Thigh", "*Leg"),
        Bone("*Foot", "*Shin", "*Foot"),
        Bone("*Toe", "*Foot", "*ToeBase"),
        Bone("*ToeTip", "*Toe", "*ToeBaseEnd"),
    ),
    sides=("Left", "Right"),
)

_UE5 = RigTable(
    (
        Bone("root", "", "", axes="LBU"),
        Bone("pelvis", "root", "Hips", axes="UBR"),
        Bone("spine_01", "pelvis", "Spine", axes="UBR"),
        Bone("spine_02", "spine_01", "Spine", 0.33, "UBR"),
        Bone("spine_03", "spine_02", "Spine", 0.67, "UBR"),
        Bone("spine_04", "spine_03", "Spine1", axes="UBR"),
        Bone("spine_05", "spine_04", "Spine1", 0.5, "UBR"),
        Bone("neck_01", "spine_05", "Neck", axes="UBR"),
        Bone("neck_02", "neck_01", "Neck", 0.5, "UBR"),
        Bone("head", "neck_02", "Head", axes="UBR"),
        Bone("clavicle_*", "spine_05", "*Shoulder", axes="LBU"),
        Bone("upperarm_*", "clavicle_*", "*Arm", axes="LBU", rest=(0.75, -0.67, -0.02)),
        Bone("lowerarm_*", "upperarm_*", "*ForeArm", axes="LBU", rest=(0.64, -0.62, 0.46)),
        Bone("hand_*", "lowerarm_*", "*Hand", axes="LDB", rest=(0.51, -0.78, 0.37)),
        Bone("thigh_*", "pelvis", "*UpLeg", axes="UBR", rest=(0.11, -0.99, 0.0)),
        Bone("calf_*", "thigh_*", "*Leg", axes="UBR", rest=(0.08, -0.99, -0.08)),
        Bone("foot_*", "calf_*", "*Foot", axes="UBR"),
        Bone("ball_*", "foot_*", "*ToeBase", axes="FUR"),
    ),
    sides=("l", "r"),
    negated=(-1, -1, -1),
    formats=(".glb", ".fbx", ".usda"),
    instead=".fbx, since Unreal reads no BVH",
)

_VRM = RigTable(
    (
        Bone("hips", "", "Hips"),
        Bone("spine", "hips", "Spine"),
        Bone("chest", "spine", "Spine", 0.5),
        Bone("upperChest", "chest", "Spine1"),
        Bone("neck", "upperChest", "Neck"),
        Bone("head", "neck", "Head"),
        Bone("*UpperLeg", "hips", "*UpLeg"),
        Bone("*LowerLeg", "*UpperLeg", "*Leg"),
        Bone("*Foot", "*LowerLeg", "*Foot"),
        Bone("*Toes", "*Foot", "*ToeBase"),
        Bone("*Shoulder", "upperChest", "*Shoulder"),
        Bone("*UpperArm", "*Shoulder", "*Arm"),
        Bone("*LowerArm", "*UpperArm", "*ForeArm"),
        Bone("*Hand", "*LowerArm", "*Hand"),
    ),
    sides=("left", "right"),
    formats=(".glb",),
    instead=".glb, since VRM is an extension of glTF",
)

_RIGIFY = RigTable(
    (
        Bone("spine", "", "Hips"),
        Bone("spine.001", "spine", "Spine"),
        Bone("spine.002", "spine.001", "Spine", 0.5),
        Bone("spine.003", "spine.002", "Spine1"),
        Bone("spine.004", "spine.003", "Neck"),
        Bone("spine.005", "spine.004", "Neck", 0.5),
        Bone("spine.006", "spine.005", "Head"),
        Bone("shoulder.*", "spine.003", "*Shoulder", axes="FLU"),
        Bone("upper_arm.*", "shoulder.*", "*Arm", axes="DLF", rest=(0.856, -0.47, -0.214)),
        Bone("forearm.*", "upper_arm.*", "*ForeArm", axes="DLF", rest=(0.826, -0.544, 0.15)),
        Bone("hand.*", "forearm.*", "*Hand", axes="DLF", rest=(0.798, -0.594, 0.1)),
        Bone("thigh.*", "spine", "*UpLeg", axes="LDB", rest=(0.0, -0.997, 0.076)),
        Bone("shin.*", "thigh.*", "*Leg", axes="LDB", rest=(0.0, -0.995, -0.099)),
        Bone("foot.*", "shin.*", "*Foot", axes="LFD"),
        Bone("toe.*", "foot.*", "*ToeBase", axes="RFU"),
    ),
    sides=("L", "R"),
    aligned=True,
)

_SMPL = RigTable(
    (
        Bone("pelvis", "", "Hips"),
        Bone("*_hip", "pelvis", "*UpLeg"),
        Bone("spine1", "pelvis", "Spine"),
        Bone("*_knee", "*_hip", "*Leg"),
        Bone("spine2", "spine1", "Spine", 0.5),
        Bone("*_ankle", "*_knee", "*Foot"),
        Bone("spine3", "spine2", "Spine1"),
        Bone("*_foot", "*_ankle", "*ToeBase"),
        Bone("neck", "spine3", "Neck"),
        Bone("*_collar", "spine3", "*Shoulder"),
        Bone("head", "neck", "Head"),
        Bone("*_shoulder", "*_collar", "*Arm"),
        Bone("*_elbow", "*_shoulder", "*ForeArm"),
        Bone("*_wrist", "*_elbow", "*Hand"),
        Bone("*_hand", "*_wrist", "*Hand", 0.5),
    ),
    sides=("left", "right"),
)

RIG_TABLES = {
    "mixamo": _MIXAMO,
    "rokoko": _ROKOKO,
    "ue5": _UE5,
    "vrm": _VRM,
    "rigify": _RIGIFY,
    "smpl": _SMPL,
}
