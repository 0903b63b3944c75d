"""How far other programs find the joints of exported files from those of the motion.

    mocap track examples/dive.mp4 -o dive.json
    python benchmarks/formats.py dive.json [--blender /tmp/blender/bin/python] [--minutes 10]

Writes the motion in each format, reads the files with other people's libraries and prints two
tables for docs/benchmarks.md: the largest distance of a joint in millimetres, and seconds of the
processor and megabytes for a motion repeated to that length. Needs node and npm. Autodesk's library
is that in the npm package fbx2gltf, which resamples: give it a motion of 24, 30 or 60 frames/s.
"""

import argparse
import base64
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import read_motion
from mocap_cli.export.formats.animation import Animation
from mocap_cli.export.registry import MotionWriter
from tests import readers

Places = dict[str, np.ndarray]  # name of a joint to (T, 3) metres
BLENDER = (".bvh", ".glb", ".fbx", ".usda")  # formats that its importers read
TIMED = (
    ".bvh", ".glb", ".fbx", ".usda", ".blend.py", ".json", ".csv", ".angles.csv", ".npz", ".trc",
    ".mot", ".c3d", ".coco.json", ".html", ".png",
)  # fmt: skip


def scaled(read: Callable[[Path], Places], scale: float) -> Callable[[Path], Places]:
    """A reader of a file in other units."""
    return lambda path: {name: places * scale for name, places in read(path).items()}


def with_ufbx(path: Path) -> Places:
    """Places of all nodes, in centimetres."""
    world = readers.read_with_ufbx(path)["world"]
    return {name: np.array(columns)[:, 3] for name, columns in world.items()}


def with_assimp(path: Path) -> Places:
    """Through GLB, which three.js reads."""
    made = readers.run_node("convert_with_assimp.mjs", "assimpjs@0.0.10", path)
    glb = path.with_suffix(".assimp.glb")
    glb.write_bytes(base64.b64decode(made["glb"]))
    return readers.read_with_three(glb)


def with_autodesk(path: Path) -> Places:
    """Through GLB, which three.js reads."""
    program = readers.node_modules("fbx2gltf@0.9.7") / "fbx2gltf/bin/Linux/FBX2glTF"
    program.chmod(0o755)
    rate = round(readers.read_with_ufbx(path)["fps"])
    glb = path.with_suffix(".autodesk.glb")
    options = ["--anim-framerate", f"bake{rate}", "-b", "-i", path, "-o", glb]
    subprocess.run([program, *options], check=True, capture_output=True)
    return readers.read_with_three(glb)


def with_usd(path: Path) -> Places:
    """Places of the skeleton's joints."""
    from pxr import Usd, UsdSkel

    stage = Usd.Stage.Open(str(path))
    cache = UsdSkel.Cache()
    cache.Populate(UsdSkel.Root(stage.GetDefaultPrim()), Usd.TraverseInstanceProxies())
    query = cache.GetSkelQuery(UsdSkel.Skeleton(stage.GetPrimAtPath("/Person/Rig")))
    frames = range(int(stage.GetEndTimeCode()) + 1)
    posed = [query.ComputeJointSkelTransforms(Usd.TimeCode(t)) for t in frames]
    places = np.array([[matrix.ExtractTranslation() for matrix in pose] for pose in posed])
    names = [token.split("/")[-1] for token in query.GetJointOrder()]
    return {name: places[:, i] for i, name in enumerate(names)}


def with_ezc3d(path: Path) -> Places:
    """Points, in millimetres."""
    import ezc3d

    read = ezc3d.c3d(str(path))
    labels, points = read["parameters"]["POINT"]["LABELS"]["value"], read["data"]["points"]
    return {name: points[:3, i].T for i, name in enumerate(labels)}


def with_trc(path: Path) -> Places:
    """Markers, in millimetres."""
    import trc

    data = trc.TRCData()
    data.load(str(path))
    return {name: np.array(data[name]) for name in data["Markers"]}


def with_pandas(path: Path) -> Places:
    """Rows by joint."""
    import pandas

    table = pandas.read_csv(path)
    return {name: rows[["x", "y", "z"]].to_numpy() for name, rows in table.groupby("joint")}


def with_numpy(path: Path) -> Places:
    """The array of joints."""
    with np.load(path) as arrays:
        return {str(n): arrays["joints"][:, i] for i, n in enumerate(arrays["joint_names"])}


READERS: dict[str, dict[str, Callable[[Path], Places]]] = {
    ".bvh": {name: scaled(read, 0.01) for name, read in readers.READERS.items()},
    ".glb": {"three.js": readers.read_with_three},
    ".fbx": {
        "ufbx": scaled(with_ufbx, 0.01),
        "three.js": scaled(readers.read_with_three, 0.01),
        "assimp": scaled(with_assimp, 0.01),
        "Autodesk": with_autodesk,
    },
    ".usda": {"usd-core": with_usd},
    ".c3d": {"ezc3d": scaled(with_ezc3d, 1e-3)},
    ".trc": {"trc-data-reader": scaled(with_trc, 1e-3)},
    ".csv": {"pandas": with_pandas},
    ".npz": {"NumPy": with_numpy},
}


def names_of_joints(animation: Animation, suffix: str) -> dict[str, str]:
    """The name in the file of each joint of the motion."""
    if suffix not in (".bvh", ".glb", ".fbx", ".usda"):
        return {body: body for body in animation.rig.body_joints if body}
    rig = zip(animation.rig.body_joints, animation.rig.names, strict=True)
    # A BVH names no ends of bones, and assimp leaves them out.
    return {body: name for body, name in rig if body and not name.endswith("End")}


def largest_error(motion: Motion, names: dict[str, str], found: Places) -> float:
    """Millimetres, over all tracked frames."""
    errors = []
    for body, name in names.items():
        places = found[name]
        if len(places) != len(motion.times):
            raise SystemExit(f"{name}: {len(places)} frames instead of {len(motion.times)}")
        errors.append(places - motion.joints[:, motion.skeleton.index(body)])
    return 1000 * float(np.nanmax(np.linalg.norm(errors, axis=-1)))


def accuracy(source: Path, blender: Path | None, folder: Path) -> Iterator[str]:
    """A table: formats, readers, largest errors."""
    writer = MotionWriter(read_motion(source))
    yield "| format | read by | largest error, mm |"
    yield "|---|---|---|"
    for suffix, programs in READERS.items():
        path = folder / f"{source.stem}{suffix}"
        writer.write(path)
        for name, read in programs.items():
            names = names_of_joints(writer.animation, suffix)
            yield f"| `{suffix}` | {name} | {largest_error(writer.motion, names, read(path)):.3f} |"
        if blender is not None and suffix in BLENDER:
            yield f"| `{suffix}` | Blender | {blender_error(blender, source, path)} |"


def blender_error(blender: Path, source: Path, path: Path) -> str:
    """What tests/blender/check.py prints."""
    command = [blender, "tests/blender/check.py", source, path]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    line = next(line for line in said.splitlines() if line.startswith("Blender"))
    return line.split(", ")[-1].split(" mm")[0]


def lengthened(motion: Motion, minutes: float) -> Motion:
    """The motion forwards and backwards until it is that long."""
    period = float(np.median(np.diff(motion.times)))
    frames, T = round(60 * minutes / period), len(motion.times)
    order = np.concatenate((np.arange(T), np.arange(T)[-2:0:-1]))
    chosen = np.resize(order, frames)
    noise = np.random.default_rng(0).normal(scale=1e-3, size=(frames, *motion.joints.shape[1:]))
    camera = motion.camera.world_from_camera[chosen]
    return replace(
        motion,
        times=period * np.arange(frames),
        camera=replace(motion.camera, world_from_camera=camera),
        **{n: getattr(motion, n)[chosen] for n in ("sigma", "detected", "contacts")},
        joints=(motion.joints[chosen] + noise).astype(np.float32),
        xy=motion.xy[chosen],
        score=motion.score[chosen],
    )


def cost(motion: Motion, folder: Path) -> Iterator[str]:
    """A table: formats, seconds of the processor, megabytes."""
    writer, start = MotionWriter(motion), time.process_time()
    frames = len(writer.animation.path)
    yield f"{frames} frames; inverse kinematics for all of them {time.process_time() - start:.1f} s"
    yield ""
    yield "| format | seconds | MB |"
    yield "|---|---|---|"
    for suffix in TIMED:
        path, start = folder / f"long{suffix}", time.process_time()
        writer.write(path)
        seconds, size = time.process_time() - start, path.stat().st_size / 1e6
        yield f"| `{suffix}` | {seconds:.1f} | {size:.1f} |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("motion", type=Path)
    parser.add_argument("--blender", type=Path, help="a Python that has bpy")
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for line in accuracy(options.motion, options.blender, Path(folder)):
            print(line, flush=True)
        for line in cost(lengthened(read_motion(options.motion), options.minutes), Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
