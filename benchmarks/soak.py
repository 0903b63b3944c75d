"""Soak: a long 1080p video tracked and its background made, with memory and times watched.

    python benchmarks/soak.py --minutes 60

repeats an example clip at 1920x1080 without encoding it again, samples the memory of each command
every second, and fits a line to it in each stage that takes a tenth of the time or longer, without
the first and the last tenth of the stage. Compares the time of the last frame in the result with
that in the video. Prints a table for docs/benchmarks.md.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (1920, 1080)
COMMANDS = {
    "track": "track long.mp4 -o long.json --quality {quality}",
    "background": "background long.mp4 -o scene.png",
    "background, its video": "background long.mp4 -o scene.png --video",
}


def make(example: Path, target: Path, minutes: float, fps: int) -> int:
    """Encode the example once at that size and rate, and repeat its packets; returns the frames."""
    once = target.with_name("once.mp4")
    with av.open(str(example)) as source, av.open(str(once), "w") as container:
        stream = container.add_stream("libx264", fps, {"bf": "0", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for number, frame in enumerate(source.decode(video=0)):
            image = frame.reformat(*SIZE, format="yuv420p")
            image.pts, image.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    frames, wanted = 0, round(60 * minutes * fps)
    with av.open(str(target), "w") as container:
        stream = None
        while frames < wanted:
            with av.open(str(once)) as source:
                video = source.streams.video[0]
                stream = stream or container.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.size and frames < wanted:
                        packet.stream, packet.time_base = stream, Fraction(1, fps)
                        packet.pts = packet.dts = frames
                        packet.duration = 1
                        container.mux(packet)
                        frames += 1
    return frames


def watch(typed: str, folder: Path) -> tuple[float, dict[str, list[float]]]:
    """Run the command; seconds that it took, and its memory in MB every second of each stage."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "mocap_cli", *typed.split()],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    samples: dict[str, list[float]] = {"start": []}
    ended = threading.Event()

    def sample() -> None:
        status = Path(f"/proc/{process.pid}/statm")
        while not ended.wait(1.0):
            pages = int(status.read_text().split()[1])
            samples[list(samples)[-1]].append(pages * 4096 / 1e6)

    thread = threading.Thread(target=sample)
    thread.start()
    assert process.stderr is not None
    for line in process.stderr:  # long.mp4: tracking: 312 of 36000 (1%), ...
        print(line, end="", file=sys.stderr, flush=True)
        if found := re.match(r"[^:]+: ([^:]+): \d+ of", line):
            samples.setdefault(found[1], [])
    code = process.wait()
    ended.set()
    thread.join()
    if code:
        sys.exit(f"mocap {typed} ended with {code}")
    return time.monotonic() - began, samples


def growth(samples: dict[str, list[float]]) -> tuple[float, float, float]:
    """Mean and largest memory in MB, and the largest growth of a stage in percent of its mean."""
    every = np.concatenate([np.array(sizes) for sizes in samples.values()])
    found = [_growth(np.array(s)) for s in samples.values() if len(s) > 0.1 * len(every)]
    return every.mean(), every.max(), max(found, key=abs)


def _growth(sizes: np.ndarray) -> float:
    inside = sizes[len(sizes) // 10 : len(sizes) - len(sizes) // 10]
    slope, _ = np.polyfit(np.arange(len(inside)), inside, 1)
    return float(100 * slope * len(inside) / inside.mean())


def last_times(folder: Path) -> dict[str, float]:
    """The time of the last frame in the video and in each result, in seconds."""
    with np.load(folder / "scene.npz") as archive:
        background = float(archive["times"][-1])
    found = {
        "track": json.loads((folder / "long.json").read_text())["times"][-1],
        "background": background,
    }
    for name, file in (("video", "long.mp4"), ("background, its video", "scene.mp4")):
        with av.open(str(folder / file)) as container:
            stamps = [p.pts for p in container.demux(video=0) if p.size]
            found[name] = float(max(stamps) * container.streams.video[0].time_base)
    return found


def main() -> None:
    """Make the video, run both commands, and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--quality", choices=("fast", "balanced"), default="balanced")
    parser.add_argument("--example", type=Path, default=Path("examples/walk.mp4"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as work:
        folder = Path(work)
        frames = make(options.example, folder / "long.mp4", options.minutes, options.fps)
        print(f"{frames} frames of {SIZE[0]}x{SIZE[1]}, {options.minutes:g} minutes")
        print("| command | seconds | mean MB | largest MB | growth % | last frame off, in frames |")
        print("|---|---|---|---|---|---|")
        rows = {}
        for name, typed in COMMANDS.items():
            seconds, samples = watch(typed.format(quality=options.quality), folder)
            rows[name] = (seconds, *growth(samples))
        times = last_times(folder)
        for name, row in rows.items():
            off = options.fps * abs(times[name] - times["video"])
            cells = " | ".join(f"{value:.1f}" for value in row)
            print(f"| {name} | {cells} | {off:.2f} |")


if __name__ == "__main__":
    main()
