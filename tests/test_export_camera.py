"""The exported camera, as other programs read it, shows the joints where the overlay does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pygltflib
import pytest
from poses import dance, motion_of
from pxr import Gf, Usd, UsdGeom
from readers import VALIDATOR, read_with_ufbx, run_node
from scipy.spatial.transform import Rotation

from mocap_cli.body.motion import Motion
from mocap_cli.body.recording import Camera, Source
from mocap_cli.export.registry import write
from mocap_cli.export.views.projection import project_joints

TIMES = np.arange(30) / 30
LANDSCAPE, PORTRAIT = (1920, 1080), (720, 1280)
PIXEL = 1.0


def filmed(size: tuple[int, int], *, moving: bool = True, centred: bool = True) -> Motion:
    """A dancer seen by a camera that pans, rolls and travels, or stands still."""
    width, height = size
    clock = TIMES if moving else np.zeros_like(TIMES)
    angles = np.stack((-0.1 + 0.1 * clock, 0.8 * clock - 0.4, 0.2 * clock), axis=-1)
    rotation = Rotation.from_euler("YXZ", angles[:, [1, 0, 2]]).as_matrix()
    target = np.array((0.0, 0.3, 0.0))
    position = target + 6 * rotation[..., 2]
    pose = np.concatenate((rotation, position[..., None]), axis=-1).astype(np.float32)
    shift = (0, 0) if centred else (37.0, -55.0)
    centre = (width / 2 + shift[0], height / 2 + shift[1])
    camera = Camera(focal_pixels=1500.0, centre=centre, world_from_camera=pose)
    source = Source(file="a.mp4", fps=30.0, width=width, height=height, frames=30, rotation=0)
    return motion_of(0.5 * dance(TIMES), TIMES, source=source, camera=camera)


def gltf_track(file: pygltflib.GLTF2, path: str) -> np.ndarray | None:
    """The values of the camera's track."""
    node = next(i for i, node in enumerate(file.nodes) if node.camera is not None)
    for channel in file.animations[0].channels:
        if (channel.target.node, channel.target.path) == (node, path):
            accessor = file.accessors[file.animations[0].samplers[channel.sampler].output]
            start = file.bufferViews[accessor.bufferView].byteOffset
            width = {"VEC3": 3, "VEC4": 4}[accessor.type]
            count = accessor.count * width
            data = np.frombuffer(file.binary_blob(), np.float32, count, start)
            return data.reshape(-1, width).astype(np.float64)
    return None


def pixels_of_glb(path: Path, joints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    file = pygltflib.GLTF2().load(path)
    node = next(node for node in file.nodes if node.camera is not None)
    places, turns = gltf_track(file, "translation"), gltf_track(file, "rotation")
    places = np.array([node.translation]) if places is None else places
    turns = np.array([node.rotation]) if turns is None else turns
    lens = file.cameras[node.camera].perspective
    axes = Rotation.from_quat(turns).as_matrix()
    seen = np.einsum("tji,tkj->tki", axes, joints - places[:, None])
    up = np.tan(lens.yfov / 2)
    plane = seen[..., :2] / -seen[..., 2:] / (up * lens.aspectRatio, up)
    return pixels(plane, size)


def pixels_of_usd(path: Path, joints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    stage = Usd.Stage.Open(str(path))
    camera = UsdGeom.Camera(stage.GetPrimAtPath("/Camera"))
    plane = []
    for frame, points in enumerate(joints):
        frustum = camera.GetCamera(Usd.TimeCode(frame)).frustum
        matrix = frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix()
        plane.append([tuple(matrix.Transform(Gf.Vec3d(*p)))[:2] for p in points.tolist()])
    return pixels(np.array(plane), size)


def pixels_of_fbx(path: Path, joints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    read = read_with_ufbx(path)
    (lens,) = read["cameras"]
    assert lens["size"] == list(size)
    world = np.array(read["world"]["Camera"])  # (T, 4, 3): axes and place, in centimetres
    seen = np.einsum("tij,tkj->tki", world[:, :3], 100 * joints - world[:, None, 3])
    ahead, up, right = np.moveaxis(seen, -1, 0)  # the camera of FBX looks along X
    plane = np.stack((right / ahead, up / ahead), axis=-1) / lens["tangents"]
    return pixels(plane - 2 * np.divide(lens["offset_inches"], lens["film_inches"]), size)


def pixels(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """From -1 to 1 across and up the image."""
    return (1 + plane * (1, -1)) / 2 * size


SHOWN = {".glb": pixels_of_glb, ".usda": pixels_of_usd, ".fbx": pixels_of_fbx}


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT])
@pytest.mark.parametrize("suffix", SHOWN)
def test_a_moving_camera_shows_the_joints_where_the_overlay_does(tmp_path, suffix, size):
    motion = filmed(size)
    write(motion, tmp_path / f"a{suffix}")
    shown = SHOWN[suffix](tmp_path / f"a{suffix}", motion.joints.astype(np.float64), size)
    assert np.abs(shown - project_joints(motion)).max() < PIXEL


def test_khronos_validator_has_nothing_to_say_of_a_moving_camera(tmp_path):
    write(filmed(PORTRAIT), tmp_path / "a.glb")
    issues = run_node("validate_glb.mjs", f"gltf-validator@{VALIDATOR}", tmp_path / "a.glb")
    assert issues["issues"]["messages"] == []


@pytest.mark.parametrize("suffix", SHOWN)
def test_a_fixed_camera_is_not_animated(tmp_path, suffix):
    motion = filmed(LANDSCAPE, moving=False)
    write(motion, tmp_path / f"a{suffix}")
    shown = SHOWN[suffix](tmp_path / f"a{suffix}", motion.joints.astype(np.float64), LANDSCAPE)
    assert np.abs(shown - project_joints(motion)).max() < PIXEL
    if suffix == ".usda":
        stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
        assert not UsdGeom.Camera(stage.GetPrimAtPath("/Camera")).TransformMightBeTimeVarying()
    if suffix == ".glb":
        assert gltf_track(pygltflib.GLTF2().load(tmp_path / "a.glb"), "rotation") is None


@pytest.mark.parametrize("frames", [1, 30])
@pytest.mark.parametrize("suffix", SHOWN)
def test_without_a_world_the_camera_is_at_the_origin(tmp_path, suffix, frames):
    motion = filmed(PORTRAIT).frames(slice(0, frames))
    pose = np.tile(np.eye(3, 4, dtype=np.float32), (frames, 1, 1))
    camera = replace(motion.camera, world_from_camera=pose)
    joints = motion.joints - np.array((0, 0, 6), np.float32)
    motion = replace(motion, space="camera", joints=joints, camera=camera)
    write(motion, tmp_path / f"a{suffix}")
    shown = SHOWN[suffix](tmp_path / f"a{suffix}", motion.joints.astype(np.float64), PORTRAIT)
    assert np.abs(shown - project_joints(motion)).max() < PIXEL


@pytest.mark.parametrize("suffix", [".usda", ".fbx"])
def test_a_principal_point_off_the_middle_is_an_offset_of_the_film(tmp_path, suffix):
    motion = filmed(LANDSCAPE, centred=False)
    write(motion, tmp_path / f"a{suffix}")
    shown = SHOWN[suffix](tmp_path / f"a{suffix}", motion.joints.astype(np.float64), LANDSCAPE)
    assert np.abs(shown - project_joints(motion)).max() < PIXEL


@pytest.mark.parametrize("suffix", SHOWN)
def test_a_motion_without_camera_poses_has_no_camera(tmp_path, suffix):
    nowhere = np.full((30, 3, 4), np.nan, np.float32)
    camera = Camera(focal_pixels=1500.0, centre=(960.0, 540.0), world_from_camera=nowhere)
    write(motion_of(dance(TIMES), TIMES, camera=camera), tmp_path / f"a{suffix}")
    assert b"Camera" not in (tmp_path / f"a{suffix}").read_bytes()
