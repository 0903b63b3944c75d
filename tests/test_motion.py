"""Motion and its JSON."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import read_motion, write_motion
from mocap_cli.body.recording import Camera, Source
from mocap_cli.body.skeleton import BODY, KEYPOINTS, Skeleton, mirror_indices
from mocap_cli.errors import MocapError

SCHEMA = Path(__file__).parent.parent / "docs" / "motion.schema.json"


def make_motion(frames: int = 7, seed: int = 0) -> Motion:
    rng = np.random.default_rng(seed)

    def noise(*shape: int) -> np.ndarray:
        return rng.normal(size=(frames, *shape)).astype(np.float32)

    joints = noise(len(BODY), 3)
    joints[3] = np.nan
    return Motion(
        source=Source(
            file="dive [1].mp4", fps=59.94, width=720, height=1280, frames=frames, rotation=90
        ),
        skeleton=BODY,
        space="world",
        times=np.arange(frames) * 1001 / 60000,
        joints=joints,
        sigma=abs(noise(len(BODY))),
        detected=np.isfinite(joints).all((1, 2)),
        contacts=abs(noise(2)),
        xy=noise(len(KEYPOINTS), 2),
        score=abs(noise(len(KEYPOINTS))),
        camera=Camera(focal_pixels=1000.5, centre=(360.0, 640.0), world_from_camera=noise(3, 4)),
        model={"lifter": "abc"},
        warnings=("the ground could not be found",),
    )


def assert_same(a: Motion, b: Motion) -> None:
    for name in ("times", "joints", "sigma", "detected", "contacts", "xy", "score"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype == getattr(b, name).dtype
    np.testing.assert_array_equal(a.camera.world_from_camera, b.camera.world_from_camera)
    assert (a.source, a.skeleton, a.space, a.warnings) == (
        b.source,
        b.skeleton,
        b.space,
        b.warnings,
    )
    assert dict(a.model) == dict(b.model)


def test_reading_gives_back_every_number_exactly(tmp_path):
    motion = make_motion()
    write_motion(motion, tmp_path / "a.json")
    assert_same(motion, read_motion(tmp_path / "a.json"))


def test_switches_of_person_are_kept_in_the_file_and_cut_with_the_span(tmp_path):
    motion = make_motion(20)
    switched = replace(motion, switches=tuple(motion.times[[1, 5, 12]].tolist()))
    write_motion(switched, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert read_motion(tmp_path / "a.json").switches == switched.switches
    assert switched.frames(slice(5, 15)).switches == (motion.times[12],)
    write_motion(motion, tmp_path / "b.json")
    assert "switches" not in (tmp_path / "b.json").read_text()
    assert read_motion(tmp_path / "b.json").switches == ()


def test_the_json_fits_its_published_schema(tmp_path):
    write_motion(make_motion(), tmp_path / "a.json")
    jsonschema.validate(
        json.loads((tmp_path / "a.json").read_text()), json.loads(SCHEMA.read_text())
    )


def test_a_minute_at_60_frames_a_second_stays_below_15_mb(tmp_path):
    write_motion(make_motion(3600), tmp_path / "long.json")
    assert (tmp_path / "long.json").stat().st_size < 15e6


def test_chosen_frames_of_a_motion_can_be_written_and_read(tmp_path):
    part = make_motion(20).frames(slice(1, 19, 3))
    write_motion(part, tmp_path / "part.json")
    assert_same(part, read_motion(tmp_path / "part.json"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "not a motion"),
        ('{"mocap": 2}', "is 2"),
        ('{"mocap": 1}', "damaged"),
    ],
)
def test_a_foreign_file_is_refused_in_one_clear_line(tmp_path, text, says):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(MocapError, match=says) as caught:
        read_motion(tmp_path / "x.json")
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_half_a_file_is_refused(tmp_path):
    write_motion(make_motion(), tmp_path / "a.json")
    whole = (tmp_path / "a.json").read_bytes()
    (tmp_path / "half.json").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MocapError, match="not JSON"):
        read_motion(tmp_path / "half.json")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    write_motion(make_motion(), tmp_path / "a.json")
    before = (tmp_path / "a.json").read_bytes()
    broken = replace(make_motion(), model={"x": object()})
    with pytest.raises(TypeError):
        write_motion(broken, tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_motion_that_contradicts_itself_cannot_be_made():
    motion = make_motion()
    with pytest.raises(ValueError, match="joints"):
        replace(motion, joints=motion.joints[:-1])
    with pytest.raises(ValueError, match="rise"):
        replace(motion, times=motion.times[::-1])


def test_the_documented_joints_are_the_skeletons():
    wanted = (
        "pelvis right_hip right_knee right_ankle right_toe left_hip left_knee left_ankle left_toe "
        "spine thorax neck head left_shoulder left_elbow left_wrist "
        "right_shoulder right_elbow right_wrist"
    )
    assert BODY.names == tuple(wanted.split())


def test_mirroring_twice_changes_nothing():
    for names in (BODY.names, KEYPOINTS):
        once = np.array(mirror_indices(names))
        assert (once[once] == np.arange(len(names))).all()
        assert (once != np.arange(len(names))).sum() == sum("_" in name for name in names)


def test_a_skeleton_lists_parents_first_and_has_one_root():
    with pytest.raises(ValueError, match="parents first"):
        Skeleton(("a", "b"), (1, -1))
    with pytest.raises(ValueError, match="one root"):
        Skeleton(("a", "b"), (-1, -1))
