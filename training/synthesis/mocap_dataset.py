"""Motion capture dataset: the clips of a folder, trimmed and placed on the floor, and its split."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from mocap_cli.errors import MocapError
from training.synthesis.body_model import Body, make_body, transform_anchors
from training.synthesis.hip_correction import with_hips_raised
from training.synthesis.joint_positions import clip_from_positions
from training.synthesis.mocap_clip import MocapClip
from training.synthesis.mocap_readers import read_amc, read_bvh, read_deepmimic

ACCLAIM_RIG = {"05": "01.asf", "88": "08.asf", "90": "08.asf"}
ACCLAIM_FPS = {"05": 120.0, "88": 48.0, "90": 48.0}
"""AMC files have no rate: at 48, jumps in 88_01 and 90_08 accelerate by 9.8 m/s2."""
BENT = "91_"
"""Prefix of clips whose rig has a bent rest pose, which positions cannot correct."""
HELD_OUT_SUBJECTS = frozenset({"08", "12", "90", "135", "131"})
"""Subjects that are never trained on: walks, tai chi, flips and cartwheels, karate, daily acts."""


def read_mocap_folder(folder: Path, body: Body) -> list[MocapClip]:
    """Every clip below `folder` (archives unpacked), placed on the floor with `body`."""
    clips = [_floored(_trimmed(clip), body) for clip in _clips(folder)]
    if not clips:
        raise MocapError(f"no motion capture in {folder}", "unpack the archives there first")
    return sorted(clips, key=lambda clip: clip.name)


def is_held_out(clip: MocapClip) -> bool:
    """Whether the clip's subject is held out for testing."""
    return clip.subject in HELD_OUT_SUBJECTS or clip.name == "deepmimic_cartwheel"


def read_split(folder: Path, *, held_out: bool) -> list[MocapClip]:
    """The clips below `folder` to train on, or those held out, placed with an average body."""
    body = make_body(dict.fromkeys(("gender", "age", "muscle", "weight", "height"), 0.5))
    return [clip for clip in read_mocap_folder(folder, body) if is_held_out(clip) == held_out]


def _clips(folder: Path) -> Iterator[MocapClip]:
    names: set[str] = set()
    for path in sorted(folder.rglob("*.bvh")):
        if "direct" not in path.parts and path.stem not in names:
            names.add(path.stem)
            yield with_hips_raised(read_bvh(path, path.stem))
    for path in sorted(folder.rglob("*.amc")):
        names.add(path.stem)
        subject = path.stem.split("_")[0]
        rig = path.with_name(ACCLAIM_RIG[subject])
        yield with_hips_raised(read_amc(rig, path, path.stem, ACCLAIM_FPS[subject]))
    for path in sorted(folder.rglob("humanoid3d_*.txt")):
        name = path.stem.removeprefix("humanoid3d_")
        names.add(name)
        yield read_deepmimic(path, f"deepmimic_{name}")
    for path in sorted(folder.rglob("cmu_acrobatics*.npz")):
        with np.load(path) as recordings:
            for name in sorted(set(recordings.files) - names):
                if name.startswith(BENT):
                    continue
                yield with_hips_raised(clip_from_positions(recordings[name], name, 30.0))


def _trimmed(clip: MocapClip) -> MocapClip:
    """Remove the T-pose at the start of some recordings."""
    first = 3 if clip.fps > 50 else 1
    return replace(clip, rotations=clip.rotations[first:], root=clip.root[first:])


def _floored(clip: MocapClip, body: Body) -> MocapClip:
    """Shift the clip so that the body touches the ground in its lowest frames."""
    transforms = body.transforms(clip)
    lowest = transform_anchors(body.keypoints, transforms)[..., 1].min(axis=1)
    drop = np.percentile(lowest, 5).astype(np.float32)
    return replace(clip, root=clip.root - np.array([0, drop, 0], np.float32))
