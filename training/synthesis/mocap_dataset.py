"""Recordings: every clip of a folder of recordings, floored and trimmed, and its split."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from mocap_cli.errors import MocapError
from training.synthesis.body_model import Body, transform_anchors
from training.synthesis.hip_correction import with_hips_raised
from training.synthesis.joint_positions import clip_from_positions
from training.synthesis.mocap_clip import MocapClip
from training.synthesis.mocap_readers import read_amc, read_bvh, read_deepmimic

ACCLAIM_RIG = {"05": "01.asf", "88": "08.asf", "90": "08.asf"}
ACCLAIM_FPS = {"05": 120.0, "88": 48.0, "90": 48.0}
"""AMC files do not say their rate: what flies in 88_01 and 90_08 falls with 9.8 m/s2 at 48."""
BENT = "91_"
"""Positions from the rig that stands bent, without the angles to put it right."""
HELD_OUT_SUBJECTS = frozenset({"08", "12", "90", "135", "131"})
"""Subjects that are never trained on: walks, tai chi, flips and cartwheels, karate, daily acts."""


def read_mocap_folder(folder: Path, body: Body) -> list[MocapClip]:
    """Every clip below `folder` (archives unpacked), standing on the floor; `body` measures it."""
    clips = [_floored(_trimmed(clip), body) for clip in _clips(folder)]
    if not clips:
        raise MocapError(f"no motion capture in {folder}", "unpack the archives there first")
    return sorted(clips, key=lambda clip: clip.name)


def is_held_out(clip: MocapClip) -> bool:
    """Whether the clip's subject is kept for testing."""
    return clip.subject in HELD_OUT_SUBJECTS or clip.name == "deepmimic_cartwheel"


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
    """Without the T-pose that some recordings begin with."""
    first = 3 if clip.fps > 50 else 1
    return replace(clip, turns=clip.turns[first:], root=clip.root[first:])


def _floored(clip: MocapClip, body: Body) -> MocapClip:
    """Moved so that the lowest part of the body is on the ground in its lowest moments."""
    transforms = body.transforms(clip)
    lowest = transform_anchors(body.keypoints, transforms)[..., 1].min(axis=1)
    drop = np.percentile(lowest, 5).astype(np.float32)
    return replace(clip, root=clip.root - np.array([0, drop, 0], np.float32))
