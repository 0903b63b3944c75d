"""An FBX scene under construction: objects, the connections between them, and key frames."""

from collections.abc import Iterable, Iterator

import numpy as np

from mocap_cli.export.formats.fbx_nodes import Long, Node, encode_fbx, node, prop, properties
from mocap_cli.types import Float64

_SECOND = 46_186_158_000  # ticks of FBX's clock
_TIME_MODES = {
    120.0: 1, 100.0: 2, 60.0: 3, 50.0: 4, 48.0: 5, 30.0: 6, 30000 / 1001: 9, 25.0: 10, 24.0: 11,
    24000 / 1001: 13, 96.0: 15, 72.0: 16, 60000 / 1001: 17,
}  # fmt: skip
_OTHER_RATE = 14
_DRIFT = 0.05  # frames that a clip may gain or lose by taking a rate of the table
_LINEAR = 0x4  # interpolation between key frames
_SEPARATOR = "\x00\x01"  # between the name of an object and its class
_FIRST_ID = 1_000_000


class FbxScene:
    """A scene in centimetres with Y up, and one animation that starts at 0 s."""

    def __init__(self, name: str, rate: float, frames: int) -> None:
        self._name = name
        self._mode, self._rate = _time_mode(rate, frames)
        self._ticks = np.round(np.arange(frames) * (_SECOND / self._rate)).astype(np.int64)
        self._objects: list[Node] = []
        self._connections: list[Node] = []
        span = [
            prop(f"{kind}{end}", "KTime", time)
            for kind in ("Local", "Reference")
            for end, time in zip(("Start", "Stop"), self._span, strict=True)
        ]
        stack = self.add("AnimationStack", "AnimStack", name, "", properties(*span))
        self._layer = self.add("AnimationLayer", "AnimLayer", name, "", properties(), under=stack)

    @property
    def _span(self) -> tuple[Long, Long]:
        return Long(0), Long(self._ticks[-1])

    def add(
        self, kind: str, class_name: str, name: str, subtype: str, *parts: Node,
        under: int | None = None, attribute: str = "",
    ) -> Long:  # fmt: skip
        """Append an object and connect it to its parent (0 is the scene); returns its ID."""
        number = Long(_FIRST_ID + len(self._objects))
        full_name = f"{name.replace(_SEPARATOR, ' ')}{_SEPARATOR}{class_name}"
        self._objects.append(node(kind, number, full_name, subtype, children=parts))
        if under is not None:
            self.connect(number, under, attribute)
        return number

    def connect(self, child: Long, parent: int, attribute: str = "") -> None:
        """Put an object under another one, or under an attribute of it."""
        link = (
            "OP" if attribute else "OO",
            child,
            Long(parent),
            *([attribute] if attribute else ()),
        )
        self._connections.append(node("C", *link))

    def add_model(self, name: str, subtype: str, parent: int, *given: Node) -> Long:
        """Append an object that has a place in space, with these properties."""
        shown = prop("DefaultAttributeIndex", "int", 0)  # otherwise Autodesk's readers see nothing
        parts = (
            node("Version", 232),
            properties(prop("InheritType", "enum", 1), shown, *given),
            node("Shading", True),
            node("Culling", "CullingOff"),
        )
        return self.add("Model", "Model", name, subtype, *parts, under=parent)

    def animate(self, model: Long, attribute: str, values: Float64) -> None:
        """Curves of X, Y and Z with a key for each frame: `Lcl Translation`, `Lcl Rotation`."""
        axes = [f"d|{axis}" for axis in "XYZ"]
        first = [prop(axis, "Number", v) for axis, v in zip(axes, values[0].tolist(), strict=True)]
        letter = attribute.removeprefix("Lcl ")[0]
        curves = self.add(
            "AnimationCurveNode", "AnimCurveNode", letter, "", properties(*first), under=self._layer
        )
        self.connect(curves, model, attribute)
        for axis, column in zip(axes, values.T, strict=True):
            parts = (
                node("Default", float(column[0])),
                node("KeyVer", 4008),
                node("KeyTime", self._ticks),
                node("KeyValueFloat", column.astype(np.float32)),
                node("KeyAttrFlags", np.array([_LINEAR], np.int32)),
                node("KeyAttrDataFloat", np.zeros(4, np.float32)),
                node("KeyAttrRefCount", np.array([len(column)], np.int32)),
            )
            self.add("AnimationCurve", "AnimCurve", "", "", *parts, under=curves, attribute=axis)

    def to_bytes(self) -> bytes:
        """The whole file."""
        return encode_fbx(self._nodes())

    def _nodes(self) -> Iterator[Node]:
        yield self._settings()
        active = properties(prop("ActiveAnimStackName", "KString", self._name))
        scene = node("Document", Long(1), "", "Scene", children=(active, node("RootNode", Long(0))))
        yield node("Documents", children=(node("Count", 1), scene))
        yield node("References")
        yield _definitions([part.name for part in self._objects])
        yield node("Objects", children=self._objects)
        yield node("Connections", children=self._connections)
        times = (node("LocalTime", *self._span), node("ReferenceTime", *self._span))
        take = node("Take", self._name, children=(node("FileName", f"{self._name}.tak"), *times))
        yield node("Takes", children=(node("Current", self._name), take))

    def _settings(self) -> Node:
        """Y up, Z towards the viewer, X to the right; centimetres; the frame rate."""
        axes = {"UpAxis": 1, "FrontAxis": 2, "CoordAxis": 0, "OriginalUpAxis": 1}
        signs = {f"{name}Sign": 1 for name in axes}
        start, stop = self._span
        given = properties(
            *(prop(name, "int", value) for name, value in (axes | signs).items()),
            prop("UnitScaleFactor", "double", 1.0),
            prop("OriginalUnitScaleFactor", "double", 1.0),
            prop("TimeMode", "enum", self._mode),
            prop("TimeSpanStart", "KTime", start),
            prop("TimeSpanStop", "KTime", stop),
            prop("CustomFrameRate", "double", self._rate),
        )
        return node("GlobalSettings", children=(node("Version", 1000), given))


def _time_mode(rate: float, frames: int) -> tuple[int, float]:
    """FBX's number for a frame rate, and the rate: near one of its table, that one."""
    near = min(_TIME_MODES, key=lambda known: abs(known - rate))
    if abs(rate / near - 1) * frames < _DRIFT:
        return _TIME_MODES[near], near
    return _OTHER_RATE, rate


def _definitions(kinds: Iterable[str]) -> Node:
    """How many objects of each kind there are."""
    kinds = ["GlobalSettings", *kinds]
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    types = (node("ObjectType", k, children=[node("Count", n)]) for k, n in counts.items())
    head = (node("Version", 100), node("Count", len(kinds)))
    return node("Definitions", children=(*head, *types))
