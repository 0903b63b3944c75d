"""`mocap track --subject all`: files for each person, from one pass."""

import json
from pathlib import Path

import pytest
from film import film
from person import stand

import mocap_cli
from mocap_cli.body.motion_json import read_motion


@pytest.fixture
def mocap(run_mocap, monkeypatch):
    """Run what a user types after `mocap` in a folder with a video of three people."""

    def stand_all(path, options, on_frame):
        return [stand(path, options, on_frame) for _ in range(3)]

    monkeypatch.setattr("mocap_cli.tracking.track.track_all", stand_all)
    film(Path("two.mp4"), range(10))
    return run_mocap


def test_every_person_gets_every_output_with_a_number(mocap):
    command = "track two.mp4 --subject all -o two.bvh -o two.json -o two.coco.json --json"
    code, out, _ = mocap(command)
    assert code == 0
    made = {f"two.{n}.{end}" for n in (1, 2, 3) for end in ("bvh", "json", "coco.json")}
    assert {p.name for p in Path().iterdir()} == {"two.mp4", *made}
    (result,) = json.loads(out)["results"]
    assert [len(person["outputs"]) for person in result["people"]] == [3, 3, 3]
    assert read_motion("two.2.json").provenance.options == {"subject": "all", "people": 3}


def test_files_of_an_earlier_run_are_replaced_or_kept_as_one_asks(mocap):
    assert mocap("track two.mp4 --subject all -o two.json")[0] == 0
    code, _, error = mocap("track two.mp4 --subject all -o two.json --no-overwrite --height 1.5")
    assert code == 1
    assert "two.1.json exists already" in error
    assert "replaced" in mocap("track two.mp4 --subject all -o two.json --overwrite")[2]


def test_a_clip_of_several_people_is_skipped_until_a_file_of_one_is_missing(mocap):
    command = "track two.mp4 --subject all -o two.json -o two.csv --json"
    for status in ("tracked", "skipped"):
        (result,) = json.loads(mocap(command)[1])["results"]
        assert (result["status"], len(result["people"])) == (status, 3)
    for missing in ("two.2.json", "two.3.csv", "two.1.json"):
        Path(missing).unlink()
        assert json.loads(mocap(command)[1])["results"][0]["status"] == "tracked"
        assert Path(missing).exists()


def test_a_model_of_one_person_does_not_go_with_everybody(mocap):
    code, _, error = mocap("track two.mp4 --subject all --model a.mocap")
    assert code == 2
    assert "a model is of one person" in error


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("900,5", "outside the image"),
        ("5,5@7", "outside the tracked span"),
        ("5,5@0.01 --start 0.1", "outside the tracked span"),
    ],
)
def test_a_point_outside_the_image_or_the_span_is_refused(mocap, subject, said):
    code, _, error = mocap(f"track two.mp4 --subject {subject} -o a.json")
    assert code == 1
    assert said in " ".join(error.split())


def test_from_python_everybody_is_a_list_of_motions(mocap):
    assert [len(m.times) for m in mocap_cli.track_all("two.mp4", end=0.2)] == [7, 7, 7]
