"""The networks in weights/: found, verified, opened."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from mocap_cli import weights
from mocap_cli.errors import MocapError
from mocap_cli.weights import open_network, weight_path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A weights folder of our own with one small file in it."""
    (tmp_path / "SHA256SUMS").write_text(
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824  hello.onnx\n"
    )
    (tmp_path / "hello.onnx").write_text("hello")
    monkeypatch.setattr(weights, "_FOLDERS", (tmp_path / "nothing", tmp_path))
    weights._folder.cache_clear()
    weights._verified.cache_clear()
    yield tmp_path
    weights._folder.cache_clear()
    weights._verified.cache_clear()


def test_every_file_that_is_listed_is_there_and_whole():
    names = [line.split()[1] for line in (weights._folder() / "SHA256SUMS").open()]
    assert {"movenet_thunder.onnx", "blazepose_full.onnx", "movenet_multipose.onnx"} <= {*names}
    for name in names:
        assert weight_path(name).stat().st_size > 0


def test_the_networks_run_without_onnxruntimes_telemetry(tmp_path):
    """It would keep a number of the machine and of the session, and send what is run."""
    quiet = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS")  # any of them stops it
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(tmp_path))
    environment = {k: v for k, v in os.environ.items() if k not in quiet} | places
    code = "from mocap_cli.weights import open_network; open_network('blazepose_full')"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert not [*tmp_path.iterdir()]


def test_a_whole_file_is_found(folder):
    assert weight_path("hello.onnx") == folder / "hello.onnx"


def test_a_changed_file_is_refused_by_name(folder):
    (folder / "hello.onnx").write_text("hellO")
    with pytest.raises(MocapError, match=r"hello\.onnx is damaged"):
        weight_path("hello.onnx")


def test_a_missing_file_is_refused_by_name(folder):
    (folder / "hello.onnx").unlink()
    with pytest.raises(MocapError, match=r"hello\.onnx"):
        weight_path("hello.onnx")


def test_a_file_that_nobody_vouches_for_is_refused(folder):
    shutil.copy(folder / "hello.onnx", folder / "other.onnx")
    with pytest.raises(MocapError, match=r"does not list other\.onnx"):
        weight_path("other.onnx")


def test_without_the_folder_the_error_says_how_to_get_it(folder):
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(MocapError) as caught:
        weight_path("hello.onnx")
    assert "install" in caught.value.hint


def test_a_network_runs_and_a_device_that_is_not_there_is_an_error_with_a_way_out(monkeypatch):
    (found,) = open_network("movenet_thunder", "cpu")(np.zeros((1, 256, 256, 3), np.int32))
    assert found.shape == (1, 1, 17, 3)
    available = ["CPUExecutionProvider"]
    monkeypatch.setattr(weights.onnxruntime, "get_available_providers", lambda: available)
    with pytest.raises(MocapError) as caught:
        open_network("movenet_thunder", "cuda")
    assert "--device" in caught.value.hint
