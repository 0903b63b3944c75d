"""Other people's readers: those of BVH behind one signature, (frames, joints by name) of a file."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Places = dict[str, NDArray[np.float64]]  # name of a joint to (T, 3) in the file's units

THREE = "0.187.0"
THREE_VRM = f"three@{THREE} @pixiv/three-vrm@3.5.5 @pixiv/three-vrm-animation@3.5.5"
VALIDATOR = "2.0.0-dev.3.10"  # of Khronos; it has only ever had versions of this kind


def read_with_pybvh(path: Path) -> Places:
    import pybvh

    with warnings.catch_warnings():  # about which way is up in people who stand on their hands
        warnings.simplefilter("ignore")
        bvh = pybvh.read_bvh_file(path, world_up="+y")
    places = bvh.node_positions()
    return {name: places[:, i] for name, i in bvh.node_index.items()}


def read_with_pymotion(path: Path) -> Places:
    from pymotion.io.bvh import BVH
    from pymotion.ops.skeleton import fk

    bvh = BVH()
    bvh.load(str(path))
    rotations, positions, parents, offsets, _, _ = bvh.get_data()
    places, _ = fk(rotations, positions[:, 0], offsets, parents)
    return {str(name): places[:, i] for i, name in enumerate(bvh.data["names"])}


def read_with_three(path: Path) -> Places:
    """Of BVH, GLB and FBX."""
    read = run_node(f"read_{path.suffix[1:]}.mjs", f"three@{THREE}", path)
    places = np.array(read["places"])
    return {name: places[:, i] for i, name in enumerate(read["names"]) if name != "ENDSITE"}


def read_with_ufbx(path: Path) -> dict[str, Any]:
    """What ufbx finds in an FBX file: tests/fbx_with_ufbx.py."""
    script = Path(__file__).with_name("fbx_with_ufbx.py")
    command = [sys.executable, str(script), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run_node(script: str, package: str, path: Path) -> dict[str, Any]:
    """What a script of tests/three prints about a file, with an npm package at its hand."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip(f"{package} needs node and npm, which are not installed here")
    command = ["node", str(Path(__file__).parent / "three" / script)]
    done = subprocess.run(
        [*command, str(node_modules(package)), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def node_modules(package: str) -> Path:
    """A node_modules folder with these packages, installed once for all runs on this machine."""
    home = Path(tempfile.gettempdir()) / ("mocap-tests-" + re.sub("[@/ ]", "-", package))
    modules = home / "node_modules"
    if not modules.exists():
        with tempfile.TemporaryDirectory(dir=home.parent) as aside:
            command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", aside]
            subprocess.run([*command, *package.split()], check=True, timeout=300)
            home.mkdir(exist_ok=True)
            if not modules.exists():
                (Path(aside) / "node_modules").rename(modules)
    return modules


READERS: dict[str, Callable[[Path], Places]] = {
    "pybvh": read_with_pybvh,
    "pymotion": read_with_pymotion,
    "three.js": read_with_three,
}
