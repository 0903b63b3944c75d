"""A tuned 2D network: read, taught labelled frames, kept in a .mocap file, used by track."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from film import film
from witnesses import TIMES, seen_dancing

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.io.onnx_file import OnnxFile
from mocap_cli.io.video_cache import file_sha256
from mocap_cli.keypoints.crop import CROP_SIZE
from mocap_cli.keypoints.pose_networks import PoseNetworks
from mocap_cli.keypoints.subject import NobodyThereError, SubjectPoint
from mocap_cli.labels import label_tune
from mocap_cli.labels.fitting import gather
from mocap_cli.labels.pose_models import open_pose_model
from mocap_cli.labels.tuning import keypoint_images
from mocap_cli.labels.tuning import tune as tuning
from mocap_cli.labels.tuning.keypoint_images import KeypointImage
from mocap_cli.labels.tuning.movenet import COUNT, MoveNet
from mocap_cli.labels.tuning.tune import TuneOptions
from mocap_cli.labels.tuning.tuned_tracker import LabelledVideo, TunedTracker
from mocap_cli.tracking.estimate import EstimateOptions, estimate
from mocap_cli.video.probe import probe
from mocap_cli.video.reader import open_video
from mocap_cli.weights import weight_path

WALK = Path(__file__).parents[1] / "examples" / "walk.mp4"
DIVE = WALK.with_name("dive.mp4")
SHORT = TuneOptions(steps=2, batch=2, rate=3e-5, begin=1, frozen=50, average=1)


@pytest.fixture(scope="module")
def file():
    return OnnxFile.parse(weight_path("movenet_thunder.onnx").read_bytes())


@pytest.fixture(scope="module")
def walker():
    """A frame of the walk, cut out around the person, and what the bundled networks find."""
    with open_video(WALK) as reader:
        image = next(iter(reader)).image
    xy = np.array([(640.0, 360.0)] * COUNT)
    found = PoseNetworks("cpu").run(cv2.resize(image, (CROP_SIZE, CROP_SIZE)))
    assert len(found.movenet) == len(xy)
    picture = cv2.copyMakeBorder(cv2.resize(image, (CROP_SIZE,) * 2), *[64] * 4, cv2.BORDER_REFLECT)
    packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 98])[1]
    return KeypointImage(packed, found.movenet + 64, np.ones(COUNT, np.float32)), found


def test_constants_are_written_where_they_were_read(file):
    assert len(file.nodes) == 406
    assert file.with_constants({}) == file._data
    name = "w14_quantized"
    other = file.constants[name][::-1].copy()
    again = OnnxFile.parse(file.with_constants({name: other}))
    assert (again.constants[name] == other).all()
    with pytest.raises(ValueError, match=name):
        file.with_constants({name: other[1:]})
    zeros = file.constants["w14_zero_point"]
    with pytest.raises(ValueError, match="not kept as a row"):
        file.with_constants({"w14_zero_point": zeros})


def located(heat: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """(N, 17, 2) pixels of the crop at which the heat is greatest."""
    best = heat.flatten(2).argmax(dim=-1)
    cell = torch.stack((best % 64, best // 64), dim=-1)
    return 4 * (cell + tuning._at(offsets, cell).flip(-1))


def test_the_torch_network_finds_what_the_bundled_one_finds_also_after_a_round_trip(file, walker):
    network, (image, found) = MoveNet.bundled(), walker
    crop, _ = image.crop()
    with torch.no_grad():
        heat, offsets, _ = network(torch.from_numpy(crop[None]).float())
    own = located(heat, offsets)[0].numpy()
    assert np.median(np.linalg.norm(own - found.movenet, axis=1)) < 4
    same = PoseNetworks("cpu", file.with_constants(network.constants())).run(crop)
    assert np.median(np.linalg.norm(same.movenet - found.movenet, axis=1)) < 4
    assert np.abs(same.movenet_score - found.movenet_score).mean() < 0.1


def test_keypoints_move_with_the_varied_image(monkeypatch):
    for part in ("_degraded", "_covered", "_recoloured"):
        monkeypatch.setattr(keypoint_images, part, lambda image, rng: image)
    side = keypoint_images._SIDE
    left, right = KEYPOINTS.index("left_wrist"), KEYPOINTS.index("right_wrist")
    xy = np.full((COUNT, 2), side / 2, np.float32)
    xy[left], xy[right] = (150, 170), (230, 200)
    picture = np.zeros((side, side, 3), np.uint8)
    cv2.circle(picture, (150, 170), 6, (255, 0, 0), -1)
    cv2.circle(picture, (230, 200), 6, (0, 255, 0), -1)
    packed = cv2.imencode(".jpg", picture)[1]
    image = KeypointImage(packed, xy, np.ones(COUNT, np.float32))
    mirrored = set()
    for seed in range(12):
        varied, points, weight = image.varied(np.random.default_rng(seed))
        column, row = points[[left, right]].T.astype(int)
        red, green = varied[row[0], column[0]], varied[row[1], column[1]]
        swapped = red[1] > red[0]  # the mirror image of a left wrist is a right one
        assert max(red) > 150
        assert max(green) > 150
        assert (green[0] > green[1]) == swapped
        assert weight.all()
        mirrored.add(bool(swapped))
    assert mirrored == {True, False}


def test_labelled_frames_are_learnt(walker, monkeypatch):
    monkeypatch.setattr(KeypointImage, "varied", lambda image, _: (*image.crop(), image.weight))
    shifted = replace(walker[0], xy=walker[0].xy + np.float32((0, 25)))
    steps = []
    tuned = tuning.tune([shifted] * 8, [], SHORT, steps.append)
    assert steps == [1, 2]
    image, labels = shifted.crop()
    wanted, weight = torch.from_numpy(labels[None]) / 4, torch.ones(1, COUNT)
    with torch.no_grad():
        before, after = (
            tuning._loss(network(torch.from_numpy(image[None]).float()), wanted, weight)
            for network in (MoveNet.bundled(), tuned)
        )
    assert after < before


def test_the_loss_is_least_where_the_labels_are():
    cells = torch.full((1, COUNT, 2), 20.3)
    place = torch.arange(64) + 0.5
    heats = [
        torch.exp(-((place - x) ** 2 + (place[:, None] - 20.3) ** 2) / 4.5).expand(1, COUNT, 64, 64)
        for x in (20.3, 24.3)
    ]
    offsets = torch.zeros(1, COUNT, 2, 64, 64)
    weight = torch.ones(1, COUNT)
    place, reach = offsets + 0.3, offsets + 0.3
    right = tuning._loss((heats[0], place, reach), cells, weight)
    for maps in ((heats[1], place, reach), (heats[0], place + 1, reach), (heats[0], place, -place)):
        assert right < tuning._loss(maps, cells, weight)
    assert tuning._loss((heats[1], place, reach), cells, 0 * weight) == 0
    assert torch.allclose(located(heats[0], offsets + 0.3) / 4, cells, atol=1e-4)


@pytest.fixture
def kept(tmp_path):
    """A network with a bias of its own, in a file."""
    network = MoveNet.bundled()
    with torch.no_grad():
        for name in network.convolutions[-1].inputs[2:]:
            network._values[name] += 0.5
    xy = np.full((1, len(KEYPOINTS), 2), np.nan)
    xy[0, :COUNT] = (30, 40)
    labels = {file_sha256(WALK): LabelledVideo(np.array([0.1]), xy)}
    TunedTracker.save(network, labels, {"frames": 3}, tmp_path / "x.mocap")
    return network, tmp_path / "x.mocap"


def test_a_tuned_network_is_kept_and_tracks(file, kept, monkeypatch):
    network, path = kept
    model = open_pose_model(path)
    assert model.network == file.with_constants(network.constants())
    assert model.name == "x.mocap"
    seen, followed = [], []

    def follow(frames, subject, device, sparing=False, tuned=None):
        seen.append(tuned)
        followed.append(subject)
        raise NobodyThereError("nobody was found") if subject != "auto" else KeyboardInterrupt

    monkeypatch.setattr("mocap_cli.tracking.estimate.follow", follow)
    for video, chosen in ((WALK, model), (WALK, None), (DIVE, model)):
        with pytest.raises(KeyboardInterrupt):
            estimate(probe(video), EstimateOptions(model=chosen))
    assert seen == [model.network, model.network, None, None]
    assert followed == [(SubjectPoint(30, 40, 0.1),), "auto", "auto", "auto"]
    with pytest.raises(MocapError, match="keypoints are of another"):
        estimate(probe(WALK), EstimateOptions(model=model, keypoints=object()))


def test_labels_replace_what_is_found_in_their_video(kept):
    model, keypoints = open_pose_model(kept[1]), seen_dancing()[0].keypoints
    lost = np.arange(len(TIMES)) < 5
    xy, score = keypoints.xy.copy(), keypoints.score.copy()
    xy[lost], score[lost] = np.nan, 0
    keypoints = replace(keypoints, xy=xy, score=score, detected=~lost)
    seen = model.analyse(WALK, keypoints, (None, None), "cpu").keypoints
    frame = int(np.abs(TIMES - 0.1).argmin())
    assert lost[frame]
    assert seen.tracked[frame]
    assert seen.detected[frame]
    assert (seen.xy[frame, :COUNT] == (30, 40)).all()
    assert (seen.score[frame, :COUNT] > 0.8).all()
    assert (seen.score[frame, COUNT:] == 0).all()
    rest = np.arange(len(TIMES)) != frame
    np.testing.assert_array_equal(seen.xy[rest], keypoints.xy[rest])
    other = model.analyse(DIVE, keypoints, (None, None), "cpu")
    assert other.keypoints is keypoints
    assert "for other videos" in other.notes[0]
    seen = model.without_labels().analyse(WALK, keypoints, (None, None), "cpu")
    np.testing.assert_array_equal(seen.keypoints.xy, keypoints.xy)
    assert not seen.notes
    close = LabelledVideo(np.array([0.9, 0.1, 0.2, 2.0]), np.ones((4, len(KEYPOINTS), 2)))
    assert [point.time for point in close.points()] == [0.1, 0.9, 2.0]
    labels = LabelledVideo(np.array([1.0, 99.0]), np.full((2, len(KEYPOINTS), 2), 7.0))
    assert (labels.inserted(keypoints).xy == 7).all(axis=(1, 2)).sum() == 1


def test_what_is_no_tuned_network_is_refused(kept, tmp_path, monkeypatch):
    (tmp_path / "bad.mocap").write_bytes(kept[1].read_bytes()[:-100])
    with pytest.raises(MocapError, match=r"bad\.mocap"):
        open_pose_model(tmp_path / "bad.mocap")
    kind, odd = TunedTracker.KIND, tmp_path / "odd.mocap"
    metadata, tensors = kind.read(kept[1])
    name = "w14_quantized"
    for changed, why in (
        ({"a": tensors[name]}, "a is not of this network"),
        ({name: tensors[name].reshape(-1)[:1]}, "is not of this network"),
        ({"labels.0": tensors[name]}, "labels.0 is not of labels"),
    ):
        kind.write(odd, metadata, changed)
        with pytest.raises(MocapError, match=why):
            TunedTracker.open(odd)
    kind.write(odd, {**metadata, "network": "0"}, tensors)
    with pytest.raises(MocapError, match="another 2D network"):
        TunedTracker.open(odd)


@pytest.fixture
def mocap(run_mocap, monkeypatch):
    """`run_mocap` in a folder with a.mp4 and 3D labels of it."""
    seen, truth = seen_dancing()
    monkeypatch.setattr(gather, "estimate", lambda *_, **__: seen)
    film(Path("a.mp4"), range(len(TIMES)))
    np.savez(
        "a.npz", joints=truth, frames=np.arange(len(truth)), joint_names=BODY.names,
        source="a.mp4", space="camera",
    )  # fmt: skip
    return run_mocap


@pytest.fixture
def tracked_off_by(monkeypatch):
    """What the tracker finds is off by 5 cm and 10 pixels, with a tuned network by so much."""
    seen, truth = seen_dancing(off=0.0)

    def tracked_off_by(metres: float, pixels: float) -> list[int]:
        models = []

        def estimate(info, options, on_frame, cache):
            tuned = options.model is not None and options.model.network is not None
            off = np.random.default_rng(3).normal(size=truth.shape)
            pose = truth + (metres if tuned else 0.05) * off
            xy = seen.keypoints.xy + np.float32(pixels if tuned else 10) * off[:, :1, :2]
            models.append(options.model)
            keypoints = replace(seen.keypoints, xy=xy.astype(np.float32))
            return replace(seen, pose=replace(seen.pose, joints=pose), keypoints=keypoints)

        monkeypatch.setattr(gather, "estimate", estimate)
        monkeypatch.setattr(label_tune, "tune", lambda *_: MoveNet.bundled())
        return models

    return tracked_off_by


def label_in_2d() -> None:
    xy = seen_dancing(off=0.0)[0].keypoints.xy[:20]
    np.savez("a.npz", xy=xy, frames=np.arange(20), joint_names=KEYPOINTS, source="a.mp4")


def test_a_network_that_is_better_as_the_tracker_uses_it_is_kept(mocap, tracked_off_by):
    """3D labels are compared with poses: keypoints that are worse count nothing."""
    tracked_off_by(metres=0.02, pixels=50)
    code, _, err = mocap("label-fit --labels a.npz --tune 9 -o x.mocap")
    assert code == 0
    assert "2D network tuned to 72 labelled frames" in err
    assert "18 labelled frames, tracked without their labels" in err
    assert "not better" not in err
    assert open_pose_model(Path("x.mocap")).network is not None
    code, _, err = mocap("label-fit --model x.mocap --evaluate a.npz")
    assert (code, "default" in err) == (0, True)


def test_a_network_that_is_no_better_is_not_kept_but_the_labels_are(mocap, tracked_off_by):
    """2D labels are compared with keypoints: poses that are better count nothing."""
    models = tracked_off_by(metres=0.0, pixels=20)
    label_in_2d()
    code, out, err = mocap("label-fit --labels a.npz --tune 9 -o x.mocap --json")
    assert code == 0, err
    told = json.loads(out)["results"][0]
    assert (told["better"], told["held_out"]) == (False, 4)
    assert told["tuned"] == pytest.approx(2 * told["labels"], rel=1e-4)
    kept = open_pose_model(Path("x.mocap"))
    assert kept.network is None
    video = file_sha256(Path("a.mp4"))
    assert len(kept.labels[video].times) == 20
    assert [len(model.labels[video].times) for model in models if model] == [16, 16]
    code, _, err = mocap("label-fit --labels a.npz --tune 9 -o x.mocap")
    assert "the tuned network is not better there: the labels alone are kept" in err


def test_nothing_is_written_if_the_network_is_no_better_and_labels_cannot_be_kept(
    mocap, tracked_off_by
):
    tracked_off_by(metres=0.05, pixels=10)
    code, _, err = mocap("label-fit --labels a.npz --tune 9 -o x.mocap")
    assert (code, Path("x.mocap").exists()) == (1, False)
    assert "the tuned network is no better, and the labels are 3D" in err


def test_too_few_labels_to_tune_to_are_told_before_the_video_is_tracked(mocap, monkeypatch):
    monkeypatch.setattr(gather, "estimate", None)
    np.savez("a.npz", xy=np.ones((3, 21, 2)), frames=np.arange(3), joint_names=KEYPOINTS)
    code, _, err = mocap("label-fit a.mp4 --labels a.npz --tune 9 -o x.mocap")
    assert (code, "3 labelled frames are too few to tune" in err) == (1, True)


def test_labels_can_be_kept_alone(mocap):
    code, _, err = mocap("label-fit --labels a.npz --tune 0 -o x.mocap")
    assert (code, "only 2D ones can be kept" in err) == (1, True)
    label_in_2d()
    code, _, err = mocap("label-fit --labels a.npz --tune 0 -o x.mocap")
    assert (code, "20 labelled frames kept" in err) == (0, True)
    model = open_pose_model(Path("x.mocap"))
    assert model.network is None
    assert model.movenet(Path("a.mp4")) is None
    np.testing.assert_allclose(
        model.labels[file_sha256(Path("a.mp4"))].xy, seen_dancing(off=0.0)[0].keypoints.xy[:20]
    )


def test_label_fit_refuses_to_tune_without_labels_made_by_hand(mocap):
    for typed in (
        "label-fit a.mp4 --labels auto --tune 9",
        "label-fit --labels a.npz --tune 0 --check",
        "label-fit --labels a.npz --tune 0 --fine-tune",
        "label-fit --labels a.npz --tune 9 --evaluate a.npz",
    ):
        code, _, err = mocap(typed)
        assert code == 2
        assert "--tune" in err
