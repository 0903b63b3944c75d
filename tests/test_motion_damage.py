"""Results with wrong types, shapes and wild values: refused in one line, never a traceback."""

import copy
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from poses import dance, motion_of

from mocap_cli.body.motion_json import read_motion, write_motion
from mocap_cli.cli.main import main
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import FORMATS, MotionWriter

TIMES = 1 + np.arange(8) / 30
ODD_VALUES = (
    None, True, False, 0, -1, 2, 0.5, -0.5, 1e-300, 1e30, -1e30, 10**30, "", "x", "\x1b[31m", "ü",
    "x" * 10_000, "../../x", [], {}, [1], [None], ["a"], {"a": 1}, [[1, 2], [3]],
)  # fmt: skip
MUTATIONS = 120


@pytest.fixture(scope="module")
def document(tmp_path_factory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("whole") / "a.json"
    write_motion(motion_of(dance(TIMES), TIMES, warnings=("a warning",)), path)
    return json.loads(path.read_text())


def places_in(value: Any, place: tuple = ()) -> Iterator[tuple]:
    """The keys that lead to every value; of long lists to the first two only."""
    if place:
        yield place
    if isinstance(value, dict):
        for key in value:
            yield from places_in(value[key], (*place, key))
    elif isinstance(value, list):
        for index in range(min(2, len(value))):
            yield from places_in(value[index], (*place, index))


def mutated(document: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    places = list(places_in(changed))
    *above, last = places[rng.integers(len(places))]
    holder = changed
    for key in above:
        holder = holder[key]
    if rng.random() < 0.15:
        del holder[last]
    else:
        holder[last] = ODD_VALUES[rng.integers(len(ODD_VALUES))]
    return changed


def test_no_mutation_of_a_result_breaks_an_export(tmp_path, document):
    """Each is written in one format, in turn, or refused in a short line."""
    rng = np.random.default_rng(0)
    suffixes = [suffix for suffix in FORMATS if suffix != ".mp4"]
    reasons: list[str] = []
    for number in range(MUTATIONS):
        (tmp_path / "a.json").write_text(json.dumps(mutated(document, rng)))
        try:
            writer = MotionWriter(read_motion(tmp_path / "a.json"))
            writer.write(tmp_path / f"b{suffixes[number % len(suffixes)]}")
        except MocapError as error:
            reasons.append(error.message)
    assert MUTATIONS / 3 < len(reasons) < MUTATIONS
    assert not [reason for reason in reasons if "\n" in reason or len(reason) > 400]


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("camera", "centre"), "x", "camera.centre is 'x', not a list"),
        (("camera", "focal_pixels"), None, "camera.focal_pixels is None, not a number"),
        (("source", "file"), 1.5, "source.file is 1.5, not a text"),
        (("source", "width"), True, "source.width is True, not a whole number"),
        (("source", "fps"), -1, "source.fps is -1, not between"),
        (("joints", 0), [[0, 0, 0]] * 18, "joints is not a nested list of 8 x 19 x 3 values"),
        (("joints", 0, 0, 0), "1", "joints holds '1', not a number"),
        (("sigma", 0, 0), 1e30, "sigma holds 1e\\+30, which is not between 0 and"),
        (("seen", 0), 1, "seen holds 1, not true or false"),
        (("times", 1), 1e9, "times holds 1e\\+09"),
        (("times", 1), 1.0, "times do not rise"),
        (("skeleton", "names", 2), "größe", "skeleton is not that of this version"),
        (("warnings", 0), "x" * 10_000, "warnings.0 has 10000 bytes"),
        (("space",), "moon", "space is 'moon'"),
        (("model",), {"a": 1}, "model.a is 1, not a text"),
    ],
)
def test_the_error_names_the_file_the_key_and_the_value(tmp_path, document, place, value, says):
    changed = copy.deepcopy(document)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    (tmp_path / "a.json").write_text(json.dumps(changed))
    with pytest.raises(MocapError, match=says) as caught:
        read_motion(tmp_path / "a.json")
    assert "a.json" in caught.value.message


def test_unknown_keys_are_ignored(tmp_path, document):
    (tmp_path / "a.json").write_text(json.dumps(document | {"note": [1, 2]}))
    assert len(read_motion(tmp_path / "a.json").times) == len(TIMES)


def test_a_video_whose_name_is_too_long_for_a_file_is_not_found(
    tmp_path, document, capsys, monkeypatch
):
    document = copy.deepcopy(document)
    document["source"]["file"] = (
        255 * "\ufffd"
    )  # what a name of 255 bytes that are no UTF-8 becomes
    (tmp_path / "a.json").write_text(json.dumps(document))
    typed = ["mocap", "export", str(tmp_path / "a.json"), "-o", str(tmp_path / "b.html")]
    monkeypatch.setattr(sys, "argv", typed)
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    assert "give it with --video" in capsys.readouterr().err
