"""`mocap label-fit` as a user types it; what the tracker sees of the film is given."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from film import film
from person import stand
from witnesses import TIMES, codes_of, seen_dancing

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.labels import label_fit
from mocap_cli.labels.fitting import gather, verdict
from mocap_cli.labels.fitting.fit_heads import FitOptions
from mocap_cli.labels.fitting.fitted_model import FittedModel
from mocap_cli.labels.fitting.fitted_tracker import FittedTracker
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder

MODEL = "imagenet"


@pytest.fixture
def mocap(run_mocap, monkeypatch):
    """Exit status and stderr of `run_mocap`, in a folder with a.mp4 and labels of it."""
    estimate, truth = seen_dancing()
    monkeypatch.setattr(gather, "estimate", lambda *_, **__: estimate)
    monkeypatch.setattr(FrozenEncoder, "encode", lambda *_, **__: codes_of(truth))
    monkeypatch.setattr(label_fit, "FitOptions", partial(FitOptions, steps=20, folds=2, copies=0))
    copy = SimpleNamespace(
        estimate=estimate, encoded=codes_of(truth), degraded=np.ones(len(TIMES), bool)
    )
    monkeypatch.setattr(verdict, "degrade_clip", lambda *_, **__: copy)
    film(Path("a.mp4"), range(len(TIMES)))
    save("a.npz", truth)
    return lambda typed: run_mocap(typed)[::2]


def save(name, joints, **more):
    np.savez(
        name, joints=joints, frames=np.arange(len(joints)), joint_names=BODY.names,
        source="a.mp4", space="camera", **more,
    )  # fmt: skip


def test_labels_become_a_model_that_track_takes(mocap, monkeypatch):
    code, err = mocap("label-fit --labels a.npz -o x.mocap")
    assert code == 0
    assert "x.mocap: fitted to 90 frames of 1 video" in err
    assert "mocap track NEW.mp4 --model x.mocap" in err
    assert FittedModel.open(Path("x.mocap")).about["videos"] == ["a.mp4"]
    asked = []
    monkeypatch.setattr(
        "mocap_cli.tracking.track.track",
        lambda v, o, on_frame, **_: (asked.append(o.model), stand(v, o, on_frame))[1],
    )
    assert mocap("track a.mp4 --model x.mocap -o b.json")[0] == 0
    assert mocap("track a.mp4 -o c.json")[0] == 0
    assert asked[0].name == "x.mocap"
    assert asked[1] is None
    code, err = mocap("label-fit --model x.mocap --evaluate a.npz --scores s.json")
    assert code == 0
    assert "N-MPJPE" in err
    assert "left_wrist" in err
    scores = json.loads(Path("s.json").read_text())["scores"]
    assert set(scores) == {"model", "code and 2D", "code alone", "default"}
    assert scores["model"]["all"]["frames"] == 90


def test_the_tracker_itself_can_teach(mocap):
    code, err = mocap("label-fit a.mp4 --labels auto -o x.mocap --head A")
    assert code == 0
    assert "pseudo-labels in 90 of 90 frames" in err
    assert "held out: degraded copies of a.mp4" in err
    assert "not measurably better" in err
    assert mocap("label-fit --labels auto")[0] == 2


def test_check_draws_good_labels_and_bad_ones_with_what_is_wrong(mocap):
    code, err = mocap("label-fit --labels a.npz --check")
    assert (code, "1 of 1 label files are usable" in err) == (0, True)
    assert Path("check/a.check.png").read_bytes()[:4] == b"\x89PNG"
    save("a.npz", seen_dancing(seed=3)[1])
    code, err = mocap("label-fit --labels a.npz --check -o bad")
    assert code == 1
    assert "does not match the video" in err
    assert Path("bad/a.check.png").exists()


def test_a_missing_file_to_evaluate_on_is_told_before_the_videos_are_tracked(mocap, monkeypatch):
    tracked = []
    monkeypatch.setattr(gather, "estimate", lambda info, *_, **__: tracked.append(info))
    code, err = mocap("label-fit a.mp4 --labels auto --evaluate missing.csv -o x.mocap")
    assert (code, "there is no missing.csv" in err) == (1, True)
    assert tracked == []


def test_check_draws_a_sheet_for_each_of_several_label_files_of_one_name(mocap):
    for folder in ("one", "two", "three"):
        Path(folder).mkdir()
        Path(folder, "a.npz").write_bytes(Path("a.npz").read_bytes())
    given = "one/a.npz --labels two/a.npz --labels three/a.npz"
    code, err = mocap(f"label-fit a.mp4 --labels {given} --check")
    assert (code, "3 of 3 label files are usable" in err) == (0, True)
    sheets = sorted(path.name for path in Path("check").iterdir())
    assert sheets == ["a.a.npz.2.check.png", "a.a.npz.check.png", "a.check.png"]


def test_images_of_others_in_the_folder_are_not_replaced_and_own_ones_are(mocap):
    assert mocap("label-fit --labels a.npz --check -o here")[0] == 0
    assert "replaced" in mocap("label-fit --labels a.npz --check -o here")[1]
    for name, typed in (
        ("here/a.check.png", "--labels a.npz --check"), ("here/a_000007.png", "a.mp4 --suggest 3"),
    ):  # fmt: skip
        Path(name).write_bytes(b"my picture")
        code, err = mocap(f"label-fit {typed} -o here")
        assert (code, f"{name} exists already, and is not a result of mocap" in err) == (1, True)
        assert Path(name).read_bytes() == b"my picture"


def test_check_draws_what_lies_in_the_video_where_most_labels_are_beyond_its_end(mocap):
    truth = seen_dancing()[1]
    np.savez("a.npz", joints=truth, frames=np.arange(len(truth)) + 60, joint_names=BODY.names,
             source="a.mp4", space="camera")  # fmt: skip
    code, err = mocap("label-fit --labels a.npz --check")
    assert (code, "Traceback" in err) == (1, False)
    assert "outside its 90 frames" in err
    assert Path("check/a.check.png").read_bytes()[:4] == b"\x89PNG"


def test_suggested_frames_are_pictures_with_an_empty_label_file(mocap):
    code, err = mocap("label-fit a.mp4 --suggest 3 -o next")
    assert code == 0
    assert "3 frames to label in next/" in err
    assert "open next/labels.html in a browser" in err
    assert len(list(Path("next").glob("a_*.png"))) == 3
    assert "Label 3 frames of a" in Path("next/labels.html").read_text("utf-8")
    assert json.loads(Path("next/labels.json").read_text())["annotations"] == []


def test_one_bad_file_among_good_ones_is_named_and_left_out(mocap):
    Path("labels").mkdir()
    save("labels/a.npz", seen_dancing()[1])
    save("labels/b.npz", seen_dancing(seed=3)[1])
    code, err = mocap("label-fit a.mp4 --labels labels -o x.mocap")
    assert code == 0
    assert "b.npz left out" in err
    assert "fitted to 90 frames" in err


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ("label-fit", 2, "give label files"),
        ("label-fit --labels none.npz", 1, "there is no none.npz"),
        ("label-fit --labels a.npz --model none", 1, "none"),
        ("label-fit --labels a.npz --model x.mocap", 2, "fitted already"),
        ("label-fit --labels a.npz -o x.bvh", 2, ".mocap"),
        ("label-fit --labels a.npz --check --suggest 3", 2, "one of"),
        ("label-fit --labels a.npz --curve c.png", 2, "--evaluate"),
        ("label-fit --model a.mocap --evaluate a.npz", 1, "there is no a.mocap"),
        ("track a.mp4 --model a.npz", 1, "a.npz"),
    ],
)
def test_what_cannot_be_is_told_in_one_line_with_a_way_out(mocap, typed, code, said):
    found, err = mocap(typed)
    assert found == code
    assert said in err.replace("\n", " ").replace("│", "")
    assert "Traceback" not in err


def test_where_the_tracker_is_lost_the_models_word_counts(mocap):
    assert mocap("label-fit --labels a.npz -o x.mocap")[0] == 0
    lost, truth = seen_dancing(unsure=slice(30, 60))
    opened = FittedTracker.open(Path("x.mocap"))
    counsel = opened.analyse(Path("a.mp4"), lost.keypoints, (None, None), "cpu")
    pose = counsel.pose(lost.keypoints, lost.camera, lost.pose)
    off = np.linalg.norm(pose.joints - truth, axis=-1)[30:60].mean()
    default = np.linalg.norm(lost.pose.joints - truth, axis=-1)[30:60].mean()
    assert off < 0.5 * default
    sharp = np.linalg.norm(pose.joints - truth, axis=-1)[:30].mean()
    assert sharp < 1.2 * np.linalg.norm(lost.pose.joints - truth, axis=-1)[:30].mean()


def test_clicks_are_lifted_and_teach(mocap):
    estimate, _ = seen_dancing()
    xy = estimate.keypoints.xy.astype(float)
    xy[estimate.keypoints.score == 0] = np.nan
    np.savez("a.npz", xy=xy[::9], frames=np.arange(0, 90, 9), keypoint_names=KEYPOINTS)
    code, err = mocap("label-fit --labels a.npz --height 1.82 -o x.mocap")
    assert code == 0
    assert "10 frames of 2D labels are lifted to 3D, of a person 1.82 m tall" in err
    assert "fitted to 10 frames" in err


def test_a_model_is_tuned_only_when_that_is_asked_for(mocap, monkeypatch):
    def tune(eye, clips, how, options, tuning, on_step):
        on_step(tuning.steps)
        return replace(eye, tuned=True)

    monkeypatch.setattr(label_fit, "fine_tune", tune)
    assert mocap("label-fit --labels a.npz --fine-tune -o x.mocap")[0] == 0
    assert FittedModel.open(Path("x.mocap")).about["tuned"] is True
    assert mocap("label-fit --model x.mocap --evaluate a.npz --fine-tune")[0] == 2


def test_ctrl_c_while_tuning_leaves_nothing_half_written(mocap, monkeypatch):
    def tune(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(label_fit, "fine_tune", tune)
    assert mocap("label-fit --labels a.npz --fine-tune -o x.mocap")[0] == 130
    assert not list(Path().glob("*.mocap*"))


@pytest.mark.parametrize("option", ["--scores", "--curve"])
@pytest.mark.parametrize("place", ["a.mp4", "sub/../a.npz", "x.mocap"])
def test_scores_and_curves_never_overwrite_an_input(mocap, option, place):
    Path("sub").mkdir()
    before = Path("a.mp4").read_bytes(), Path("a.npz").read_bytes()
    code, err = mocap(f"label-fit --labels a.npz --evaluate a.npz -o x.mocap {option} {place}")
    assert code == 1
    assert "would overwrite the input" in err or "written twice" in err
    assert (Path("a.mp4").read_bytes(), Path("a.npz").read_bytes()) == before


def test_pseudo_labels_cannot_be_checked(mocap):
    code, err = mocap("label-fit a.mp4 --labels auto --check")
    assert code == 2
    assert "there is no label file to check" in " ".join(err.replace("│", " ").split())


def test_a_fit_prints_its_errors_as_json(mocap, run_mocap):
    code, out, err = run_mocap("label-fit --labels a.npz -o x.mocap --json")
    assert code == 0
    result = json.loads(out)["results"][0]
    assert (result["frames"], result["videos"], err) == (90, ["a.mp4"], "")
    assert result["outputs"][0]["path"] == "x.mocap"
    assert 0 < result["validation_mm"] < 500


def test_suggestions_name_tools_to_label_with(mocap):
    _, err = mocap("label-fit a.mp4 --suggest 3 -o next")
    assert "open next/ in an annotation tool (CVAT, Label Studio, COCO Annotator)" in err
    assert "save them as COCO in next/labels.json" in err


def test_python_fits_the_same_model(mocap):
    import mocap_cli

    calls = []
    result = mocap_cli.fit_labels(
        "a.mp4",
        "a.npz",
        "x.mocap",
        evaluate_on=["a.npz"],
        progress=lambda *call: calls.append(call),
    )
    assert result.model.about["videos"] == ["a.mp4"]
    assert result.evaluation is not None
    assert Path("x.mocap").exists()
    assert any(stage == "fitting" for stage, _, _ in calls)
    pseudo = mocap_cli.fit_labels("a.mp4", "auto", "y.mocap", head="A")
    assert pseudo.model.about["frames"] == 90
