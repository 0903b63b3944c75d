"""USD files as Pixar's own library finds them."""

import numpy as np
import pytest
from poses import dance, handstand, motion_of, somersault, t_pose
from pxr import Gf, Usd, UsdGeom, UsdSkel
from test_export_glb import NODE_OF

from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.animation import animate
from mocap_cli.export.formats.usd import write_usd
from mocap_cli.export.rigs.retarget import retarget

TIMES = np.arange(30) / 30


def opened(path) -> tuple[Usd.Stage, UsdSkel.SkeletonQuery]:
    stage = Usd.Stage.Open(str(path))
    skeleton = UsdSkel.Skeleton(stage.GetPrimAtPath("/Person/Rig"))
    cache = UsdSkel.Cache()
    cache.Populate(UsdSkel.Root(stage.GetDefaultPrim()), Usd.TraverseInstanceProxies())
    return stage, cache.GetSkelQuery(skeleton)


def places(query: UsdSkel.SkeletonQuery, frames: int) -> dict[str, np.ndarray]:
    """(T, 3) of every joint by the last part of its path."""
    world = [query.ComputeJointSkelTransforms(Usd.TimeCode(t)) for t in range(frames)]
    found = np.array([[m.ExtractTranslation() for m in matrices] for matrices in world])
    names = [token.split("/")[-1] for token in query.GetJointOrder()]
    return {name: found[:, i] for i, name in enumerate(names)}


def test_all_joints_are_found_within_a_millimetre_at_the_rate_of_the_video(tmp_path):
    joints = np.concatenate((somersault(TIMES), dance(TIMES), handstand(TIMES)))
    write_usd(animate(motion_of(joints, 2 + np.arange(90) / 30)), tmp_path / "a.usda")
    stage, query = opened(tmp_path / "a.usda")
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, 89)
    assert stage.GetTimeCodesPerSecond() == pytest.approx(30)
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    found = places(query, 90)
    for ours, theirs in NODE_OF.items():
        miss = found[theirs] - joints[:, BODY.index(ours)]
        assert np.linalg.norm(miss, axis=-1).max() < 1e-3, ours


def test_the_skin_stands_on_the_ground_in_t_pose_and_goes_where_the_joints_go(tmp_path):
    joints = somersault(TIMES, 1)
    write_usd(animate(motion_of(joints, TIMES)), tmp_path / "a.usda")
    stage, query = opened(tmp_path / "a.usda")
    rest = np.concatenate([_points(stage, side) for side in ("Left", "Right", "Middle")])
    assert rest[:, 1].min() == pytest.approx(0, abs=0.05)
    assert rest[:, 0].max() == pytest.approx(-rest[:, 0].min(), abs=0.01)
    assert _points(stage, "Left")[:, 0].mean() > 0.1
    moved = np.concatenate([_skinned(stage, query, s, 20) for s in ("Left", "Right", "Middle")])
    assert (moved.min(axis=0) <= joints[20].min(axis=0) + 0.01).all()
    assert (moved.max(axis=0) >= joints[20].max(axis=0) - 0.01).all()
    assert (np.ptp(moved, axis=0) <= np.ptp(joints[20], axis=0) + 0.3).all()


def _points(stage: Usd.Stage, side: str) -> np.ndarray:
    return np.array(UsdGeom.Mesh(stage.GetPrimAtPath(f"/Person/{side}")).GetPointsAttr().Get())


def _skinned(stage: Usd.Stage, query: UsdSkel.SkeletonQuery, side: str, t: int) -> np.ndarray:
    mesh = stage.GetPrimAtPath(f"/Person/{side}")
    cache = UsdSkel.Cache()
    cache.Populate(UsdSkel.Root(stage.GetDefaultPrim()), Usd.TraverseInstanceProxies())
    skin = cache.GetSkinningQuery(mesh)
    points = UsdGeom.Mesh(mesh).GetPointsAttr().Get()
    turns = query.ComputeSkinningTransforms(Usd.TimeCode(t))
    assert skin.ComputeSkinnedPoints(turns, points, Usd.TimeCode(t))
    return np.array([Gf.Vec3d(p) for p in points])


def test_colons_of_mixamo_are_left_out_of_paths(tmp_path):
    animation = retarget(animate(motion_of(t_pose(), TIMES[:5]), fps=24), "mixamo")
    write_usd(animation, tmp_path / "a.usda")
    stage, query = opened(tmp_path / "a.usda")
    assert query.GetJointOrder()[1] == "mixamorig_Hips/mixamorig_Spine"
    assert stage.GetTimeCodesPerSecond() == 24


def test_nobody_is_said_and_leaves_no_file(tmp_path):
    with pytest.raises(MocapError, match=r"a\.mp4: no frame has a person"):
        write_usd(animate(motion_of(np.full((4, 19, 3), np.nan), TIMES[:4])), tmp_path / "a.usda")
    assert not list(tmp_path.iterdir())
