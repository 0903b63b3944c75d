"""Motion, the one result type, and its JSON: what the tracker makes and every exporter takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS, Skeleton
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.progress import Progress, count_stage, no_progress
from mocap_cli.types import Float32, Float64

_FORMAT = 1
_WANTED = "give a file that `mocap track` of this version wrote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The video that a motion was read from."""

    file: str  # its name, without folders
    fps: float  # mean rate over the tracked span
    width: int  # pixels as displayed, after the rotation flag
    height: int
    frames: int
    rotation: int  # degrees counter-clockwise that a player turns the stored picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """How each frame saw the world: a pinhole looking along its own -Z with Y up."""

    focal_pixels: float
    centre: tuple[float, float]  # principal point, displayed pixels
    world_from_camera: Float32  # (T, 3, 4), metres: rotation and position of the camera


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Motion:
    """A person's joints over time, with what is known about how sure they are.

    Frames where nobody was found hold NaN in `joints`, `sigma` and `keypoints`; frames whose
    joints were filled in from their neighbours hold numbers and `seen` is False.
    """

    source: Source
    skeleton: Skeleton
    space: Literal["world", "camera"]
    times: Float64  # (T,) seconds, strictly rising
    joints: Float32  # (T, J, 3) metres, right-handed, Y up
    sigma: Float32  # (T, J) metres: 70 % of errors are expected within it
    detected: NDArray[np.bool_]  # (T,) the 2D network saw the person in this frame
    contacts: Float32  # (T, 2) how likely the left and the right foot is planted, 0..1
    xy: Float32  # (T, K, 2) displayed pixels, Y down
    score: Float32  # (T, K) 0..1
    camera: Camera
    model: Mapping[str, str] = field(default_factory=dict)  # what made it: names and hashes
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        T, J, K = len(self.times), len(self.skeleton), len(KEYPOINTS)
        wanted = {
            "joints": (T, J, 3),
            "sigma": (T, J),
            "detected": (T,),
            "contacts": (T, 2),
            "xy": (T, K, 2),
            "score": (T, K),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} is {getattr(self, name).shape}, wanted {shape}")
        if self.camera.world_from_camera.shape != (T, 3, 4):
            raise ValueError("give the camera one 3x4 pose a frame")
        if T == 0 or not (np.isfinite(self.times).all() and (np.diff(self.times) > 0).all()):
            raise ValueError("times must rise strictly and hold at least one frame")

    @property
    def tracked(self) -> NDArray[np.bool_]:
        """(T,) frames that have joints, seen or filled."""
        return np.asarray(np.isfinite(self.joints).all(axis=(1, 2)))

    def frames(self, chosen: slice) -> "Motion":
        """The same motion, only those frames."""
        pose = self.camera.world_from_camera[chosen]
        return replace(
            self,
            times=self.times[chosen],
            joints=self.joints[chosen],
            sigma=self.sigma[chosen],
            detected=self.detected[chosen],
            contacts=self.contacts[chosen],
            xy=self.xy[chosen],
            score=self.score[chosen],
            camera=replace(self.camera, world_from_camera=pose),
        )

    def __repr__(self) -> str:
        source, seconds = self.source, float(self.times[-1] - self.times[0])
        return (
            f"Motion({source.file!r}, {len(self.times)} frames, {seconds:.2f} s,"
            f" {source.width}x{source.height}, {self.space} space,"
            f" {self.tracked.mean():.0%} tracked, {len(self.warnings)} warnings)"
        )

    # `save`, `edit` and `problems` belong to the Python API; they reach up into `export`, which
    # imports this module, so they import it when they are called.

    def save(
        self,
        path: str | Path,
        *,
        video: str | Path | None = None,
        units: Literal["cm", "m"] = "cm",
        rig: Literal["default", "mixamo", "rokoko"] = "default",
        fps: float | None = None,
        trail: bool = False,
        panel: bool = False,
        link_video: bool = False,
        progress: Progress = no_progress,
    ) -> Path:
        """Write one file in the format of its suffix, and return its path.

        Args:
            path: Output file: .bvh, .glb, .usda, .csv, .angles.csv, .npz, .trc, .c3d, .json,
                .coco.json, .html, .png or .mp4. An existing file is replaced.
            video: The tracked video: .mp4 needs it, .html and .png show it.
            units: Length unit of .bvh.
            rig: Joint names of .bvh, .glb and .usda.
            fps: Frames per second of .bvh, .glb and .usda; by default the video's.
            trail: Draw the path of the centre of mass into .mp4.
            panel: Add a panel to .mp4: side view, top view and joint angles.
            link_video: Link the video from .html instead of embedding it.
            progress: Progress callback.
        """
        from mocap_cli.export import registry
        from mocap_cli.export.views.overlay import OverlayOptions

        path, video = Path(path), None if video is None else Path(video)
        frames = len(self.times)
        registry.check_output(path, {} if video is None else {"video": video}, frames)
        options = registry.WriteOptions(
            video=video, link_video=link_video, overlay=OverlayOptions(trail=trail, panel=panel),
            units=units, rig=rig, fps=fps,
            on_frame=count_stage(progress, f"writing {path.name}", frames),
        )  # fmt: skip
        registry.write(self, path, options)
        return path

    def edit(
        self,
        *,
        start: float | None = None,
        end: float | None = None,
        fps: float | None = None,
        smooth: float | None = None,
        height: float | None = None,
        floor: bool = False,
        foot_lock: bool = False,
        loop: bool = False,
        mirror: bool = False,
        in_place: bool = False,
    ) -> "Motion":
        """The motion after these edits, in the order of the arguments.

        Args:
            start: Start time in the video, in seconds.
            end: End time in the video, in seconds.
            fps: Frames per second.
            smooth: Low-pass cutoff in hertz: 6 suits walking, 12 keeps kicks.
            height: Height to which the person is scaled, in metres.
            floor: Move the ground under planted feet to height 0; no foot goes below it.
            foot_lock: Keep planted feet from sliding.
            loop: Blend the end into the start for looping.
            mirror: Swap left and right.
            in_place: Keep the pelvis above the origin; heights stay.
        """
        from mocap_cli.export.edits import Edits, apply_edits

        edits = Edits(
            start=start, end=end, fps=fps, smooth=smooth, height=height, floor=floor,
            foot_lock=foot_lock, loop=loop, mirror=mirror, in_place=in_place,
        )  # fmt: skip
        return apply_edits(self, edits)

    def problems(self) -> tuple[str, ...]:
        """The quality checks that fail, as `mocap export --check` lists them."""
        from mocap_cli.export.quality import measure_quality, quality_faults

        return quality_faults(measure_quality(self))


def write_motion(motion: Motion, path: Path, quality: Mapping[str, Any] | None = None) -> None:
    """Write the JSON of docs/formats.md; reading it back gives the same numbers.

    `quality` is what was measured of it, for those who read the file: it follows from the rest.
    """
    document = {
        "mocap": _FORMAT,
        "source": motion.source,
        "skeleton": motion.skeleton,
        "units": "metres",
        "space": motion.space,
        "times": motion.times,
        "joints": motion.joints,
        "sigma": motion.sigma,
        "seen": motion.detected,
        "contacts": motion.contacts,
        "keypoints": {"names": KEYPOINTS, "xy": motion.xy, "score": motion.score},
        "camera": motion.camera,
        "model": dict(motion.model),
        "warnings": motion.warnings,
        **({} if quality is None else {"quality": quality}),
    }
    with write_atomically(path) as aside:
        aside.write_bytes(orjson.dumps(document, _contiguous, orjson.OPT_SERIALIZE_NUMPY))


def _contiguous(value: Any) -> Any:
    """What orjson asks for when an array is a strided view: the same numbers in order."""
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value)
    raise TypeError(f"cannot write {type(value).__name__}")


def read_motion(path: str | Path) -> Motion:
    """Read a JSON file of `mocap track` or `Motion.save`."""
    path = Path(path)
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise MocapError(f"cannot read {path}: {error.strerror}", "check the path") from error
    except orjson.JSONDecodeError as error:
        raise MocapError(
            f"{path} is not JSON: {error}", "give a file that `mocap track` wrote"
        ) from error
    if not isinstance(document, dict) or document.get("mocap") != _FORMAT:
        found = document.get("mocap") if isinstance(document, dict) else None
        told = 'it has no "mocap"' if found is None else f'its "mocap" says {found!r}'
        raise MocapError(f"{path} is not a motion of format {_FORMAT} ({told})", _WANTED)
    try:
        return _motion(document)
    except (KeyError, TypeError, ValueError) as error:
        fault = f"{error} is missing" if isinstance(error, KeyError) else error
        raise MocapError(
            f"{path} is damaged: {fault}",
            "track the video again, or mend the file by docs/formats.md",
        ) from error


def _motion(document: dict[str, Any]) -> Motion:
    seen, camera = document["keypoints"], document["camera"]
    if tuple(seen["names"]) != KEYPOINTS:
        raise ValueError("keypoints.names are not the ones of this version")
    return Motion(
        source=Source(**document["source"]),
        skeleton=Skeleton(
            tuple(document["skeleton"]["names"]), tuple(document["skeleton"]["parents"])
        ),
        space=document["space"],
        times=np.array(document["times"], np.float64),
        joints=_singles(document["joints"], "joints"),
        sigma=_singles(document["sigma"], "sigma"),
        detected=np.array(document["seen"], np.bool_),
        contacts=_singles(document["contacts"], "contacts"),
        xy=_singles(seen["xy"], "keypoints.xy"),
        score=_singles(seen["score"], "keypoints.score"),
        camera=Camera(
            focal_pixels=camera["focal_pixels"],
            centre=(camera["centre"][0], camera["centre"][1]),
            world_from_camera=_singles(camera["world_from_camera"], "world_from_camera"),
        ),
        model=dict(document["model"]),
        warnings=tuple(document["warnings"]),
    )


def _singles(values: Any, name: str) -> Float32:
    """Single precision; a number beyond it is a ValueError, not infinitely far away."""
    with np.errstate(over="ignore"):
        numbers = np.array(values, np.float32)
    if np.isinf(numbers).any():
        raise ValueError(f"{name} holds a number that is too large")
    return numbers
