"""Motion: the result of tracking, input of all exports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.facing import Facing
from mocap_cli.body.provenance import Provenance
from mocap_cli.body.recording import Camera, Source
from mocap_cli.body.skeleton import KEYPOINTS, Skeleton
from mocap_cli.progress import Progress, count_stage, no_progress
from mocap_cli.types import Float32, Float64


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Motion:
    """A person's joints over time, with their uncertainty and what they were computed from.

    Frames without a person hold NaN in `joints`, `sigma` and `xy`; frames whose joints were
    interpolated from their neighbours hold numbers, and `detected` is False.
    """

    source: Source
    skeleton: Skeleton
    space: Literal["world", "camera"]
    times: Float64  # (T,) seconds, strictly rising
    joints: Float32  # (T, J, 3) metres, right-handed, Y up
    sigma: Float32  # (T, J) metres: 70 % of errors are expected within it
    detected: NDArray[np.bool_]  # (T,) the 2D networks detected the person in this frame
    contacts: Float32  # (T, 2) probability that the left and the right foot is planted
    xy: Float32  # (T, K, 2) displayed pixels, Y down
    score: Float32  # (T, K) 0..1
    camera: Camera
    model: Mapping[str, str] = field(default_factory=dict)  # the networks: names and hashes
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what was assumed, such as the person's height
    facing: Facing | None = None  # where the head faces; None: unknown
    switches: tuple[float, ...] = ()  # seconds: from then on it may be another person
    provenance: Provenance | None = None  # None: it was edited, or comes from elsewhere

    def __post_init__(self) -> None:
        T, J, K = len(self.times), len(self.skeleton), len(KEYPOINTS)
        wanted = {
            "joints": (T, J, 3), "sigma": (T, J), "detected": (T,), "contacts": (T, 2),
            "xy": (T, K, 2), "score": (T, K),
        }  # fmt: skip
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} is {getattr(self, name).shape}, wanted {shape}")
        if self.facing is not None and self.facing.direction.shape != (T, 3):
            raise ValueError(f"facing is {self.facing.direction.shape}, wanted {(T, 3)}")
        if self.camera.world_from_camera.shape != (T, 3, 4):
            raise ValueError("give the camera one 3x4 pose a frame")
        if T == 0 or not (np.isfinite(self.times).all() and (np.diff(self.times) > 0).all()):
            raise ValueError("times must rise strictly and hold at least one frame")

    @property
    def tracked(self) -> NDArray[np.bool_]:
        """(T,) frames that have joints, detected or interpolated."""
        return np.asarray(np.isfinite(self.joints).all(axis=(1, 2)))

    def frames(self, chosen: slice) -> "Motion":
        """Only these frames of the motion."""
        pose, times = self.camera.world_from_camera[chosen], self.times[chosen]
        return replace(
            self,
            times=times,
            joints=self.joints[chosen],
            sigma=self.sigma[chosen],
            detected=self.detected[chosen],
            contacts=self.contacts[chosen],
            xy=self.xy[chosen],
            score=self.score[chosen],
            camera=replace(self.camera, world_from_camera=pose),
            facing=None if self.facing is None else self.facing.frames(chosen),
            switches=tuple(t for t in self.switches if times[0] < t <= times[-1]),
        )

    def __repr__(self) -> str:
        source, seconds = self.source, float(self.times[-1] - self.times[0])
        return (
            f"Motion({source.file!r}, {len(self.times)} frames, {seconds:.2f} s,"
            f" {source.width}x{source.height}, {self.space} space,"
            f" {self.tracked.mean():.0%} tracked, {len(self.warnings)} warnings)"
        )

    # `save`, `edit` and `problems` belong to the Python API and import upwards, so they import when
    # they are called. Attached from outside, type checkers and `help` would not know them.

    def save(
        self,
        path: str | Path,
        *,
        video: str | Path | None = None,
        units: Literal["cm", "m"] = "cm",
        rig: Literal["default", "mixamo", "rokoko", "ue5", "vrm", "rigify", "smpl"] = "default",
        fps: float | None = None,
        trail: bool = False,
        panel: bool = False,
        link_video: bool = False,
        others: "Sequence[Motion]" = (),
        progress: Progress = no_progress,
    ) -> Path:
        """Write one file in the format of its suffix, and return its path.

        Args:
            path: Output file: .bvh, .glb, .fbx, .usda, .blend.py, .csv, .angles.csv, .npz, .trc,
                .mot, .c3d, .json, .coco.json, .html, .png or .mp4. An existing file is replaced.
            video: The tracked video: .mp4 needs it, .html, .png and .blend.py show it.
            units: Length unit of .bvh.
            rig: Names, rest pose and axes of the bones in .bvh, .glb, .fbx and .usda.
            fps: Frames per second of .bvh, .glb, .fbx and .usda; by default the video's.
            trail: Draw the path of the centre of mass into .mp4.
            panel: Add a panel to .mp4: side view, top view and joint angles.
            link_video: Link the video from .html instead of embedding it.
            others: Further people of `track_all`, for the same .glb, .fbx, .usda, .blend.py, .mp4
                or .html.
            progress: Progress callback.
        """
        from mocap_cli.export import registry
        from mocap_cli.export.views.overlay import OverlayOptions

        path, video = Path(path), None if video is None else Path(video)
        frames = len(self.times)
        registry.check_rig(path, rig)
        registry.check_output(path, {} if video is None else {"video": video}, frames)
        options = registry.WriteOptions(
            video=video, link_video=link_video, overlay=OverlayOptions(trail=trail, panel=panel),
            units=units, rig=rig, fps=fps,
        )  # fmt: skip
        count = count_stage(progress, f"writing {path.name}", frames)
        registry.MotionWriter(self, options, others).write(path, count)
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
        from mocap_cli.quality.measures import measure_quality
        from mocap_cli.quality.verdict import quality_faults

        return quality_faults(measure_quality(self))
