"""Rendered bodies: what is drawn agrees with what is said to be true. Needs the synthesis extra."""

import itertools

import numpy as np
import pytest

pytest.importorskip("anny", reason="rendered bodies need the synthesis extra")

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from training.synthesis.body_appearance import random_appearance
from training.synthesis.body_model import make_body, transform_anchors
from training.synthesis.camera_view import CameraView, look_at_pose
from training.synthesis.mocap_clip import PART_NAMES, MocapClip
from training.synthesis.rendered_shots import place_on_ground, random_shots, render_shot
from training.synthesis.renderer import Light, render
from training.synthesis.skin_chart import AVERAGE_PHENOTYPE, TEXELS, skin_chart

DAYLIGHT = Light((0.0, 0.8, 0.6), (0.7, 0.7, 0.7), (0.4, 0.4, 0.4), (0.2, 0.2, 0.2))


@pytest.fixture(scope="module")
def body():
    return make_body(AVERAGE_PHENOTYPE, mesh=True)


def standing(frames=40):
    """A clip of somebody who just stands."""
    turns = np.tile(np.eye(3, dtype=np.float32), (frames, len(PART_NAMES), 1, 1))
    rest = np.zeros((len(PART_NAMES), 3), np.float32)
    root = np.tile(np.array([0, 0.9, 0], np.float32), (frames, 1))
    return MocapClip("still_1", 30.0, turns, rest, root)


def test_a_dressed_body_covers_its_keypoints_and_little_of_the_picture(body):
    vertices = place_on_ground(body.transforms(standing(2)), body)
    skin = transform_anchors(body.vertices, vertices[:1])[0]
    keypoints = transform_anchors(body.keypoints, vertices[:1])[0]
    view = CameraView(
        Pinhole(400, (200, 200)), look_at_pose((0.5, 1.2, 3.6), (0, 0.9, 0)), 400, 400
    )
    surface = random_appearance(np.random.default_rng(0)).dress(body)
    layer = render(surface, skin, view, DAYLIGHT)
    picture = layer.over(np.zeros((400, 400, 3), np.uint8))
    for column, row in view.pixels(keypoints).astype(int):
        assert picture[row, column].max() > 0
    assert 0.02 < layer.cover.sum() / 400**2 < 0.2


def test_the_soles_stand_on_the_ground(body):
    moves = place_on_ground(body.transforms(standing(2)), body)
    assert transform_anchors(body.vertices, moves[:1])[0, :, 1].min() == pytest.approx(0, abs=1e-4)
    assert transform_anchors(body.joints, moves[:1])[0, BODY.index("head"), 1] == pytest.approx(
        body.height, abs=0.02
    )


def test_hands_stay_in_line_with_forearms_whatever_the_rest_pose_of_the_recording(body):
    hand, forearm = (PART_NAMES.index(f"left_{part}") for part in ("hand", "forearm"))
    own = body.vertices.weight[:, hand] > 0.99
    bends = []
    for arm in (body.limbs[forearm], (1, 0, 0), (0, -1, 0)):
        clip = standing(1)
        clip.rest[[forearm, forearm - 1]] = arm
        moves = body.transforms(clip)
        elbow, wrist = (
            moves[0, forearm, :, :3] @ body.heads[part] + moves[0, forearm, :, 3]
            for part in (forearm, hand)
        )
        fingers = transform_anchors(body.vertices, moves)[0, own].mean(axis=0) - wrist
        along = wrist - elbow
        cosine = fingers @ along / np.linalg.norm(fingers) / np.linalg.norm(along)
        bends.append(np.degrees(np.arccos(cosine)))
    assert bends[1:] == pytest.approx([bends[0], bends[0]], abs=0.1)
    assert bends[0] < 25


def test_left_is_painted_on_the_left(body):
    at = skin_chart().vertices.at
    left = at[:, 0] > 0.05
    parts = np.array([name.startswith("left") for name in PART_NAMES])[skin_chart().vertices.part]
    assert parts[left & ~skin_chart().vertices.on("pelvis", "spine", "chest", "neck", "head")].all()
    assert (
        transform_anchors(body.keypoints, body.transforms(standing(1)))[
            0, KEYPOINTS.index("left_hip"), 0
        ]
        > 0
    )


def test_the_chart_finds_shoulders_elbows_and_wrists(body):
    arm, part = skin_chart().vertices.arm, skin_chart().vertices.part
    upper, fore, hand = (
        part == PART_NAMES.index(f"left_{n}") for n in ("upperarm", "forearm", "hand")
    )
    assert np.median(arm[upper]) == pytest.approx(0.5, abs=0.25)
    assert np.median(arm[fore]) == pytest.approx(1.5, abs=0.25)
    assert arm[hand].min() > 1.8
    assert len(np.unique(skin_chart().used)) == len(skin_chart().used)
    assert skin_chart().used.max() < TEXELS**2


def test_looks_differ_and_are_the_same_again_for_the_same_seed(body):
    textures = [random_appearance(np.random.default_rng(s)).dress(body).texture for s in (1, 1, 2)]
    assert (textures[0] == textures[1]).all()
    assert np.abs(textures[0].astype(int) - textures[2]).mean() > 5


def test_footage_tells_the_truth_about_itself():
    shot = next(random_shots([standing(90)], np.ones(1, np.float32), np.random.default_rng(5)))
    frames = list(itertools.islice(render_shot(shot, np.random.default_rng(0)), 3))
    for frame in frames:
        left, top, right, bottom = frame.box
        inside = (frame.xy > (left - 3, top - 3)) & (frame.xy < (right + 3, bottom + 3))
        assert inside.all(axis=1)[frame.visible].all()
        assert frame.picture.shape[:2] == frame.cover.shape
        np.testing.assert_allclose(
            shot.view.pinhole.project(frame.joints)[BODY.index("left_knee")],
            frame.xy[KEYPOINTS.index("left_knee")],
            atol=0.1 * (bottom - top),
        )
