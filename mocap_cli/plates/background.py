"""Background: the scene of a video without its subject, rendered for any time and size."""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.provenance import Provenance
from mocap_cli.camera.camera_path import CameraKind, CameraPath
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.json_fields import JsonObject
from mocap_cli.io.npz import checked_array, load_npz
from mocap_cli.io.origin import marked_png
from mocap_cli.plates.plate import Plate
from mocap_cli.plates.surface import Surface, SurfaceShape
from mocap_cli.types import UInt8

BackgroundKind = Literal["median", "split", "panorama"]

_FORMAT = 1
_MAX_SIDE = 1 << 16  # pixels
_MAX_PIXELS = 1 << 27  # of a frame or a plate; 8K has 2 ** 25
_UNCHANGED = 0.004  # a gain nearer to 1 changes no byte
_ARRAYS = ("times", "part", "known", "rays_from_frame", "focal", "gain")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Background:
    """The scene behind the subject in every frame of a video."""

    video: str  # its name, without folders
    kind: BackgroundKind
    camera: CameraPath
    plates: tuple[Plate, ...]  # one for each part of the camera's path
    warnings: tuple[str, ...] = ()
    model: Mapping[str, str] = field(default_factory=dict)  # version and networks, by SHA-256
    provenance: Provenance | None = None  # None: made by an older version, or from elsewhere

    def __post_init__(self) -> None:
        if len(self.plates) != len(self.camera.kind):
            raise ValueError("give a plate for each part of the camera's path")

    def at(
        self, time: float, size: tuple[int, int] | None = None
    ) -> tuple[UInt8, NDArray[np.bool_]]:
        """Render the background of the frame nearest to that time, in seconds.

        (H, W, 3) RGB of `size` (width, height), the video's if None; and (H, W) where it is known.
        """
        frame = self.camera.frame_at(time)
        wanted = size or self.camera.size
        stretch = np.diag([*np.divide(self.camera.size, wanted), 1.0])
        plate = self.plates[int(self.camera.part[frame])]
        image, known = plate.render(self.camera.rays_from_frame[frame] @ stretch, wanted)
        gain = self.camera.gain[frame]
        if np.abs(gain - 1).max() > _UNCHANGED:
            image = np.asarray(cv2.LUT(image, gain_table(gain)), np.uint8)
        return image, known if self.camera.known[frame] else np.zeros_like(known)

    def files(self, path: str | Path) -> tuple[Path, ...]:
        """The files that `save` writes: the archive, and a PNG for each part.

        The longest part gets the name itself, the others are numbered: ski.png, ski-2.png.
        """
        path = Path(path)
        longest = int(np.bincount(self.camera.part).argmax())
        images = [
            path.with_name(f"{path.stem}{'' if number == longest else f'-{number + 1}'}.png")
            for number in range(len(self.plates))
        ]
        return (path.with_suffix(".npz"), *images)

    def save(self, path: str | Path) -> tuple[Path, ...]:
        """Write the plates as PNG and the archive (.npz) under the same name; return all paths.

        Transparent pixels are those that the person never left free. The archive is written last.
        """
        archive, *images = files = self.files(path)
        for plate, image in zip(self.plates, images, strict=True):
            _write_plate(plate, image)
        self.write(archive)
        return files

    def write(self, path: Path) -> None:
        """Write the .npz archive of docs/background.md."""
        camera = self.camera
        made = {"model": dict(self.model)}
        if self.provenance is not None:
            made["provenance"] = asdict(self.provenance)
        arrays: dict[str, Any] = {name: getattr(camera, name) for name in _ARRAYS}
        for number, plate in enumerate(self.plates):
            surface = plate.surface
            arrays[f"plate_{number}"] = _encoded(plate.image)
            arrays[f"surface_{number}"] = np.array([surface.focal, *surface.corner, *surface.size])
            arrays[f"turn_{number}"] = surface.surface_from_part
        with write_atomically(path) as aside, aside.open("wb") as file:
            np.savez(
                file,
                mocap_background=_FORMAT,
                video=self.video,
                kind=self.kind,
                size=camera.size,
                camera_kind=camera.kind,
                off=camera.reprojection_error,
                shape=[plate.surface.shape for plate in self.plates],
                warnings=np.array(self.warnings, np.str_),
                made=json.dumps(made, sort_keys=True),
                **arrays,
            )


def gain_table(gain: NDArray[np.float64]) -> UInt8:
    """Lookup table (256, 1, N) that multiplies N channels."""
    table = np.arange(256)[:, None, None] * gain
    return np.asarray(np.clip(np.round(table), 0, 255).astype(np.uint8))


def read_background(path: str | Path) -> Background:
    """Read an archive of `mocap background`; any other file is a MocapError."""
    path = Path(path)
    hint = "give an archive (.npz) that `mocap background` wrote"
    try:
        found = load_npz(path)
    except FileNotFoundError as error:
        raise MocapError(f"{path} does not exist", "check the path") from error
    except (OSError, ValueError) as error:
        raise MocapError(f"{path} is not a background archive", hint) from error
    version = found.get("mocap_background")
    if version is None or version.shape != () or version.item() != _FORMAT:
        raise MocapError(f"{path} is not a background of format {_FORMAT}", hint)
    try:
        return _background(found)
    except (KeyError, ValueError, TypeError) as error:
        raise MocapError(f"{path} is damaged: {error}", "make it again") from error


def _background(found: dict[str, NDArray[Any]]) -> Background:
    """The background of an archive, each array checked."""
    check = partial(checked_array, found)
    width, height = check("size", (2,), "whole", 1, _MAX_SIDE).tolist()
    if width * height > _MAX_PIXELS:
        raise ValueError(f"size is {width}x{height} pixels")
    times = check("times", (None,), low=-1e9, high=1e9)
    T, P = len(times), len(check("camera_kind", (None,), "text"))
    if not T or (np.diff(times) < 0).any():
        raise ValueError("times do not rise")
    camera = CameraPath(
        size=(width, height),
        kind=tuple(_one_of(found, "camera_kind", (P,), CameraKind)),
        reprojection_error=tuple(check("off", (P,), high=np.inf, nan=True).tolist()),
        times=times,
        part=check("part", (T,), "whole", 0, P - 1),
        known=check("known", (T,), "flag"),
        rays_from_frame=check("rays_from_frame", (T, 3, 3)),
        focal=check("focal", (T,), low=1e-3),
        gain=check("gain", (T, 3), low=0),
    )
    return Background(
        video=str(check("video", (), "text")),
        kind=_one_of(found, "kind", (), BackgroundKind)[0],
        camera=camera,
        plates=tuple(_plate(found, number, P) for number in range(P)),
        warnings=tuple(check("warnings", (None,), "text").tolist()),
        **_made_from(found),
    )


def _made_from(found: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Version, networks and provenance; archives of older versions have none."""
    if "made" not in found:
        return {}
    made = JsonObject.parse(str(checked_array(found, "made", (), "text")))
    model = made.child("model")
    known: dict[str, Any] = {"model": {name: model.text(name) for name in model.values}}
    if "provenance" in made.values:
        known["provenance"] = Provenance.of_json(made.child("provenance"))
    return known


def _one_of(
    found: dict[str, NDArray[Any]], name: str, shape: tuple[int, ...], known: Any
) -> list[Any]:
    """The texts of an array, each of them one of a Literal's."""
    texts = np.atleast_1d(checked_array(found, name, shape, "text")).tolist()
    if odd := set(texts) - set(get_args(known)):
        raise ValueError(f"{name} is {min(odd)[:40]!r}, not one of {', '.join(get_args(known))}")
    return texts


def _plate(found: dict[str, NDArray[Any]], number: int, parts: int) -> Plate:
    values = checked_array(found, f"surface_{number}", (5,))
    focal, x, y, width, height = values.tolist()
    sane = min(width, height) >= 1 and width * height <= _MAX_PIXELS
    if focal <= 0 or not sane:
        raise ValueError(f"surface_{number} is {focal:g} wide, of {width:g}x{height:g} pixels")
    surface = Surface(
        _one_of(found, "shape", (parts,), SurfaceShape)[number],
        focal, (x, y), (int(width), int(height)),
        checked_array(found, f"turn_{number}", (3, 3)),
    )  # fmt: skip
    image = checked_array(found, f"plate_{number}", (None,), "whole", 0, 255)
    return Plate(surface, _decoded(image.astype(np.uint8), surface.size))


def _encoded(image: UInt8) -> UInt8:
    """The bytes of a PNG; cv2 has blue first."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA))
    if not done:
        raise MocapError("cannot encode the background as PNG", "free some memory")
    return np.asarray(data, np.uint8)


def _decoded(data: UInt8, size: tuple[int, int]) -> UInt8:
    """The image of a PNG, which must be of that size: it is checked before memory is taken."""
    if struct.unpack(">II", data[16:24].tobytes().ljust(8)) != size:
        raise ValueError(f"a plate is not a PNG of {size[0]}x{size[1]} pixels")
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        raise ValueError("a plate is not a PNG with alpha")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA), np.uint8)


def _write_plate(plate: Plate, path: Path) -> None:
    """Write a plate as PNG, transparent where it is not known."""
    with write_atomically(path) as aside:
        aside.write_bytes(marked_png(_encoded(plate.image).tobytes()))
