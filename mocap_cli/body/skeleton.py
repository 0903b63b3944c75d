"""The skeleton of all results, and the 2D keypoints that networks detect."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Named joints as a tree, parents before children."""

    names: tuple[str, ...]
    parents: tuple[int, ...]  # parents[i] < i; the root's is -1

    def __post_init__(self) -> None:
        if len(self.names) != len(self.parents) or len(set(self.names)) != len(self.names):
            raise ValueError("give every joint one name of its own and one parent")
        if self.parents.count(-1) != 1 or not all(-1 <= p < i for i, p in enumerate(self.parents)):
            raise ValueError("list joints parents first, with exactly one root")

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The index of the joint of that name."""
        return self.names.index(name)

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) of every bone."""
        return tuple((p, i) for i, p in enumerate(self.parents) if p >= 0)


def _body() -> Skeleton:
    tree = {
        "pelvis": "",
        "right_hip": "pelvis",
        "right_knee": "right_hip",
        "right_ankle": "right_knee",
        "right_toe": "right_ankle",
        "left_hip": "pelvis",
        "left_knee": "left_hip",
        "left_ankle": "left_knee",
        "left_toe": "left_ankle",
        "spine": "pelvis",
        "thorax": "spine",
        "neck": "thorax",
        "head": "neck",
        "left_shoulder": "thorax",
        "left_elbow": "left_shoulder",
        "left_wrist": "left_elbow",
        "right_shoulder": "thorax",
        "right_elbow": "right_shoulder",
        "right_wrist": "right_elbow",
    }
    names = tuple(tree)
    return Skeleton(names, tuple(names.index(p) if p else -1 for p in tree.values()))


def mirror_indices(names: tuple[str, ...]) -> tuple[int, ...]:
    """For each name the index of its mirror image: right_knee for left_knee, itself for neck."""
    swap = {"left": "right", "right": "left"}

    def other(name: str) -> str:
        side, _, rest = name.partition("_")
        return f"{swap[side]}_{rest}" if side in swap else name

    return tuple(names.index(other(name)) for name in names)


BODY = _body()
"""The 19 joints of every result; docs/conventions.md defines each one."""

KEYPOINTS: tuple[str, ...] = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_toe",
    "right_toe",
)
"""The 2D keypoints: the 17 of COCO, then heels and tips of the big toes."""
