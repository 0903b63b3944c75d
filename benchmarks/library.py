"""A library of 200 short clips: throughput by workers, and runs that are killed.

    python benchmarks/library.py clips/ [--workers 1 2] [--clips 200] [--kills 20]

Cuts the clips from examples/ on the first run: mixed lengths, five that are broken, one whose
tracking hangs. Each run must write the same files and the same summary but for its times. With
`--kills` a run is killed by SIGKILL at random moments, each time with all its processes or
alone, and then runs to its end. Prints a table for docs/library.md.
"""

import argparse
import csv
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from mocap_cli.tracking import track as tracking
from mocap_cli.video.reader import open_video

EXAMPLES = ("walk", "dive", "ski")
LENGTHS = (0.15, 0.2, 0.3, 0.4, 0.6)  # seconds
HANGS = "hangs.mp4"  # in a sub-folder, which the runs that are timed leave out
TIMEOUT = 600  # seconds for a clip, by default
TIMES = ("status", "seconds", "finished")  # columns that differ from run to run

_track = tracking.track


def _track_or_hang(path: Path, *values: Any, **callbacks: Any) -> Any:
    """The tracker, but for one clip; workers import this script, and so have it too."""
    if path.name == HANGS:
        time.sleep(3600)
    return _track(path, *values, **callbacks)


tracking.track = _track_or_hang


def make(folder: Path, clips: int) -> None:
    """Cut the clips."""
    folder.mkdir(parents=True)
    for number in range(clips - 6):
        source = Path("examples") / f"{EXAMPLES[number % 3]}.mp4"
        start = 0.07 * (number // 3)
        cut(source, folder / f"{number:03d}.mp4", start % 1.5, LENGTHS[number % 5])
    whole = (folder / "000.mp4").read_bytes()
    (folder / "sub").mkdir()
    shutil.copy(folder / "003.mp4", folder / "sub" / HANGS)
    (folder / "broken-head.mp4").write_bytes(bytes(2000) + whole[2000:])
    (folder / "broken-half.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "broken-empty.mp4").touch()
    (folder / "broken-text.mp4").write_text("no video")
    (folder / "broken-zeros.mp4").write_bytes(bytes(50_000))


def cut(source: Path, target: Path, start: float, seconds: float) -> None:
    """Write some of the frames of a video."""
    with open_video(source, start, start + seconds) as reader, av.open(str(target), "w") as file:
        info = reader.info
        stream = file.add_stream("libx264", rate=Fraction(info.fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = info.width, info.height, "yuv420p"
        for frame in reader:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        file.mux(stream.encode(None))


def start_run(
    clips: Path, out: Path, workers: int, timeout: float, *more: str
) -> subprocess.Popen[bytes]:
    """`mocap track` with the tracker of this script."""
    command = [
        sys.executable, __file__, "mocap", "track", str(clips), "-o", f"{out}/", "--quiet",
        "--workers", str(workers), "--clip-timeout", str(timeout), "--summary", f"{out}/all.csv",
        *more,
    ]  # fmt: skip
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)


def result(out: Path) -> tuple[dict[str, bytes], list[dict[str, str]]]:
    """All files but the summary, and the summary without its times."""
    with (out / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["status"] = "failed" if row["status"] == "failed" else "done"
        for column in TIMES[1:]:
            del row[column]
    files = {path.name: path.read_bytes() for path in out.rglob("*.*") if path.name != "all.csv"}
    return files, rows


def measure(clips: Path, out: Path, workers: int, timeout: float) -> str:
    """A line of the table: an unbroken run, and one that finds all of it done."""
    lines = []
    for _ in range(2):
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        start_run(clips, out, workers, timeout).wait()
        seconds = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        lines.append((seconds, cpu, after.ru_maxrss / 1024))
    frames = sum(int(row["frames"] or 0) for row in result(out)[1])
    start_run(clips, out, workers, timeout, "--recursive").wait()  # with the clip that hangs
    (seconds, cpu, memory), (again, cpu_again, _) = lines
    return (
        f"| {workers} | {frames} | {seconds:.0f} s | {frames / seconds:.1f} |"
        f" {1000 * cpu / frames:.1f} ms | {memory:.0f} MB | {again:.0f} s | {cpu_again:.0f} s |"
    )


def kill_at_random(
    clips: Path, out: Path, kills: int, longest: float, seed: int, timeout: float
) -> int:
    """Kill runs at random moments, then run to the end; the number of runs that were killed."""
    chance, killed = random.Random(seed), 0
    for number in range(kills):
        run = start_run(clips, out, 2, timeout, "--recursive")
        try:
            run.wait(chance.uniform(1.0, longest))
        except subprocess.TimeoutExpired:
            (os.killpg if number % 2 else os.kill)(run.pid, signal.SIGKILL)
            run.wait()
            killed += 1
    start_run(clips, out, 2, timeout, "--recursive").wait()
    return killed


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="clips")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--clips", type=int, default=200, help="clips to cut on the first run")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds for a clip")
    parser.add_argument("--longest", type=float, default=25, help="seconds until a kill")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not options.folder.exists():
        make(options.folder, options.clips)
    with tempfile.TemporaryDirectory() as folder:
        run(options, Path(folder))


def run(options: argparse.Namespace, folder: Path) -> None:
    """All runs, each compared with the first."""
    print("| workers | frames | time | frames/s | processor time a frame | peak | again | of it |")
    print("|---|---|---|---|---|---|---|---|")
    outs: list[Path] = []
    for workers in options.workers:
        outs.append(folder / f"workers-{workers}")
        print(measure(options.folder, outs[-1], workers, options.timeout), flush=True)
    if options.kills:
        outs.append(folder / "killed")
        killed = kill_at_random(
            options.folder, outs[-1], options.kills, options.longest, options.seed, options.timeout
        )
        print(f"\n{killed} runs killed, then one to the end")
    compare(outs)


def compare(outs: Sequence[Path]) -> None:
    """Exit with 1 where a run wrote something else than the first."""
    first = result(outs[0])
    failed = [row["path"] for row in first[1] if row["status"] == "failed"]
    print(f"\n{len(first[1])} clips, {len(failed)} failed: {', '.join(failed)}")
    for out in outs[1:]:
        files, rows = result(out)
        others = [name for name in files | first[0] if files.get(name) != first[0].get(name)]
        pairs = zip(rows, first[1], strict=True)
        others += [f"{row['path']} ({row['error']})" for row, one in pairs if row != one]
        print(f"{out.name}: {', '.join(others) or f'the same {len(files)} files and summary'}")
        if others:
            sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["mocap"]:
        from mocap_cli.cli.main import main as mocap

        sys.argv = sys.argv[1:]
        mocap()
    else:
        main()
