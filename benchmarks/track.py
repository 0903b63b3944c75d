"""How near `mocap track` comes to the truth of rendered clips, beside mediapipe on the same frames.

    python benchmarks/track.py [--peer peer/bin/python] [--motion FOLDER --shots 12]
    python benchmarks/track.py [--peer peer/bin/python] --clips VIDEO...

Takes examples/*.truth.json and, where a folder of motion capture is given, films random shots of
held-out subjects. Prints a table for docs/benchmarks.md. Errors are millimetres over the twelve
joints that both know, for people of 1.70 m; frames where one of the two saw nobody are counted,
not compared. Of `--clips`, whose truth nobody knows, only the time. All three qualities are run.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import read_motion
from mocap_cli.body.skeleton import BODY
from mocap_cli.keypoints.thinned_frames import Quality
from mocap_cli.lifting.metrics import mpjpe, n_mpjpe, p_mpjpe
from mocap_cli.tracking.track import TrackOptions, track

PEER = Path(__file__).with_name("peer_mediapipe.py")
COMMON = tuple(
    f"{side}_{name}"
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
QUALITIES: tuple[Quality, ...] = ("fast", "balanced", "best")
HIPS = [COMMON.index("left_hip"), COMMON.index("right_hip")]


@dataclass(frozen=True, slots=True)
class Case:
    """A clip and what is true of it."""

    video: Path
    joints: np.ndarray  # (T, 19, 3) metres, camera axes
    height: float
    focal: float


def examples() -> Iterator[Case]:
    """The rendered clips that come with the program."""
    for path in sorted(Path("examples").glob("*.truth.json")):
        truth = read_motion(path)
        height = float(truth.model["height_metres"])
        yield Case(
            path.with_name(truth.source.file),
            camera_axes(truth).astype(np.float64),
            height,
            truth.camera.focal_pixels,
        )


def shots(motion: Path, count: int, folder: Path) -> Iterator[Case]:
    """Random shots of subjects that nothing was trained on, as lossless video."""
    import av

    from training.synthesis.body_model import make_body
    from training.synthesis.mocap_dataset import is_held_out, read_mocap_folder
    from training.synthesis.rendered_shots import FPS, random_shots, render_shot

    rng = np.random.default_rng(99)
    clips = [c for c in read_mocap_folder(motion, make_body({})) if is_held_out(c)]
    weights = np.array([min(len(c.root) / c.fps, 15.0) for c in clips])
    for number, shot in zip(range(count), random_shots(clips, weights, rng), strict=False):
        video, joints = folder / f"{number:02d}-{shot.name}.mkv", []
        with av.open(str(video), "w") as file:
            stream = file.add_stream("ffv1", rate=round(FPS))
            stream.width, stream.height = shot.view.width, shot.view.height
            stream.pix_fmt = "bgr0"
            for frame in render_shot(shot, rng):
                joints.append(frame.joints)
                file.mux(stream.encode(av.VideoFrame.from_ndarray(frame.picture, format="rgb24")))
            file.mux(stream.encode())
        yield Case(video, np.stack(joints), shot.body.height, shot.view.pinhole.focal)


def common(joints: np.ndarray, names: tuple[str, ...]) -> torch.Tensor:
    """The twelve joints about the middle of the hips, hips first as the metrics want it."""
    twelve = joints[:, [names.index(name) for name in COMMON]]
    about = np.concatenate((twelve[:, HIPS].mean(1, keepdims=True), twelve), axis=1)
    return torch.from_numpy(about - about[:, :1])


def camera_axes(motion: Motion) -> np.ndarray:
    """Joints turned back into the axes of the camera."""
    return np.einsum("tji,tkj->tki", motion.camera.world_from_camera[..., :3], motion.joints)


def seen_in(found: torch.Tensor) -> torch.Tensor:
    """(T,) whether somebody was found."""
    return found.isfinite().all(-1).all(-1)


def row(
    name: str, found: torch.Tensor, truth: torch.Tensor, counts: torch.Tensor, seconds: float
) -> str:
    """A line of the table; errors are those of the frames that count."""
    good = seen_in(found)
    p, t = found[counts].double(), truth[counts].double()
    errors = (f"{1000 * float(f(p, t)[:, 1:].mean()):.0f}" for f in (mpjpe, n_mpjpe, p_mpjpe))
    seen = f"{100 * float(good.double().mean()):.0f} %"
    return f"| {name} | {' | '.join(errors)} | {seen} | {len(found) / seconds:.0f} |"


def compare(case: Case, peer: Path | None) -> Iterator[str]:
    """Each quality of ours, then the peer's, on the frames in which all found somebody."""
    truth = common(case.joints, BODY.names) * (1.70 / case.height)
    found: dict[str, tuple[torch.Tensor, float]] = {}
    for quality in QUALITIES:
        motion, seconds = timed(case.video, TrackOptions(focal=case.focal, quality=quality))
        joints = common(camera_axes(motion).astype(np.float64), BODY.names)
        found[f"{case.video.name}: {quality}"] = joints, seconds
    if peer:
        found["mediapipe"] = ask(peer, case.video)
    length = min(len(truth), *(len(joints) for joints, _ in found.values()))
    everywhere = torch.stack([seen_in(joints[:length]) for joints, _ in found.values()]).all(0)
    for name, (joints, seconds) in found.items():
        yield row(name, joints[:length], truth[:length], everywhere, seconds)


def timed(video: Path, options: TrackOptions) -> tuple[Motion, float]:
    """The motion, and the seconds that it took."""
    began = time.perf_counter()
    motion = track(video, options)
    return motion, time.perf_counter() - began


def ask(peer: Path, video: Path) -> tuple[torch.Tensor, float]:
    """The peer's joints of that video, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "peer.npz"
        command = [str(peer), str(PEER), str(video), str(out)]
        subprocess.run(command, check=True, capture_output=True)
        with np.load(out) as file:
            return common(file["joints"], tuple(file["names"])), float(file["seconds"])


def race(video: Path, peer: Path | None) -> str:
    """A line of the second table: frames a second of each quality and of the peer, and ratios."""
    rates = []
    for quality in QUALITIES:
        motion, seconds = timed(video, TrackOptions(quality=quality))
        rates.append(len(motion.times) / seconds)
    size = f"{motion.source.width}x{motion.source.height}, {motion.source.fps:.0f} fps"
    cells = [video.name, size, *(f"{rate:.0f}" for rate in rates)]
    if peer:
        theirs, took = ask(peer, video)
        rate = len(theirs) / took
        cells += [f"{rate:.0f}", *(f"{ours / rate:.2f}" for ours in rates)]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path, help="a Python that has mediapipe")
    parser.add_argument("--motion", type=Path, help="folder of motion capture")
    parser.add_argument("--shots", type=int, default=12)
    parser.add_argument("--clips", type=Path, nargs="*", default=[], help="videos to time")
    options = parser.parse_args()
    if options.clips:
        heads = ["clip", "size", *QUALITIES]
        if options.peer:
            heads += ["mediapipe", *(f"{quality}, ratio" for quality in QUALITIES)]
        print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
        for video in options.clips:
            print(race(video, options.peer), flush=True)
        return
    print("| clip | MPJPE | N-MPJPE | P-MPJPE | detected | frames/s |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        cases = [*examples()]
        if options.motion:
            cases += shots(options.motion, options.shots, Path(folder))
        for case in cases:
            for line in compare(case, options.peer):
                print(line, flush=True)


if __name__ == "__main__":
    main()
