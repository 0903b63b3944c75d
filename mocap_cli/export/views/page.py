"""Page: the motion beside its video in one HTML file that opens anywhere, without a network.

The page is an archive: it carries the motion's JSON, BVH and angles as files, reads them to draw,
and gives them to whoever asks. What it does stands in viewer/, which is put into it as it is.
"""

import base64
import gzip
import hashlib
import html
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from mocap_cli import __version__
from mocap_cli.body.anatomy import JOINT_MASSES
from mocap_cli.body.motion import Motion, write_motion
from mocap_cli.export.formats.bvh import write_bvh
from mocap_cli.export.formats.joint_tables import write_angles
from mocap_cli.export.quality import measure_quality, quality_faults, quality_readings
from mocap_cli.export.views.browser_video import BrowserVideo, browser_video
from mocap_cli.io.atomic import write_atomically

_SUFFIXES = {"json-file": ".json", "bvh-file": ".bvh", "angles-file": ".angles.csv"}
"""Of the files that a page carries, by the ids of their elements."""

_LABELS = {"json-file": "JSON", "bvh-file": "BVH", "angles-file": "Angles"}
_VIEWER = Path(__file__).parent / "viewer"
_SCRIPTS = ("files.js", "clock.js", "orbit.js", "scene.js", "film.js", "plots.js", "page.js")


def write_page(
    motion: Motion,
    path: Path,
    video: Path | None = None,
    *,
    link: bool = False,
    on_frame: Callable[[int], None] = lambda done: None,
) -> None:
    """Write the page, with the video inside it, linked with `link`, or without any.

    `on_frame` is told how many frames are done where the video has to be encoded anew.
    """
    film = (
        None if video is None else browser_video(motion, video, path, link=link, on_frame=on_frame)
    )
    with write_atomically(path) as aside:
        aside.write_text(_page(motion, film), encoding="utf-8")


def _page(motion: Motion, film: BrowserVideo | None) -> str:
    style = (_VIEWER / "viewer.css").read_text("utf-8")
    script = '"use strict";\n' + "\n".join((_VIEWER / f).read_text("utf-8") for f in _SCRIPTS)
    files = _files(motion)
    parts = {
        "policy": _policy(style, script, linked=film is not None and film.link is not None),
        "version": __version__,
        "title": html.escape(motion.source.file),
        "style": style,
        "script": script,
        "settings": _as_script(_settings(motion, film, list(files))),
        "carried": "\n".join([*map(_carried, files, files.values()), _carried_video(film)]),
    }
    template = (_VIEWER / "viewer.html").read_text("utf-8")
    # In one go, so that nothing inside a part is taken for a place to fill.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template)


def _policy(style: str, script: str, *, linked: bool) -> str:
    """What the page may do: run its own script, show its own video, and nothing else."""
    media = "blob: file: 'self'" if linked else "blob:"
    return (
        f"default-src 'none'; script-src {_fingerprint(script)}; style-src {_fingerprint(style)};"
        f" media-src {media}; base-uri 'none'; form-action 'none'"
    )


def _fingerprint(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _files(motion: Motion) -> dict[str, bytes]:
    """The files that the page carries, by the ids of their elements.

    Fewer digits than `mocap export` writes make it half as large, and tell more than is known.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = {name: Path(folder) / name for name in _SUFFIXES}
        write_motion(_rounded(motion), made["json-file"], measure_quality(motion).block())
        write_angles(motion, made["angles-file"], decimals=2)
        if motion.tracked.any():
            write_bvh(motion, made["bvh-file"], decimals=3)
        return {name: path.read_bytes() for name, path in made.items() if path.exists()}


def _rounded(motion: Motion) -> Motion:
    """To 0.1 mm, 0.1 pixel and hundredths."""
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
    """What the page must know besides the files."""
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
    """JSON that cannot end the element it stands in, whatever names it holds."""
    return orjson.dumps(value).decode("utf-8").replace("<", "\\u003c")


def _carried(name: str, file: bytes) -> str:
    packed = gzip.compress(file, mtime=0)
    return _element(name, base64.b64encode(packed).decode("ascii"))


def _carried_video(film: BrowserVideo | None) -> str:
    return "" if film is None or film.data is None else _element("video-file", film.data)


def _element(name: str, content: str) -> str:
    return f'<script type="application/octet-stream" id="{name}">{content}</script>'
