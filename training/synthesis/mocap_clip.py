"""Clip: one piece of motion capture as turns of the body's parts, whatever file it came from."""

from dataclasses import dataclass

from mocap_cli.types import Float32

PARTS: tuple[tuple[str, str], ...] = (  # name, what it hangs on
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
LIMBS = tuple(  # parts whose rest direction differs from rig to rig: arms down, arms out
    name for name in PART_NAMES if name.endswith(("upperarm", "forearm", "thigh", "shank"))
)


@dataclass(frozen=True, slots=True)
class MocapClip:
    """How every part is turned in the world at each frame, and where the pelvis is."""

    name: str  # SUBJECT_TRIAL, so that whole subjects can be held out
    fps: float
    turns: Float32  # (T, P, 3, 3) from the rest pose of the recording rig, facing +Z, Y up
    rest: Float32  # (P, 3) unit directions of the limbs in that rest pose; zero for other parts
    root: Float32  # (T, 3) metres, for legs of LEG_LENGTH

    def __post_init__(self) -> None:
        T, P = len(self.root), len(PARTS)
        if self.turns.shape != (T, P, 3, 3) or self.rest.shape != (P, 3):
            raise ValueError(f"{self.name}: turns are {self.turns.shape}, rest {self.rest.shape}")

    @property
    def subject(self) -> str:
        """Who moved."""
        return self.name.rsplit("_", 1)[0]


LEG_LENGTH = 0.85
"""Metres from hip to ankle that every clip's path is scaled to."""
