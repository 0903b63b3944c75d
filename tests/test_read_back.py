"""Files that are read back: every field is checked before use, and an error names it."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jsonschema
import numpy as np
import pytest
from poses import dance, motion_of

from mocap_cli.body.motion_json import read_motion, write_motion
from mocap_cli.errors import MocapError
from mocap_cli.io.json_fields import JsonObject
from mocap_cli.io.npz import checked_array, load_npy, load_npz, seal_of, without_seal
from mocap_cli.labels.fitting.frozen_encoder import _trained_size
from mocap_cli.learning.data.ingest import RunSources
from mocap_cli.learning.loop.settings import PRESETS, Settings

ROOT = Path(__file__).parents[1]
TIMES = 1 + np.arange(4) / 30


@dataclass(frozen=True, kw_only=True)
class Inner:
    sides: tuple[int, int] = (1, 2)


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    share: float = 0.5
    kind: Literal["a", "b"] = "a"
    best: float | None = None
    inner: Inner = Inner()


def test_a_dataclass_comes_back_from_its_json():
    text = '{"name": "x", "share": 1, "kind": "b", "best": null, "inner": {"sides": [3, 4]}}'
    assert JsonObject.parse(text).of_type(Outer) == Outer(
        name="x", share=1, kind="b", inner=Inner(sides=(3, 4))
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "no JSON object"),
        ("{", "not JSON"),
        ("{}", "name"),
        ('{"name": 1}', "name is 1, not a text"),
        ('{"name": "x", "share": true}', "share is True, not a number"),
        ('{"name": "x", "kind": "c"}', "kind is 'c', not one of a, b"),
        ('{"name": "x", "best": "x"}', "best is 'x'"),
        ('{"name": "x", "more": 1}', "'more' is unknown"),
        ('{"name": "x", "inner": {"sides": [1]}}', "inner.sides has 1 values, not 2"),
        ('{"name": "x", "inner": {"sides": [1, 2.5]}}', "inner.sides.1 is 2.5, not a whole number"),
    ],
)
def test_an_error_of_a_dataclass_names_the_field(text, says):
    with pytest.raises(ValueError, match=says):
        JsonObject.parse(text).of_type(Outer)


def test_settings_come_back_and_are_refused_by_field():
    for preset in PRESETS.values():
        assert Settings.from_json(preset.to_json()) == preset
    document = json.loads(PRESETS["small"].to_json())
    for place, value, says in (
        (("model", "depth"), 100_000, "depth is 100000, not between 0 and 64"),
        (("weights", "prior_size"), [-1, 1], "prior_size"),
        (("gaps", "near"), None, "gaps.near is None"),
        (("batch",), 0, "batch is 0, not between 1 and"),
        (("method",), "magic", "method 'magic' is unknown"),
    ):
        changed = copy.deepcopy(document)
        holder = changed
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = value
        with pytest.raises(ValueError, match=says):
            Settings.from_json(json.dumps(changed))


def test_arrays_are_checked_for_shape_type_and_range():
    arrays = {"a": np.arange(6.0).reshape(2, 3), "text": np.array("x"), "nan": np.array([np.nan])}
    assert checked_array(arrays, "a", (None, 3)) is arrays["a"]
    assert checked_array(arrays, "nan", (1,), nan=True) is arrays["nan"]
    for name, shape, kind, high, says in (
        ("b", (1,), "number", 9, "b is missing"),
        ("a", (3, 3), "number", 9, "a has the shape"),
        ("a", (2, 3), "whole", 9, "a holds float64, not a whole"),
        ("a", (2, 3), "number", 4, "a holds a number that is not between"),
        ("nan", (1,), "number", 9, "nan holds a number"),
        ("text", (), "number", 9, "text holds <U1"),
    ):
        with pytest.raises(ValueError, match=says):
            checked_array(arrays, name, shape, kind, 0, high)


def test_a_sealed_archive_tells_any_change(tmp_path):
    arrays = {"a": np.arange(5), "b": np.array(["x"])}
    np.savez(tmp_path / "a.npz", **arrays, **seal_of(arrays))
    assert without_seal(load_npz(tmp_path / "a.npz")).keys() == arrays.keys()
    np.savez(tmp_path / "a.npz", **{**arrays, "a": np.arange(1, 6)}, **seal_of(arrays))
    with pytest.raises(ValueError, match="differ from what was written"):
        without_seal(load_npz(tmp_path / "a.npz"))


def test_an_array_that_claims_more_than_its_file_holds_takes_no_memory(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(4))
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data.replace(b"(4,), }        ", b"(4000000000,),}"))
    with pytest.raises(ValueError, match=r"mmap length|a.npy"):
        load_npy(tmp_path / "a.npy")


@pytest.mark.parametrize("size", [[64, "../../x"], [64, 0], [64, 1e4], [True, 64]])
def test_a_model_that_names_an_odd_frame_size_is_refused(tmp_path, size):
    with pytest.raises(MocapError, match="has a frame size of"):
        _trained_size(tmp_path / "a.safetensors", {"size": size})


def test_a_run_cannot_lead_out_of_its_store(tmp_path):
    clip = {"video": "a.mp4", "address": "../../secret"}
    document = {"store": "x", "keypoints": False, "clips": [clip]}
    (tmp_path / "run.json").write_text(json.dumps(document))
    with pytest.raises(MocapError, match="not the name of a folder"):
        RunSources.read(tmp_path)


SCHEMA = json.loads((ROOT / "docs/motion.schema.json").read_text())


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "a.json"
    write_motion(motion_of(dance(TIMES), TIMES), path)
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("source", "width"), 0),
        (("source", "width"), 100_001),
        (("source", "fps"), 0),
        (("source", "frames"), 1.5),
        (("source", "rotation"), 400),
        (("source", "file"), "x" * 800),
        (("camera", "focal_pixels"), 0),
        (("camera", "focal_pixels"), 1e7),
        (("camera", "centre"), [1]),
        (("joints", 0, 0, 0), 1e7),
        (("joints", 0, 0), [0, 0]),
        (("sigma", 0, 0), -1),
        (("contacts", 0), [0, 0, 0]),
        (("keypoints", "score", 0, 0), -0.5),
        (("times", 0), None),
        (("times", 0), -1e7),
        (("seen", 0), 1),
        (("space",), "moon"),
        (("units",), "feet"),
        (("model",), {"a": 1}),
        (("warnings",), [1]),
        (("warnings",), ["x" * 5000]),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(tmp_path, document, place, value):
    changed = copy.deepcopy(document)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    (tmp_path / "a.json").write_text(json.dumps(changed))
    with pytest.raises(MocapError, match="is damaged"):
        read_motion(tmp_path / "a.json")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed, SCHEMA)


def test_the_schema_accepts_what_is_written(document):
    jsonschema.validate(document, SCHEMA)
