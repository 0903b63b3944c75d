"""Background: the scene of a video without its subject, rendered for any time and size."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.camera.camera_path import CameraPath
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.npz import load_npz
from mocap_cli.io.origin import marked_png
from mocap_cli.plates.plate import Plate
from mocap_cli.plates.surface import Surface
from mocap_cli.types import UInt8

BackgroundKind = Literal["median", "split", "panorama"]

_FORMAT = 1
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

        Transparent pixels are those that the person never left free.
        """
        archive, *images = files = self.files(path)
        self.write(archive)
        for plate, image in zip(self.plates, images, strict=True):
            _write_plate(plate, image)
        return files

    def write(self, path: Path) -> None:
        """Write the .npz archive of docs/background.md."""
        camera = self.camera
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
    if int(found.get("mocap_background", -1)) != _FORMAT:
        raise MocapError(f"{path} is not a background of format {_FORMAT}", hint)
    try:
        return _background(found)
    except (KeyError, ValueError, TypeError) as error:
        raise MocapError(f"{path} is damaged: {error}", "make it again") from error


def _background(found: dict[str, NDArray[Any]]) -> Background:
    width, height = (int(length) for length in found["size"])
    camera = CameraPath(
        size=(width, height),
        kind=tuple(found["camera_kind"].tolist()),
        reprojection_error=tuple(found["off"].tolist()),
        times=found["times"],
        part=found["part"],
        known=found["known"],
        rays_from_frame=found["rays_from_frame"],
        focal=found["focal"],
        gain=found["gain"],
    )
    return Background(
        video=str(found["video"]),
        kind=cast(BackgroundKind, str(found["kind"])),
        camera=camera,
        plates=tuple(_plate(found, number) for number in range(len(camera.kind))),
        warnings=tuple(found["warnings"].tolist()),
    )


def _plate(found: dict[str, NDArray[Any]], number: int) -> Plate:
    focal, x, y, width, height = found[f"surface_{number}"].tolist()
    shape = str(found["shape"][number])
    surface = Surface(
        "cylinder" if shape == "cylinder" else "plane",
        focal, (x, y), (int(width), int(height)), found[f"turn_{number}"],
    )  # fmt: skip
    return Plate(surface, _decoded(found[f"plate_{number}"]))


def _encoded(image: UInt8) -> UInt8:
    """The bytes of a PNG; cv2 has blue first."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA))
    if not done:
        raise MocapError("cannot encode the background as PNG", "free some memory")
    return np.asarray(data, np.uint8)


def _decoded(data: UInt8) -> UInt8:
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        raise ValueError("a plate is not a PNG with alpha")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA), np.uint8)


def _write_plate(plate: Plate, path: Path) -> None:
    """Write a plate as PNG, transparent where it is not known."""
    with write_atomically(path) as aside:
        aside.write_bytes(marked_png(_encoded(plate.image).tobytes()))
