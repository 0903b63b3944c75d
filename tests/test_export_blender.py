"""Blender scripts: what they hold; tests/blender/check.py runs them in Blender itself."""

import ast
import base64
from dataclasses import replace

import numpy as np
import pytest
from poses import dance, motion_of

from mocap_cli.body.motion import Motion
from mocap_cli.export.formats.animation import animate
from mocap_cli.export.formats.glb import glb_bytes
from mocap_cli.io.origin import is_own

TIMES = 0.5 + np.arange(6) / 30


def a_motion(file: str = "a.mp4") -> Motion:
    motion = motion_of(dance(TIMES), TIMES)
    return replace(motion, source=replace(motion.source, file=file))


def arguments(path) -> list:
    """What the script hands to its last call, read as data."""
    call = ast.parse(path.read_text()).body[-1].value
    assert call.func.id == "build_scene"
    return [ast.literal_eval(argument) for argument in call.args]


def test_the_script_holds_the_glb_the_rate_and_the_place_of_the_video(tmp_path):
    (tmp_path / "videos").mkdir()
    video = tmp_path / "videos" / "a.mp4"
    a_motion().save(tmp_path / "a.blend.py", video=video)
    about, glb, place = arguments(tmp_path / "a.blend.py")
    assert base64.b64decode(glb) == glb_bytes(animate(a_motion()))
    assert (about["frames"], about["rate"]) == (6, pytest.approx(30))
    assert about["first_frame"] == 15  # of the video, in which the motion begins after 0.5 s
    assert about["lens"]["focal_mm"] == pytest.approx(60 * 36 / 64)
    assert (tmp_path / place).resolve() == video
    assert is_own(tmp_path / "a.blend.py")


def test_names_of_videos_stay_data(tmp_path):
    name = 'a"""\n\'); import os\n#é.mp4'
    a_motion(name).save(tmp_path / "a'\\ é.blend.py")
    about, _, place = arguments(tmp_path / "a'\\ é.blend.py")
    assert (about["name"], place) == (name.removesuffix(".mp4"), None)


def test_the_script_is_written_for_another_rig(tmp_path):
    a_motion().save(tmp_path / "a.blend.py", rig="rigify")
    assert b"upper_arm.L" in base64.b64decode(arguments(tmp_path / "a.blend.py")[1])
