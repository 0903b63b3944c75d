"""Page: the motion next to its video in one HTML file that needs no network.

The page embeds the motion as JSON, BVH and a table of angles: its script draws from these files and
offers them as downloads. Script and style are the files in viewer/, embedded unchanged.
"""

import base64
import gzip
import hashlib
import html
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from mocap_cli import __version__
from mocap_cli.body.anatomy import JOINT_MASSES
from mocap_cli.body.motion import Motion, write_motion
from mocap_cli.export.formats.animation import Animation, animate
from mocap_cli.export.formats.bvh import write_bvh
from mocap_cli.export.formats.joint_tables import write_angles
from mocap_cli.export.views.browser_video import BrowserVideo, browser_video
from mocap_cli.io.atomic import write_atomically
from mocap_cli.progress import Count, no_progress
from mocap_cli.quality.measures import measure_quality
from mocap_cli.quality.verdict import quality_faults, quality_readings

_SUFFIXES = {"json-file": ".json", "bvh-file": ".bvh", "angles-file": ".angles.csv"}
"""Of the embedded files, by the ids of their elements."""

_LABELS = {"json-file": "JSON", "bvh-file": "BVH", "angles-file": "Angles"}
_VIEWER = Path(__file__).parent / "viewer"
_SCRIPTS = ("files.js", "clock.js", "orbit.js", "scene.js", "film.js", "plots.js", "page.js")


def write_page(
    motion: Motion,
    path: Path,
    video: Path | None = None,
    *,
    animation: Animation | None = None,  # of the motion, where it is known already
    link: bool = False,
    on_frame: Count = no_progress,
) -> None:
    """Write the page with the video embedded, linked with `link`, or without a video.

    `on_frame` is called with the number of frames done while a video is encoded again.
    """
    if animation is None and motion.tracked.any():
        animation = animate(motion)
    film = (
        None if video is None else browser_video(motion, video, path, link=link, on_frame=on_frame)
    )
    with write_atomically(path) as aside:
        aside.write_text(_page(motion, animation, film), encoding="utf-8")


def _page(motion: Motion, animation: Animation | None, film: BrowserVideo | None) -> str:
    style = (_VIEWER / "viewer.css").read_text("utf-8")
    script = '"use strict";\n' + "\n".join((_VIEWER / f).read_text("utf-8") for f in _SCRIPTS)
    files = _files(motion, animation)
    parts = {
        "policy": _policy(style, script, linked=film is not None and film.link is not None),
        "version": __version__,
        "title": html.escape(motion.source.file),
        "style": style,
        "script": script,
        "settings": _as_script(_settings(motion, film, list(files))),
        "carried": "\n".join([*map(_embedded, files, files.values()), _embedded_video(film)]),
    }
    template = (_VIEWER / "viewer.html").read_text("utf-8")
    # In one pass, so that {{...}} inside a part is not replaced.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _policy(style: str, script: str, *, linked: bool) -> str:
    """The content security policy: the page's own script, style and video, and nothing else."""
    media = "blob: file: 'self'" if linked else "blob:"
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)};"
        f" media-src {media}; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _files(motion: Motion, animation: Animation | None) -> dict[str, bytes]:
    """The embedded files, by the ids of their elements.

    They have fewer digits than those of `mocap export`, which halves the page.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = {name: Path(folder) / name for name in _SUFFIXES}
        write_motion(_rounded(motion), made["json-file"], measure_quality(motion).block())
        write_angles(motion, made["angles-file"], decimals=2)
        if animation is not None:
            write_bvh(animation, made["bvh-file"], decimals=3)
        return {name: path.read_bytes() for name, path in made.items() if path.exists()}


def _rounded(motion: Motion) -> Motion:
    """Rounded to 0.1 mm, 0.1 pixel and hundredths."""
    pose = motion.camera.world_from_camera
    return replace(
        motion,
        joints=motion.joints.round(4),
        sigma=motion.sigma.round(3),
        contacts=motion.contacts.round(2),
        xy=motion.xy.round(1),
        score=motion.score.round(2),
        camera=replace(motion.camera, world_from_camera=pose.round(6)),
    )


def _settings(motion: Motion, film: BrowserVideo | None, files: list[str]) -> dict[str, Any]:
    """What the script needs besides the files."""
    quality, stem = measure_quality(motion), Path(motion.source.file).stem
    return {
        "stem": stem,
        "mass": JOINT_MASSES.tolist(),
        "fit": not quality_faults(quality),
        "readings": [
            {"label": label, "value": value, "kept": kept}
            for label, value, kept in quality_readings(quality)
        ],
        "files": [
            {"id": name, "label": _LABELS[name], "name": stem + _SUFFIXES[name]} for name in files
        ],
        "video": film and {"type": film.media_type, "zero": film.offset, "link": film.link},
    }


def _as_script(value: dict[str, Any]) -> str:
    """JSON that cannot end its script element, whatever text it holds."""
    return orjson.dumps(value).decode("utf-8").replace("<", "\\u003c")


def _embedded(name: str, file: bytes) -> str:
    packed = gzip.compress(file, mtime=0)
    return _element(name, base64.b64encode(packed).decode("ascii"))


def _embedded_video(film: BrowserVideo | None) -> str:
    return "" if film is None or film.data is None else _element("video-file", film.data)


def _element(name: str, content: str) -> str:
    return f'<script type="application/octet-stream" id="{name}">{content}</script>'
