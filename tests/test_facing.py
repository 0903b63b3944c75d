"""Where the head faces: found from a face, carried in a motion, shown by rigs and angles."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from poses import dance, motion_of, posed
from scipy.spatial.transform import Rotation
from test_motion import SCHEMA

from mocap_cli.body.facing import Facing
from mocap_cli.body.joint_angles import joint_angles
from mocap_cli.body.kinematics import forward_kinematics, world_rotations
from mocap_cli.body.motion import Motion
from mocap_cli.body.motion_json import read_motion, write_motion
from mocap_cli.body.resample import resample_motion
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.export.edits import Edits, apply_edits
from mocap_cli.export.formats.animation import animate
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.tracking.head_facing import _FACE, head_facing

TIMES = np.arange(40) / 20
CAMERA = Pinhole(600.0, (320.0, 240.0))
STANDING = np.tile((0.0, 0.0, -4.0), (len(TIMES), 1))


def seen(
    joints: np.ndarray, turn: np.ndarray, camera: np.ndarray | None = None, score: float = 0.6
) -> Keypoints:
    """The face of somebody who faces +Z but for the turn (T,) of the head to the left."""
    heads = Rotation.from_rotvec(turn[:, None] * np.array((0.0, 1.0, 0.0))).as_matrix()
    face = 1.7 * np.array(list(_FACE.values())) @ heads.transpose(0, 2, 1)
    face += joints[:, [BODY.index("neck")]]
    camera = still_camera() if camera is None else camera
    xy = np.zeros((len(TIMES), len(KEYPOINTS), 2), np.float32)
    xy[:, :5] = CAMERA.project((face - camera[:, None, :, 3]) @ camera[:, :, :3])
    yes = np.ones(len(TIMES), bool)
    scores = np.full(xy.shape[:2], score, np.float32)
    return Keypoints(times=TIMES, xy=xy, score=scores, detected=yes, cut=~yes)


def still_camera() -> np.ndarray:
    return np.tile(np.eye(3, 4), (len(TIMES), 1, 1))


def with_facing(motion: Motion, degrees: np.ndarray) -> Motion:
    """The motion of somebody who faces +Z but for the turn of the head."""
    turn = np.radians(degrees) * np.ones(len(motion.times))
    direction = np.stack((np.sin(turn), 0 * turn, np.cos(turn)), -1).astype(np.float32)
    sigma = np.full(len(turn), 0.2, np.float32)
    return replace(motion, facing=Facing(direction=direction, sigma=sigma))


@pytest.mark.parametrize("degrees", [-60, -20, 0, 45])
@pytest.mark.parametrize("away", [0.0, 1.2, np.pi])
def test_a_face_shows_where_the_head_is_turned_from_any_side(degrees, away):
    joints = posed({}, STANDING)
    camera = still_camera()
    turn = Rotation.from_rotvec((0, away, 0)).as_matrix()
    middle = np.array((0, 0, -4.0))
    # The camera stands elsewhere around the person.
    camera[:, :, :3], camera[:, :, 3] = turn, middle - turn @ middle
    keypoints = seen(joints, np.radians(degrees) * np.sin(3 * TIMES), camera)
    found = head_facing(joints, camera, CAMERA, keypoints)
    measured = np.degrees(np.arctan2(found.direction[:, 0], found.direction[:, 2]))
    assert np.abs(measured - degrees * np.sin(3 * TIMES)).mean() < 6
    np.testing.assert_allclose(np.linalg.norm(found.direction, axis=1), 1, atol=1e-5)


def test_an_unseen_face_is_straight_ahead_and_uncertain():
    joints = posed({}, STANDING)
    turned = np.full(len(TIMES), np.radians(50.0))
    known = head_facing(joints, still_camera(), CAMERA, seen(joints, turned))
    hidden = head_facing(joints, still_camera(), CAMERA, seen(joints, turned, score=0.05))
    np.testing.assert_allclose(hidden.direction, [(0, 0, 1)] * len(TIMES), atol=1e-3)
    assert hidden.sigma.min() > 2 * known.sigma.max()
    assert known.direction[:, 0].min() > 0.6


def test_frames_without_a_person_have_no_direction():
    joints = posed({}, STANDING)
    joints[10:14] = np.nan
    found = head_facing(joints, still_camera(), CAMERA, seen(joints, 0 * TIMES))
    assert np.isnan(found.direction[10:14]).all()
    assert np.isnan(found.sigma[10:14]).all()
    assert np.isfinite(found.direction[[9, 14]]).all()


def test_the_file_keeps_it_and_files_without_it_are_read(tmp_path):
    motion = with_facing(motion_of(dance(TIMES), TIMES), 30)
    write_motion(motion, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    again = read_motion(tmp_path / "a.json").facing
    np.testing.assert_array_equal(again.direction, motion.facing.direction)
    np.testing.assert_array_equal(again.sigma, motion.facing.sigma)
    document["facing"]["direction"].pop()
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(MocapError, match="direction"):
        read_motion(tmp_path / "a.json")
    del document["facing"]
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert read_motion(tmp_path / "a.json").facing is None


def test_the_rigs_head_faces_there_and_no_joint_moves():
    motion = motion_of(posed({}, STANDING), TIMES)
    plain, turned = animate(motion), animate(with_facing(motion, -40))
    for joint, degrees in (("Chest", 0), ("Neck", -20), ("Head", -40)):
        at = turned.rig.index("Spine1" if joint == "Chest" else joint)
        ahead = world_rotations(turned.rig, turned.rotations)[:, at, :, 2]
        found = np.degrees(np.arctan2(ahead[:, 0], ahead[:, 2]))
        np.testing.assert_allclose(found, degrees, atol=1.5, err_msg=joint)
    places = [forward_kinematics(a.rig, a.rotations, a.path) for a in (plain, turned)]
    np.testing.assert_allclose(*places, atol=1e-9)


def test_the_turn_of_the_neck_is_measured_against_the_chest():
    motion = motion_of(posed({}, STANDING), TIMES)
    assert np.isnan(joint_angles(motion)["neck_left_turn"]).all()
    found = joint_angles(with_facing(motion, 35))["neck_left_turn"]
    np.testing.assert_allclose(found, 35, atol=0.1)


def test_edits_take_the_face_along():
    degrees = 40 * np.sin(3 * TIMES)
    motion = with_facing(motion_of(posed({}, STANDING), TIMES), degrees)

    def turn_of(edited: Motion) -> np.ndarray:
        return np.degrees(np.arctan2(*edited.facing.direction[:, [0, 2]].T))

    np.testing.assert_allclose(turn_of(apply_edits(motion, Edits(mirror=True))), -degrees, atol=0.1)
    part = apply_edits(motion, Edits(start=TIMES[5], end=TIMES[20]))
    np.testing.assert_allclose(turn_of(part), degrees[5:21], atol=0.1)
    finer = resample_motion(motion, 40.0)
    np.testing.assert_allclose(turn_of(finer), 40 * np.sin(3 * finer.times), atol=0.5)
    looped = turn_of(apply_edits(motion, Edits(loop=True)))
    assert abs(looped[0] - looped[-1]) < 10 < abs(degrees[0] - degrees[-1])
    shaken = with_facing(motion, degrees + 5 * (-1.0) ** np.arange(len(TIMES)))
    calm = turn_of(apply_edits(shaken, Edits(smooth=4)))
    assert np.abs(calm - degrees)[3:-3].max() < 2
