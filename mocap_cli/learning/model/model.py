"""The model: detect the subject, encode it in two codes, reconstruct it over the background."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.model.autoencoder import Decoder, Encoder
from mocap_cli.learning.model.backbones import LossNetwork, make_backbone
from mocap_cli.learning.model.baselines import (
    Critic,
    CriticOutputs,
    crop_from_camera,
    rotate_between_views,
)
from mocap_cli.learning.model.crop_augmentation import (
    displace_boxes,
    jitter_colours,
    mirror,
    mirror_keypoints,
    random_items,
)
from mocap_cli.learning.model.methods import METHODS, Method
from mocap_cli.learning.model.model_config import ModelConfig
from mocap_cli.learning.model.pose_head import PoseHead
from mocap_cli.learning.model.spatial_transformer import Detector, crop, paste

_FROZEN = "features."  # the loss network: ImageNet's weights, the same in every model


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the model computes from a batch; None where its method has no such part."""

    tv: Tensor  # (B, S, tv) time-variant codes
    ti: Tensor  # (B, S, ti) time-invariant codes, each of ANOTHER frame of its item
    crops: Tensor  # (B, S, 3, side, side) 0..1
    boxes: Tensor | None = None  # (B, S, 4) as in spatial_transformer.py
    decoded: Tensor | None = None  # (B, S, 3, side, side) colours
    masks: Tensor | None = None  # (B, S, 1, side, side) 0..1
    composite: Tensor | None = None  # (B, S, 3, H, W) Eq. 1
    maps: tuple[tuple[Tensor, Tensor], ...] = ()  # of the frame and of the composite, Eq. 2
    keypoints: Tensor | None = None  # (B, S, K, 2) in the crop, -1..1
    critic: CriticOutputs | None = None  # of DrNet


class Model(nn.Module):
    """The parts that the configured method needs, and no others.

    `pretrained` starts from ImageNet weights; False leaves the parts to be filled from a file.
    `loss_network` adds what only training needs: the frozen network of the feature loss.
    """

    def __init__(
        self, config: ModelConfig, *, pretrained: bool = True, loss_network: bool = True
    ) -> None:
        super().__init__()
        self.config, method = config, METHODS[config.method]
        # A code that is not split is as long as both, and the decoder reads it as both.
        tv, ti = (config.tv, config.ti) if method.split else (config.tv + config.ti, 0)
        backbone = make_backbone(config.encoder, pretrained=pretrained)
        self.encoder = Encoder(backbone, config.crop, tv, ti)
        self.detector: Detector | None = None
        self.decoder: Decoder | None = None
        self.features: LossNetwork | None = None
        self.pose: PoseHead | None = None
        self.critic: Critic | None = None
        if method.detector and config.boxes == "detector":
            backbone = make_backbone(config.detector, pretrained=pretrained)
            self.detector = Detector(
                backbone, config.detector_head, config.detector_side, config.smallest
            )
        if method.decoder:
            codes = (config.tv, config.ti)
            self.decoder = Decoder(codes, config.widths, config.crop, config.depth, config.dropout)
            if loss_network:
                self.add_loss_network(pretrained=pretrained)
        if config.keypoints:
            self.pose = PoseHead(tv, 2 * config.keypoints, config.pose_width)
        if method.adversary:
            self.critic = Critic(tv)

    def add_loss_network(self, *, pretrained: bool = True) -> None:
        """Add the frozen network of the feature loss; a model read from a file trains with it."""
        if self.decoder is not None:
            name, side = self.config.features, self.config.features_side
            self.features = LossNetwork(name, side, pretrained=pretrained)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.parameters()).device

    def forward(self, batch: Batch, method: Method) -> Outputs:
        """Detect, encode, and what else the method needs for its losses."""
        B, S = batch.times.shape
        frames = to_float(batch.frames)  # (N, 3, H, W), N = B * S
        boxes, crops = self.detect_and_crop(frames, batch.boxes)
        augment = self.training and method.split and method.augmented
        mirrors = augment and self.config.mirrored and method.boxes_settled
        mirrored = random_items(batch.times) if mirrors else None
        # A displacement that is small for a box still too large would hide a small subject.
        stray = self.config.stray if method.boxes_settled else 0.0
        varied = self._augmented_crops(frames, boxes, stray, mirrored) if augment else crops
        tv = self.encoder.time_variant(varied).float().unflatten(0, (B, S))
        ti = self._codes_of_other_frames(crops.unflatten(0, (B, S)), batch.times)
        outputs = Outputs(tv, ti, crops.unflatten(0, (B, S)))
        if boxes is not None:
            outputs = replace(outputs, boxes=boxes.unflatten(0, (B, S)))
        if self.pose is not None:
            outputs = replace(outputs, keypoints=self.predict_keypoints(tv, mirrored))
        if self.critic is not None and method.adversary:
            outputs = replace(outputs, critic=self.critic(tv, batch.clips))
        if self.decoder is None or boxes is None:
            return outputs
        if method.rotates_codes:
            tv = rotate_between_views(tv, batch.rotations, crop_from_camera(boxes, frames))
        decoded, masks = self.decode(tv.flatten(0, 1), ti.flatten(0, 1))
        decoded, masks = mirror(decoded, mirrored), mirror(masks, mirrored)
        composite = _composite(decoded, masks, boxes, batch)
        close_up = boxes.detach() if self.config.close_up and method.boxes_settled else None
        return replace(
            outputs,
            decoded=decoded.unflatten(0, (B, S)),
            masks=masks.unflatten(0, (B, S)),
            composite=composite.unflatten(0, (B, S)),
            maps=self._feature_maps(frames, composite, close_up),
        )

    def detect_and_crop(
        self, frames: Tensor, given: Tensor | None = None
    ) -> tuple[Tensor | None, Tensor]:
        """Boxes of images (N, 3, H, W) in 0..1, and their crops; without boxes the image.

        A model of given boxes takes those, or images that are such crops already.
        """
        boxes = None
        if self.config.boxes == "given":
            boxes = None if given is None else given.reshape(-1, 4)
        elif self.detector is not None:
            boxes = self.detector(frames)
        return boxes, self._crop(frames, boxes)

    def _crop(self, frames: Tensor, boxes: Tensor | None) -> Tensor:
        side = self.config.crop
        if boxes is None:
            return F.interpolate(frames, (side, side), mode="bilinear", antialias=True)
        return crop(frames, boxes, side)

    def _augmented_crops(
        self, frames: Tensor, boxes: Tensor | None, stray: float, mirrored: Tensor | None
    ) -> Tensor:
        """Crops for TV: other colours, a displaced box, mirrored.

        The frame is reconstructed as it is, with the appearance that TI takes from a plain crop.
        So TV learns the pose whatever the colours and the place, and TI does not.
        """
        displaced = None if boxes is None else displace_boxes(boxes, stray)
        jittered = jitter_colours(self._crop(frames, displaced), self.config.jitter)
        return mirror(jittered, mirrored)

    def _codes_of_other_frames(self, crops: Tensor, times: Tensor) -> Tensor:
        """TI for each of (B, S) frames, from the frame of its item farthest in time: (B, S, ti).

        A nearby frame would let TI carry the pose. The farthest is the first or the last in time,
        so only these two are encoded.
        """
        if self.encoder.steady is None:
            return crops.new_zeros(*times.shape, 0)
        ends, choice = _farthest_in_time(times)
        B = torch.arange(len(times), device=times.device)
        codes = self.encoder.time_invariant(crops[B[:, None], ends].flatten(0, 1)).float()
        codes = codes.unflatten(0, (-1, 2))  # (B, 2, ti)
        return codes.gather(1, choice[..., None].expand(-1, -1, codes.shape[-1]))

    def encode(
        self, frames: Tensor, given: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Frames (N, 3, H, W) uint8 to codes (N, tv), (N, ti) and boxes (N, 4), for inference.

        Frames may be on any device; results are on the model's. The method without training gives
        ImageNet features in place of the first code.
        """
        boxes, crops = self.detect_and_crop(to_float(frames.to(self.device)), given)
        if not METHODS[self.config.method].trained:
            return self.encode_pose(crops), crops.new_zeros(len(crops), 0), None
        return *self.encoder.codes(crops), boxes

    def encode_pose(self, crops: Tensor) -> Tensor:
        """Crops (N, 3, S, S) to what poses are read from: TV, and the 2D keypoints read from it.

        Eq. 15: the 3D head also gets the keypoints of a model that was trained with 2D labels.
        """
        if not METHODS[self.config.method].trained:
            return self.encoder.features(crops)
        tv = self.encoder.time_variant(crops)
        return tv if self.pose is None else torch.cat((tv, self.pose(tv)), dim=-1)

    def decode(self, tv: Tensor, ti: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (N, tv) and (N, ti) to colours and masks of crops."""
        if self.decoder is None:
            raise ValueError(f"method {self.config.method} has no decoder")
        if not ti.shape[-1]:
            tv, ti = tv.split((self.config.tv, self.config.ti), dim=-1)
        colours, masks = self.decoder(tv, ti)
        return colours, masks

    def predict_keypoints(self, tv: Tensor, mirrored: Tensor | None = None) -> Tensor:
        """(B, S, K, 2) positions in the crop, -1..1: the code does not know where the box is."""
        assert self.pose is not None
        return mirror_keypoints(self.pose(tv).float().unflatten(-1, (-1, 2)), mirrored)

    def trained_tensors(self) -> dict[str, Tensor]:
        """What training changes, by name; each tensor contiguous and on the CPU."""
        state = self.state_dict().items()
        return {k: v.cpu().contiguous() for k, v in state if not k.startswith(_FROZEN)}

    def restore_tensors(self, tensors: Mapping[str, Tensor], *, assign: bool = False) -> None:
        """Restore `trained_tensors`: copied into place, or with `assign` used as they are.

        Missing, unknown, misshapen or non-finite tensors are a ValueError.
        """
        wanted = {k: v for k, v in self.state_dict().items() if not k.startswith(_FROZEN)}
        if wanted.keys() != tensors.keys():
            odd = sorted(wanted.keys() ^ tensors.keys())
            raise ValueError(f"{len(odd)} tensors missing or unknown, such as {odd[0]}")
        for name, value in tensors.items():
            if value.shape != wanted[name].shape or value.dtype != wanted[name].dtype:
                raise ValueError(f"{name} is {value.dtype} {tuple(value.shape)}")
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise ValueError(f"{name} is not finite")
        self.load_state_dict(dict(tensors), strict=False, assign=assign)

    def _feature_maps(
        self, frames: Tensor, composite: Tensor, close_up: Tensor | None
    ) -> tuple[tuple[Tensor, Tensor], ...]:
        """Maps of the loss network, of frames and composites, and of their crops for a close-up."""
        if self.features is None:
            return ()
        pairs = [(frames, composite)]
        if close_up is not None:
            pairs.append((self._crop(frames, close_up), self._crop(composite, close_up)))
        maps: list[tuple[Tensor, Tensor]] = []
        for frame, reconstruction in pairs:
            with torch.no_grad():
                target = self.features(frame)
            maps += zip(target, self.features(reconstruction), strict=True)
        return tuple(maps)


def to_float(frames: Tensor) -> Tensor:
    """(..., 3, H, W) uint8 to (N, 3, H, W) in 0..1."""
    return frames.reshape(-1, *frames.shape[-3:]).float() / 255


def _farthest_in_time(times: Tensor) -> tuple[Tensor, Tensor]:
    """Slots of the first and the last frame (B, 2), and which of the two is farther (B, S)."""
    ends = torch.stack((times.argmin(-1), times.argmax(-1)), dim=-1)
    distance = (times[:, :, None] - times.gather(1, ends)[:, None]).abs()  # (B, S, 2)
    to_first, to_last = distance.unbind(-1)
    lower_slot = (ends[:, :1] > ends[:, 1:]).expand_as(times)  # decides where both are as far
    return ends, torch.where(to_first == to_last, lower_slot, to_last > to_first).long()


def _composite(decoded: Tensor, masks: Tensor, boxes: Tensor, batch: Batch) -> Tensor:
    """Eq. 1: the decoded crop over the background, (N, 3, H, W).

    Where the background is unknown the frame takes its place, so nothing is learnt there.
    """
    H, W = batch.frames.shape[-2:]
    known = batch.known.reshape(-1, 1, H, W)
    plates = torch.where(known, to_float(batch.plates), to_float(batch.frames))
    colours = paste(decoded, boxes, H, W, beyond="border")
    mask = paste(masks, boxes, H, W, beyond="zeros")
    return mask * colours + (1 - mask) * plates
