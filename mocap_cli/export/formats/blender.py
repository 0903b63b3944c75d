"""Blender script: a `.blend.py` file that builds the scene of a motion when Blender runs it."""

import base64
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mocap_cli.body.motion import Motion
from mocap_cli.export.formats.animation import Animation
from mocap_cli.export.formats.camera_track import CameraTrack
from mocap_cli.export.formats.glb import glb_bytes
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.origin import MARK

_CODE = Path(__file__).with_name("blender_scene.py")
_WIDTH = 96  # characters of a line of the embedded GLB


def write_blender(
    animation: Animation,
    motion: Motion,
    path: Path,
    video: Path | None,
    others: Sequence[Animation] = (),
) -> None:
    """Write one Python file with the bodies, the camera and the place of the video."""
    about: dict[str, Any] = {
        "name": animation.name,
        "frames": len(animation.path),
        "rate": 1 / animation.period,
        "lens": None if animation.camera is None else _lens(animation.camera),
        "first_frame": round(float(motion.times[0]) / animation.period),
    }
    place = None if video is None else _relative(video, path)
    with write_atomically(path) as aside, aside.open("w", encoding="ascii", newline="\n") as file:
        file.write(f"# {MARK}; run it with: blender --python {path.name!a}\n")
        file.write(_CODE.read_text(encoding="utf-8"))
        file.write(f"\n\nbuild_scene(\n    {about!a},\n    (\n")
        file.writelines(f"        {line!r}\n" for line in _lines(glb_bytes(animation, others)))
        file.write(f"    ),\n    {place!a},\n)\n")


def _lens(camera: CameraTrack) -> dict[str, Any]:
    return {
        "size": camera.size,
        "film_mm": camera.film_mm,
        "focal_mm": camera.focal_mm,
        "offset_mm": camera.film_offset_mm,
    }


def _relative(video: Path, path: Path) -> str:
    """The video from the folder of the file; on another drive of Windows its whole path."""
    try:
        return os.path.relpath(video.absolute(), path.absolute().parent)
    except ValueError:
        return str(video.absolute())


def _lines(data: bytes) -> Iterator[str]:
    text = base64.b64encode(data).decode()
    return (text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH))
