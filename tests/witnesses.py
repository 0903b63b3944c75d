"""What the tracker would see of people whose every joint is known, and labels of them."""

from pathlib import Path

import numpy as np
from people import Person, film
from poses import dance

from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo
from mocap_cli.labels.labels import Labels, make_labels
from mocap_cli.lifting.lift import LiftedPose
from mocap_cli.tracking.estimate import Estimate

TIMES = np.arange(90) / 25


def seen_dancing(
    seed: int = 0, off: float = 0.03, unsure: slice = slice(0), sigma: float = 0.03
) -> tuple[Estimate, np.ndarray]:
    """A estimate that is off by that much, and the true joints in camera axes about the pelvis.

    In the `unsure` frames it takes the person to be somebody else, and says that it is unsure.
    """
    joints = dance(TIMES, seed)
    person = Person(joints, TIMES, np.zeros((len(TIMES), 2), bool))
    shot = film(person, (0.0, 1.0, 7.0), (0.0, 0.5, 0.0), noise=off, seed=seed)
    truth = np.einsum("ij,tkj->tki", shot.camera_from_world, joints - joints[:, :1])
    pose, xy, errors = shot.pose.copy(), shot.xy.copy(), np.full(shot.sigma.shape, sigma)
    pose[unsure], xy[unsure, :, 0] = -pose[unsure], xy[unsure, :, 0] + 300
    errors[unsure] = 0.3
    seen = Keypoints(
        times=TIMES,
        xy=xy.astype(np.float32),
        score=shot.score.astype(np.float32),
        detected=np.ones(len(TIMES), bool),
        cut=np.zeros(len(TIMES), bool),
    )
    estimate = Estimate(
        size=(1920, 1080),
        camera=shot.camera,
        keypoints=seen,
        pose=LiftedPose(pose, errors, shot.contacts),
    )
    return estimate, truth


def labelled(truth: np.ndarray, **more: object) -> Labels:
    """3D labels of every frame."""
    at = {"frames": np.arange(len(truth))} if "times" not in more else {}
    return make_labels(
        Path("a.npz"),
        "a.mp4",
        joints=truth,
        **({"in_camera": True} | at | more),  # type: ignore
    )


def codes_of(truth: np.ndarray, size: int = 24, noise: float = 0.02, seed: int = 5) -> EncodedVideo:
    """Codes in which the pose is: a fixed turn of it, and of its mirror image."""
    from mocap_cli.labels.fitting.examples import mirror_pose

    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(truth[0].size, size))
    tv, mirrored = (
        (np.asarray(j).reshape(len(j), -1) @ mix + noise * rng.normal(size=(len(j), size)))
        for j in (truth, mirror_pose(truth))
    )
    return EncodedVideo(
        TIMES[: len(truth)],
        tv.astype(np.float32),
        mirrored.astype(np.float32),
        np.full((len(truth), 4), np.nan, np.float32),
    )
