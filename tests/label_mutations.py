"""Damaged label files: small valid ones of every format, and random damage to them.

    python tests/label_mutations.py [--count 200] [--seed 0] [--format labelme.json]

reads every damaged file and aligns what can be read with a video. It lists what ends neither in
labels nor in one line for the user, and what takes long or much memory.
"""

import argparse
import io
import json
import random
import re
import resource
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from poses import dance, motion_of
from witnesses import TIMES, seen_dancing

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import WriteOptions, write
from mocap_cli.labels.alignment.corrections import align_labels
from mocap_cli.labels.alignment.reconstruction import CalibratedCamera
from mocap_cli.labels.alignment.time_alignment import assign_frames
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.readers.dispatch import read_labels

EXPORTED = ("a.json", "a.csv", "a.npz", "a.trc", "a.c3d", "a.bvh", "a.coco.json")
FORMATS = (*EXPORTED, "labelme.json", "cvat.xml", "skeletons.xml", "aDLC_x.csv", "cameras.json")
SLOW = 10.0  # seconds
LARGE = 1 << 30  # bytes that may be added to the process's largest size

WILD = ("1e308", "-1", "nan", "inf", "99999999999999999999", "", "null", '"x"', "[]", "{}", "0",
        "1e12", "-3.7", "true", "\u0663")  # fmt: skip


def write_samples(folder: Path) -> None:
    """One small valid file of every format."""
    motion = motion_of(
        dance(TIMES), TIMES,
        xy=np.random.default_rng(0).uniform(5, 40, (len(TIMES), 21, 2)).astype(np.float32),
    )  # fmt: skip
    for name in EXPORTED:
        write(motion, folder / name, WriteOptions())
    points = list(enumerate(KEYPOINTS[5:17]))
    shapes = [{"label": n, "points": [[40 + i, 30 - i]], "shape_type": "point"} for i, n in points]
    document = {"imagePath": "a_000004.jpg", "imageWidth": 64, "imageHeight": 48, "shapes": shapes}
    (folder / "labelme.json").write_text(json.dumps(document))
    tracks = "".join(
        f'<track label="{n}"><points frame="4" outside="0" points="{40 + i},7.5"/>'
        f'<points frame="5" outside="1" points="{i},9"/></track>' for i, n in points
    )  # fmt: skip
    meta = "<annotations><meta><source>a.mp4</source></meta>"
    (folder / "cvat.xml").write_text(f"{meta}{tracks}</annotations>")
    inside = "".join(f'<points label="{n}" points="{40 + i},7.5"/>' for i, n in points)
    skeleton = f'<track label="person"><skeleton frame="4">{inside}</skeleton></track>'
    image = f'<image id="3" name="a_000003.png">{inside}</image>'
    (folder / "skeletons.xml").write_text(f"{meta}{skeleton}{image}</annotations>")
    names = [name for _, name in points for _ in "xy"]
    head = [["scorer", *["me"] * 24], ["bodyparts", *names], ["coords", *["x", "y"] * 12]]
    rows = [[str(i), *(f"{i + k}.5" for k in range(24))] for i in range(6)]
    (folder / "aDLC_x.csv").write_text("\n".join(",".join(row) for row in head + rows))
    camera = {"focal_pixels": 900, "centre": [32, 24], "world_from_camera": np.eye(3, 4).tolist()}
    (folder / "cameras.json").write_text(json.dumps({"a.mp4": camera, "b.mp4": camera}))


def damage(path: Path, rng: random.Random) -> None:
    """Change a file in one random way."""
    ways: list[Callable[[bytes, random.Random], bytes]] = [_bytes, _bytes, _span, _cut]
    if path.suffix == ".npz":
        ways = [_bytes, _cut, *[_array] * 6]
    elif path.suffix == ".json":
        ways += [_node] * 8
    elif path.suffix != ".c3d":
        ways += [_number] * 6
    path.write_bytes(rng.choice(ways)(path.read_bytes(), rng))


def damage_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flipped bytes, a gap, something twice, or a missing end."""
    return rng.choice((_bytes, _bytes, _span, _cut))(data, rng) if data else data


def _bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    # heads are short beside the frames and hold what decides
    reach = len(data) if rng.random() < 0.5 else min(len(data), 2000)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(reach)] = rng.randrange(256)
    return bytes(changed)


def _span(data: bytes, rng: random.Random) -> bytes:
    a = rng.randrange(len(data))
    b = min(len(data), a + rng.choice((1, 4, 30, 512, 3000)))
    return data[:a] + (data[a:b] * 2 if rng.random() < 0.5 else b"") + data[b:]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _number(data: bytes, rng: random.Random) -> bytes:
    text = data.decode("utf-8", "replace")
    at = rng.choice(list(re.finditer(r"-?\d+(\.\d+)?", text)))
    return (text[: at.start()] + rng.choice(WILD) + text[at.end() :]).encode()


def _node(data: bytes, rng: random.Random) -> bytes:
    """Another value in place of a random node of a JSON document, or nothing."""
    document = json.loads(data)
    holder, key = document, rng.choice(list(document))
    while isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.8:
        holder = holder[key]
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    if rng.random() < 0.2:
        del holder[key]
    else:
        wild: list[Any] = [None, -1, 1e300, 10**30, "", "x", [], {}, [[]], True, 0.5, 3, "9" * 5000]
        holder[key] = rng.choice(wild)
    return json.dumps(document).encode()


def _array(data: bytes, rng: random.Random) -> bytes:
    """An NPZ with an array of another shape, type or claim."""
    with np.load(io.BytesIO(data)) as file:
        arrays = {name: file[name] for name in file.files}
    name = rng.choice(list(arrays))
    old = np.atleast_1d(arrays[name])
    made = [
        lambda: old.reshape(-1), lambda: old[..., None], lambda: old.astype("U8"),
        lambda: old.astype(complex) if old.dtype.kind in "fiub" else old[:0], lambda: old[:0],
        lambda: old[:-1], lambda: np.zeros((0, 3)), lambda: np.array(7),
        lambda: np.full(old.shape, np.nan), lambda: np.full(old.shape, 1e300),
        lambda: np.zeros((40_000_000, 2), np.uint8), lambda: np.full(old.shape, -(2**62)),
    ]  # fmt: skip
    if rng.random() < 0.15:
        del arrays[name]
    elif rng.random() < 0.15:
        return _claimed(arrays, name, rng)
    else:
        arrays[name] = rng.choice(made)()
    target = io.BytesIO()
    np.savez_compressed(target, **arrays)
    return target.getvalue()


def _claimed(arrays: dict[str, Any], name: str, rng: random.Random) -> bytes:
    """A header that claims more than there is."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for key, array in arrays.items():
            entry = io.BytesIO()
            np.save(entry, array, allow_pickle=False)
            content = entry.getvalue()
            if key == name:
                content = re.sub(rb"'shape': \([^)]*\)", b"'shape': (999999999, 19)", content)
            archive.writestr(f"{key}.npy", content)
    return target.getvalue()


def read_any(path: Path) -> list[Labels]:
    """Labels of any format; none for cameras."""
    if path.name == "cameras.json":
        CalibratedCamera.read_all(path)
        return []
    return read_labels(path)


def trial(path: Path, estimate: Any, *, align: bool) -> None:
    """Read a file and find its frames; what it raises is a failure."""
    message = "none"
    try:
        for labels in read_any(path):
            if labels.synchronous:
                assign_frames(labels, estimate.times)
            elif align:
                align_labels(labels, estimate)
    except MocapError as error:
        message = error.message
    if not message.isprintable() or len(message) > 700:
        raise ValueError(f"not a short line: {message!r}")


def failures(
    name: str, count: int, seed: int, estimate: Any, folder: Path, *, align: bool = True
) -> list[str]:
    """What went wrong in so many trials with one format."""
    found = []
    write_samples(folder)
    whole = (folder / name).read_bytes()
    path = folder / "damaged" / name
    path.parent.mkdir(exist_ok=True)
    for number in range(count):
        rng = random.Random(f"{name} {seed} {number}")
        path.write_bytes(whole)
        damage(path, rng)
        began, largest = time.perf_counter(), _largest_size()
        try:
            trial(path, estimate, align=align)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            at = [frames[-1], *[f for f in frames if "mocap_cli" in f.filename]][-1]
            found.append(
                f"{name} {number}: {type(error).__name__} at {Path(at.filename).name}:{at.lineno}:"
                f" {str(error)[:150]}"
            )
        taken = time.perf_counter() - began
        if taken > SLOW:
            found.append(f"{name} {number}: took {taken:.0f} s")
        if _largest_size() - largest > LARGE:
            found.append(f"{name} {number}: took {(_largest_size() - largest) >> 20} MB")
    return found


def _largest_size() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """List every failure, and how many there were of each format."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=FORMATS, action="append")
    options = parser.parse_args()
    estimate, _ = seen_dancing()
    total = 0
    for name in options.format or FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            found = failures(name, options.count, options.seed, estimate, Path(folder))
        total += len(found)
        print(f"{name}: {len(found)} of {options.count}, {time.perf_counter() - began:.0f} s")
        print("\n".join(f"  {line}" for line in found), flush=True)
    sys.exit(bool(total))


if __name__ == "__main__":
    main()
