"""Page: the motion next to its video in one HTML file that needs no network.

The page embeds the motion as JSON, BVH and a table of angles: its script draws from these files and
offers them as downloads. Script and style are the files in viewer/, embedded unchanged.
"""

import base64
import gzip
import html
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from mocap_cli.body.anatomy import JOINT_MASSES
from mocap_cli.body.motion import Motion, write_motion
from mocap_cli.export.formats.animation import Animation, animate
from mocap_cli.export.formats.bvh import write_bvh
from mocap_cli.export.formats.joint_tables import write_angles
from mocap_cli.export.views.browser_video import BrowserVideo, browser_video
from mocap_cli.export.views.html_page import as_script, build_html, embedded
from mocap_cli.io.atomic import write_atomically
from mocap_cli.progress import Count, no_progress
from mocap_cli.quality.measures import measure_quality
from mocap_cli.quality.verdict import quality_faults, quality_readings

_SUFFIXES = {"json-file": ".json", "bvh-file": ".bvh", "angles-file": ".angles.csv"}
"""Of the embedded files, by the ids of their elements."""

_LABELS = {"json-file": "JSON", "bvh-file": "BVH", "angles-file": "Angles"}
_VIEWER = Path(__file__).parent / "viewer"
_STYLES = ("theme.css", "viewer.css")
_SCRIPTS = (
    "carried.js", "canvas.js", "files.js", "clock.js", "orbit.js", "scene.js", "film.js",
    "plots.js", "page.js",
)  # fmt: skip


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
    files = _files(motion, animation)
    parts = {
        "title": html.escape(motion.source.file),
        "settings": as_script(_settings(motion, film, list(files))),
        "carried": "\n".join([*map(_packed, files, files.values()), _embedded_video(film)]),
    }
    linked = film is not None and film.link is not None
    return build_html(
        _VIEWER / "viewer.html",
        [_VIEWER / name for name in _STYLES],
        [_VIEWER / name for name in _SCRIPTS],
        parts,
        media="blob: file: 'self'" if linked else "blob:",
    )


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


def _packed(name: str, file: bytes) -> str:
    return embedded(name, base64.b64encode(gzip.compress(file, mtime=0)).decode("ascii"))


def _embedded_video(film: BrowserVideo | None) -> str:
    return "" if film is None or film.data is None else embedded("video-file", film.data)
