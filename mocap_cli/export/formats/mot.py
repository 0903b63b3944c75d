"""MOT: coordinates of OpenSim's full-body model, and beside them what its own tools need."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.export.formats.opensim_coordinates import OpenSimMotion, opensim_motion
from mocap_cli.export.formats.opensim_setup import (
    inverse_kinematics_setup,
    marker_set,
    scale_setup,
)
from mocap_cli.export.formats.trc import write_markers
from mocap_cli.io.atomic import readable, write_atomically
from mocap_cli.io.origin import MARK

BESIDE = ("_markers.trc", "_markers.xml", "_scale.xml", "_ik.xml")
"""Endings, after the name without .mot, of the files that are written with it."""


def write_mot(motion: Motion, path: Path) -> None:
    """Write the coordinates, the markers, and set-up files for scaling and inverse kinematics."""
    made = opensim_motion(motion)
    name, span = readable(path.stem), (made.times[0], made.times[-1])
    trc, *setups = (path.with_name(path.stem + ending) for ending in BESIDE)
    texts = marker_set(), scale_setup(name, span), inverse_kinematics_setup(name, span)
    for setup, text in zip(setups, texts, strict=True):
        _write(setup, text)
    write_markers(trc, made.markers, float(made.times[0]), made.rate)
    _write(path, "".join(_lines(made, name)))


def _write(path: Path, text: str) -> None:
    with write_atomically(path) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")


def _lines(made: OpenSimMotion, name: str) -> Iterator[str]:
    table = np.stack((made.times, *made.coordinates.values()), axis=-1)
    yield f"{name}\nversion=1\nnRows={len(table)}\nnColumns={table.shape[1]}\ninDegrees=yes\n"
    yield f"{MARK}\nendheader\n" + "\t".join(("time", *made.coordinates)) + "\n"
    for row in table.tolist():
        yield "\t".join(f"{value:.6f}" for value in row) + "\n"
