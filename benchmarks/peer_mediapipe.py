"""Run mediapipe's pose on a video, in an environment of its own: the peer of benchmarks/track.py.

python -m venv peer && peer/bin/pip install mediapipe==0.10.21 av
peer/bin/python benchmarks/peer_mediapipe.py VIDEO OUT.npz
"""

import sys
import time

import av
import mediapipe
import numpy as np

LANDMARKS = dict(
    left_shoulder=11, right_shoulder=12, left_elbow=13, right_elbow=14, left_wrist=15,
    right_wrist=16, left_hip=23, right_hip=24, left_knee=25, right_knee=26, left_ankle=27,
    right_ankle=28,
)  # fmt: skip


def main(video: str, out: str, complexity: int = 1) -> None:
    """World landmarks of every frame (NaN where none), Y up, and the seconds it took."""
    rows, began = [], time.perf_counter()
    with mediapipe.solutions.pose.Pose(model_complexity=complexity) as pose, av.open(video) as file:
        file.streams.video[0].thread_type = "AUTO"
        for frame in file.decode(video=0):
            found = pose.process(frame.to_ndarray(format="rgb24")).pose_world_landmarks
            mark = found.landmark if found else None
            rows.append([
                (mark[i].x, -mark[i].y, -mark[i].z) if mark else (np.nan,) * 3
                for i in LANDMARKS.values()
            ])  # fmt: skip
    seconds = time.perf_counter() - began
    np.savez(out, joints=np.array(rows), names=np.array(list(LANDMARKS)), seconds=seconds)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
