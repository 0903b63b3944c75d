"""Build a Blender scene of a motion; run by Blender, at the head of a `.blend.py` file.

Never imported: `bpy` exists in Blender only. Blender 4.2 or newer.
"""

import base64
import sys
import tempfile
from pathlib import Path
from typing import Any

import bpy


def build_scene(motion: dict[str, Any], glb: str, video: str | None) -> None:
    """Make a scene with the body, the camera and the video behind them; says how to go on.

    In a file that was opened it is the file's scene.
    """
    scene = bpy.context.scene if bpy.data.filepath else bpy.data.scenes.new(motion["name"])
    if bpy.context.window is not None:
        bpy.context.window.scene = scene
    imported = _import_glb(scene, glb, motion["rate"])
    scene.frame_start, scene.frame_end = 1, motion["frames"]
    scene.frame_set(1)
    camera = next((thing for thing in imported if thing.type == "CAMERA"), None)
    shown = False
    if camera is not None:
        _set_lens(scene, camera, motion["lens"])
        shown = _show_video(scene, camera, video, motion["first_frame"])
    _light(scene)
    _look_through(camera)
    if "--" in sys.argv:  # blender --background --python FILE -- OUT.blend
        out = Path(sys.argv[sys.argv.index("--") + 1])
        bpy.ops.wm.save_as_mainfile(filepath=str(out.absolute()))
    _say(motion, video, shown)


def _import_glb(scene: Any, glb: str, rate: float) -> list[Any]:
    """The objects of a GLB (base64), each of its frames on a whole frame of the scene."""
    whole = max(1, round(rate))
    scene.render.fps, scene.render.fps_base = whole, 1.0  # Blender places keys by whole rates
    known = set(bpy.data.objects)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "motion.glb"
        path.write_bytes(base64.b64decode(glb))
        with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
            bpy.ops.import_scene.gltf(filepath=str(path))
    scene.render.fps_base = whole / rate
    imported = [thing for thing in bpy.data.objects if thing not in known]
    for action in {_action(thing) for thing in imported} - {None}:
        for curve in _curves(action):
            for key in curve.keyframe_points:
                key.co.x = 1 + round(key.co.x * rate / whole)
                key.interpolation = "LINEAR"
            curve.update()
    return imported


def _action(thing: Any) -> Any:
    return thing.animation_data and thing.animation_data.action


def _curves(action: Any) -> list[Any]:
    """The curves of an action; from Blender 4.4 on they are in layers."""
    if not getattr(action, "is_action_layered", False):
        return list(action.fcurves)
    bags = (bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags)
    return [curve for bag in bags for curve in bag.fcurves]


def _set_lens(scene: Any, camera: Any, lens: dict[str, Any]) -> None:
    """The lens and the size of the video, so that every joint is at its pixel."""
    scene.camera, data = camera, camera.data
    scene.render.resolution_x, scene.render.resolution_y = lens["size"]
    scene.render.resolution_percentage = 100
    width, height = lens["film_mm"]
    data.sensor_fit = "HORIZONTAL" if width >= height else "VERTICAL"
    data.sensor_width, data.sensor_height = width, height
    data.lens = lens["focal_mm"]
    data.shift_x, data.shift_y = (offset / max(width, height) for offset in lens["offset_mm"])


def _show_video(scene: Any, camera: Any, video: str | None, first_frame: int) -> bool:
    """Show the video behind the camera's view and in renders; whether it was found."""
    path = Path(__file__).absolute().parent / (video or "")
    if not path.is_file():
        return False
    clip = bpy.data.movieclips.load(str(path.resolve()))
    clip.frame_start = 1 - first_frame  # the scene's frame 1 is the motion's first
    behind = camera.data.background_images.new()
    behind.source, behind.clip, behind.alpha = "MOVIE_CLIP", clip, 1.0
    behind.clip_user.proxy_render_size = "FULL"
    camera.data.show_background_images = True
    scene.render.film_transparent = True
    if hasattr(scene, "node_tree"):  # Blender 4; later ones have another compositor
        _composite(scene, clip)
    return True


def _composite(scene: Any, clip: Any) -> None:
    scene.use_nodes = True
    nodes, links = scene.node_tree.nodes, scene.node_tree.links
    nodes.clear()
    body, over, out, video, fit = (
        nodes.new(f"CompositorNode{kind}")
        for kind in ("RLayers", "AlphaOver", "Composite", "MovieClip", "Scale")
    )
    video.clip, fit.space = clip, "RENDER_SIZE"
    links.new(video.outputs["Image"], fit.inputs["Image"])
    links.new(fit.outputs["Image"], over.inputs[1])
    links.new(body.outputs["Image"], over.inputs[2])
    links.new(over.outputs["Image"], out.inputs["Image"])
    scene.view_settings.view_transform = "Standard"  # the colours of the video


def _light(scene: Any) -> None:
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy = 3.0
    sun.rotation_euler = (0.7, 0.2, 0.5)
    scene.collection.objects.link(sun)


def _look_through(camera: Any) -> None:
    windows = getattr(bpy.context.window_manager, "windows", ())
    for area in (area for window in windows for area in window.screen.areas):
        if area.type == "VIEW_3D" and camera is not None:
            area.spaces[0].region_3d.view_perspective = "CAMERA"
            area.spaces[0].shading.type = "MATERIAL"


def _say(motion: dict[str, Any], video: str | None, shown: bool) -> None:
    print(f"{motion['name']}: {motion['frames']} frames at {motion['rate']:g} frames/s")
    if not shown:
        print(f"  without its video ({video or 'not given'}): keep it where it was at the export")
    print("  FBX: File > Export > FBX, or without Blender: mocap export MOTION.json -o OUT.fbx")
    print("  Rigify: export with --rig rigify, and run examples/blender/drive_rigify.py of mocap")
    print("    with a generated rig in the same file")
