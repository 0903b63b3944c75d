"""Model configuration: the networks of a model and their sizes, stored with its weights."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from mocap_cli.io.json_fields import check_ranges
from mocap_cli.learning.model.backbones import Backbone

_SIDE, _LENGTH, _SHARE = (8, 4096), (0, 1 << 16), (0, 10)
_RANGES = {
    "detector_side": _SIDE, "crop": _SIDE, "features_side": _SIDE, "tv": _LENGTH, "ti": _LENGTH,
    "widths": (1, 1 << 14), "depth": (0, 64), "keypoints": (0, 1000), "pose_width": (1, 1 << 16),
    "smallest": (0, 1), "dropout": (0, 1), "jitter": _SHARE, "stray": _SHARE,
}  # fmt: skip
"""What a file may ask for, before networks of that size are built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """What a model is built of."""

    method: str = "ours"
    boxes: Literal["detector", "given"] = "detector"  # given: crops of another tracker
    detector: str = "resnet18"
    detector_head: Literal["mean", "map"] = "mean"
    detector_side: int = 128  # pixels of the longer side of the detector's input
    # Least side of a box, as a share of the image. The paper's 0.2 is for images that show a person
    # large; a diver of a sixth by an eleventh of the image could not be boxed.
    smallest: float = 0.05
    encoder: str = "resnet50"
    crop: int = 128  # pixels
    tv: int = 600  # length of the time-variant code
    ti: int = 128  # length of the time-invariant code
    widths: tuple[int, int, int, int] = (256, 128, 64, 32)  # channels of the decoder's maps
    depth: int = 3  # convolutions in each decoder block
    features: str = "resnet18"  # the frozen network of the feature loss
    features_side: int = 256  # pixels of the longer side of that network's input
    close_up: bool = False  # the feature loss also compares crops: limbs of a small person
    dropout: float = 0.3
    jitter: float = 0.4  # strength of the colour jitter
    stray: float = 0.0  # displacement of the box that TV is encoded from, in box sizes
    mirrored: bool = False  # TV is encoded from a mirrored crop in half of the items
    keypoints: int = 0  # weak 2D labels to learn from; 0: none
    pose_width: int = 1024  # of the head that predicts 2D keypoints from TV

    def __post_init__(self) -> None:
        check_ranges(self, _RANGES)

    def with_available_weights(self) -> "ModelConfig":
        """The same, with bundled Lite0 for every backbone if a ResNet's cannot be fetched."""
        networks = sorted({self.detector, self.encoder, self.features})
        if all(Backbone.weights_available(name) for name in networks):
            return self
        lite = Backbone.LITE
        return replace(self, detector=lite, encoder=lite, features=lite, detector_head="map")


MODEL_PRESETS: Mapping[str, ModelConfig] = {
    "full": ModelConfig(),
    "small": ModelConfig(
        detector=Backbone.LITE,
        detector_head="map",
        detector_side=96,
        smallest=0.06,
        encoder=Backbone.LITE,
        crop=64,
        tv=192,
        ti=48,
        widths=(64, 48, 32, 16),
        depth=2,
        dropout=0.0,  # short runs underfit
        features=Backbone.LITE,
        features_side=96,
        close_up=True,
        stray=0.1,  # augmentation: the encoder soon memorises few clips
        mirrored=True,
        pose_width=256,
    ),
}
