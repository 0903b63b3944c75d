"""`mocap export` as a user types it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from film import film
from person import standing
from poses import dance, motion_of, wobbling

from mocap_cli.body.anatomy import standing_height
from mocap_cli.body.motion_json import read_motion, write_motion
from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.export.edits import Edits, _mirror, apply_edits
from mocap_cli.export.registry import FORMATS
from mocap_cli.export.views.projection import project_joints
from mocap_cli.video.reader import probe

TIMES = np.arange(30) / 30


@pytest.fixture
def mocap(run_mocap):
    """As `run_mocap`, in a folder with the motion a.json."""
    write_motion(motion_of(dance(TIMES), TIMES), Path("a.json"))
    return run_mocap


def files() -> list[str]:
    return sorted(p.as_posix() for p in Path().rglob("*") if p.is_file())


def filmed(name: str) -> None:
    """The film NAME.mp4 and NAME.json of somebody who stands in it."""
    film(Path(f"{name}.mp4"))
    write_motion(standing(probe(Path(f"{name}.mp4")), TIMES), Path(f"{name}.json"))


def test_the_suffix_decides_what_is_written_and_may_be_given_several_times(mocap):
    code, out, err = mocap("export a.json -o b.bvh -o out/c.JSON")
    assert (code, out) == (0, "")
    assert files() == ["a.json", "b.bvh", "out/c.JSON"]
    assert "a.json: 30 frames, 1.00 s at 30.00 fps" in err
    assert "wrote     b.bvh" in err


def test_exporting_json_to_json_without_changes_gives_the_same_bytes(mocap):
    assert mocap("export a.json -o b.json")[0] == 0
    assert mocap("export b.json -o c.json")[0] == 0
    assert Path("c.json").read_bytes() == Path("b.json").read_bytes()


def test_the_overlay_finds_its_video_beside_the_motion_or_where_it_is_said_to_be(mocap):
    filmed("v")
    assert mocap("export v.json -o .mp4")[0] == 0
    assert probe(Path("v.overlay.mp4")).frames == 30
    Path("films").mkdir()
    Path("v.mp4").rename("films/v.mp4")
    code, _, err = mocap("export v.json -o b.mp4")
    assert code == 1
    assert err.splitlines()[0] == "error: cannot find v.mp4, the video of v.json"
    assert mocap("export v.json -o b.mp4 --video films")[0] == 0
    assert mocap("export v.json -o c.mp4 --video films/v.mp4")[0] == 0
    assert {"b.mp4", "c.mp4"} < set(files())


def test_a_panel_makes_the_overlay_wider(mocap):
    filmed("v")
    assert mocap("export v.json -o b.mp4 --panel --trail")[0] == 0
    plain, wide = probe(Path("v.mp4")), probe(Path("b.mp4"))
    assert (wide.width - plain.width, wide.height) == (
        2 * round(0.225 * plain.height),
        plain.height,
    )


def test_the_page_and_the_report_show_the_video_beside_the_motion_and_do_without_one(mocap):
    code, _, err = mocap("export a.json -o a.html -o a.png")
    assert code == 0
    assert "without a.mp4: give it with --video" in err
    bare = Path("a.html").stat().st_size
    filmed("v")
    code, _, err = mocap("export v.json -o .html -o .png")
    assert code == 0
    assert "without" not in err
    assert 'id="video-file"' in Path("v.html").read_text()
    assert mocap("export v.json -o linked.html --link-video")[0] == 0
    assert '"link":"v.mp4"' in Path("linked.html").read_text()
    assert Path("linked.html").stat().st_size < 2 * bare
    assert mocap("export v.json -o mirrored.html --mirror")[0] == 0
    assert 'id="video-file"' not in Path("mirrored.html").read_text()
    code, _, err = mocap("export v.json -o w.html --video elsewhere.mp4")
    assert code == 1
    assert "cannot find elsewhere.mp4, the video of v.json" in err


def test_a_motion_cannot_reach_for_a_video_in_another_folder(mocap):
    Path("private").mkdir()
    film(Path("private/v.mp4"))
    motion = standing(probe(Path("private/v.mp4")), TIMES)
    named = replace(motion, source=replace(motion.source, file="private/v.mp4"))
    write_motion(named, Path("v.json"))
    assert mocap("export v.json -o .html")[0] == 0
    assert 'id="video-file"' not in Path("v.html").read_text()


def test_a_video_with_a_name_that_no_folder_can_hold_is_one_line(mocap):
    document = json.loads(Path("a.json").read_text())
    document["source"]["file"] = "n" * 700
    Path("a.json").write_text(json.dumps(document))
    code, _, err = mocap("export a.json -o b.mp4")
    assert (code, "Traceback" in err) == (1, False)
    assert "File name too long" in err.splitlines()[0]
    assert len(err.splitlines()[0]) < 300


def test_a_folder_in_gives_a_folder_out_past_bad_files(mocap):
    Path("in").mkdir()
    for name in ("one", "two[b]"):
        Path(f"in/{name}.json").write_bytes(Path("a.json").read_bytes())
    Path("in/bad.json").write_text("{}")
    Path("in/one.coco.json").write_text("{}")
    Path("in/notes.txt").write_text("no motion")
    code, _, err = mocap("export in -o out/")
    assert code == 1
    assert [f for f in files() if f.startswith("out")] == ["out/one.bvh", "out/two[b].bvh"]
    assert "1 of 3 motions failed" in err
    assert "is not a motion of format 1" in err


def test_a_folder_gets_every_suffix_that_is_asked_for(mocap):
    assert mocap("export a.json -o out/ -o .c3d -o .angles.csv -o .usda -o .coco.json")[0] == 0
    assert [f for f in files() if f.startswith("out")] == [
        "out/a.angles.csv",
        "out/a.c3d",
        "out/a.coco.json",
        "out/a.usda",
    ]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("nothing.json", "cannot read nothing.json"),
        ("a.json -o b.foo", ".foo is not a known format"),
        ("a.json -o .xyz", ".xyz is not a known format"),
        ("a.json -o a.json", "a.json would overwrite the input a.json"),
        ("a.json -o b.bvh --start 9", "a.mp4 has no frame in this span"),
        ("a.json -o b.mp4", "cannot find a.mp4, the video of a.json"),
        ("empty", "empty holds no motions"),
    ],
)
def test_what_can_be_mended_is_one_line_and_a_hint_and_writes_nothing(mocap, typed, said):
    Path("empty").mkdir()
    code, out, err = mocap(f"export {typed}")
    assert (code, out) == (1, "")
    assert said in err.splitlines()[0]
    assert err.splitlines()[1].startswith("hint: ")
    assert files() == ["a.json"]


@pytest.mark.parametrize(
    "options",
    ["", "a.json a.json b.json -o c.bvh", "a.json --fps 1e9", "a.json --start 2 --end 1",
     "a.json -o b.mp4 --mirror", "a.json -o one/ -o two/",
     "a.json --rig maya", "a.json --smooth 0", "a.json --height -1"],
)  # fmt: skip
def test_bad_usage_leaves_with_2_and_writes_nothing(mocap, options):
    code, out, err = mocap(f"export {options}")
    assert (code, out) == (2, "")
    assert "Usage: mocap" in err
    assert files() == ["a.json"]


@pytest.mark.parametrize("command", ["track", "export"])
def test_the_help_names_every_suffix(mocap, command):
    _, out, _ = mocap(f"{command} --help")
    words = set(out.replace(",", " ").replace(".\n", " ").split())
    assert set(FORMATS) <= words
    assert f"Example: mocap {command} dive" in out


def test_start_end_and_rate_choose_the_frames(mocap):
    assert mocap("export a.json -o b.json --start 0.2 --end 0.5")[0] == 0
    part, whole = read_motion(Path("b.json")), read_motion(Path("a.json"))
    np.testing.assert_array_equal(part.times, whole.times[6:16])
    np.testing.assert_array_equal(part.joints, whole.joints[6:16])
    assert part.source.frames == 10
    assert mocap("export a.json -o c.json --start 0.2 --end 0.5 --fps 120")[0] == 0
    np.testing.assert_allclose(read_motion(Path("c.json")).times, 0.2 + np.arange(37) / 120)


def test_check_leaves_with_0_and_writes_nothing_of_its_own_when_a_motion_is_fit(mocap):
    code, out, err = mocap("export a.json --check")
    assert (code, out) == (0, "")
    assert "verdict   good (coverage 100 %" in err
    assert files() == ["a.json"]
    assert mocap("export a.json --check -o b.csv")[0] == 0
    assert files() == ["a.json", "b.csv"]


def test_check_gives_one_line_a_reason_and_writes_nothing_of_an_unfit_motion(mocap):
    joints = wobbling(dance(TIMES), size=0.03)
    joints[5:] = np.nan
    write_motion(motion_of(joints, TIMES), Path("bad.json"))
    code, out, err = mocap("export bad.json --check -o b.csv")
    assert (code, out) == (1, "")
    lines = err.splitlines()
    assert lines[0] == "error: bad.json fails the quality checks:"
    assert lines[1] == "  coverage: 17 %, should be at least 70 %"
    assert any(line.startswith("  jitter: ") for line in lines)
    assert files() == ["a.json", "bad.json"]
    code, _, err = mocap("export bad.json -o .csv")
    assert "verdict   needs review (coverage: 17 %, should be at least 70 %; " in err
    Path("bad.csv").unlink()
    code, _, err = mocap("export a.json bad.json --check -o .csv")
    assert code == 1
    assert "1 of 2 motions failed" in err
    assert files() == ["a.csv", "a.json", "bad.json"]


def test_clean_up_options_change_the_motion_in_every_file_that_is_written(mocap):
    typed = "--smooth 6 --height 2 --floor --foot-lock --in-place --fps 60 --rig mixamo"
    assert mocap(f"export a.json {typed} -o b.json -o b.bvh -o b.angles.csv -o b.c3d")[0] == 0
    made = read_motion(Path("b.json"))
    assert len(made.times) == 59
    lengths = bone_lengths(made.joints.astype(float))
    assert standing_height(lengths) == pytest.approx(2.0, abs=1e-3)
    assert "ROOT mixamorig:Hips" in Path("b.bvh").read_text()
    assert len(Path("b.angles.csv").read_text().splitlines()) == 60


def test_a_dance_that_ends_facing_elsewhere_is_no_loop_and_a_standing_person_is(mocap):
    code, _, err = mocap("export a.json --loop -o b.bvh")
    assert (code, "cannot loop" in err) == (1, True)
    filmed("v")
    assert mocap("export v.json --loop -o b.bvh")[0] == 0


def test_a_mirrored_motion_is_what_the_camera_would_see_of_a_mirrored_video(tmp_path):
    motion = standing(probe(film(tmp_path / "v.mp4")), TIMES)
    moved = motion.joints + np.array((0.3, 0, 0), np.float32)
    moved[:, BODY.index("left_wrist"), 1] += 0.5
    motion = motion_of(moved, TIMES, camera=motion.camera, source=motion.source)
    mirrored = _mirror(motion)
    seen, other = project_joints(motion), project_joints(mirrored)
    left, right = (BODY.index(f"{side}_wrist") for side in ("left", "right"))
    wanted = np.stack((motion.source.width - seen[:, left, 0], seen[:, left, 1]), axis=-1)
    np.testing.assert_allclose(other[:, right], wanted, atol=1e-3)
    assert mirrored.xy.shape == (30, len(KEYPOINTS), 2)
    again = _mirror(mirrored)
    np.testing.assert_array_equal(again.joints, motion.joints)
    np.testing.assert_allclose(again.xy, motion.xy, atol=1e-4)


def test_in_place_the_pelvis_only_rises_and_falls_and_the_camera_sees_the_same(tmp_path):
    motion = standing(probe(film(tmp_path / "v.mp4")), TIMES)
    way = np.stack((TIMES, 0.1 * TIMES, 0 * TIMES), axis=-1)[:, None]
    joints = (motion.joints + way).astype(np.float32)
    joints[7:9] = np.nan
    motion = motion_of(joints, TIMES, camera=motion.camera, source=motion.source)
    still = apply_edits(motion, Edits(in_place=True))
    pelvis = still.joints[still.tracked, BODY.index("pelvis")]
    np.testing.assert_allclose(pelvis[:, [0, 2]], 0, atol=1e-6)
    np.testing.assert_array_equal(pelvis[:, 1], joints[still.tracked, BODY.index("pelvis"), 1])
    np.testing.assert_allclose(project_joints(still), project_joints(motion), atol=1e-3)


def test_an_output_that_is_the_input_or_the_video_of_another_motion_is_refused(mocap):
    Path("sub").mkdir()
    Path("sub/n.json").write_bytes(Path("a.json").read_bytes())
    Path("n.coco.json").write_bytes(Path("a.json").read_bytes())
    code, _, err = mocap("export sub/n.json n.coco.json -o .coco.json")
    assert (code, "would overwrite the input n.coco.json" in err) == (1, True)
    assert Path("n.coco.json").read_bytes() == Path("a.json").read_bytes()
