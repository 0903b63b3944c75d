"""Coverage-guided fuzzing of every reader: `python -m tests.faults.fuzz --seconds 180`.

Needs atheris (`pip install atheris`), which changes whole files so that they reach more and more
lines of a reader. What a reader raises but for a MocapError or a ValueError that its callers
expect is printed, and the file is kept. A reader that crashes, hangs or takes memory ends alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_BETWEEN = b"\0\xffPART\xff\0"  # parts of a file with checksums, which are made anew around them
_FLAGS = ("-timeout=20", "-rss_limit_mb=3000", "-max_len=60000", "-verbosity=0", "-close_fd_mask=0")


def main() -> None:
    """Fuzz one reader, or all of them one after another in processes of their own."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__)
    parser.add_argument("--reader", choices=_READERS, help="only this one")
    parser.add_argument("--seconds", type=int, default=180, help="for each reader")
    parser.add_argument("--kept", type=Path, default=Path("fuzz-findings"), help="folder")
    options = parser.parse_args()
    if options.reader:
        _fuzz(options.reader, options.seconds, options.kept.resolve())
        return
    for reader in _READERS:
        again = [sys.executable, "-m", "tests.faults.fuzz", "--reader", reader]
        typed = [*again, "--seconds", str(options.seconds), "--kept", str(options.kept)]
        done = subprocess.run(typed, check=False, capture_output=True, text=True)
        lines = done.stdout.splitlines()
        said = [line for line in lines if line.startswith("finding")]
        said += [line for line in lines if line.startswith("runs")][-1:]
        ended = "" if done.returncode == 0 else f" ended with {done.returncode}"
        print(f"{reader}:{ended}", *said, sep="\n  ", flush=True)


def _fuzz(reader: str, seconds: int, kept: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["mocap_cli"]):
        from tests.faults import documents, kinds  # noqa: F401 - all readers
    from mocap_cli.errors import MocapError

    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    samples = kinds.Samples.make(folder / "samples").folder
    _write_keypoints(samples)
    name, read, pack, parts = _READERS[reader]
    (folder / "corpus").mkdir()
    (folder / "corpus" / "whole").write_bytes(parts((samples / name).read_bytes()))
    path = folder / "tried" / Path(name).name
    _copy_beside(samples / name, path.parent)
    found: set[str] = set()
    runs = 0

    def one(data: bytes) -> None:
        nonlocal runs
        runs += 1
        try:
            path.write_bytes(pack(data, samples / name))
        except Exception:
            return  # nothing that can be packed
        try:
            read(path)
        except MocapError:
            return
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            at = [frames[-1], *[f for f in frames if "mocap_cli" in f.filename]][-1]
            where = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"
            if where not in found:
                found.add(where)
                kept.mkdir(parents=True, exist_ok=True)
                (kept / f"{reader}-{len(found)}-{path.name}").write_bytes(path.read_bytes())
                print(f"finding {where}: {str(error)[:150]!r}", flush=True)
        finally:
            if runs % 500 == 0:
                print(f"runs {runs}", flush=True)

    kept.mkdir(parents=True, exist_ok=True)
    flags = [*_FLAGS, f"-max_total_time={seconds}", f"-artifact_prefix={kept}/{reader}-"]
    atheris.Setup([sys.argv[0], *flags, str(folder / "corpus")], one)
    atheris.Fuzz()


def _copy_beside(sample: Path, folder: Path) -> None:
    """What a reader opens beside the file, as for a stored clip."""
    import shutil

    if sample.parent.name in ("clip", "run"):
        shutil.copytree(sample.parent, folder)
    else:
        folder.mkdir()


def _as_it_is(data: bytes, sample: Path | None = None) -> bytes:
    return data


def _npz_parts(data: bytes) -> bytes:
    """The arrays of an archive one after another; zeros in place of large ones."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return _BETWEEN.join(archive.read(name)[:4000] for name in archive.namelist())


def _npz_of(data: bytes, sample: Path) -> bytes:
    """An archive with the sample's names and right checksums."""
    import io
    import zipfile

    target = io.BytesIO()
    with zipfile.ZipFile(sample) as names, zipfile.ZipFile(target, "w") as archive:
        for name, part in zip(names.namelist(), data.split(_BETWEEN), strict=False):
            archive.writestr(name, part)
    return target.getvalue()


def _sealed_parts(data: bytes) -> bytes:
    """The texts in the head of a safetensors file."""
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + size])["__metadata__"]
    return _BETWEEN.join(head[k].encode() for k in sorted(head) if k not in ("format", "seal"))


def _sealed_of(data: bytes, sample: Path) -> bytes:
    """The sample with other texts in its head, sealed again."""
    from safetensors import safe_open

    with safe_open(sample, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    return _sealed_head_of(data, sample, tensors)


def _sealed_head_of(data: bytes, sample: Path, tensors: dict[str, Any] | None = None) -> bytes:
    """The same without the tensors, for a reader that looks at the head alone."""
    from safetensors import safe_open

    from mocap_cli.io.sealed import FileKind

    with safe_open(sample, "pt") as file:
        head = file.metadata()
    keys = [k for k in sorted(head) if k not in ("format", "seal")]
    texts = (part.decode("utf-8", "replace") for part in data.split(_BETWEEN))
    target = sample.with_name("sealed-again")
    FileKind(format=head["format"], noun="", hint="").write(
        target, dict(zip(keys, texts, strict=False)), tensors or {}
    )
    return target.read_bytes()


def _write_keypoints(folder: Path) -> None:
    """The published layouts of keypoints, whose tests make them."""
    import test_given_keypoints as layouts

    names = ("coco_results", "coco_annotations", "alphapose", "mmpose", "mediapipe_json",
             "mediapipe_csv", "deeplabcut")  # fmt: skip
    for name in names:
        (folder / "keypoints" / name).mkdir(parents=True)
        made = getattr(layouts, name)(folder / "keypoints" / name)
        made.rename(folder / f"{name}{made.suffix}")
    (folder / "keypoints" / "openpose").mkdir()
    first = min(layouts.openpose(folder / "keypoints" / "openpose").iterdir())
    first.rename(folder / first.name)


def _result(path: Path) -> None:
    from mocap_cli.body.motion_json import read_motion

    read_motion(path)


def _labels(path: Path) -> None:
    from label_mutations import read_any

    read_any(path)


def _keypoints(path: Path) -> None:
    from mocap_cli.keypoints.readers.dispatch import read_people

    read_people(path.parent if path.name.endswith("_keypoints.json") else path)


def _archive(path: Path) -> None:
    from mocap_cli.plates.background import read_background

    read_background(path).at(0.0)


def _model(path: Path) -> None:
    from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder

    FrozenEncoder.open(path)


def _checkpoint(path: Path) -> None:
    from mocap_cli.learning.loop.checkpoint import read_checkpoint_state

    settings, state = read_checkpoint_state(path)
    settings.method_at(state.step)


def _fitted(path: Path) -> None:
    from mocap_cli.labels.fitting.fitted_model import FittedModel

    FittedModel.open(path)


def _run(path: Path) -> None:
    from mocap_cli.learning.data.ingest import RunSources

    RunSources.read(path.parent)


def _metrics(path: Path) -> None:
    from mocap_cli.learning.loop.metrics_log import MetricsLog

    MetricsLog.read(path)


def _store(path: Path) -> None:
    from mocap_cli.learning.data.store import StoredClip

    StoredClip.open(path.parent.parent, path.parent.name)


_Reader = tuple[
    str, Callable[[Path], None], Callable[[bytes, Any], bytes], Callable[[bytes], bytes]
]

_PLAIN, _NPZ, _SEALED = (_as_it_is, _as_it_is), (_npz_of, _npz_parts), (_sealed_of, _sealed_parts)
_READERS: dict[str, _Reader] = {
    "result": ("a.json", _result, *_PLAIN),
    "model": ("best.safetensors", _model, *_SEALED),
    "model-bytes": ("best.safetensors", _model, *_PLAIN),
    "checkpoint": ("last.safetensors", _checkpoint, _sealed_head_of, _sealed_parts),
    "fitted": ("a.mocap", _fitted, *_SEALED),
    "run": ("run/run.json", _run, *_PLAIN),
    "metrics": ("run/metrics.jsonl", _metrics, *_PLAIN),
    "store-head": ("run/store/clip/clip.json", _store, *_PLAIN),
    "store-times": ("run/store/clip/times.npy", _store, *_PLAIN),
    "background": ("a.background.npz", _archive, *_NPZ),
    "calibration": ("cameras.json", _labels, *_PLAIN),
    "labels-csv": ("a.csv", _labels, *_PLAIN),
    "labels-npz": ("a.npz", _labels, *_NPZ),
    "labels-trc": ("a.trc", _labels, *_PLAIN),
    "labels-c3d": ("a.c3d", _labels, *_PLAIN),
    "labels-bvh": ("a.bvh", _labels, *_PLAIN),
    "labels-coco": ("a.coco.json", _labels, *_PLAIN),
    "labels-labelme": ("labelme.json", _labels, *_PLAIN),
    "labels-cvat": ("cvat.xml", _labels, *_PLAIN),
    "labels-cvat-skeletons": ("skeletons.xml", _labels, *_PLAIN),
    "labels-deeplabcut": ("aDLC_x.csv", _labels, *_PLAIN),
    "keypoints-coco": ("coco_results.json", _keypoints, *_PLAIN),
    "keypoints-annotations": ("coco_annotations.json", _keypoints, *_PLAIN),
    "keypoints-alphapose": ("alphapose.json", _keypoints, *_PLAIN),
    "keypoints-mmpose": ("mmpose.json", _keypoints, *_PLAIN),
    "keypoints-mediapipe": ("mediapipe_json.json", _keypoints, *_PLAIN),
    "keypoints-mediapipe-csv": ("mediapipe_csv.csv", _keypoints, *_PLAIN),
    "keypoints-deeplabcut": ("deeplabcut.csv", _keypoints, *_PLAIN),
    "keypoints-openpose": ("clip_000000000000_keypoints.json", _keypoints, *_PLAIN),
    "keypoints-npz": ("a.npz", _keypoints, *_NPZ),
}

if __name__ == "__main__":
    main()
