"""The frozen encoder that heads are fitted to, and the image features that it gives of a video."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.io.json_fields import short_repr
from mocap_cli.io.video_cache import cached
from mocap_cli.keypoints.crop import Crop
from mocap_cli.labels.fitting.degrade import VideoDegrader
from mocap_cli.learning.data.ingest import RunSources
from mocap_cli.learning.data.store import StoredClip
from mocap_cli.learning.loop.distributed import resolve_device
from mocap_cli.learning.loop.training import BEST
from mocap_cli.learning.model.model import Model, to_float
from mocap_cli.learning.model.model_config import MODEL_PRESETS
from mocap_cli.learning.model.model_file import open_model
from mocap_cli.progress import Count, no_progress
from mocap_cli.types import Float32, Float64, Int64, UInt8
from mocap_cli.video.letterbox import Letterbox
from mocap_cli.video.reader import Frame, open_video
from mocap_cli.weights import Device, weight_hash

_CROP_SIZE = 96  # pixels of the person crop that ImageNet features are computed from
_LARGEST = 1024  # pixels: training frames are far smaller, and sixteen are encoded at a time
_BATCH = 16
_VERSION = 3

_Span = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True, eq=False)
class FrozenEncoder:
    """A frozen model and the images that it takes."""

    IMAGENET: ClassVar[str] = "imagenet"  # the model whose features are of no training

    model: Model
    size: tuple[int, int]  # width and height of its input
    digest: str  # identifies its weights
    cropped: bool  # it has no detector: its input is the person crop, not the whole frame
    tuned: bool = False  # fine-tuned on the labels, but for the held-out fold

    @staticmethod
    def open(what: str | Path, device: Device = "cpu") -> "FrozenEncoder":
        """The model of a run's folder or of a file, or `imagenet`: features of no training."""
        if str(what) == FrozenEncoder.IMAGENET:
            config = replace(MODEL_PRESETS["small"], method=FrozenEncoder.IMAGENET, crop=_CROP_SIZE)
            model = Model(config, loss_network=False).eval()
            digest = f"{weight_hash('lite0.safetensors')}-{_CROP_SIZE}"
            return FrozenEncoder(model, (_CROP_SIZE,) * 2, digest, True).on(device)
        path = Path(what)
        path = path / BEST if path.is_dir() else path
        model, meta = open_model(path)
        digest = sha256(path.read_bytes()).hexdigest()
        # A model of given boxes takes the default tracker's squares, here as in its training.
        if model.config.method == FrozenEncoder.IMAGENET or model.config.boxes == "given":
            return FrozenEncoder(model, (model.config.crop,) * 2, digest, True).on(device)
        return FrozenEncoder(model, _trained_size(path, meta), digest, False).on(device)

    @property
    def method(self) -> str:
        """Name of the method that it was trained by."""
        return str(self.model.config.method)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.model.parameters()).device

    def on(self, device: Device) -> "FrozenEncoder":
        """The same with its weights on that device."""
        return replace(self, model=self.model.to(resolve_device(device)))

    def encode(
        self,
        video: Path,
        crops: Float64 | None,  # (T, 3) middle and side of the person crop in each frame
        *,
        cache: Path | None = None,
        span: _Span = (None, None),
        degrader: VideoDegrader | None = None,
        on_frame: Count = no_progress,
    ) -> "EncodedVideo":
        """Encode all frames between two moments, or take them from the cache.

        With a degrader only the frames that it wants, degraded.
        """

        def encode() -> EncodedVideo:
            with open_video(video, *span) as reader:
                size, frames = (reader.info.width, reader.info.height), iter(reader)
                if degrader is not None:
                    size, frames = degrader.output_size(size), degrader.frames(frames)
                return self._encode(self._inputs(frames, size, crops, on_frame), size)

        used = crops.tobytes() if self.cropped and crops is not None else b""
        degrading = None if degrader is None else degrader.cache_key()
        reads_2d = self.model.pose is not None  # a fitted model of an older form has it not
        key = [_VERSION, self.digest, reads_2d, span, sha256(used).hexdigest(), degrading]
        return cached(EncodedVideo, video, cache, key, encode)

    def images(self, video: Path, frames: Int64, crops: Float64 | None) -> UInt8:
        """(N, H, W, 3) its input in those frames."""
        wanted = set(frames.tolist())
        found: dict[int, UInt8] = {}
        with open_video(video) as reader:
            size = reader.info.width, reader.info.height
            for frame in reader:
                if frame.index in wanted:
                    ((_, found[frame.index]),) = self._inputs([frame], size, crops)
                if len(found) == len(wanted):
                    break
        return np.stack([found[frame] for frame in frames.tolist()])

    def _inputs(
        self,
        frames: Iterable[Frame],
        size: tuple[int, int],
        crops: Float64 | None,
        on_frame: Count = no_progress,
    ) -> Iterator[tuple[float, UInt8]]:
        """Time and input image of each frame: letterboxed, or the person crop."""
        letterbox = Letterbox(size, self.size)
        for frame in frames:
            if self.cropped:
                yield frame.time, _person_crop(frame, crops, self.size[0])
            else:
                yield frame.time, letterbox.apply(frame.image)
            on_frame(frame.index + 1)

    @torch.inference_mode()
    def _encode(
        self, frames: Iterator[tuple[float, UInt8]], size: tuple[int, int]
    ) -> "EncodedVideo":
        times: list[float] = []
        plain: list[Float32] = []
        mirrored: list[Float32] = []
        boxes: list[Float32] = []
        while batch := [pair for _, pair in zip(range(_BATCH), frames, strict=False)]:
            images = torch.from_numpy(np.stack([image for _, image in batch])).permute(0, 3, 1, 2)
            images = to_float(images.to(self.device))
            features, box = self._time_variant(images)
            times += [time for time, _ in batch]
            plain.append(features)
            mirrored.append(self._time_variant(images.flip(-1))[0])
            boxes.append(_box_pixels(box, len(batch), self.size, size))
        if not times:
            raise MocapError("the video has no frames to encode", "re-encode it as H.264 MP4")
        return EncodedVideo(
            np.array(times), np.concatenate(plain), np.concatenate(mirrored), np.concatenate(boxes)
        )

    def _time_variant(self, images: Tensor) -> tuple[Float32, Tensor | None]:
        """(N, F) features of images (N, 3, H, W) in 0..1, and boxes; nothing else is computed."""
        boxes, crops = self.model.detect_and_crop(images)
        return self.model.encode_pose(crops).float().cpu().numpy(), boxes


@dataclass(frozen=True, slots=True, eq=False)
class EncodedVideo:
    """Codes and boxes of every frame of a video."""

    times: Float64  # (T,) seconds
    time_variant: Float32  # (T, F) features that change in time, with the pose
    time_variant_mirrored: Float32  # (T, F) the same of the mirrored frame
    boxes: Float32  # (T, 4) left, top, right, bottom in displayed pixels; NaN without a detector

    def __len__(self) -> int:
        return len(self.times)


def _trained_size(path: Path, meta: dict[str, object]) -> tuple[int, int]:
    """Width and height of the frames that a model was trained on."""
    stored = meta.get("size")
    if isinstance(stored, list) and len(stored) == 2:
        if not all(type(side) is int and 0 < side <= _LARGEST for side in stored):
            raise MocapError(
                f"{path} has a frame size of {short_repr(stored)}", "give another model"
            )
        return stored[0], stored[1]
    try:
        sources = RunSources.read(path.parent)
        _, height, width, _ = StoredClip.open(sources.store, sources.clips[0].address).frames.shape
    except (MocapError, IndexError) as error:
        raise MocapError(
            f"{path} does not say how large its training frames were",
            "give the folder of its run, with the store that it was trained on still there",
        ) from error
    return width, height


def _person_crop(frame: Frame, crops: Float64 | None, side: int) -> UInt8:
    """The square of the person, or the whole frame where that is unknown."""
    height, width = frame.image.shape[:2]
    x, y, wide = width / 2, height / 2, float(max(width, height))
    if crops is not None and frame.index < len(crops) and np.isfinite(crops[frame.index]).all():
        x, y, wide = crops[frame.index].tolist()
    return Crop(x, y, max(wide, 8.0)).resized(frame.image, side)


def _box_pixels(
    boxes: Tensor | None, count: int, encoded: tuple[int, int], size: tuple[int, int]
) -> Float32:
    """(N, 4) boxes of the detector (half size and centre, -1..1) as corners in displayed pixels."""
    if boxes is None:
        return np.full((count, 4), np.nan, np.float32)
    pixels = Letterbox(size, encoded).boxes_in_image(boxes.float().cpu().numpy())
    return np.asarray(pixels, np.float32)
