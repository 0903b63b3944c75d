"""NPZ files: read as data, and one error for whatever is wrong with them."""

import io

import numpy as np
import pytest

from mocap_cli.io.npz import load_npz


def packed(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


WHOLE = packed(a=np.arange(5000), b=np.random.default_rng(1).random(500))


def scratched() -> bytes:
    """The same file with some bytes of its first array overwritten."""
    data = bytearray(WHOLE)
    data[200:260] = bytes(60)
    return bytes(data)


def single() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(3))
    return file.getvalue()


BAD = {
    "empty": b"",
    "cut": WHOLE[:300],
    "scratched": scratched(),
    "text": b"no archive at all",
    "one array": single(),
    "code": packed(a=np.array([print], dtype=object)),
}


def test_arrays_come_back_as_they_were(tmp_path):
    (tmp_path / "a.npz").write_bytes(WHOLE)
    found = load_npz(tmp_path / "a.npz")
    assert sorted(found) == ["a", "b"]
    np.testing.assert_array_equal(found["a"], np.arange(5000))


@pytest.mark.parametrize("name", BAD)
def test_whatever_is_wrong_is_a_value_error(name, tmp_path):
    (tmp_path / "a.npz").write_bytes(BAD[name])
    with pytest.raises(ValueError, match=r"\w"):
        load_npz(tmp_path / "a.npz")


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_npz(tmp_path / "a.npz")
