"""Clip: a piece of motion capture as rotations of body parts, independent of the file format."""

from dataclasses import dataclass

from mocap_cli.types import Float32

PARTS: tuple[tuple[str, str], ...] = (  # name, parent
    ("pelvis", ""),
    ("spine", "pelvis"),
    ("chest", "spine"),
    ("neck", "chest"),
    ("head", "neck"),
    ("left_collar", "chest"),
    ("left_upperarm", "left_collar"),
    ("left_forearm", "left_upperarm"),
    ("left_hand", "left_forearm"),
    ("right_collar", "chest"),
    ("right_upperarm", "right_collar"),
    ("right_forearm", "right_upperarm"),
    ("right_hand", "right_forearm"),
    ("left_thigh", "pelvis"),
    ("left_shank", "left_thigh"),
    ("left_foot", "left_shank"),
    ("left_toes", "left_foot"),
    ("right_thigh", "pelvis"),
    ("right_shank", "right_thigh"),
    ("right_foot", "right_shank"),
    ("right_toes", "right_foot"),
)
PART_NAMES = tuple(name for name, _ in PARTS)
PART_PARENTS = tuple(PART_NAMES.index(on) if on else -1 for _, on in PARTS)
LIMBS = tuple(  # parts whose rest direction depends on the rig, such as arms
    name for name in PART_NAMES if name.endswith(("upperarm", "forearm", "thigh", "shank"))
)


@dataclass(frozen=True, slots=True)
class MocapClip:
    """World rotation of every part, and position of the pelvis, in each frame."""

    name: str  # SUBJECT_TRIAL, so that whole subjects can be held out
    fps: float
    rotations: Float32  # (T, P, 3, 3) from the rest pose of the recording rig, facing +Z, Y up
    rest: Float32  # (P, 3) unit directions of the limbs in that rest pose; zero for other parts
    root: Float32  # (T, 3) metres, for legs of LEG_LENGTH

    def __post_init__(self) -> None:
        T, P = len(self.root), len(PARTS)
        if self.rotations.shape != (T, P, 3, 3) or self.rest.shape != (P, 3):
            raise ValueError(
                f"{self.name}: rotations are {self.rotations.shape}, rest {self.rest.shape}"
            )

    @property
    def subject(self) -> str:
        """The subject's name."""
        return self.name.rsplit("_", 1)[0]


LEG_LENGTH = 0.85
"""Metres from hip to ankle to which every clip's path is scaled."""
