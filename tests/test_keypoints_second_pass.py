"""The second pass finds a body again that the first pass has lost, and nobody where nobody is."""

import math

import numpy as np
import pytest

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints import second_pass as module
from mocap_cli.keypoints.crop import CROP_SIZE, Crop
from mocap_cli.keypoints.detection import COCO_COUNT, Detection
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.second_pass import second_pass
from mocap_cli.tracking import estimate as estimating
from mocap_cli.video.probe import probe
from tests.film import film, number_on

FPS, FRAMES = 30, 40
BODY = np.array(
    [
        (0, -60), (2, -62), (-2, -62), (4, -60), (-4, -60), (12, -40), (-12, -40), (16, -20),
        (-16, -20), (16, 0), (-16, 0), (8, 0), (-8, 0), (8, 35), (-8, 35), (8, 70), (-8, 70),
        (8, 75), (-8, 75), (12, 78), (-12, 78),
    ],
    float,
)  # fmt: skip
assert len(BODY) == len(KEYPOINTS)


def body_in(number):
    """(K, 2) a body that flies past and does a somersault in half a second, then in reverse."""
    angle = 4 * math.pi * min(number, FRAMES - number) / FPS
    return Crop(100 + 6 * number, 200 - 3 * number, CROP_SIZE, angle).to_image(BODY + CROP_SIZE / 2)


@pytest.fixture(autouse=True)
def no_networks(monkeypatch):
    monkeypatch.setattr(module, "PoseNetworks", lambda *_: None)


class Networks:
    """They agree on the body in crops around it that are nearly upright, and guess elsewhere."""

    def __init__(self, there=range(FRAMES)):
        self.there, self.looks, self.random = there, 0, np.random.default_rng(5)

    def detect(self, _, image, crop):
        self.looks += 1
        number = number_on(image)
        found = Detection.of_keypoints(np.float32(body_in(number)), np.full(21, 0.4, np.float32))
        turned = math.remainder(crop.angle - found.next_crop.angle, 2 * math.pi)
        if number in self.there and crop.overlaps(found.next_crop) and abs(turned) < 0.6:
            return found
        one, other = crop.to_image(self.random.uniform(0, CROP_SIZE, (2, 21, 2)))
        guess = Detection.of_keypoints(np.float32(one), np.full(21, 0.4, np.float32))
        object.__setattr__(guess, "movenet", np.float32(other[:COCO_COUNT]))
        return guess


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "flip.mp4"
    film(path, range(FRAMES))
    return probe(path)


def keypoints(known):
    found = np.isin(np.arange(FRAMES), list(known))
    xy = np.stack([body_in(i) for i in range(FRAMES)]).astype(np.float32)
    xy[~found] = np.nan
    return Keypoints(
        times=np.arange(FRAMES) / FPS, xy=xy, detected=found,
        score=np.where(found, 0.7, 0.0)[:, None].repeat(len(KEYPOINTS), 1).astype(np.float32),
        cut=np.zeros(FRAMES, np.bool_),
    )  # fmt: skip


def test_a_body_that_turned_while_it_was_lost_is_found_from_both_sides(video, monkeypatch):
    monkeypatch.setattr(module, "detect", Networks().detect)
    monkeypatch.setattr(module, "_CHUNK_BYTES", 7 * 3 * video.width * video.height)
    looks: list[int] = []
    before = keypoints({*range(8), *range(32, FRAMES)})
    whole = second_pass(video, before, "cpu", on_frame=looks.append)
    assert looks == list(range(1, len(looks) + 1))  # the progress of both pursuits
    assert len(looks) > 32 - 8
    true = np.stack([body_in(i) for i in range(FRAMES)])
    assert whole.detected.all()
    assert np.abs(whole.xy - true).max() < 1


def test_where_nobody_is_nobody_is_found_and_the_search_ends(video, monkeypatch):
    networks = Networks(there=range(6))
    monkeypatch.setattr(module, "detect", networks.detect)
    whole = second_pass(video, keypoints(range(6)), "cpu")
    assert whole.detected.tolist() == [i < 6 for i in range(FRAMES)]
    assert networks.looks <= 9 * (FPS + 2)


def test_sure_frames_stay_as_they_are_and_cost_nothing(video, monkeypatch):
    monkeypatch.setattr(module, "detect", None)
    before = keypoints(range(FRAMES))
    assert second_pass(video, before, "cpu") is before


def test_only_the_best_quality_detects_again(video, monkeypatch):
    def follow(frames, *_, **__):
        assert len(list(frames)) == FRAMES
        return keypoints(range(FRAMES))

    again = []
    monkeypatch.setattr(estimating, "follow", follow)
    monkeypatch.setattr(estimating, "second_pass", lambda _, found, *__: again.append(1) or found)
    for quality, times in (("balanced", 0), ("best", 1)):
        estimating.estimate(video, estimating.EstimateOptions(quality=quality, device="cpu"))
        assert len(again) == times
