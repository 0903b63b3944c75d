"""Records: what is known of every frame comes back exactly, and memory does not grow with it."""

import subprocess
import sys
import tracemalloc
from dataclasses import fields

import numpy as np
import pytest

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.io import records as records_module
from mocap_cli.io.records import Records
from mocap_cli.keypoints import left_right
from mocap_cli.keypoints.appearance import SHAPE
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.detection import COCO_COUNT, Detection
from mocap_cli.keypoints.detections import DetectionRecords, Detections

ROW = np.dtype([("time", np.float64), ("xy", np.float32, (3, 2))])


def detection(seed: int) -> Detection:
    """One with a random number in every field."""
    draw = np.random.default_rng(seed)
    K = len(KEYPOINTS)

    def points(*shape: int) -> np.ndarray:
        return draw.normal(300, 100, shape).astype(np.float32)

    return Detection(
        movenet=points(COCO_COUNT, 2),
        movenet_score=points(COCO_COUNT),
        blazepose=points(K, 2),
        blazepose_score=points(K),
        appearance=draw.random(SHAPE).astype(np.float16),
        crop=Crop(*draw.random(4).tolist()),
        confidence=float(draw.random()),
        xy=points(COCO_COUNT, 2),
        next_crop=Crop(*draw.random(4).tolist()),
        stature=float(draw.random()),
        propagated=bool(seed % 2),
    )


def same(one: Detection, other: Detection) -> bool:
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)]
    return all(type(a) is type(b) and np.array_equal(a, b) for a, b in pairs if a is not b) and all(
        np.asarray(a).dtype == np.asarray(b).dtype for a, b in pairs
    )


@pytest.mark.parametrize("in_memory", [1 << 20, 100])
def test_rows_come_back_from_memory_and_from_the_file(monkeypatch, in_memory):
    monkeypatch.setattr(records_module, "_IN_MEMORY", in_memory)
    records, xy = Records(ROW), np.random.default_rng(1).random((40, 3, 2)).astype(np.float32)
    for i in range(40):
        assert records.append((i / 30, xy[i])) == i
        assert (records[i // 2]["xy"] == xy[i // 2]).all()
    assert len(records) == 40
    assert (records.read()["xy"] == xy).all()
    assert (records.read()["time"] == np.arange(40) / 30).all()


FULL = """
import resource
import numpy as np
from mocap_cli.errors import MocapError
from mocap_cli.io import records
records._IN_MEMORY = 100
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
rows = records.Records(np.dtype([("a", np.float64, (30,))]))
try:
    while len(rows) < 1000:
        rows.append((np.zeros(30),))
except MocapError as error:
    print(error.message, error.hint, sep="\\n")
"""


def test_no_room_for_the_file_is_one_line_and_silent_when_the_program_ends():
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=True)
    said, hint = done.stdout.splitlines()
    assert said == "cannot keep frames in a temporary file: File too large"
    assert "TMPDIR" in hint
    assert not done.stderr


def test_a_detection_comes_back_exactly():
    found = Detections(DetectionRecords())
    for frame in range(6):
        found.add(10 * frame, detection(frame))
    assert all(same(found[10 * frame], detection(frame)) for frame in range(6))


def test_two_people_can_be_exchanged_from_a_frame_on():
    records = DetectionRecords()
    one, other = Detections(records), Detections(records)
    for frame in range(5):
        one.add(frame, detection(frame))
    for frame in range(3, 8):
        other.add(frame, detection(100 + frame))
    both = one.before(3) | other.since(4)
    assert list(both) == [0, 1, 2, 4, 5, 6, 7]
    assert same(both[2], detection(2))
    assert same(both[4], detection(104))
    assert 3 in one
    assert 3 not in both


def test_detections_of_a_long_video_are_not_held_in_memory():
    """An hour at 30 frames a second would be 0.4 GB if they were."""
    found, seen = Detections(DetectionRecords()), detection(1)
    held = []
    tracemalloc.start()
    for frame in range(9000):
        found.add(frame, seen)
        if frame in (3000, 8999):  # the first ones stay in memory, as those of a short video do
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[1] - held[0] < 6000 * 200  # bytes


def test_swaps_are_found_alike_in_a_few_frames_at_once_and_in_all(monkeypatch):
    draw, T, K = np.random.default_rng(3), 50, len(KEYPOINTS)
    truth = draw.normal(size=(K, 2)) + np.linspace(0, 1, T)[:, None, None]
    first, second = truth.copy(), truth + draw.normal(0, 0.05, truth.shape)
    first[17:23] = first[17:23, left_right._MIRRORED]
    second[21:30] = second[21:30, left_right._MIRRORED]
    args = first, second, draw.uniform(0.3, 1, (T, K)), np.full(T - 1, 1 / 30)
    at_once = left_right.find_swaps(*args)
    monkeypatch.setattr(left_right, "_AT_ONCE", 7)
    assert at_once.any()
    assert (left_right.find_swaps(*args) == at_once).all()
