"""Free-fall steps: chosen where short clips show people who fall, and for no others."""

from types import SimpleNamespace

import numpy as np
from people import clock, diver, film, stander

from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.learning.free_fall import FreeFall
from mocap_cli.learning.options import PretrainOptions
from mocap_cli.lifting.lift import LiftedPose
from mocap_cli.tracking.estimate import Estimate

DIVE = film(diver(clock(1.2, 30)), (9.0, 6.0, 6.0), (0.0, 6.0, 0.5), noise=0.02)
STAND = film(stander(clock(1.2, 30)), (3.5, 1.2, 4.0), (0.0, 1.0, 0.0), noise=0.02)


def tracked(shot) -> Estimate:
    T = len(shot.times)
    seen = Keypoints(
        times=shot.times, xy=shot.xy.astype(np.float32), score=shot.score.astype(np.float32),
        detected=np.ones(T, bool), cut=np.zeros(T, bool),
    )  # fmt: skip
    pose = LiftedPose(shot.pose, shot.sigma, shot.contacts)
    return Estimate(size=(1920, 1080), camera=shot.camera, keypoints=seen, pose=pose)


def chosen(seconds: float, *shots, steps: int = 6000) -> FreeFall:
    clips = [SimpleNamespace(duration=seconds)]
    return FreeFall.choose(clips, steps, lambda: [tracked(shot) for shot in shots])


def test_clips_of_dives_begin_with_a_tenth_of_the_steps_in_free_fall_and_with_5000_at_most():
    dives = chosen(1.2, DIVE, DIVE)
    assert (dives.steps, chosen(1.2, DIVE, steps=100_000).steps) == (600, 5000)
    assert dives.line().startswith("600 steps with the free-fall losses: the person falls freely")


def test_clips_without_falls_and_long_clips_have_no_steps_in_free_fall():
    standing = chosen(1.2, STAND, STAND, DIVE)
    assert (standing.steps, "of the tracked frames" in standing.reason) == (0, True)
    assert chosen(1.2).reason == "nobody is tracked in the clips"

    def track() -> list[Estimate]:
        raise AssertionError("long clips are not tracked")

    long = FreeFall.choose([SimpleNamespace(duration=20.0)], 6000, track)
    assert long.line().startswith("no steps with the free-fall losses: the median clip lasts 20.0")


def test_the_clips_decide_only_where_a_detector_learns_and_no_number_is_given():
    assert PretrainOptions().chooses_fall
    assert not PretrainOptions(fall_steps=0).chooses_fall
    assert not PretrainOptions(boxes="tracker").chooses_fall
    assert not PretrainOptions(method="css").chooses_fall
