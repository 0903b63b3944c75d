"""Every format against motions that lack something: a file that opens, or one clear line."""

import ast
import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from film import film
from person import standing

from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import read_motion
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import FORMATS
from mocap_cli.io.bvh import read_bvh
from mocap_cli.video.reader import open_video, probe

FRAMES = 12


def missing(motion: Motion, frames: slice) -> Motion:
    """The person is not there in these frames."""
    nan = {}
    for name in ("joints", "sigma", "xy", "contacts"):
        nan[name] = getattr(motion, name).copy()
        nan[name][frames] = np.nan
    found = motion.detected.copy()
    found[frames] = False
    return replace(motion, detected=found, score=np.where(found[:, None], motion.score, 0), **nan)


def without_cameras(motion: Motion) -> Motion:
    pose = np.full_like(motion.camera.world_from_camera, np.nan)
    return replace(motion, camera=replace(motion.camera, world_from_camera=pose))


HARD: dict[str, Callable[[Motion], Motion]] = {
    "no world": lambda m: replace(m, space="camera"),
    "gap": lambda m: missing(m, slice(4, 7)),
    "leaves": lambda m: missing(m, slice(5, None)),
    "comes late": lambda m: missing(m, slice(0, 11)),
    "one frame": lambda m: m.frames(slice(3, 4)),
    "nobody": lambda m: missing(m, slice(None)),
    "no cameras": without_cameras,
}
NOBODY = {".bvh", ".glb", ".fbx", ".usda", ".blend.py", ".mot"}
"""Formats of an animation or of coordinates, which need a frame with a person."""


def frames_of_fbx(path: Path) -> int:
    from readers import read_with_ufbx

    return len(read_with_ufbx(path)["world"]["Hips"])


def frames_of_glb(path: Path) -> int:
    import pygltflib

    document = pygltflib.GLTF2().load(str(path))
    return document.accessors[document.animations[0].samplers[0].input].count


def frames_of_usd(path: Path) -> int:
    from pxr import Usd

    return int(Usd.Stage.Open(str(path)).GetEndTimeCode()) + 1


def frames_of_c3d(path: Path) -> int:
    import ezc3d

    return ezc3d.c3d(str(path))["data"]["points"].shape[2]


def frames_of_video(path: Path) -> int:
    with open_video(path) as frames:
        return sum(1 for _ in frames)


def rows(path: Path, head: str, delimiter: str = ",") -> int:
    """Rows after the line that begins so, and blank ones."""
    lines = path.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(head))
    return sum(bool(row and row[0]) for row in csv.reader(lines[first + 1 :], delimiter=delimiter))


OPENERS: dict[str, Callable[[Path], int]] = {
    ".bvh": lambda p: len(read_bvh(p).values),
    ".glb": frames_of_glb,
    ".fbx": frames_of_fbx,
    ".usda": frames_of_usd,
    ".blend.py": lambda p: FRAMES if ast.parse(p.read_text()) else 0,
    ".json": lambda p: len(read_motion(p).times),
    ".csv": lambda p: rows(p, "time") // 19,
    ".angles.csv": lambda p: rows(p, "time"),
    ".npz": lambda p: len(np.load(p)["times"]),
    ".trc": lambda p: rows(p, "Frame#", "\t"),
    ".mot": lambda p: rows(p, "time", "\t"),
    ".c3d": frames_of_c3d,
    ".coco.json": lambda p: len(json.loads(p.read_text())["images"]),
    ".mp4": frames_of_video,
    ".html": lambda p: FRAMES if p.read_text("utf-8").rstrip().endswith("</html>") else 0,
    ".png": lambda p: FRAMES if cv2.imread(str(p)) is not None else 0,
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Somebody who stands in a small film."""
    video = film(tmp_path_factory.mktemp("seen") / "v.mp4", range(FRAMES), size=(64, 48))
    return standing(probe(video), np.arange(FRAMES) / 30), video


def test_every_format_has_a_reader_here():
    assert set(OPENERS) == set(FORMATS)


@pytest.mark.parametrize("lack", HARD)
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_motion_that_lacks_something_is_a_file_that_opens_or_one_line(
    seen, tmp_path, suffix, lack
):
    motion, video = seen
    hard, path = HARD[lack](motion), tmp_path / f"a{suffix}"
    if lack == "nobody" and suffix in NOBODY:
        with pytest.raises(MocapError) as error:
            hard.save(path, video=video)
        assert "\n" not in error.value.message
        assert error.value.hint
        assert not list(tmp_path.iterdir())
        return
    hard.save(path, video=video)
    frames = OPENERS[suffix](path)
    assert frames in (len(hard.times), FRAMES)
