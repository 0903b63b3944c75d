"""The model: find the subject, encode it in two codes, draw it again over the background."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.decoder import Decoder
from mocap_cli.learning.detector import Detector, Head
from mocap_cli.learning.features import LossNetwork
from mocap_cli.learning.imagenet import weights_available
from mocap_cli.learning.mirror import _Mirrored, mirror, mirror_keypoints, random_items
from mocap_cli.learning.model.autoencoder import Encoder, jitter_colours
from mocap_cli.learning.model.backbones import LITE, RESNETS, make_backbone
from mocap_cli.learning.model.baselines import Critic, CriticOutputs
from mocap_cli.learning.model.methods import METHODS, Method
from mocap_cli.learning.model.pose_head import PoseHead
from mocap_cli.learning.model.spatial_transformer import crop, displace_boxes, paste
from mocap_cli.learning.parts import PreviewImages, on_grey
from mocap_cli.learning.turning import rotate_between_views


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """What a model is built of; stored with its weights."""

    method: str = "ours"
    detector: str = "resnet18"
    detector_head: Head = "mean"
    detector_side: int = 128  # pixels of the longer side as the detector sees it
    smallest: float = 0.2  # share of the picture that a box covers at least
    encoder: str = "resnet50"
    crop: int = 128  # pixels
    tv: int = 600
    ti: int = 128
    widths: tuple[int, int, int, int] = (256, 128, 64, 32)  # of the decoder's maps
    depth: int = 3  # convolutions in each of its blocks
    features: str = "resnet18"  # the frozen network whose maps are compared
    features_side: int = 256  # pixels of the longer side as that network sees it
    close_up: bool = False  # crops are compared as well: a limb of a small person shows only there
    dropout: float = 0.3
    jitter: float = 0.4  # of colours
    stray: float = 0.0  # of the box whose crop TV is told from, in the box's own size
    mirrored: bool = False  # TV is told from half of the crops left for right
    keypoints: int = 0  # weak 2D labels to learn from; 0: none
    pose_width: int = 1024  # of the head that reads 2D keypoints from the code


_FULL = ModelConfig()
SMALL = ModelConfig(
    detector=LITE,
    detector_head="map",
    detector_side=96,
    smallest=0.06,
    encoder=LITE,
    crop=64,
    tv=192,
    ti=48,
    widths=(64, 48, 32, 16),
    depth=2,
    dropout=0.0,  # short runs underfit
    features=LITE,
    features_side=96,
    close_up=True,
    stray=0.1,  # few clips are soon known by heart, and what is known so is no pose
    mirrored=True,
    pose_width=256,
)
PRESETS: dict[str, ModelConfig] = {"full": _FULL, "small": SMALL}


def with_available_weights(config: ModelConfig) -> ModelConfig:
    """The same with Lite0, whose weights are here, for all ResNets if one's cannot be had."""
    wanted = {config.detector, config.encoder, config.features} & set(RESNETS)
    if all(weights_available(name) for name in sorted(wanted)):
        return config
    return replace(config, detector=LITE, encoder=LITE, features=LITE, detector_head="map")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the model made of a batch; whatever its method does without is None."""

    tv: Tensor  # (B, S, tv) what changes in time
    ti: Tensor  # (B, S, ti) what does not
    crops: Tensor  # (B, S, 3, side, side) 0..1
    boxes: Tensor | None = None  # (B, S, 4) as in transformer.py
    decoded: Tensor | None = None  # (B, S, 3, side, side) colours
    masks: Tensor | None = None  # (B, S, 1, side, side) 0..1
    composite: Tensor | None = None  # (B, S, 3, H, W) Eq. 1
    maps: tuple[tuple[Tensor, Tensor], ...] = ()  # of the frame and of the composite, Eq. 2
    keypoints: Tensor | None = None  # (B, S, K, 2) 0..1 of the picture
    critic: CriticOutputs | None = None  # of DrNet's critic


class Model(nn.Module):
    """All parts that the configured method wants, and no other.

    `taught` starts from ImageNet; False leaves the parts to be filled from a file. `learns` adds
    what only training needs: the frozen network of the feature loss.
    """

    def __init__(self, config: ModelConfig, *, taught: bool = True, learns: bool = True) -> None:
        super().__init__()
        self.config, method = config, METHODS[config.method]
        # A code that is not split is as long as both, and the decoder reads it as both.
        tv, ti = (config.tv, config.ti) if method.split else (config.tv + config.ti, 0)
        self.encoder = Encoder(make_backbone(config.encoder, taught=taught), config.crop, tv, ti)
        self.detector: Detector | None = None
        self.decoder: Decoder | None = None
        self.features: LossNetwork | None = None
        self.pose: PoseHead | None = None
        self.critic: Critic | None = None
        if method.detector:
            backbone = make_backbone(config.detector, taught=taught)
            self.detector = Detector(
                backbone, config.detector_head, config.detector_side, config.smallest
            )
        if method.decoder:
            codes = (config.tv, config.ti)
            self.decoder = Decoder(codes, config.widths, config.crop, config.depth, config.dropout)
            if learns:
                self.learn_on()
        if config.keypoints:
            self.pose = PoseHead(tv, 2 * config.keypoints, config.pose_width)
        if method.adversary:
            self.critic = Critic(tv)

    def learn_on(self) -> None:
        """Add the frozen network that says how alike two pictures are; only training needs it."""
        if self.decoder is not None:
            self.features = LossNetwork(self.config.features, self.config.features_side)

    def forward(self, batch: Batch, method: Method) -> Outputs:
        """Detect, encode, and what the method asks for beyond."""
        B, S = batch.times.shape
        frames = to_float(batch.frames)  # (N, 3, H, W), N = B * S
        boxes, crops = self.look(frames)
        varied = self.training and method.split
        # NSD's codes are points in the world, which has no mirror.
        mirrors = (
            varied and self.config.mirrored and method.boxes_settled and not method.rotates_codes
        )
        mirrored = random_items(batch.times) if mirrors else None
        # First the subject is found, from as little as it takes: in a box still large, what is
        # little for the box would hide a small one.
        stray = self.config.stray if method.boxes_settled else 0.0
        seen = self.seen_otherwise(frames, boxes, stray, mirrored) if varied else crops
        tv = self.encoder.time_variant(seen).float().unflatten(0, (B, S))
        ti = self.encoder.time_invariant(crops).float().unflatten(0, (B, S))
        outputs = Outputs(tv, ti, crops.unflatten(0, (B, S)))
        if boxes is not None:
            outputs = replace(outputs, boxes=boxes.unflatten(0, (B, S)))
        if self.pose is not None:
            told = self.read_keypoints(tv, outputs.boxes, mirrored)
            outputs = replace(outputs, keypoints=told)
        if self.critic is not None and method.adversary:
            outputs = replace(outputs, critic=self.critic(tv, batch.clips))
        if self.decoder is None or boxes is None:
            return outputs
        if method.rotates_codes:
            tv = rotate_between_views(tv, batch.rotations)
        looks = _swap_in_time(ti, batch.times)
        drawn, masks = self.draw(tv.flatten(0, 1), looks.flatten(0, 1))
        drawn, masks = mirror(drawn, mirrored), mirror(masks, mirrored)
        composite = _composite(drawn, masks, boxes, batch)
        return replace(
            outputs,
            decoded=drawn.unflatten(0, (B, S)),
            masks=masks.unflatten(0, (B, S)),
            composite=composite.unflatten(0, (B, S)),
            maps=self.compared(frames, composite, boxes.detach() if method.boxes_settled else None),
        )

    def seen_otherwise(
        self, frames: Tensor, boxes: Tensor | None, stray: float, mirrored: _Mirrored
    ) -> Tensor:
        """Crops for TV: in other colours, from beside the box, mirrored.

        Drawn from TV is the frame as it is, in the looks that TI tells from a plain crop. So TV
        comes to tell of the pose, wherever and in whatever it is seen, and TI does not.
        """
        beside = None if boxes is None else displace_boxes(boxes, stray)
        return mirror(jitter_colours(self.cut(frames, beside), self.config.jitter), mirrored)

    def look(self, frames: Tensor) -> tuple[Tensor | None, Tensor]:
        """Boxes of pictures (N, 3, H, W) in 0..1, and what they hold; without, all of it."""
        boxes = None if self.detector is None else self.detector(frames)
        return boxes, self.cut(frames, boxes)

    def cut(self, frames: Tensor, boxes: Tensor | None) -> Tensor:
        """What boxes (N, 4) hold of pictures (N, 3, H, W); without boxes all of it."""
        side = self.config.crop
        if boxes is None:
            return F.interpolate(frames, (side, side), mode="bilinear", antialias=True)
        return crop(frames, boxes, side)

    def encode(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Frames (N, 3, H, W) uint8 to codes (N, tv), (N, ti) and boxes (N, 4), for use.

        The method that learns nothing gives ImageNet's features in place of the first code.
        """
        boxes, crops = self.look(to_float(frames))
        if not METHODS[self.config.method].trained:
            return self.code(crops), crops.new_zeros(len(crops), 0), None
        return self.code(crops), self.encoder.time_invariant(crops), boxes

    def code(self, crops: Tensor) -> Tensor:
        """Crops (N, 3, S, S) to what tells poses: the first of the codes of `encode`."""
        trained = METHODS[self.config.method].trained
        return self.encoder.time_variant(crops) if trained else self.encoder.features(crops)

    @torch.no_grad()
    def parts_for_sheet(self, batch: Batch) -> PreviewImages:
        """The first frame of each item with all that is made of it, and poses worn by others."""
        was, _ = self.training, self.eval()
        outputs = self(
            batch, replace(METHODS[self.config.method], rotates_codes=False, adversary=False)
        )
        self.train(was)
        boxes, drawn, masks, composite = (
            None if value is None else value[:, 0]
            for value in (outputs.boxes, outputs.drawn, outputs.masks, outputs.composite)
        )
        split = self.decoder is not None and outputs.ti.shape[-1]
        return PreviewImages(
            frames=to_float(batch.frames[:, 0]),
            plates=to_float(batch.plates[:, 0]),
            crops=outputs.crops[:, 0],
            boxes=boxes,
            masks=masks,
            drawn=None if drawn is None or masks is None else on_grey(drawn, masks),
            composite=None if composite is None else composite.clamp(0, 1),
            swaps=self._swaps(outputs.tv[:, 0], outputs.ti[:, 0]) if split else None,
        )

    def _swaps(self, tv: Tensor, ti: Tensor) -> Tensor:
        """Each pose (row) in each one's looks (column)."""
        N = len(tv)
        drawn, masks = self.draw(tv.repeat_interleave(N, 0), ti.repeat(N, 1))
        return on_grey(drawn, masks).unflatten(0, (N, N))

    def draw(self, tv: Tensor, ti: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (N, tv) and (N, ti) to colours and masks of crops."""
        if self.decoder is None:
            raise ValueError(f"method {self.config.method} draws nothing")
        if not ti.shape[-1]:
            tv, ti = tv.split((self.config.tv, self.config.ti), dim=-1)
        colours, masks = self.decoder(tv, ti)
        return colours, masks

    def read_keypoints(
        self, tv: Tensor, boxes: Tensor | None, mirrored: _Mirrored = None
    ) -> Tensor:
        """(B, S, K, 2) places in the picture, 0..1; the head tells where in the box they are."""
        assert self.pose is not None
        placed = mirror_keypoints(self.pose(tv).float().unflatten(-1, (-1, 2)), mirrored)
        if boxes is not None:
            size, centre = boxes.detach().unsqueeze(-2).split(2, dim=-1)
            placed = size * placed + centre
        return (placed + 1) / 2

    def compared(
        self, frames: Tensor, composite: Tensor, boxes: Tensor | None
    ) -> tuple[tuple[Tensor, Tensor], ...]:
        """Maps of the frozen network, of what was and of what was drawn; of boxes close up too."""
        if self.features is None:
            return ()
        pairs = [(frames, composite)]
        if self.config.close_up and boxes is not None:
            pairs.append((self.cut(frames, boxes), self.cut(composite, boxes)))
        maps: list[tuple[Tensor, Tensor]] = []
        for was, drawn in pairs:
            with torch.no_grad():
                wanted = self.features(was)
            maps += zip(wanted, self.features(drawn), strict=True)
        return tuple(maps)


def to_float(frames: Tensor) -> Tensor:
    """(..., 3, H, W) uint8 to (N, 3, H, W) in 0..1."""
    return frames.reshape(-1, *frames.shape[-3:]).float() / 255


def _swap_in_time(ti: Tensor, times: Tensor) -> Tensor:
    """Each frame (B, S, ti) gets the looks of the frame of its item farthest in time.

    One nearby would do to smuggle the pose.
    """
    farthest = (times[:, :, None] - times[:, None]).abs().argmax(-1)  # (B, S)
    return ti.gather(1, farthest[..., None].expand_as(ti))


def _composite(drawn: Tensor, masks: Tensor, boxes: Tensor, batch: Batch) -> Tensor:
    """Eq. 1: what was drawn over the background, (N, 3, H, W).

    Where the background is unknown the frame itself stands for it, so nothing is asked there.
    """
    H, W = batch.frames.shape[-2:]
    known = batch.known.reshape(-1, 1, H, W)
    plates = torch.where(known, to_float(batch.plates), to_float(batch.frames))
    colours = paste(drawn, boxes, H, W, beyond="border")
    mask = paste(masks, boxes, H, W, beyond="zeros")
    return mask * colours + (1 - mask) * plates
