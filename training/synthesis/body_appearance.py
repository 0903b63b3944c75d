"""Appearance: textures of skin, hair and clothes for the body model, which has none."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Bool, Float32
from training.synthesis.body_model import Body
from training.synthesis.cloth_patterns import Pattern, colour, noise, pattern
from training.synthesis.renderer import BodySurface
from training.synthesis.skin_chart import TEXELS, SkinPoints, skin_chart

# Landmarks of the average body's head, metres.
EYE = np.array([0.031, 0.823, 0.125], np.float32)
MOUTH_Y, BROW_Y, FRONT = 0.748, 0.845, 0.09
HAIRLINE = ((-0.05, 0.02, 0.05, 0.075, 0.12), (0.735, 0.77, 0.83, 0.845, 0.89))  # z, y
NECK = np.array([0.0, 0.676, 0.03], np.float32)
SHOULDER = np.array([0.177, 0.578, 0.019], np.float32)

SKINS = np.array(
    [[246, 221, 205], [236, 199, 176], [222, 178, 148], [198, 148, 116], [160, 112, 80],
     [122, 82, 58], [90, 60, 44], [66, 45, 36]], np.float32
) / 255  # fmt: skip
HAIRS = np.array(
    [[18, 16, 16], [38, 27, 22], [70, 46, 32], [112, 76, 48], [168, 128, 78], [214, 184, 130],
     [130, 62, 34], [150, 150, 150], [225, 225, 222]], np.float32
) / 255  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Garment:
    """A garment and the parts of the body that it covers, in coordinates of SkinPoints."""

    paint: Pattern
    thickness: float = 0.004  # metres
    trunk: tuple[float, float] = (0.0, 0.0)  # from hem to collar; empty when equal
    neckline: float = 0.08  # metres of bare skin around the neck
    sleeve: float = 0.0  # how far down the arm; below 0 leaves the shoulders free
    leg: float = -1.0  # how far down the leg; below 0 is none, 0 a swimming costume's cut
    wrist: float = 3.0  # where gloves begin
    ankle: float = 3.0  # where socks and shoes begin

    def covers(self, points: SkinPoints) -> Bool:
        """Which points it covers."""
        torso = points.on("pelvis", "spine", "chest", "collar", "thigh")
        low, high = self.trunk
        body = torso & (points.trunk >= low) & (points.trunk <= high)
        around_neck = (points.at - NECK) * (0.8, 1, 1 if self.neckline < 0.1 else 0.6)
        body &= np.einsum("ni,ni->n", around_neck, around_neck) > self.neckline**2
        if self.sleeve < 0:
            folded = np.abs(points.at) * (1, 0, 0) + points.at * (0, 1, 1)
            body &= np.linalg.norm(folded - SHOULDER, axis=1) > 0.06 - 0.05 * self.sleeve
        arms = (points.arm > -1) & (points.arm < self.sleeve) & (high > 0.9)
        return body | arms | self._legs(points) | self._ends(points)

    def _legs(self, points: SkinPoints) -> Bool:
        if self.leg < 0:
            return np.zeros(len(points.at), bool)
        cut = points.at[:, 1] > 0.02 + 0.9 * (np.abs(points.at[:, 0]) - 0.03)
        high_cut = points.on("thigh", "pelvis", "spine") & cut & (points.trunk < 0.2)
        if self.leg == 0:
            return np.asarray(high_cut)
        return np.asarray((points.leg > -0.2) & (points.leg < self.leg) & (points.trunk < 0.2))

    def _ends(self, points: SkinPoints) -> Bool:
        return np.asarray((points.arm > self.wrist) | (points.leg > self.ankle))


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """A person's appearance without the shape of the body."""

    skin: Float32  # (3,) colours 0..1
    hair: Float32
    eyes: Float32
    hair_thickness: float  # metres; below 0 is none
    long_hair: bool
    beard: float  # 0..1
    cap: Pattern | None
    clothes: tuple[Garment, ...]
    wear: int  # seed of folds and blemishes

    def dress(self, body: Body) -> BodySurface:
        """The surface of that body with this appearance."""
        if body.faces is None or body.uv is None:
            raise ValueError("a look needs a body with its mesh")
        return BodySurface(
            faces=body.faces,
            uv=body.uv,
            texture=self._texture(),
            weld=skin_chart().weld,
            thickness=self._thickness(skin_chart().vertices),
        )

    def _texture(self) -> NDArray[np.uint8]:
        """The texture, (TEXELS, TEXELS, 3)."""
        rng, points, used = np.random.default_rng(self.wear), skin_chart().texels, skin_chart().used
        grain = noise((TEXELS, TEXELS), 24, rng).ravel()[used, None]
        fine = noise((TEXELS, TEXELS), 300, rng, 1).ravel()[used, None]
        paint = self.skin * (1 + 0.035 * grain + 0.02 * fine)
        self._paint_face(points, paint)
        hairy = _hair(points, self.long_hair) > 0
        if self.hair_thickness > 0:
            paint[hairy] = self.hair * (1 + 0.12 * grain[hairy] + 0.15 * fine[hairy])
        for garment in self.clothes:
            under = garment.covers(points)
            folds = 1 + (0.03 + 2.5 * garment.thickness) * grain[under] + 0.02 * fine[under]
            paint[under] = garment.paint(points.at[under]) * folds
        if self.cap is not None:
            paint[hairy] = self.cap(points.at[hairy]) * (1 + 0.04 * grain[hairy])
        return _spread(paint, used)

    def _paint_face(self, points: SkinPoints, paint: Float32) -> None:
        x, y, z = np.abs(points.at[:, 0]), points.at[:, 1], points.at[:, 2]
        front = points.on("head") & (z > FRONT)
        lips = front & ((x / 0.026) ** 2 + ((y - MOUTH_Y) / 0.011) ** 2 < 1)
        paint[lips] = self.skin * (0.85, 0.6, 0.6)
        stubble = points.on("head") & (z > 0.06) & (y < 0.775) & (y > 0.69) & ~lips
        paint[stubble] += self.beard * (self.hair - paint[stubble])
        brows = front & (np.abs(y - BROW_Y - 0.1 * (x - 0.03)) < 0.004) & (x > 0.012) & (x < 0.05)
        paint[brows] = 0.3 * self.skin + 0.7 * self.hair
        ball = np.linalg.norm(np.stack((x, y, z), axis=1) - EYE + (0, 0, 0.006), axis=1) < 0.0145
        white = front & ball
        offset = np.hypot(x - EYE[0], y - EYE[1])
        paint[white] = 0.88
        paint[white & (offset < 0.0062)] = self.eyes
        paint[white & (offset < 0.003)] = 0.03

    def _thickness(self, points: SkinPoints) -> Float32:
        """(V,) distance of hair and clothes from the skin."""
        thickness = np.zeros(len(points.at), np.float32)
        for garment in self.clothes:
            thickness[garment.covers(points)] = garment.thickness
        hair = np.clip(_hair(points, self.long_hair) / 0.03, 0, 1)
        depth = 0.004 if self.cap is not None else max(self.hair_thickness, 0)
        return np.maximum(thickness, hair * np.float32(depth))


def random_appearance(rng: np.random.Generator) -> Appearance:
    """A random person dressed for a pool, a gym, a stage or a street."""
    tone = rng.uniform(0, len(SKINS) - 1)
    low = int(tone)
    skin = SKINS[low] + (SKINS[min(low + 1, len(SKINS) - 1)] - SKINS[low]) * (tone - low)
    hair = HAIRS[rng.integers(4 if tone > 3.5 else len(HAIRS))]
    outfit = OUTFITS[str(rng.choice(tuple(OUTFITS), p=(0.15, 0.2, 0.35, 0.3)))]
    return Appearance(
        skin=skin * rng.uniform(0.94, 1.04, 3).astype(np.float32),
        hair=hair * rng.uniform(0.8, 1.2),
        eyes=np.array(rng.choice([[0.2, 0.12, 0.07], [0.3, 0.42, 0.5], [0.3, 0.35, 0.2]])),
        hair_thickness=-1 if rng.random() < 0.06 else rng.uniform(0.004, 0.035),
        long_hair=rng.random() < 0.35,
        beard=rng.uniform(0.2, 0.8) if rng.random() < 0.2 else 0,
        cap=pattern(rng) if rng.random() < 0.1 else None,
        clothes=outfit(rng),
        wear=int(rng.integers(2**31)),
    )


def _swimming(rng: np.random.Generator) -> tuple[Garment, ...]:
    paint = pattern(rng)
    if rng.random() < 0.5:  # trunks, from briefs to jammers
        leg = float(rng.choice([0, 0, 0.4, 0.85]))
        return (Garment(paint=paint, thickness=0.002, trunk=(0, 0.14), leg=leg),)
    neckline = rng.uniform(0.1, 0.16)
    return (
        Garment(
            paint=paint, thickness=0.002, trunk=(0, 1.2), neckline=neckline, sleeve=-0.6, leg=0
        ),
    )


def _gymnastics(rng: np.random.Generator) -> tuple[Garment, ...]:
    paint, sleeve = pattern(rng), float(rng.choice([-0.5, 0.1, 1.95]))
    leg = float(rng.choice([0, 0, 1.2, 1.95]))
    body = Garment(paint=paint, thickness=0.002, trunk=(0, 1.2), sleeve=sleeve, leg=leg)
    if rng.random() < 0.3:  # men's: a vest and long trousers
        trousers = Garment(paint=pattern(rng), thickness=0.004, trunk=(0, 0.2), leg=1.95)
        return body, trousers
    return (body,)


def _sports(rng: np.random.Generator) -> tuple[Garment, ...]:
    sleeve = float(rng.choice([-0.6, 0.3, 0.6, 1.9]))
    top = Garment(
        paint=pattern(rng), thickness=rng.uniform(0.003, 0.012), trunk=(rng.uniform(0.0, 0.3), 1.2),
        neckline=rng.uniform(0.07, 0.12), sleeve=sleeve,
    )  # fmt: skip
    leg = float(rng.choice([0.35, 0.6, 0.8, 1.2, 1.9]))
    bottom = Garment(
        paint=pattern(rng), thickness=rng.uniform(0.003, 0.018), trunk=(0, 0.2), leg=leg
    )
    return (*_shoes(rng), bottom, top)


def _street(rng: np.random.Generator) -> tuple[Garment, ...]:
    top = Garment(
        paint=pattern(rng), thickness=rng.uniform(0.006, 0.022),
        trunk=(rng.uniform(-0.1, 0.1), 1.2),
        neckline=rng.uniform(0.06, 0.1), sleeve=float(rng.choice([0.5, 1.9, 1.95])),
    )  # fmt: skip
    bottom = Garment(
        paint=pattern(rng), thickness=rng.uniform(0.006, 0.022), trunk=(0, 0.15),
        leg=float(rng.choice([1.9, 1.95, 0.9], p=(0.5, 0.3, 0.2))),
    )  # fmt: skip
    return (*_shoes(rng), bottom, top)


def _shoes(rng: np.random.Generator) -> tuple[Garment, ...]:
    if rng.random() < 0.12:
        return ()
    socks = Garment(paint=pattern(rng), thickness=0.003, ankle=rng.uniform(1.6, 1.9))
    upper, sole = colour(rng), colour(rng)

    def leather(places: Float32) -> Float32:
        return np.where(places[:, 1:2] < -0.807, sole, upper)

    return socks, Garment(paint=leather, thickness=0.007, ankle=rng.uniform(1.9, 1.98))


OUTFITS = {"swimming": _swimming, "gymnastics": _gymnastics, "sports": _sports, "street": _street}
"""Random clothes by what they are for."""


def _hair(points: SkinPoints, long: bool) -> Float32:
    """Depth of each point inside the hair, metres; 0 outside."""
    x, y, z = np.abs(points.at[:, 0]), points.at[:, 1], points.at[:, 2]
    inside = y - np.interp(z, *HAIRLINE)
    if long:
        inside = np.where((z < 0.03) & (y > 0.69), np.maximum(inside, 0.03), inside)
    ear = (x > 0.077) & (y > 0.76) & (y < 0.84) & (z > 0.01) & (z < 0.08)
    return np.asarray(np.where(points.on("head", "neck") & ~ear, np.maximum(inside, 0), 0))


def _spread(paint: Float32, used: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Write colours into the texture and extend them beyond its edges, to hide seams."""
    texture = np.zeros((TEXELS * TEXELS, 3), np.uint8)
    texture[used] = np.clip(paint * 255, 0, 255)
    bare = np.ones(TEXELS * TEXELS, bool)
    bare[used] = False
    for shift in (1, -1, TEXELS, -TEXELS, 1, -1, TEXELS, -TEXELS):
        rim = bare & ~np.roll(bare, shift)
        texture[rim] = np.roll(texture, shift, axis=0)[rim]
        bare &= ~rim
    return texture.reshape(TEXELS, TEXELS, 3)
