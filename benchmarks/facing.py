"""How far the turn of the head is off, on rendered people of held-out subjects.

    python benchmarks/facing.py MOTION --shots 8

MOTION is the folder of motion capture. In half of the shots heads turn more than was recorded. The
answer before was a head that looks straight ahead.
"""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from mocap_cli.body.facing import facing_rotations
from mocap_cli.body.initial_rotations import initial_rotations
from mocap_cli.body.rig import fit_rig
from mocap_cli.body.rotation import inverse, vector_from_matrix
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.keypoints.follow import follow
from mocap_cli.tracking.estimate import estimate_from_keypoints
from mocap_cli.tracking.head_facing import head_facing
from mocap_cli.tracking.place import place_in_world
from mocap_cli.types import Float64
from mocap_cli.video.reader import Frame
from mocap_cli.video.shots import with_cuts
from training.synthesis.mocap_clip import PART_NAMES, MocapClip
from training.synthesis.mocap_dataset import read_split
from training.synthesis.rendered_shots import FPS, RenderedShot, random_shots, render_shot

HEAD = PART_NAMES.index("head")
STEP = 2  # frames of a shot from one that is rendered to the next
TURN = 30.0  # degrees, sigma of the turns that are added


def turned(clip: MocapClip, rng: np.random.Generator) -> MocapClip:
    """The clip with slow turns of the head added."""
    times = np.arange(len(clip.root)) / clip.fps
    waves = np.sin(2 * np.pi * (rng.uniform(0.15, 1, (3, 1)) * times + rng.random((3, 1))))
    angle = TURN * (rng.normal(size=3) @ waves / 1.2 + 0.6 * rng.normal())
    turns = Rotation.from_euler("y", np.clip(angle, -70, 70)[:, None], degrees=True).as_matrix()
    rotations = clip.rotations.copy()
    rotations[:, HEAD] = rotations[:, HEAD] @ turns
    return replace(clip, rotations=rotations.astype(np.float32))


def errors(shot: RenderedShot, rng: np.random.Generator) -> Float64:
    """(T, 4) degrees before and now, sigma, and how far the face looks towards the camera."""
    shot = replace(shot, transforms=shot.transforms[::STEP])

    def frames() -> Iterator[Any]:
        for index, frame in enumerate(render_shot(shot, rng)):
            yield Frame(index=index, time=index * STEP / FPS, image=frame.picture)

    seen, camera = follow(with_cuts(frames())), Pinhole.guess(shot.view.width, shot.view.height)
    pose = estimate_from_keypoints(seen, camera, (shot.view.width, shot.view.height)).pose
    placed = place_in_world(
        pose.joints, pose.sigma, pose.contacts, seen.xy.astype(np.float64),
        seen.score.astype(np.float64), seen.times, camera, shot.body.height,
    )  # fmt: skip
    found = head_facing(placed.joints, placed.world_from_camera, camera, seen)
    known = np.isfinite(placed.joints).all(axis=(1, 2))
    joints, to_camera = placed.joints[known], inverse(placed.world_from_camera[known, :, :3])
    rig = fit_rig(joints)
    heads = initial_rotations(rig, joints, seen.times[known])[:, rig.index("Head")]
    truth = shot.view.world_from_camera[:, :3].T @ shot.transforms[known, HEAD, :, :3]
    before, now = (
        np.degrees(np.abs(vector_from_matrix(inverse(to_camera @ guess) @ truth)[:, 1]))
        for guess in (heads, facing_rotations(heads, found.direction[known]))
    )
    return np.stack((before, now, np.degrees(found.sigma[known]), truth[:, 2, 2]), axis=1)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("motion", type=Path, help="folder of motion capture")
    parser.add_argument("--shots", type=int, default=8)
    options = parser.parse_args()
    rng = np.random.default_rng(7)
    clips = read_split(options.motion, held_out=True)
    clips = [c for c in clips if not c.name.startswith("deepmimic")]  # their heads never turn
    clips += [turned(clip, rng) for clip in clips]
    weights = np.array([min(len(c.root) / c.fps, 15.0) for c in clips], np.float32)
    shots = itertools.islice(random_shots(clips, weights, rng), options.shots)
    found = np.concatenate([errors(shot, rng) for shot in shots])
    before, now, sigma, ahead = found.T
    print(f"{len(found)} frames, {(now < sigma).mean():.0%} within sigma")
    for name, chosen in (
        ("all", ahead < 2),
        ("towards the camera", ahead > 0.5),
        ("from the side", np.abs(ahead) <= 0.5),
        ("looking away", ahead < -0.5),
    ):
        if chosen.any():
            mean = " ".join(f"{values[chosen].mean():.1f}" for values in (before, now))
            print(f"{name}: {chosen.sum()} frames, straight ahead and measured {mean} degrees")


if __name__ == "__main__":
    main()
