"""Joint names: the joints and keypoints of other skeletons by their names or their number."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.types import Float64

_LIMBS = ("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")
_R_LEG, _L_LEG = (tuple(f"{s}_{n}" for n in _LIMBS[0]) for s in ("right", "left"))
_R_ARM, _L_ARM = (tuple(f"{s}_{n}" for n in _LIMBS[1]) for s in ("right", "left"))
_PAIRS_OF_LEGS = tuple(f"{s}_{n}" for n in _LIMBS[0] for s in ("left", "right"))
_PAIRS_OF_ARMS = tuple(f"{s}_{n}" for n in _LIMBS[1] for s in ("left", "right"))

_ORDERS: dict[str, tuple[str, ...]] = {
    "body-19": BODY.names,
    "keypoints-21": KEYPOINTS,
    "h36m-17": (
        "pelvis", *_R_LEG, *_L_LEG, "spine", "thorax", "", "head", *_L_ARM, *_R_ARM,
    ),
    "diving-13": ("head", *_PAIRS_OF_ARMS, *_PAIRS_OF_LEGS),
    "smpl-24": (
        "pelvis", "left_hip", "right_hip", "", "left_knee", "right_knee", "", "left_ankle",
        "right_ankle", "", "left_toe", "right_toe", "thorax", "", "", "neck", *_PAIRS_OF_ARMS,
        "", "",
    ),
    "coco-17": KEYPOINTS[:17],
    "body-25": (
        "nose", "thorax", *_R_ARM, *_L_ARM, "pelvis", *_R_LEG, *_L_LEG, "right_eye", "left_eye",
        "right_ear", "left_ear", "left_toe", "", "left_heel", "right_toe", "", "right_heel",
    ),
    "coco-18": (
        "nose", "", *_R_ARM, *_L_ARM, *_R_LEG, *_L_LEG, "right_eye", "left_eye", "right_ear",
        "left_ear",
    ),
    "halpe-26": (
        *KEYPOINTS[:17], "head", "", "pelvis", "left_toe", "right_toe", "", "", "left_heel",
        "right_heel",
    ),
    "halpe-136": (
        *KEYPOINTS[:17], "head", "", "pelvis", "left_toe", "right_toe", "", "", "left_heel",
        "right_heel", *("",) * 110,
    ),
    "coco-wholebody-133": (
        *KEYPOINTS[:17], "left_toe", "", "left_heel", "right_toe", "", "right_heel",
        *("",) * 110,
    ),
    "mediapipe-33": (
        "nose", "", "left_eye", "", "", "right_eye", "", "left_ear", "right_ear", "", "",
        *_PAIRS_OF_ARMS, *("",) * 6, *_PAIRS_OF_LEGS, "left_heel", "right_heel", "left_toe",
        "right_toe",
    ),
}  # fmt: skip
"""Joints of skeletons that are given without names, in order; "" has no counterpart."""

_BY_COUNT = {3: ("body-19", "h36m-17", "diving-13", "smpl-24", "body-25", "mediapipe-33"),
             2: ("coco-17", "keypoints-21", "diving-13", "coco-18", "body-25", "halpe-26",
                 "mediapipe-33", "coco-wholebody-133", "halpe-136")}  # fmt: skip

_LIMB_NAMES: dict[str, tuple[str, ...]] = {  # the first one given is used
    "hip": ("hipjoint", "upleg", "upperleg", "thigh", "hip"),
    "knee": ("knee", "lowerleg", "calf", "shin", "shank", "leg"),
    "ankle": ("ankle", "foot"),
    "toe": ("toebase", "bigtoe", "footindex", "toe", "toes", "ball", "foot"),
    "heel": ("heel",),
    "shoulder": ("upperarm", "uparm", "arm", "shoulder"),
    "elbow": ("elbow", "forearm", "lowerarm"),
    "wrist": ("wrist", "hand"),
    "eye": ("eye",),
    "ear": ("ear",),
}
_MAX_NAMES = 1000
_LIMBS_WORDS = frozenset(other for others in _LIMB_NAMES.values() for other in others)
_IGNORED = re.compile(
    r"(spine\d*|chest|upperchest|collar|clavicle|shoulder|torso|neck\d*|headfront|mouth|face|jaw"
    r"|eyeinner|eyeouter|pinky\d*|index\d*|thumb\d*|middle\d*|ring\d*|smalltoe|hand|foot|toes?|head"
    r"|.*(end|site|nub|tip)|background|.*thumb.*|.*finger.*|lowerback|.*collar|.*jaw)"
)
_SIDE = re.compile(r"^(left|right|l|r)[^a-z0-9]+(.+)$|^(Left|Right|L|R|left|right)(?=[A-Z])(.+)$")
_ENDS = re.compile(r"^(.+?)[^A-Za-z0-9]+(left|right|l|r|L|R|Left|Right)$")


def unnamed_skeleton(count: int, dimensions: int) -> tuple[str, ...]:
    """Names of joints that are given without names, by their number."""
    for name in _BY_COUNT[dimensions]:
        if len(_ORDERS[name]) == count:
            return _ORDERS[name]
    known = ", ".join(_BY_COUNT[dimensions])
    raise MocapError(
        f"{count} joints without names are no known skeleton", f"name them, or give {known}"
    )


def distinct_names(names: Iterable[str]) -> list[str]:
    """Each name once, in order; a ValueError where there are more than any skeleton has."""
    distinct = list(dict.fromkeys(names))
    if len(distinct) > _MAX_NAMES:
        raise ValueError(f"{len(distinct)} different joint names")
    return distinct


def map_to_body(names: Sequence[str], places: Float64, whose: str) -> Float64:
    """Places (N, P, 3) of joints with these names to (N, 19, 3); missing ones are NaN."""
    found = _matched(names, BODY.names, places, whose)
    body = np.full((len(places), len(BODY), 3), np.nan)
    for ours, theirs in found.items():
        body[:, BODY.index(ours)] = places[:, theirs]
    return _with_midpoints(body)


def map_to_keypoints(names: Sequence[str], xy: Float64, whose: str) -> Float64:
    """Values (N, P, ...) of points with these names to (N, 21, ...); missing ones are NaN."""
    found = _matched(names, KEYPOINTS, xy, whose)
    points = np.full((len(xy), len(KEYPOINTS), *xy.shape[2:]), np.nan)
    for ours, theirs in found.items():
        points[:, KEYPOINTS.index(ours)] = xy[:, theirs]
    return points


def _with_midpoints(body: Float64) -> Float64:
    """Midpoints of pairs, where the joint between them is missing."""
    for middle, pair in (
        ("pelvis", ("left_hip", "right_hip")),
        ("thorax", ("left_shoulder", "right_shoulder")),
        ("spine", ("pelvis", "thorax")),
    ):
        at, (a, b) = BODY.index(middle), (BODY.index(name) for name in pair)
        between = (body[:, a] + body[:, b]) / 2
        body[:, at] = np.where(np.isfinite(body[:, at]), body[:, at], between)
    return body


def _matched(
    names: Sequence[str], wanted: Sequence[str], places: Float64, whose: str
) -> dict[str, int]:
    """The index in `names` of each wanted joint that is given."""
    if len(names) != places.shape[1]:
        raise MocapError(
            f"{whose} has {places.shape[1]} joints but {len(names)} names", "give a name to each"
        )
    given = {_normalized(name): i for i, name in reversed(list(enumerate(names))) if name}
    found: dict[str, int] = {}
    for name in wanted:
        for other in _synonyms(name, given):
            if other in given and name not in found:
                found[name] = given[other]
    used = set(found.values())
    strange = [names[i] for n, i in reversed(given.items()) if i not in used and _is_unknown(n)]
    if len(found) < 3 or (strange and len(strange) > len(found)):
        raise MocapError(
            f"{whose} has unknown joints: {', '.join(strange or names)[:200]}",
            f"name them as one of {', '.join(wanted)}",
        )
    return found


def _synonyms(name: str, given: dict[str, int]) -> tuple[str, ...]:
    """Other names of a joint among the given ones."""
    side, _, part = name.partition("_")
    if part:
        return tuple(f"{side}_{other}" for other in _limb_synonyms(part, side, given))
    pelvis = ("pelvis", "hips", "root", "hip", "midhip", "hipcenter")
    if "thorax" in given:
        return {"pelvis": pelvis, "head": ("head", "headtop")}.get(name, (name,))
    rig = {  # in a rig the neck joint is its base, and the head joint is below the skull
        "pelvis": pelvis,
        "spine": ("spine1",) if "spine2" not in given else ("spine3",) if "spine4" in given else (),
        "thorax": ("neck", "neckbase", "neck1"),
        "neck": ("head",) if "neck" in given else (),
        "head": ("headend", "headtop", "headsite", *(() if "neck" in given else ("head",))),
    }
    return rig.get(name, (name,))


def _limb_synonyms(part: str, side: str, given: dict[str, int]) -> tuple[str, ...]:
    names = _LIMB_NAMES[part]
    if part == "shoulder" and f"{side}_elbow" in given:
        return ("shoulder", "upperarm")
    if part == "toe" and f"{side}_ankle" not in given:
        return names[:-1]  # a rig's foot is the ankle
    return names


def _normalized(name: str) -> str:
    """Normalise LeftUpLeg, l_hip and mixamorig:LeftUpLeg: side first, no other marks."""
    name = name.rsplit(":", 1)[-1].strip()
    begins, ends = _SIDE.match(name) or _SIDE.match(name.lower()), _ENDS.match(name)
    if begins:
        side, rest = begins[1] or begins[3], begins[2] or begins[4]
    elif ends:
        side, rest = ends[2], ends[1]
    else:
        return _with_side_prefix(re.sub(r"[^a-z0-9]", "", name.lower()))
    word = {"l": "left", "r": "right"}[side[0].lower()]
    return f"{word}_{re.sub(r'[^a-z0-9]', '', rest.lower())}"


def _with_side_prefix(plain: str) -> str:
    """`lknee` is a left knee."""
    for mark, side in (("left", "left"), ("right", "right"), ("l", "left"), ("r", "right")):
        if plain.startswith(mark) and plain.removeprefix(mark) in _LIMBS_WORDS:
            return f"{side}_{plain.removeprefix(mark)}"
    return plain


def _is_unknown(plain: str) -> bool:
    part = plain.split("_", 1)[-1]
    middle = {"pelvis", "hips", "root", "hip", "midhip", "thorax", "neck", "head", "nose"}
    return not (part in _LIMBS_WORDS or plain in middle or _IGNORED.fullmatch(part))
