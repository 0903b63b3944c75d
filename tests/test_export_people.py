"""Several people in one file: each reader finds everybody where they are."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from film import film
from person import standing
from poses import dance, motion_of

from mocap_cli.body.motion_json import write_motion
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.animation import animate
from mocap_cli.video.reader import open_video, probe

TIMES = np.arange(12) / 30
APART = np.array((1.5, 0.0, -0.5), np.float32)
JOINTS = {"Head": "neck", "LeftFoot": "left_ankle", "RightForeArm": "right_elbow"}


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two who dance beside each other."""
    monkeypatch.chdir(tmp_path)
    first = motion_of(dance(TIMES), TIMES)
    return first, replace(first, joints=first.joints + APART)


def between(places, name):
    """The vector from a joint of the first person to that of the second, by `places(person)`."""
    return places(2)[name] - places(1)[name]


def test_a_usd_holds_two_skeletons_in_one_scene(two):
    from pxr import Usd, UsdSkel

    two[0].save("both.usda", others=two[1:])
    stage = Usd.Stage.Open("both.usda")
    assert stage.GetDefaultPrim().GetName() == "People"
    cache, heads = UsdSkel.Cache(), []
    cache.Populate(UsdSkel.Root(stage.GetPrimAtPath("/People/Person1")), Usd.PrimDefaultPredicate)
    cache.Populate(UsdSkel.Root(stage.GetPrimAtPath("/People/Person2")), Usd.PrimDefaultPredicate)
    for number in (1, 2):
        rig = UsdSkel.Skeleton(stage.GetPrimAtPath(f"/People/Person{number}/Rig"))
        pose = cache.GetSkelQuery(rig).ComputeJointSkelTransforms(Usd.TimeCode(5))
        heads.append(np.array([list(matrix.ExtractTranslation()) for matrix in pose]))
    np.testing.assert_allclose(heads[1] - heads[0], np.tile(APART, (len(heads[0]), 1)), atol=1e-3)


def test_a_glb_holds_two_rigs_of_one_animation(two):
    import pygltflib

    two[0].save("both.glb", others=two[1:])
    document = pygltflib.GLTF2().load("both.glb")
    names = [node.name for node in document.nodes]
    assert names.count("Hips") == 2
    assert {"Person 1", "Person 2", "Body 1", "Body 2", "Camera"} <= set(names)
    (animation,) = document.animations
    moved = [c.target.node for c in animation.channels if c.target.path == "translation"]
    assert [names[node] for node in moved] == ["Hips", "Hips"]
    for skin, node in zip(document.skins, moved, strict=True):
        assert skin.joints[0] == node
    tree = {child for node in document.nodes for child in node.children or ()}
    assert set(document.scenes[0].nodes) == set(range(len(names))) - tree


def test_an_fbx_holds_two_skeletons_with_names_of_their_own(two):
    from readers import read_with_ufbx

    two[0].save("both.fbx", others=two[1:])
    world = read_with_ufbx(Path("both.fbx"))["world"]
    heads = [np.array(world[f"Person{n}:Head"])[:, 3] / 100 for n in (1, 2)]
    np.testing.assert_allclose(heads[1] - heads[0], np.tile(APART, (len(TIMES), 1)), atol=1e-3)
    rig = animate(two[0]).rig
    assert {f"Person{n}:{name}" for n in (1, 2) for name in rig.names} <= set(world)


def test_the_overlay_shows_everybody_with_a_number(two, tmp_path):
    video = film(tmp_path / "v.mp4", range(4), size=(320, 240))
    with open_video(video) as frames:
        times = np.array([frame.time for frame in frames])
    left = standing(probe(video), times)
    right = replace(left, joints=left.joints + np.array((0.9, 0, 0), np.float32), xy=left.xy + 60)
    left.save("one.mp4", video=video)
    left.save("both.mp4", video=video, others=[right])
    with open_video(Path("one.mp4")) as one, open_video(Path("both.mp4")) as both:
        pairs = [(a.image.astype(int), b.image.astype(int)) for a, b in zip(one, both, strict=True)]
    for a, b in pairs:
        changed = np.abs(a - b).max(axis=2) > 60
        assert changed[:, 200:].sum() > 300  # the second person
        assert changed[:30, 130:190].any()  # the number of the first


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("-o both.glb -o both.usda --json", 0, ""),
        ("-o both.glb -o .csv", 0, ""),
        ("-o both.bvh", 2, "is one file"),
        ("-o both.glb -o both.bvh", 1, "its format holds one"),
        ("-o both.glb --rig vrm", 1, "a VRM avatar is one person"),
        ("-o both.glb --in-place", 1, "not in one world"),
        ("-o a.1.json", 2, "is one file"),
    ],
)
def test_motions_go_into_one_file_that_can_hold_them(two, run_mocap, options, code, said):
    for number, motion in enumerate(two, start=1):
        write_motion(motion, Path(f"a.{number}.json"))
    found, out, error = run_mocap(f"export a.1.json a.2.json {options}")
    assert found == code, error
    assert said in " ".join((out + error).split())
    made = {p.name for p in Path().glob("*") if not p.name.endswith(".json")}
    if code:
        assert not made
    elif ".csv" in options:
        assert made == {"both.glb", "a.1.csv", "a.2.csv"}
    else:
        (result,) = json.loads(out)["results"]
        assert [other["input"] for other in result["others"]] == ["a.2.json"]


def test_people_of_two_videos_are_no_people_of_one_world(two):
    later = replace(two[1], times=two[1].times + 1)
    with pytest.raises(MocapError, match="not in one world"):
        two[0].save("both.glb", others=[later])
