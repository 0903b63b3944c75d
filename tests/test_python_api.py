"""The Python API: `import mocap_cli as mocap`, as a notebook uses it; docs/python.md runs."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from film import film
from person import stand

import mocap_cli as mocap
from mocap_cli.camera.lens import focal_pixels

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "python.md"
PUBLIC = ("track", "track_clips", "background", "pretrain", "fit_labels", "swap_appearance")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with videos, where tracking finds somebody who stands still."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mocap_cli.tracking.track.track", stand)
    film(Path("dive.mp4"))
    return tmp_path


def test_a_video_becomes_a_file_in_two_lines(folder):
    motion = mocap.track("dive.mp4", height=1.62)
    assert motion.save("dive.bvh") == Path("dive.bvh")
    assert Path("dive.bvh").read_text().startswith("HIERARCHY")
    assert isinstance(motion, mocap.Motion)


def test_strings_and_paths_give_the_same(folder):
    mocap.track("dive.mp4").save("a.json")
    mocap.track(Path("dive.mp4")).save(Path("b.json"))
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()
    assert mocap.read_motion("a.json").source == mocap.read_motion(Path("a.json")).source


def test_many_clips_become_files_and_rows_and_are_skipped_once_they_are_done(folder):
    Path("clips/sub").mkdir(parents=True)
    film(Path("clips/sub/b.mp4"))
    Path("clips/bad.mp4").write_text("no video")
    calls = []
    found = [
        mocap.track_clips(
            ["dive.mp4", Path("clips")], "out", recursive=True, suffixes=[".json"], height=1.6,
            summary="all.csv", progress=lambda *call: calls.append(call),
        )
        for _ in range(2)
    ]  # fmt: skip
    assert [row["status"] for row in found[0]] == ["tracked", "failed", "tracked"]
    assert [row["status"] for row in found[1]] == ["skipped", "failed", "skipped"]
    assert "is not a video" in found[0][1]["error"]
    assert found[0][2]["name"] == "sub/b"
    assert calls[:3] == [("clips", n, 3) for n in (1, 2, 3)]
    assert mocap.read_motion("out/sub/b.json").provenance.options["height"] == 1.6
    assert len(Path("all.csv").read_text().splitlines()) == 4


def test_the_repr_of_a_motion_is_one_line(folder):
    text = repr(mocap.track("dive.mp4"))
    expected = "Motion('dive.mp4', 30 frames, 0.97 s, 64x48, world space, 100% tracked, 0 warnings)"
    assert text == expected


def test_an_edit_gives_another_motion_and_leaves_the_first(folder):
    motion = mocap.track("dive.mp4")
    part = motion.edit(start=0.2, end=0.5)
    assert (len(part.times), len(motion.times)) == (10, 30)
    np.testing.assert_array_equal(motion.edit(mirror=True).edit(mirror=True).joints, motion.joints)


def test_progress_counts_the_frames_of_every_stage(folder):
    calls = []
    motion = mocap.track("dive.mp4", progress=lambda *call: calls.append(call))
    motion.save("dive.mp4.overlay.mp4", video="dive.mp4", progress=lambda *c: calls.append(c))
    assert ("tracking", 30, 30) in calls
    assert ("writing dive.mp4.overlay.mp4", 30, 30) in calls
    mocap.background("dive.mp4", people=False, progress=lambda *call: calls.append(call))
    assert ("background", 30, 30) in calls
    assert ("sampling", 30, 30) in calls


def test_the_video_itself_is_not_overwritten(folder):
    with pytest.raises(mocap.MocapError, match="would overwrite the input"):
        mocap.track("dive.mp4").save("dive.mp4", video="dive.mp4")


def test_errors_have_a_message_and_a_hint(folder):
    with pytest.raises(mocap.MocapError) as raised:
        mocap.track("missing.mp4")
    assert raised.value.message == "missing.mp4 does not exist"
    assert raised.value.hint


@pytest.mark.parametrize("subject", ["500,10", (10, 48)])
def test_a_subject_outside_the_image_is_refused(folder, subject):
    with pytest.raises(mocap.MocapError, match=r"outside the image: dive\.mp4 has 64x48"):
        mocap.track("dive.mp4", subject=subject)


@pytest.mark.parametrize(
    ("focal", "fov", "pixels"),
    [
        (900, None, 900),
        ("900", None, 900),
        ("36mm", None, 1920),
        ("26 mm", None, 26 / 36 * 1920),
        (None, 90, 960),
        (None, None, None),
    ],
)
def test_a_lens_may_be_given_in_pixels_35_mm_or_degrees(focal, fov, pixels):
    assert focal_pixels(focal, fov, (1080, 1920)) == pytest.approx(pixels)


@pytest.mark.parametrize(("focal", "fov"), [("26cm", None), (-1, None), (None, 180), (900, 60)])
def test_a_lens_that_cannot_be_is_refused(focal, fov):
    with pytest.raises(mocap.MocapError):
        focal_pixels(focal, fov, (1080, 1920))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_keyword_is_described_in_the_docstring(name):
    function = getattr(mocap, name)
    described = set(re.findall(r"^ {8}(\w+):", inspect.getdoc(function) or "", re.M)) | set(
        re.findall(r"^ {4}(\w+):", inspect.getdoc(function) or "", re.M)
    )
    assert set(inspect.signature(function).parameters) <= described


def test_the_import_is_light_and_the_names_are_there():
    script = (
        "import sys, mocap_cli as m; heavy = {'numpy', 'torch', 'cv2', 'av', 'onnxruntime'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules);"
        "assert set(m.__all__) <= set(dir(m)); assert callable(m.track); m.Motion"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_track_runs_from_video_to_files_without_importing_what_it_does_not_need(tmp_path):
    script = (
        "import sys; from mocap_cli.cli.app import app;"
        "app(sys.argv[1:], standalone_mode=False);"
        "slow = {'torch', 'torchvision', 'trimesh', 'pygltflib'};"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )
    walk, outputs = ROOT / "examples" / "walk.mp4", ("a.bvh", "a.json")
    files = [part for name in outputs for part in ("-o", str(tmp_path / name))]
    command = ["track", str(walk), "--end", "0.2", *files, "--overlay", "--quiet"]
    subprocess.run([sys.executable, "-c", script, *command], check=True)
    assert {p.name for p in tmp_path.iterdir()} == {*outputs, "a.overlay.mp4"}


def test_functions_are_not_hidden_by_packages_of_their_name():
    script = (
        "import mocap_cli.plates.builder, mocap_cli.tracking.track, mocap_cli as mocap\n"
        "assert all(callable(getattr(mocap, n)) for n in mocap.__all__)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_package_is_typed():
    assert (Path(mocap.__file__).parent / "py.typed").is_file()


def test_the_documented_examples_run(folder, capsys):
    film(Path("ski.mp4"))
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S)
    assert len(blocks) > 4
    names: dict[str, object] = {}
    for block in (b for b in blocks if not b.startswith("# skip in tests")):
        exec(compile(block, str(DOCS), "exec"), names)
    assert "missing.mp4 does not exist" in capsys.readouterr().out
