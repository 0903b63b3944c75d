"""Eye: the frozen model that labels are fitted to, and the codes that it gives of a video."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import torch

from mocap_cli.errors import MocapError
from mocap_cli.io.video_cache import cached
from mocap_cli.keypoints.crop import Crop
from mocap_cli.labels.fitting.degrade import VideoDegrader
from mocap_cli.learning.data.ingest import read_sources
from mocap_cli.learning.data.store import open_clip
from mocap_cli.learning.loop.training import BEST
from mocap_cli.learning.model.model import SMALL, Model
from mocap_cli.learning.model.model_file import open_model
from mocap_cli.types import Float32, Float64, Int64, UInt8
from mocap_cli.video.letterbox import Letterbox
from mocap_cli.video.reader import Frame, open_video
from mocap_cli.weights import weight_hash

IMAGENET = "imagenet"
_CROP_SIZE = 96  # pixels of the person's square that ImageNet's features are read from
_LARGEST = 1024  # pixels: frames to learn from are far smaller, and sixteen are shown at a time
_BATCH = 16
_VERSION = 2


@dataclass(frozen=True, slots=True, eq=False)
class FrozenEncoder:
    """A frozen model and how pictures are shown to it."""

    model: Model
    size: tuple[int, int]  # width and height of what it is shown
    digest: str  # tells its codes from those of others
    cropped: bool  # it finds nobody by itself: it is shown the person's square
    tuned: bool = False  # to the labels, but for those that are kept from it

    def method(self) -> str:
        """What it is, for people."""
        return str(self.model.config.method)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedVideo:
    """What an eye makes of every frame of a video."""

    times: Float64  # (T,) seconds
    tv: Float32  # (T, F) what changes in time
    mirrored: Float32  # (T, F) the same of the mirrored picture
    boxes: Float32  # (T, 4) left, top, right, bottom in displayed pixels; NaN where it has none

    def __len__(self) -> int:
        return len(self.times)


def open_encoder(what: str | Path) -> FrozenEncoder:
    """A run's folder, its model file, or `imagenet`, which nothing was learnt for."""
    if str(what) == IMAGENET:
        config = replace(SMALL, method=IMAGENET, crop=_CROP_SIZE)
        model = Model(config, learns=False).eval()
        digest = f"{weight_hash('lite0.safetensors')}-{_CROP_SIZE}"
        return FrozenEncoder(model, (_CROP_SIZE, _CROP_SIZE), digest, True)
    path = Path(what)
    path = path / BEST if path.is_dir() else path
    model, meta = open_model(path)
    digest = sha256(path.read_bytes()).hexdigest()
    if model.config.method == IMAGENET:
        return FrozenEncoder(model, (model.config.crop,) * 2, digest, True)
    return FrozenEncoder(model, _size(path, meta), digest, False)


def _size(path: Path, meta: dict[str, object]) -> tuple[int, int]:
    """Width and height of the frames that a model learnt from."""
    kept = meta.get("size")
    if isinstance(kept, list) and len(kept) == 2:
        width, height = int(kept[0]), int(kept[1])
        if not 0 < min(width, height) <= max(width, height) <= _LARGEST:
            raise MocapError(f"{path} tells a size of {width}x{height}", "give an undamaged model")
        return width, height
    try:
        sources, store, _ = read_sources(path.parent)
        _, height, width, _ = open_clip(store, sources[0].address).frames.shape
    except (MocapError, IndexError) as error:
        raise MocapError(
            f"{path} does not tell how large the frames were that it learnt from",
            "give the folder of its run, with the store that it learnt from still there",
        ) from error
    return width, height


def encode_video(
    video: Path,
    eye: FrozenEncoder,
    cache: Path | None,
    crops: Float64 | None = None,  # (T, 3) middle and side of the person's square in each frame
    span: tuple[float | None, float | None] = (None, None),
    on_frame: Callable[[int], None] = lambda done: None,
    spoiler: VideoDegrader | None = None,
) -> EncodedVideo:
    """The codes of all frames between two moments; from the cache where they are kept there.

    With a spoiler those of the frames that it wants, spoilt.
    """

    def see() -> EncodedVideo:
        with open_video(video, *span) as reader:
            size, source = (reader.info.width, reader.info.height), iter(reader)
            if spoiler is not None:
                size, source = spoiler.shrunk(size), spoiler.frames(source)
            return _encoded(_network_images(source, size, eye, crops, on_frame), eye, size)

    shown = sha256(crops.tobytes()).hexdigest() if eye.cropped and crops is not None else None
    how = [_VERSION, eye.digest, span, shown, spoiler and spoiler.told()]
    return cached(EncodedVideo, video, cache, how, see)


def encoder_images(video: Path, eye: FrozenEncoder, frames: Int64, crops: Float64 | None) -> UInt8:
    """(N, H, W, 3) those frames as the eye is shown them."""
    wanted = set(frames.tolist())
    with open_video(video) as reader:
        size = reader.info.width, reader.info.height
        chosen = (frame for frame in reader if frame.index in wanted)
        indexed = ((frame.index, frame) for frame in chosen)
        found = {
            index: picture
            for index, frame in indexed
            for _, picture in _network_images([frame], size, eye, crops, lambda done: None)
        }
    return np.stack([found[frame] for frame in frames.tolist()])


def _network_images(
    reader: Iterable[Frame],
    size: tuple[int, int],
    eye: FrozenEncoder,
    crops: Float64 | None,
    on_frame: Callable[[int], None],
) -> Iterator[tuple[float, UInt8]]:
    """Each frame as the eye is shown it: all of it on black, or the person's square."""
    letterbox = Letterbox(size, eye.size)
    for frame in reader:
        if eye.cropped:
            yield frame.time, _person_crop(frame, crops, eye.size[0])
        else:
            yield frame.time, letterbox.apply(frame.image)
        on_frame(frame.index + 1)


def _person_crop(frame: Frame, crops: Float64 | None, side: int) -> UInt8:
    height, width = frame.image.shape[:2]
    whole = (width / 2, height / 2, float(max(width, height)))
    x, y, wide = whole
    if crops is not None and frame.index < len(crops) and np.isfinite(crops[frame.index]).all():
        x, y, wide = crops[frame.index].tolist()
    picture = Crop(x, y, max(wide, 8.0)).extract(frame.image)
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


@torch.inference_mode()
def _encoded(
    frames: Iterator[tuple[float, UInt8]], eye: FrozenEncoder, size: tuple[int, int]
) -> EncodedVideo:
    times: list[float] = []
    codes: list[Float32] = []
    flipped: list[Float32] = []
    boxes: list[Float32 | Float64] = []
    letterbox = Letterbox(size, eye.size)
    while batch := [pair for _, pair in zip(range(_BATCH), frames, strict=False)]:
        pictures = torch.from_numpy(np.stack([picture for _, picture in batch])).permute(0, 3, 1, 2)
        tv, _, box = eye.model.encode(pictures)
        mirrored, _, _ = eye.model.encode(pictures.flip(-1))
        times += [time for time, _ in batch]
        codes.append(tv.numpy())
        flipped.append(mirrored.numpy())
        empty = np.full((len(batch), 4), np.nan, np.float32)
        boxes.append(empty if box is None else letterbox.boxes_in_image(box.numpy()))
    return EncodedVideo(
        np.array(times),
        np.concatenate(codes).astype(np.float32),
        np.concatenate(flipped).astype(np.float32),
        np.concatenate(boxes).astype(np.float32),
    )
