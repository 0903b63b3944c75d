"""Keypoints of other detectors: their published layouts, the choice of a person, and the lift."""

import csv
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from film import film

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import write
from mocap_cli.keypoints.readers.dispatch import read_people
from mocap_cli.keypoints.readers.one_person import keypoints_of_subject
from mocap_cli.keypoints.subject import parse_subject
from mocap_cli.tracking.estimate import EstimateOptions, estimate
from mocap_cli.tracking.given_keypoints import GivenKeypoints
from mocap_cli.tracking.track import TrackOptions, track
from mocap_cli.video.probe import probe

SIZE, FRAMES, FPS = (640, 480), 6, 25.0
TIMES = np.arange(FRAMES) / FPS
HALPE_FEET = {20: "left_toe", 21: "right_toe", 24: "left_heel", 25: "right_heel"}
BODY_25 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "mid", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee",
    "left_ankle", "right_eye", "left_eye", "right_ear", "left_ear", "left_toe", "small",
    "left_heel", "right_toe", "small", "right_heel",
)  # fmt: skip
MEDIAPIPE = {
    0: "nose", 2: "left_eye", 5: "right_eye", 7: "left_ear", 8: "right_ear", 11: "left_shoulder",
    12: "right_shoulder", 13: "left_elbow", 14: "right_elbow", 15: "left_wrist",
    16: "right_wrist", 23: "left_hip", 24: "right_hip", 25: "left_knee", 26: "right_knee",
    27: "left_ankle", 28: "right_ankle", 29: "left_heel", 30: "right_heel", 31: "left_toe",
    32: "right_toe",
}  # fmt: skip


def person(frame: int, x: float = 300.0) -> dict[str, tuple[float, float]]:
    """The points of a person who walks to the right; no two are alike."""
    return {n: (x + 4 * frame + 3 * i, 80.0 + 15 * i) for i, n in enumerate(KEYPOINTS)}


def triples(names, frame: int, x: float = 300.0) -> list[float]:
    points = person(frame, x)
    return [v for n in names for v in ((*points[n], 0.8) if n in points else (0.0, 0.0, 0.0))]


def halpe(frame: int, x: float = 300.0) -> list[float]:
    names = [*KEYPOINTS[:17], *(HALPE_FEET.get(i, "-") for i in range(17, 26))]
    return triples(names, frame, x)


def coco_results(path: Path) -> Path:
    rows = [
        {"image_id": t + 1, "category_id": 1, "keypoints": triples(KEYPOINTS[:17], t), "score": 0.9}
        for t in range(FRAMES)
    ]
    path = path / "results.json"
    path.write_text(json.dumps(rows))
    return path


def coco_annotations(path: Path) -> Path:
    marks = [np.reshape(triples(KEYPOINTS[:17], t), (17, 3)) for t in range(FRAMES)]
    for points in marks:
        points[:, 2] = 2  # visible
    document = {
        "images": [{"id": 7 + t, "file_name": f"clip_{t + 1:06d}.jpg"} for t in range(FRAMES)],
        "annotations": [
            {"id": t, "image_id": 7 + t, "keypoints": points.ravel().tolist()}
            for t, points in enumerate(marks)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": KEYPOINTS[:17]}],
    }
    path = path / "annotations.json"
    path.write_text(json.dumps(document))
    return path


def alphapose(path: Path) -> Path:
    rows = [
        {"image_id": f"{t}.jpg", "category_id": 1, "keypoints": halpe(t), "score": 2.9, "idx": [1]}
        for t in range(FRAMES)
    ]
    path = path / "alphapose-results.json"
    path.write_text(json.dumps(rows))
    return path


def mmpose(path: Path) -> Path:
    frames = []
    for t in range(FRAMES):
        points = np.reshape(halpe(t), (26, 3))
        instance = {"keypoints": points[:, :2].tolist(), "keypoint_scores": points[:, 2].tolist()}
        frames.append({"frame_id": t + 1, "instances": [instance]})
    path = path / "results_clip.json"
    path.write_text(json.dumps({"meta_info": {}, "instance_info": frames}))
    return path


def openpose(path: Path) -> Path:
    folder = path / "openpose"
    folder.mkdir()
    for t in range(FRAMES):
        people = [{"person_id": [-1], "pose_keypoints_2d": triples(BODY_25, t)}]
        name = f"clip_{t:012d}_keypoints.json"
        (folder / name).write_text(json.dumps({"version": 1.3, "people": people}))
    return folder


def mediapipe_frame(frame: int) -> list[dict[str, float]]:
    points, (width, height) = person(frame), SIZE
    return [
        {"x": points[n][0] / width, "y": points[n][1] / height, "z": -0.1, "visibility": 0.8}
        if (n := MEDIAPIPE.get(i, "")) in points
        else {"x": 0.5, "y": 0.5, "z": 0.0, "visibility": 0.8}
        for i in range(33)
    ]


def mediapipe_json(path: Path) -> Path:
    path = path / "landmarks.json"
    rows = [{"frame": t, "pose_landmarks": [mediapipe_frame(t)]} for t in range(FRAMES)]
    path.write_text(json.dumps(rows))
    return path


def mediapipe_csv(path: Path) -> Path:
    path = path / "landmarks.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["frame", *(f"{a}{i + 1}" for i in range(33) for a in "xyzv")])
        for t in range(FRAMES):
            table.writerow([t, *(v for mark in mediapipe_frame(t) for v in mark.values())])
    return path


def deeplabcut(path: Path) -> Path:
    path = path / "clipDLC_resnet50_shuffle1_1000.csv"
    names = KEYPOINTS[5:17]
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["scorer", *["DLC_resnet50"] * 36])
        table.writerow(["bodyparts", *(n for n in names for _ in "xyl")])
        table.writerow(["coords", *["x", "y", "likelihood"] * 12])
        for t in range(FRAMES):
            table.writerow([t, *triples(names, t)])
    return path


@pytest.mark.parametrize(
    ("make", "known"),
    [
        (coco_results, 17),
        (coco_annotations, 17),
        (alphapose, 21),
        (mmpose, 21),
        (openpose, 21),
        (mediapipe_json, 21),
        (mediapipe_csv, 21),
        (deeplabcut, 12),
    ],
)
def test_every_point_of_a_published_layout_is_read_at_its_frame(tmp_path, make, known):
    found = keypoints_of_subject(read_people(make(tmp_path)), TIMES, TIMES < 0, SIZE)
    assert found.detected.all()
    sure = found.score > 0
    assert (sure.sum(axis=1) == known).all()
    truth = np.array([list(person(t).values()) for t in range(FRAMES)])
    np.testing.assert_allclose(found.xy[sure], truth[sure], atol=1e-3)
    np.testing.assert_allclose(found.score[sure], 0.7 if make is coco_annotations else 0.8)
    assert np.isfinite(found.xy).all()


def crowd(path: Path) -> Path:
    """A small person at the left in all frames, the first in the list; a large one from frame 1."""
    rows = []
    for t in range(FRAMES):
        small = np.reshape(halpe(t, 0.0), (26, 3)) * (0.3, 0.3, 1)
        rows.append({"image_id": f"{t}.jpg", "keypoints": small.ravel().tolist()})
        if t > 0:
            rows.insert(-1 if t % 2 else len(rows), {"image_id": f"{t}.jpg", "keypoints": halpe(t)})
    path = path / "crowd.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.mark.parametrize(
    ("subject", "large"),
    [
        ("auto", True),
        ("largest", True),
        ("center", True),
        (parse_subject("20,90"), False),
        (parse_subject("20,90@0.2"), False),
    ],
)
def test_one_of_several_people_is_followed_through_all_frames(tmp_path, subject, large):
    people = read_people(crowd(tmp_path))
    found = keypoints_of_subject(people, TIMES, TIMES < 0, SIZE, subject)
    assert found.detected.sum() == (FRAMES - 1 if large else FRAMES)
    assert ((found.xy[1:, 0, 0] > 200) == large).all()


def test_our_own_keypoints_written_and_read_give_the_same_motion(tmp_path):
    example = Path(__file__).parents[1] / "examples" / "walk.mp4"
    options = {"height": 1.7, "end": 0.8}
    first = track(example, TrackOptions(**options))
    first.save(tmp_path / "walk.json")
    write(first, tmp_path / "walk.npz")
    for name in ("walk.json", "walk.npz"):
        given = GivenKeypoints.open(tmp_path / name)
        again = track(example, TrackOptions(**options, keypoints=given))
        np.testing.assert_array_equal(again.joints, first.joints)
        np.testing.assert_array_equal(again.score, first.score)
        assert again.model[name] == given.digest
        assert not any("movenet" in network for network in again.model)


def test_keypoints_of_a_span_are_found_by_the_numbers_of_its_frames(tmp_path):
    video = tmp_path / "clip.mp4"
    film(video)
    given = GivenKeypoints.open(alphapose(tmp_path))
    whole = track(video, TrackOptions(keypoints=given))
    later = track(video, TrackOptions(keypoints=given, start=float(whole.times[2])))
    np.testing.assert_array_equal(later.xy[:3], whole.xy[2:5])
    assert any("alphapose-results.json" in note for note in later.notes)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "{}"),
        ("a.json", '{"shapes": []}'),
        ("a.csv", "name,age\nx,3\n"),
        ("a.txt", ""),
        ("a.h5", ""),
    ],
)
def test_an_unknown_layout_is_one_line_and_the_hint_names_known_ones(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(MocapError, match=r"layout|HDF5") as caught:
        read_people(tmp_path / name)
    assert "DeepLabCut" in caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "content",
    [
        '[{"image_id": 1, "keypoints": [1, 2]}]',
        '[{"image_id": 1}]',
        '[{"image_id": 1, "keypoints": "many"}]',
        '[{"frame_id": 0, "instances": [{"keypoints": [[1, 2]]}]}]',
        '[{"image_id": 1, "keypoints": [1, 2, 3, 4, 5, 6]}]',
        '{"images": [], "annotations": [{"image_id": 1}], "categories": []}',
        '[{"image_id": 1, ',
        "[]",
    ],
)
def test_a_damaged_file_is_one_line(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(MocapError) as caught:
        read_people(tmp_path / "a.json")
    assert "\n" not in caught.value.message


def test_keypoints_of_another_video_are_doubted(tmp_path):
    video = tmp_path / "clip.mp4"
    film(video)
    rows = [{"image_id": f"{t}.jpg", "keypoints": halpe(t, 4000.0)} for t in range(300)]
    (tmp_path / "far.json").write_text(json.dumps(rows))
    warnings = " ".join(
        track(video, TrackOptions(keypoints=GivenKeypoints.open(tmp_path / "far.json"))).warnings
    )
    assert "outside the image" in warnings
    assert "has people in frame 299" in warnings


class Redetecting:
    """A fitted model that finds other keypoints and keeps those that its heads are given."""

    name, digest, warnings, notes = "a.mocap", "0", (), ()

    def points(self, video):
        return ()

    def movenet(self, video):
        return None

    def analyse(self, video, keypoints, span, device, on_frame):
        self.keypoints = replace(keypoints, xy=keypoints.xy + 50)
        return self

    def pose(self, keypoints, camera, lifted):
        self.given = keypoints
        return lifted


def test_the_heads_of_a_model_get_the_named_keypoints_and_not_those_it_finds(tmp_path):
    video = film(tmp_path / "a.mp4", range(FRAMES), time_base=Fraction(1, 25), size=SIZE)
    rows = [{"image_id": f"{i}.jpg", "keypoints": halpe(i), "score": 2.0} for i in range(FRAMES)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    model = Redetecting()
    named = GivenKeypoints.open(tmp_path / "a.json")
    found = estimate(probe(video), EstimateOptions(model=model, keypoints=named))
    assert np.array_equal(found.keypoints.xy, model.keypoints.xy - 50)
    assert np.array_equal(model.given.xy, found.steady_keypoints.xy)
