"""Writing a motion by the suffix: options, what several files share, gaps in time."""

import json

import numpy as np
import pytest
from poses import dance, motion_of

from mocap_cli.errors import MocapError
from mocap_cli.export import registry
from mocap_cli.export.formats.animation import animate
from mocap_cli.export.registry import MotionWriter, WriteOptions, write

TIMES = np.arange(20) / 30


def test_several_files_share_one_inverse_kinematics(tmp_path, monkeypatch):
    rates = []

    def counted(motion, fps):
        rates.append(fps)
        return animate(motion, fps)

    monkeypatch.setattr(registry, "animate", counted)
    writer = MotionWriter(motion_of(dance(TIMES), TIMES), WriteOptions(fps=24))
    for suffix in (".bvh", ".glb", ".fbx", ".usda", ".html"):
        writer.write(tmp_path / f"a{suffix}")
    assert rates == [24]


def test_a_file_of_a_writer_is_that_of_write(tmp_path):
    motion, options = motion_of(dance(TIMES), TIMES), WriteOptions(units="m", rig="mixamo")
    writer = MotionWriter(motion, options)
    for suffix in (".glb", ".bvh"):
        writer.write(tmp_path / f"a{suffix}")
        write(motion, tmp_path / f"b{suffix}", options)
        one, other = (tmp_path / f"{name}{suffix}" for name in "ab")
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(("name", "value"), [("units", "ft"), ("rig", "maya")])
def test_an_unknown_option_is_refused_with_the_known_ones(name, value):
    with pytest.raises(MocapError, match=f"unknown {name} '{value}'") as caught:
        WriteOptions(**{name: value})
    assert caught.value.hint.startswith("choose one of")


def test_hours_without_frames_refuse_constant_rates_alone(tmp_path):
    times = np.concatenate((TIMES[:10], TIMES[10:] + 1e5))
    motion = motion_of(dance(TIMES), times)
    for suffix in (".bvh", ".glb", ".fbx", ".trc", ".c3d"):
        with pytest.raises(MocapError, match="gap in their times"):
            write(motion, tmp_path / f"a{suffix}")
    for suffix in (".json", ".csv", ".png"):
        write(motion, tmp_path / f"a{suffix}")
    assert json.loads((tmp_path / "a.json").read_text())["quality"]["even"] is False


def test_times_before_the_start_of_the_video_are_numbered_from_one(tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    write(motion_of(dance(TIMES), TIMES - 100), tmp_path / "a.c3d")
    read = ezc3d.c3d(str(tmp_path / "a.c3d"))
    assert read["header"]["points"]["first_frame"] == 0  # ezc3d counts from 0
    assert read["data"]["points"].shape[-1] == len(TIMES)
