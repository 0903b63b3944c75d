"""The paper's method and the systems it is compared with: each is a row, none is a fork."""

from dataclasses import dataclass, replace
from typing import Literal

from mocap_cli.errors import MocapError

_Contrast = Literal["dsl", "css", "triplet"]
Slot = Literal["reference", "near", "middle", "far", "view", "equal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What a model is made of and what it is taught by."""

    name: str
    detector: bool = True  # find the subject and encode its crop; else the whole picture
    decoder: bool = True  # draw the crop again and put it over the background
    contrast: _Contrast | None = None  # on time-variant codes: Eq. 5 and 6, Eq. 3, Eq. 4
    split: bool = True  # time-variant and time-invariant codes, the latter swapped in time
    adversary: bool = False  # a critic must not tell from two codes whether they share a clip
    rotates_codes: bool = False  # codes are points in space, turned from camera to camera
    views: int = 1  # cameras that must have filmed each moment
    gravity: bool = False  # boxes fall freely over four frames equally spaced in time
    trained: bool = True  # False: ImageNet's features as they are
    boxes_settled: bool = True  # False: boxes are still far larger than the subject

    def __post_init__(self) -> None:
        if self.decoder and not self.detector:
            raise ValueError("what is drawn goes back into a box: a decoder wants a detector")
        if self.split and not self.decoder:
            raise ValueError("only drawing again can part the two codes")
        if self.rotates_codes and (self.views < 2 or not self.split):
            raise ValueError("turning codes wants two views and a code of its own for looks")

    @property
    def slots(self) -> tuple[Slot, Slot, Slot, Slot]:
        """What the four frames of an item are to each other."""
        if self.gravity:
            return ("equal", "equal", "equal", "equal")
        if self.views > 1:
            return ("reference", "view", "far", "far")
        if self.contrast == "css":
            return ("reference", "near", "far", "far")
        return ("reference", "near", "middle", "far")

    def in_free_fall(self) -> "Method":
        """The same model in the first stage for free fall: redrawing and gravity alone."""
        if not self.detector:
            raise MocapError(
                f"method {self.name} has no detector that gravity could teach",
                "leave the gravity stage out, or choose a method with a detector",
            )
        return replace(
            self, contrast=None, adversary=False, rotates_codes=False, views=1, gravity=True
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
        Method(name="drnet", adversary=True),
        Method(name="nsd", rotates_codes=True, views=2),
        replace(plain, name="imagenet", contrast=None, trained=False),
    )


METHODS: dict[str, Method] = {method.name: method for method in _table()}
"""Every row by its name; `ours` is DSL-STN-Dec-Split."""


def find_method(name: str) -> Method:
    """The row of that name; a wrong name is told the right ones."""
    if name not in METHODS:
        raise MocapError(f"no method is called {name!r}", f"choose one of {', '.join(METHODS)}")
    return METHODS[name]
