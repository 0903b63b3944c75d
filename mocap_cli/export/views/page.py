"""Page: the motion next to its video in one HTML file that needs no network.

The page embeds the motion as JSON, BVH and a table of angles: its script draws from these files and
offers them as downloads. Script and style are the files in viewer/, embedded unchanged.
"""

import base64
import gzip
import html
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mocap_cli.body.anatomy import JOINT_MASSES
from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import write_motion
from mocap_cli.export.formats.animation import Animation, animate
from mocap_cli.export.formats.bvh import write_bvh
from mocap_cli.export.formats.joint_tables import write_angles
from mocap_cli.export.views.browser_video import BrowserVideo, browser_video
from mocap_cli.export.views.html_page import as_script, build_html, embedded
from mocap_cli.export.views.key_poses import KeyPoses
from mocap_cli.export.views.projection import OrthographicView
from mocap_cli.io.atomic import write_atomically
from mocap_cli.progress import Count, no_progress
from mocap_cli.quality.measures import measure_quality
from mocap_cli.quality.verdict import fault_times, quality_faults, quality_readings

_SUFFIXES = {"json-file": ".json", "bvh-file": ".bvh", "angles-file": ".angles.csv"}
"""Of the embedded files, by the ids of their elements."""

_LABELS = {"json-file": "JSON", "bvh-file": "BVH", "angles-file": "Angles"}
_STILLS, _STILL_SIZE, _STILL_QUALITY = 7, (150, 190), 80
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
    others: Sequence[Motion] = (),
    *,
    animation: Animation | None = None,  # of the motion, where it is known already
    link: bool = False,
    on_frame: Count = no_progress,
) -> None:
    """Write the page with the video embedded, linked with `link`, or without a video.

    `others` are further people in the same world, at the same times. `on_frame` is called with the
    number of frames done while a video is encoded again.
    """
    film = (
        None if video is None else browser_video(motion, video, path, link=link, on_frame=on_frame)
    )
    people = [
        _Person.of(one, animation if one is motion else None, video, number if others else None)
        for number, one in enumerate((motion, *others), start=1)
    ]
    with write_atomically(path) as aside:
        aside.write_text(_page(motion, people, film), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Person:
    """One person's files in the page, by the ids of their elements, and their settings."""

    files: dict[str, bytes]
    stills: str  # a strip of key poses as JPEG in base64; empty without any
    settings: dict[str, Any]

    @staticmethod
    def of(
        motion: Motion, animation: Animation | None, video: Path | None, number: int | None
    ) -> "_Person":
        """Of a motion; its animation where it is known, and its number among several people."""
        if animation is None and motion.tracked.any():
            animation = animate(motion)
        files, mark = _files(motion, animation), "" if number in (None, 1) else f"-{number}"
        quality, poses = measure_quality(motion), KeyPoses.choose(motion, _STILLS)
        stem = Path(motion.source.file).stem + ("" if number is None else f".{number}")
        settings = {
            "stem": stem,
            "mark": mark,
            "fit": not quality_faults(quality),
            "faults": [{"reason": r, "times": times} for r, times in fault_times(quality).items()],
            "readings": [
                {"label": label, "value": value, "kept": kept}
                for label, value, kept in quality_readings(quality)
            ],
            "stills": {
                "size": _STILL_SIZE,
                "times": [float(motion.times[t]) for t in poses.frames],
            },
            "files": [
                {"id": name + mark, "label": _LABELS[name], "name": stem + _SUFFIXES[name]}
                for name in files
            ],
        }
        return _Person(
            {name + mark: f for name, f in files.items()}, _strip(poses, video), settings
        )

    def elements(self) -> Iterator[str]:
        """The elements that carry the files."""
        yield from map(_packed, self.files, self.files.values())
        if self.stills:
            yield embedded(f"stills-file{self.settings['mark']}", self.stills)


def _strip(poses: KeyPoses, video: Path | None) -> str:
    """The key poses side by side, from the video where it is there, else drawn."""
    if not poses.frames:
        return ""
    images = (
        poses.drawings(OrthographicView.CAMERA, _STILL_SIZE)
        if video is None
        else poses.crops(video, _STILL_SIZE)
    )
    strip = cv2.cvtColor(np.concatenate(images, axis=1), cv2.COLOR_RGB2BGR)
    coded = cv2.imencode(".jpg", strip, (cv2.IMWRITE_JPEG_QUALITY, _STILL_QUALITY))[1]
    return base64.b64encode(coded.tobytes()).decode("ascii")


def _page(motion: Motion, people: Sequence[_Person], film: BrowserVideo | None) -> str:
    elements = [element for person in people for element in person.elements()]
    settings = {
        "mass": JOINT_MASSES.tolist(),
        "people": [person.settings for person in people],
        "video": film and {"type": film.media_type, "zero": film.offset, "link": film.link},
    }
    parts = {
        "title": html.escape(motion.source.file),
        "settings": as_script(settings),
        "carried": "\n".join([*elements, _embedded_video(film)]),
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
    pose, facing = motion.camera.world_from_camera, motion.facing
    return replace(
        motion,
        joints=motion.joints.round(4),
        sigma=motion.sigma.round(3),
        contacts=motion.contacts.round(2),
        xy=motion.xy.round(1),
        score=motion.score.round(2),
        camera=replace(motion.camera, world_from_camera=pose.round(6)),
        facing=facing
        and replace(facing, direction=facing.direction.round(3), sigma=facing.sigma.round(2)),
    )


def _packed(name: str, file: bytes) -> str:
    return embedded(name, base64.b64encode(gzip.compress(file, mtime=0)).decode("ascii"))


def _embedded_video(film: BrowserVideo | None) -> str:
    return "" if film is None or film.data is None else embedded("video-file", film.data)
