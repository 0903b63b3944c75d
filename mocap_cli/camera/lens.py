"""Focal length in pixels, from what a user knows of a lens."""

import math

from mocap_cli.errors import MocapError

_FILM_WIDTH_MM = 36.0
"""Width of 35 mm film: what 35 mm equivalent focal lengths refer to."""

_HINT = "give pixels (900), a 35 mm equivalent (26mm), or --fov DEGREES"


def focal_pixels(
    focal: float | str | None, fov: float | None, size: tuple[int, int]
) -> float | None:
    """Focal length in pixels of an image of `size` (width, height); None if nothing is given.

    `focal` is in pixels, or a 35 mm equivalent such as "26mm"; `fov` is the field of view across
    the longer side of the image, in degrees.
    """
    if focal is not None and fov is not None:
        raise MocapError("--focal and --fov contradict each other", "give one of them")
    if fov is not None:
        if not 0 < fov < 180:
            raise MocapError(f"a field of view of {fov:g} degrees is not possible", _HINT)
        return max(size) / 2 / math.tan(math.radians(fov) / 2)
    if focal is None:
        return None
    text = str(focal).strip().lower()
    millimetres = text.endswith("mm")
    try:
        length = float(text.removesuffix("mm").removesuffix("px"))
    except ValueError:
        length = math.nan
    if not (math.isfinite(length) and length > 0):
        raise MocapError(f"{focal} is not a focal length", _HINT)
    return length / _FILM_WIDTH_MM * max(size) if millimetres else length
