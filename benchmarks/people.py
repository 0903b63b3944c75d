"""What more people cost: processor time of a frame, for one subject and for everybody.

`python benchmarks/people.py` pastes the walk of examples/ side by side, at half its size, and
prints a table for docs/benchmarks.md.
"""

import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

from mocap_cli.keypoints.follow import follow
from mocap_cli.keypoints.follow_all import follow_all
from mocap_cli.video.reader import open_video
from mocap_cli.video.shots import TimedImage, with_cuts

WALK = Path(__file__).parent.parent / "examples" / "walk.mp4"
SECONDS = 2.0
WIDTH = 320  # pixels of half the picture, in which the person walks


def walkers(count: int) -> list[TimedImage]:
    """Frames with so many walkers, each in a picture of 320 by 360 pixels, 30 frames a second."""
    frames: list[TimedImage] = []
    with open_video(WALK, 0.0, SECONDS) as video:
        for frame in video:
            half = cv2.resize(frame.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            one = half[:, :WIDTH]
            pasted = np.ascontiguousarray(np.concatenate([one] * count, axis=1))
            frames.append(SimpleNamespace(image=pasted, time=frame.time))
    return frames


def main() -> None:
    """Print the table."""
    print("| people | subject, ms a frame | everybody, ms a frame | found |")
    print("|---|---|---|---|")
    for count in (1, 2, 3, 4):
        frames = walkers(count)
        spent, found = [], 0
        for everybody in (False, True):
            began = time.process_time()
            if everybody:
                found = len(follow_all(with_cuts(frames), "cpu"))
            else:
                follow(with_cuts(frames), device="cpu")
            spent.append(1000 * (time.process_time() - began) / len(frames))
        print(f"| {count} | {spent[0]:.0f} | {spent[1]:.0f} | {found} |")


if __name__ == "__main__":
    main()
