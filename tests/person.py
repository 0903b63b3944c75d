"""A made-up person who stands before the camera: a Motion without any network."""

from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.body.recording import Camera, Source
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.io.atomic import readable
from mocap_cli.video.reader import VideoInfo, open_video

if TYPE_CHECKING:
    from mocap_cli.tracking.estimate import Estimate

DISTANCE = 4.0
# metres: x to the picture's right, y up; the person faces the camera, so left is on the right
PLACES = {
    "pelvis": (0, 0.95),
    "spine": (0, 1.18),
    "thorax": (0, 1.42),
    "neck": (0, 1.52),
    "head": (0, 1.72),
    "nose": (0, 1.6),
    "left_eye": (0.03, 1.63),
    "left_ear": (0.07, 1.61),
    "left_shoulder": (0.18, 1.4),
    "left_elbow": (0.3, 1.15),
    "left_wrist": (0.4, 0.92),
    "left_hip": (0.1, 0.95),
    "left_knee": (0.11, 0.5),
    "left_ankle": (0.12, 0.08),
    "left_heel": (0.12, 0.02),
    "left_toe": (0.16, 0),
}


def place(name: str) -> tuple[float, float]:
    """Where that joint or keypoint is; the right side mirrors the left."""
    if name.startswith("right_"):
        x, y = PLACES["left" + name.removeprefix("right")]
        return -x, y
    return PLACES[name]


def standing(info: VideoInfo, times: np.ndarray, **changes: Any) -> Motion:
    """Somebody who stands still in the middle of that video."""
    from mocap_cli.tracking.track import networks_used  # late: it takes seconds to import

    T, J = len(times), len(BODY)
    focal = info.height * DISTANCE / 2.2
    camera = Pinhole(focal, (info.width / 2, info.height / 2))
    world_from_camera = np.tile(np.eye(3, 4, dtype=np.float32), (T, 1, 1))
    world_from_camera[:, :, 3] = 0, 0.9, DISTANCE
    joints = np.array([(*place(name), 0) for name in BODY.names], np.float32)
    keypoints = np.array([(*place(name), 0) for name in KEYPOINTS])
    xy = camera.project(keypoints - (0, 0.9, DISTANCE)).astype(np.float32)
    values = {
        "model": networks_used(),
        "source": Source(
            file=readable(info.path.name),
            fps=info.fps,
            width=info.width,
            height=info.height,
            frames=T,
            rotation=info.rotation,
        ),
        "skeleton": BODY,
        "space": "world",
        "times": np.asarray(times, np.float64),
        "joints": np.tile(joints, (T, 1, 1)),
        "sigma": np.full((T, J), 0.03, np.float32),
        "detected": np.ones(T, np.bool_),
        "contacts": np.ones((T, 2), np.float32),
        "xy": np.tile(xy, (T, 1, 1)),
        "score": np.full((T, len(KEYPOINTS)), 0.9, np.float32),
        "camera": Camera(
            focal_pixels=focal, centre=camera.centre, world_from_camera=world_from_camera
        ),
    }
    return Motion(**{**values, **changes})


def stand(
    path: Path, options: Any, on_frame: Callable[[int], None] = lambda done: None, **others: Any
) -> Motion:
    """What `track` would give of a video whose subject stands still; other counters are ignored."""
    with open_video(path, options.start, options.end) as video:
        times = []
        for frame in video:
            times.append(frame.time)
            on_frame(len(times))
    return standing(video.info, np.array(times))


def estimate_of(info: VideoInfo, *_: object, **__: object) -> "Estimate":
    """What `estimate` would find: the same person, in every frame."""
    from mocap_cli.keypoints.keypoints import Keypoints  # late: they take seconds to import
    from mocap_cli.lifting.lift import LiftedPose
    from mocap_cli.tracking.estimate import Estimate

    with open_video(info.path) as reader:
        times = np.array([frame.time for frame in reader])
    motion, T, K = standing(info, times), len(times), len(KEYPOINTS)
    seen = Keypoints(
        times=times,
        xy=motion.xy,
        score=np.full((T, K), 0.9, np.float32),
        detected=np.ones(T, bool),
        cut=np.zeros(T, bool),
    )
    joints = np.tile(motion.joints[:1] - motion.joints[:1, :1], (T, 1, 1)).astype(np.float64)
    pose = LiftedPose(joints, np.full((T, len(BODY)), 0.03), np.zeros((T, 6)))
    size = info.width, info.height
    return Estimate(size=size, camera=Pinhole.guess(*size), keypoints=seen, pose=pose)


def fork_workers(monkeypatch: Any) -> None:
    """Let `mocap track` fork its workers, which then have what was replaced in this process."""
    import mocap_cli.clips.clip_tracker  # noqa: F401 - once, not in every fork: it takes seconds

    module = "mocap_cli.workers.processes"
    monkeypatch.setattr(f"{module}._CONTEXT", get_context("fork"))
    monkeypatch.setattr(f"{module}._limit_threads", lambda count: None)  # a fork has none to limit
