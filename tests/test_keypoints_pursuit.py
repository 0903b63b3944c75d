"""Staying with one person: pixels that carry on, clothes that tell, bodies nobody shares."""

import math
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mocap_cli.keypoints.appearance import appearance_of, similarity
from mocap_cli.keypoints.crop import CROP_SIZE, Crop
from mocap_cli.keypoints.detection import COCO_COUNT, detect, detect_fast
from mocap_cli.keypoints.detections import DetectionRecords, Detections
from mocap_cli.keypoints.flow_tracker import FlowTracker
from mocap_cli.keypoints.joined_tracks import Person
from mocap_cli.keypoints.person_search import PersonSearch, _search_crops
from mocap_cli.keypoints.person_tracker import PersonTracker
from mocap_cli.keypoints.pose_networks import NetworkOutput
from mocap_cli.keypoints.tracked_people import Candidate

STANDING = np.array(
    [
        (0, -60), (2, -62), (-2, -62), (4, -60), (-4, -60), (12, -40), (-12, -40), (16, -20),
        (-16, -20), (16, 0), (-16, 0), (8, 0), (-8, 0), (8, 35), (-8, 35), (8, 70), (-8, 70),
    ],
    float,
)  # fmt: skip
RED, BLUE = (170, 80, 80), (70, 90, 160)


def texture(seed, height=300, width=400):
    """Soft blotches, as clothes and walls have them."""
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.5), None, 0, 255, cv2.NORM_MINMAX)


def body_at(crop):
    """(17, 2) a standing body that fills the crop, pixels of the picture."""
    return crop.to_image(STANDING * 1.5 + CROP_SIZE / 2)


def before_a_wall(crop):
    """A picture of a wall and of a body that moves with the crop; both keep their textures."""
    picture, body = texture(1), np.zeros((300, 400), np.uint8)
    for one, other in ((5, 12), (6, 11), (5, 11), (6, 12), (11, 15), (12, 16), (0, 5), (0, 6)):
        ends = body_at(crop)[[one, other]].astype(int).tolist()
        cv2.line(body, tuple(ends[0]), tuple(ends[1]), 1, 22)
    onto = np.column_stack((crop.axes * crop.scale, crop.to_image(np.zeros(2))))
    skin = cv2.warpAffine(texture(2, CROP_SIZE, CROP_SIZE), onto, (400, 300))
    return np.where(body[..., None] > 0, skin, picture)


@pytest.mark.parametrize("spin", [0.0, 0.12, -0.2])
def test_a_crop_is_carried_on_by_the_bodys_pixels_and_not_by_the_walls(spin):
    way = [Crop(150 + 7 * i, 150 - 3 * i, 200 * 1.02**i, spin * i) for i in range(6)]
    drift = FlowTracker(before_a_wall(way[0]), way[0], body_at(way[0]))
    for true in way[1:]:
        found = drift.track(before_a_wall(true))
        assert found is not None
        assert math.hypot(found.x - true.x, found.y - true.y) < 3
        assert found.angle == pytest.approx(true.angle, abs=0.05)
        assert found.side == pytest.approx(true.side, rel=0.03)


def test_pixels_that_are_gone_carry_nothing():
    crop = Crop(150, 150, 200)
    drift = FlowTracker(before_a_wall(crop), crop, body_at(crop))
    assert drift.track(texture(3)) is None
    assert drift.track(before_a_wall(crop)) is None


def dressed(crop, colour):
    """A flat picture with somebody in clothes of one colour."""
    picture = np.full((300, 400, 3), 120, np.uint8)
    points = body_at(crop).astype(int).tolist()
    for one, other in ((5, 12), (6, 11), (5, 11), (6, 12), (11, 15), (12, 16)):
        cv2.line(picture, tuple(points[one]), tuple(points[other]), colour, 25)
    return picture


class Networks:
    """Each network sees a body of its own, wherever it looks."""

    def __init__(self, movenet, blazepose):
        self._bodies = movenet, blazepose

    def run(self, picture):
        movenet, blazepose = self._bodies
        marks = np.full((39, 2), CROP_SIZE / 2, np.float32)
        marks[[0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]] = blazepose
        return NetworkOutput(
            movenet=np.asarray(movenet, np.float32),
            movenet_score=np.full(COCO_COUNT, 0.3, np.float32),
            blazepose=marks,
            blazepose_score=np.full(39, 0.8, np.float32),
        )


def test_of_two_bodies_that_the_networks_see_the_one_in_the_known_clothes_is_meant():
    left, right = Crop(120, 150, 160), Crop(280, 150, 160)
    picture = np.where(np.arange(400)[:, None] < 200, dressed(left, RED), dressed(right, BLUE))
    whole = Crop(200, 150, 400)
    bodies = [whole.from_image(body_at(crop)) for crop in (left, right)]
    clothes = [
        appearance_of(dressed(crop, c), body_at(crop)) for crop, c in ((left, RED), (right, BLUE))
    ]
    assert similarity(*clothes) < 0.7
    networks = Networks(*bodies)
    red, blue = (detect(networks, picture, whole, worn) for worn in clothes)
    assert np.allclose(red.movenet, body_at(left), atol=0.1)
    assert np.allclose(blue.movenet, body_at(right), atol=0.1)
    assert blue.movenet_score.max() < 0.3


def sighting_at(crop, colour=RED):
    body = crop.from_image(body_at(crop))
    return detect(Networks(body, body), dressed(crop, colour), crop)


def sure(score):
    return SimpleNamespace(match_score=lambda detection: score)


def test_one_body_is_never_two_people():
    here, nearly_here, there = (sighting_at(Crop(x, 150, 160)) for x in (150, 152, 260))
    assert PersonTracker.assign([sure(0.4), sure(0.9)], [here, nearly_here]) == [None, nearly_here]
    assert PersonTracker.assign([sure(0.4), sure(0.9)], [here, there]) == [here, there]
    assert PersonTracker.assign([sure(0.0), sure(0.9)], [None, there]) == [None, there]


def role(frames, records):
    seen = sighting_at(Crop(150, 150, 160))
    sightings = Detections(records)
    for frame in frames:
        sightings.add(frame, seen)
    return Candidate(None, seen.appearance, seen.crop, sightings)


def test_who_was_seen_beside_the_subject_is_somebody_else_in_the_same_clothes():
    records = DetectionRecords()
    subject, team_mate, come_back = (
        role(range(*span), records) for span in ((5,), (3, 9), (10, 12))
    )
    first, second = Person.join([subject, team_mate, come_back])
    assert sorted(first.detections) == [*range(5), 10, 11]
    assert sorted(second.detections) == [*range(3, 9)]


class Glances:
    """BlazePose alone, which sees one body; MoveNet must not be asked."""

    def __init__(self, body, score=0.8):
        self._body, self._score = body, score

    def run_blazepose(self, picture):
        reading = Networks(self._body, self._body).run(picture)
        return reading.blazepose, np.full(39, self._score, np.float32)


def test_at_a_glance_movenets_points_go_where_blazeposes_went():
    crop, wide = Crop(150, 150, 160), Crop(155, 150, 180)
    body = crop.from_image(body_at(crop)).astype(np.float32)
    last = detect(Networks(body + 2, body), dressed(crop, RED), crop)
    moved = body_at(crop) + np.array([4, -3])
    seen = detect_fast(Glances(wide.from_image(moved)), dressed(wide, RED), wide, last)
    assert seen is not None
    assert (seen.propagated, last.propagated) == (True, False)
    assert np.allclose(seen.blazepose[:COCO_COUNT], moved, atol=0.01)
    assert np.allclose(seen.movenet - moved, last.movenet - body_at(crop), atol=0.01)


def test_a_glance_is_not_enough_for_a_fast_hand_or_a_body_that_is_seen_less_well():
    crop = Crop(150, 150, 160)
    body = crop.from_image(body_at(crop)).astype(np.float32)
    picture, last = dressed(crop, RED), sighting_at(crop)
    waving = body.copy()
    waving[9] += (0.1 * CROP_SIZE, 0)
    assert detect_fast(Glances(body), picture, crop, last) is not None
    assert detect_fast(Glances(waving), picture, crop, last) is None
    assert detect_fast(Glances(body, score=0.5), picture, crop, last) is None


class Nobody:
    """Finds nobody, and counts how often it was asked."""

    looks = 0

    def people(self, image, views):
        self.looks += len(views)
        return []


@pytest.mark.parametrize("size", [(1, 1080), (8192, 16), (16, 4000), (1920, 1080), (100, 100)])
def test_a_thin_image_is_searched_all_over_with_few_crops(size):
    crops = _search_crops(*size)[3:]  # the first three show the whole image
    assert len(crops) <= 20
    for axis, at in ((0, [c.x for c in crops]), (1, [c.y for c in crops])):
        reach = crops[0].side / 2
        assert min(at) - reach <= 0 < size[axis] <= max(at) + reach + 1e-9
        assert np.diff(np.unique(at)).max(initial=0) <= crops[0].side


def test_a_search_in_vain_slows_down_and_a_new_one_begins_at_once():
    finder, picture = Nobody(), np.zeros((240, 320, 3), np.uint8)
    search = PersonSearch(Networks(None, None), finder)

    def looks(begin, end):
        before = finder.looks
        for time in np.arange(begin, end, 0.02):
            assert search.people(picture, time) == []
        return finder.looks - before

    looks(0.0, 0.1)
    at_first, _, later = looks(0.1, 0.5), looks(0.5, 0.7), looks(0.7, 1.1)
    assert later < 0.8 * at_first
    assert looks(9.0, 9.4) > later


@pytest.mark.parametrize(("spin", "crops"), [(0.0, 1 + 2), (10.0, 2 + 4), (30.0, 2 + 7)])
def test_a_sparing_search_tries_the_rotations_that_the_body_can_have_made(spin, crops):
    crop = Crop(150, 150, 160)
    body, picture, tried = crop.from_image(body_at(crop)), texture(3), []
    networks = Networks(body, body)  # unsure of everything
    run = networks.run
    networks.run = lambda extract: (tried.append(extract), run(extract))[1]
    tracker = PersonTracker(networks, Nobody(), picture, 0.0, sighting_at(crop), sparing=True)
    tracker.motion = replace(tracker.motion, spin=spin)
    tracker.detect(picture, 0.1)
    assert len(tried) == crops  # upright ones, and rotated ones
