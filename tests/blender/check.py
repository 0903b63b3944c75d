"""Check that Blender reads our files as our JSON says: bones and camera, frame by frame.

In an environment of its own, since Blender brings its own numpy:
    python3.11 -m venv /tmp/blender && /tmp/blender/bin/pip install "bpy==4.5.*"
    mocap track dive.mp4 -o dive.json
    mocap export dive.json -o .bvh -o .glb -o .fbx -o .usda -o .blend.py
    /tmp/blender/bin/python tests/blender/check.py dive.json dive.{bvh,glb,fbx,usda,blend.py}
Exits with 1 when a joint is further off than the limit, the frames are not as many, the skin is
not around the joints, the camera does not show them where the overlay does, or the script does not
show the video behind them. A millimetre holds for the tracker's motions, whose bones keep their
lengths.
"""

import argparse
import json
import runpy
import sys
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

JOINT_OF = {
    "pelvis": "Hips", "spine": "Spine1", "thorax": "Neck", "neck": "Head",
    **{f"{s.lower()}_{a}": s + b for s in ("Left", "Right") for a, b in (
        ("shoulder", "Arm"), ("elbow", "ForeArm"), ("wrist", "Hand"),
        ("hip", "UpLeg"), ("knee", "Leg"), ("ankle", "Foot"), ("toe", "ToeBase"))},
}  # fmt: skip


def import_bvh(path: Path, scale: float, frames: int) -> np.ndarray:
    """Import with the defaults, but for the scale and the boxes that the docs tell to tick.

    Where Blender has put the frames: one after another, counted from 1.
    """
    bpy.ops.import_anim.bvh(
        filepath=str(path), global_scale=scale, update_scene_fps=True, update_scene_duration=True
    )
    return 1.0 + np.arange(frames)


def import_glb(path: Path, fps: float, frames: int) -> np.ndarray:
    """Import with the defaults; glTF tells seconds, which Blender turns into the scene's frames.

    It knows whole numbers of frames a second only: those of 29.97 lie a little apart at 30.
    """
    whole = max(1, round(fps))
    bpy.context.scene.render.fps = whole
    bpy.ops.import_scene.gltf(filepath=str(path))
    return np.arange(frames) * whole / fps


def import_fbx(path: Path, frames: int) -> np.ndarray:
    """Import with the defaults, which take the scene's rate from the file and begin at frame 1."""
    bpy.ops.import_scene.fbx(filepath=str(path))
    return 1.0 + np.arange(frames)


def run_script(path: Path, frames: int) -> np.ndarray:
    """Build the scene of a .blend.py, which begins at frame 1."""
    runpy.run_path(str(path), run_name="__main__")
    return 1.0 + np.arange(frames)


def import_file(path: Path, fps: float, frames: int, bvh_scale: float) -> np.ndarray:
    """Import by the suffix; the scene's frames that show those of the motion."""
    if path.suffix == ".bvh":
        return import_bvh(path, bvh_scale, frames)
    if path.suffix == ".fbx":
        return import_fbx(path, frames)
    if path.suffix == ".py":
        return run_script(path, frames)
    if path.suffix == ".usda":
        bpy.ops.wm.usd_import(filepath=str(path))
        return np.arange(frames)
    return import_glb(path, fps, frames)


def armature() -> "bpy.types.Object":
    """The only one that the importer made."""
    (found,) = (thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    return found


def bone_places(frames: np.ndarray) -> np.ndarray:
    """(T, 18, 3) heads of the bones in metres, Y up as in our files; Blender's world has Z up."""
    figure = armature()
    places = np.empty((len(frames), len(JOINT_OF), 3))
    for t, frame in enumerate(frames):
        bpy.context.scene.frame_set(int(frame), subframe=float(frame % 1))
        for i, bone in enumerate(JOINT_OF.values()):
            x, y, z = figure.matrix_world @ figure.pose.bones[bone].head
            places[t, i] = x, z, -y
    return places


def skin_reach(frame: float) -> np.ndarray:
    """(2, 3) how far the skin reaches then, Y up; NaN where there is none."""
    bpy.context.scene.frame_set(int(frame), subframe=float(frame % 1))
    graph = bpy.context.evaluated_depsgraph_get()
    points = [
        thing.matrix_world @ vertex.co
        for thing in bpy.data.objects
        if thing.type == "MESH" and any(m.type == "ARMATURE" for m in thing.modifiers)
        for vertex in thing.evaluated_get(graph).to_mesh().vertices
    ]
    if not points:
        return np.full((2, 3), np.nan)
    x, y, z = np.array(points).T
    seen = np.stack((x, z, -y), axis=-1)
    return np.stack((seen.min(axis=0), seen.max(axis=0)))


def camera_error(motion: dict, frames: np.ndarray) -> float:
    """Largest distance in pixels of a joint in the camera's image from its place in the video."""
    scene, (camera,) = bpy.context.scene, [o for o in bpy.data.objects if o.type == "CAMERA"]
    width, height = (motion["source"][side] for side in ("width", "height"))
    scene.render.resolution_x, scene.render.resolution_y = width, height
    if height > width:  # the importer of FBX leaves it to the user
        camera.data.sensor_fit = "VERTICAL"
    lens, largest = motion["camera"], 0.0
    for frame, joints, pose in zip(
        frames, motion["joints"], lens["world_from_camera"], strict=True
    ):
        scene.frame_set(int(frame), subframe=float(frame % 1))
        known = np.array([joint for joint in joints if None not in joint], float).reshape(-1, 3)
        pose = np.array(pose)
        seen = (known - pose[:, 3]) @ pose[:, :3]
        wanted = lens["focal_pixels"] * seen[:, :2] / -seen[:, 2:] * (1, -1) + lens["centre"]
        views = [world_to_camera_view(scene, camera, Vector((x, -z, y))) for x, y, z in known]
        found = np.array([(view.x * width, (1 - view.y) * height) for view in views]).reshape(-1, 2)
        largest = max(largest, np.abs(found - wanted).max(initial=0))
    return largest


def camera_fits(path: Path, motion: dict, frames: np.ndarray) -> bool:
    """Whether the camera shows the joints where the overlay does; prints how far off it is."""
    pixels = camera_error(motion, frames)
    print(f"Blender {bpy.app.version_string}, {path.name}: camera off by {pixels:.3f} pixels")
    return pixels < 1


def rate_and_video_fit(path: Path, motion: dict) -> bool:
    """Whether the scene has the motion's rate, and its first frame of the video behind it."""
    scene = bpy.context.scene
    rate = scene.render.fps / scene.render.fps_base
    (behind,) = scene.camera.data.background_images
    first = behind.clip.frame_start + round(motion["times"][0] * motion["source"]["fps"])
    print(f"Blender {bpy.app.version_string}, {path.name}: {behind.clip.name} from frame {first}")
    return abs(rate / motion["source"]["fps"] - 1) < 1e-3 and first == scene.frame_start == 1


def check(path: Path, motion: dict, scale: float, limit: float) -> bool:
    """Whether the file is as the motion says; prints what was found."""
    joints = np.array(motion["joints"], float)
    wanted = joints[:, [motion["skeleton"]["names"].index(name) for name in JOINT_OF]]
    fps = motion["source"]["fps"]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    T = len(joints)
    frames = import_file(path, fps, T, scale)
    begin, end = armature().animation_data.action.frame_range
    as_many = np.allclose((begin, end), (frames[0], frames[-1]), atol=0.01)
    error = 1000 * np.linalg.norm(bone_places(frames) - wanted, axis=-1)
    render = bpy.context.scene.render
    known = np.isfinite(wanted[:, 0, 0]).nonzero()[0][-1]
    reach = skin_reach(frames[known])
    print(
        f"Blender {bpy.app.version_string}, {path.name}: frames {begin:g} to {end:g} for {T},"
        f" {render.fps / render.fps_base:.3f} frames/s for {fps:.3f}; off by"
        f" {np.nanmedian(error):.3f} mm in the median, {np.nanmax(error):.3f} mm at most"
    )
    low, high = wanted[known].min(axis=0), wanted[known].max(axis=0)
    covered = path.suffix == ".bvh" or bool((reach[0] < low).all() and (reach[1] > high).all())
    fits = bool(np.nanmax(error) <= limit) and as_many and covered
    if path.suffix == ".py":
        fits = fits and rate_and_video_fit(path, motion)
    return fits and (path.suffix == ".bvh" or camera_fits(path, motion, frames))


def main() -> int:
    """0 when all files are near enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("json", type=Path)
    parser.add_argument("files", type=Path, nargs="+", help=".bvh, .glb, .fbx, .usda or .blend.py")
    parser.add_argument("--scale", type=float, default=0.01, help="of .bvh: 0.01 for cm, 1 for m")
    parser.add_argument("--limit", type=float, default=1.0, help="largest error allowed, mm")
    options = parser.parse_args()
    motion = json.loads(options.json.read_text())
    fit = [check(path, motion, options.scale, options.limit) for path in options.files]
    return int(not all(fit))


if __name__ == "__main__":
    sys.exit(main())
