"""The paper's method and the systems it is compared with, one row of a table each."""

from dataclasses import dataclass, replace
from typing import Literal

from mocap_cli.errors import MocapError

_Contrast = Literal["dsl", "css", "triplet"]
Slot = Literal["reference", "near", "middle", "far", "view", "equal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """The parts of a model and the losses that train it."""

    name: str
    detector: bool = True  # find the subject and encode its crop; else the whole image
    decoder: bool = True  # reconstruct the crop and composite it over the background
    contrast: _Contrast | None = None  # on time-variant codes: Eq. 5 and 6, Eq. 3, Eq. 4
    split: bool = True  # time-variant and time-invariant codes, the latter swapped in time
    augmented: bool = True  # TV is encoded from another version of the crop than TI
    steady: bool = False  # TI is pulled together within a clip
    adversary: bool = False  # a critic must not tell from two codes whether they share a clip
    rotates_codes: bool = False  # codes are 3D points, rotated from camera to camera
    views: int = 1  # cameras that must have filmed each moment
    gravity: bool = False  # boxes fall freely over four frames equally spaced in time
    trained: bool = True  # False: ImageNet features without training
    labelled: bool = False  # learns from 2D labels alone
    boxes_settled: bool = True  # False: boxes have not yet shrunk to the subject's size

    def __post_init__(self) -> None:
        if self.decoder and not self.detector:
            raise ValueError("a decoder needs a detector: its output is pasted into a box")
        if self.split and not self.decoder:
            raise ValueError("a split code needs a decoder: only reconstruction separates the two")
        if self.rotates_codes and (self.views < 2 or not self.split):
            raise ValueError("rotating codes needs two views and a separate code for appearance")

    @staticmethod
    def find(name: str) -> "Method":
        """The method of that name; an unknown name raises an error listing the valid ones."""
        if name not in METHODS:
            raise MocapError(f"unknown method {name!r}", f"choose one of {', '.join(METHODS)}")
        return METHODS[name]

    @property
    def slots(self) -> tuple[Slot, Slot, Slot, Slot]:
        """How the four frames of an item relate to each other."""
        if self.gravity:
            return ("equal", "equal", "equal", "equal")
        if self.views > 1:
            return ("reference", "view", "far", "far")
        if self.contrast == "css":
            return ("reference", "near", "far", "far")
        return ("reference", "near", "middle", "far")

    def in_free_fall(self) -> "Method":
        """The same model in the free-fall stage: reconstruction and gravity losses alone."""
        if not self.detector:
            raise MocapError(
                f"method {self.name} has no detector that the free-fall losses could train",
                "leave --fall-steps out, or choose a method with a detector",
            )
        return replace(
            self,
            contrast=None,
            adversary=False,
            steady=False,
            rotates_codes=False,
            views=1,
            gravity=True,
        )


def _table() -> tuple[Method, ...]:
    plain = Method(name="css", detector=False, decoder=False, split=False, contrast="css")
    return (
        Method(name="ours", contrast="dsl"),
        replace(plain, name="dsl", contrast="dsl"),
        replace(plain, name="dsl-stn", contrast="dsl", detector=True),
        replace(plain, name="dsl-stn-dec", contrast="dsl", detector=True, decoder=True),
        replace(plain, name="ae-stn-dec", contrast=None, detector=True, decoder=True),
        Method(name="css-stn-dec-split", contrast="css"),
        plain,
        replace(plain, name="mv-css", views=2, contrast="triplet"),
        Method(name="drnet", adversary=True, steady=True, augmented=False),
        Method(name="nsd", rotates_codes=True, views=2, augmented=False),
        replace(plain, name="imagenet", contrast=None, trained=False),
        replace(plain, name="imagenet-2d", contrast=None, labelled=True),
    )


METHODS: dict[str, Method] = {method.name: method for method in _table()}
"""Every method by its name; `ours` is DSL-STN-Dec-Split."""
