"""The command line as a user types it; the tracker is replaced by somebody who stands still."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from film import film
from person import stand, standing

from mocap_cli.body.motion_json import read_motion
from mocap_cli.errors import MocapError
from mocap_cli.keypoints.subject import SubjectPoint
from mocap_cli.tracking.track import TrackOptions
from mocap_cli.video.reader import probe


def files(folder: Path = Path()) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_the_suffix_decides_what_is_written(mocap):
    film(Path("a.mp4"))
    code, out, _ = mocap("track a.mp4 -o b.json -o c.mp4")
    assert (code, out) == (0, "")
    assert files() == ["a.mp4", "b.json", "c.mp4"]
    assert len(read_motion(Path("b.json")).times) == 30


def test_without_o_a_bvh_and_a_json_are_named_after_the_video(mocap):
    film(Path("a.mp4"))
    assert mocap("track a.mp4")[0] == 0
    assert files() == ["a.bvh", "a.json", "a.mp4"]


def test_an_overlay_never_takes_the_name_of_the_video(mocap):
    film(Path("a.mp4"))
    assert mocap("track a.mp4 -o .json --overlay")[0] == 0
    assert files() == ["a.json", "a.mp4", "a.overlay.mp4"]


def test_the_overlay_stands_beside_the_file_that_was_asked_for(mocap):
    film(Path("a.mp4"))
    assert mocap("track a.mp4 -o out/b.json --overlay")[0] == 0
    assert files() == ["a.mp4", "out/b.json", "out/b.overlay.mp4"]


def test_a_folder_in_gives_a_folder_out_past_bad_files(mocap):
    Path("in").mkdir()
    film(Path("in/one.mp4"))
    film(Path("in/two[b].MOV"))
    film(Path("in/old.overlay.mp4"))
    Path("in/bad.mp4").write_text("no video")
    Path("in/notes.txt").write_text("no video either")
    code, _, err = mocap("track in -o out -o .json")
    assert code == 1
    assert files(Path("out")) == ["one.json", "two[b].json"]
    assert "1 of 3 videos failed" in err
    assert "bad.mp4" in err.split("failed")[1]
    assert "two[b].MOV: 30 frames" in err


def test_a_bug_costs_no_other_video_and_keeps_its_traceback(mocap, monkeypatch):
    def stumble(path, options, on_frame):
        if path.name == "a.mp4":
            raise KeyError("bug")
        return stand(path, options, on_frame)

    monkeypatch.setattr("mocap_cli.tracking.track.track", stumble)
    film(Path("a.mp4"))
    film(Path("b.mp4"))
    code, _, err = mocap("track a.mp4 b.mp4 -o .json")
    assert code == 1
    assert "Traceback" in err
    assert files() == ["a.mp4", "b.json", "b.mp4"]


def test_a_bug_in_the_check_of_one_video_costs_no_other(mocap, monkeypatch):
    def stumble(path):
        if path.name == "a.mp4":
            raise ValueError("bug")
        return probe(path)

    monkeypatch.setattr("mocap_cli.clips.clip_tracker.probe", stumble)
    film(Path("a.mp4"))
    film(Path("b.mp4"))
    code, _, err = mocap("track a.mp4 b.mp4 -o .json")
    assert (code, "stopped by a bug" in err) == (1, True)
    assert files() == ["a.mp4", "b.json", "b.mp4"]


def test_two_videos_that_would_write_one_file_are_refused_before_the_work(mocap):
    Path("x").mkdir()
    film(Path("a.mp4"))
    film(Path("x/a.mov"))
    code, _, err = mocap("track a.mp4 x/a.mov -o .json")
    assert code == 1
    assert "would both write a.json" in err
    assert files() == ["a.mp4", "x/a.mov"]


def test_an_output_that_is_the_input_of_another_video_is_refused_before_the_work(mocap):
    film(Path("w.mp4"))
    film(Path("w.overlay.mp4"))
    before = Path("w.overlay.mp4").read_bytes()
    code, _, err = mocap("track w.mp4 ./w.overlay.mp4 -o .json --overlay")
    assert code == 1
    assert "would overwrite the input w.overlay.mp4" in err
    assert Path("w.overlay.mp4").read_bytes() == before


def test_the_report_tells_what_was_followed_written_and_what_to_do_next(mocap):
    film(Path("a.mp4"))
    code, out, err = mocap("track a.mp4 -o a.json -o a.bvh --units m")
    assert (code, out) == (0, "")
    assert "a.mp4: 30 frames, 1.00 s at 30.00 fps, 64x48" in err
    assert "100% of the frames" in err
    assert "wrote     a.json" in err
    assert "Motion Capture (.bvh), Scale 1," in err


def test_doubtful_stretches_and_warnings_are_reported(mocap, monkeypatch):
    def doubtful(path, options, on_frame):
        motion = stand(path, options)
        joints, seen, sigma = motion.joints.copy(), motion.detected.copy(), motion.sigma.copy()
        joints[3:9] = np.nan
        seen[3:15] = False
        sigma[20:26] = 0.2
        return standing(
            *(probe(path), motion.times),
            joints=joints, detected=seen, sigma=sigma, warnings=("the ground is [b]not[/b] known",),
        )  # fmt: skip

    monkeypatch.setattr("mocap_cli.tracking.track.track", doubtful)
    film(Path("a.mp4"))
    _, _, err = mocap("track a.mp4 -o a.json")
    assert "80% of the frames (6 of them interpolated)" in err
    assert "0.10-0.27 s (nobody found), 0.30-0.47 s (filled in), 0.67-0.83 s (unsure)" in err
    assert "warning   the ground is [b]not[/b] known" in err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a folder that is in use")
def test_a_current_folder_that_is_deleted_is_one_line_and_a_hint(mocap, tmp_path, monkeypatch):
    film(Path("a.mp4"))
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir("gone")
    (tmp_path / "gone").rmdir()
    code, _, err = mocap(f"track {tmp_path}/a.mp4")
    said = ["error: the current folder does not exist any more", "hint: cd to another"]
    assert (code, err.splitlines()) == (1, said)


def test_quiet_says_nothing_when_all_is_well(mocap):
    film(Path("a.mp4"))
    assert mocap("track a.mp4 -o a.json --quiet") == (0, "", "")


def test_options_reach_the_tracker(mocap, monkeypatch):
    given = []
    monkeypatch.setattr(
        "mocap_cli.tracking.track.track", lambda p, o, on_frame: given.append(o) or stand(p, o)
    )
    film(Path("a.mp4"))
    code, _, err = mocap(
        "track a.mp4 -o a.json --subject 12,34.5 --height 1.6 --focal 900"
        " --start 0.2 --end 0.5 --fps 25 --device cpu"
    )
    assert code == 0, err
    assert given == [
        TrackOptions(
            subject=(SubjectPoint(12.0, 34.5),),
            height=1.6,
            focal=900,
            start=0.2,
            end=0.5,
            fps=25,
            device="cpu",
        )
    ]
    assert len(read_motion(Path("a.json")).times) == 10


def test_an_error_is_one_line_and_a_hint_with_brackets_kept(mocap, monkeypatch):
    def fail(path, options, on_frame):
        raise MocapError("nobody was found in clip[b].mp4", "say who with [--subject X,Y]")

    monkeypatch.setattr("mocap_cli.tracking.track.track", fail)
    film(Path("a.mp4")).rename("clip[b].mp4")
    code, out, err = mocap("track clip[b].mp4 -o a.json")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "error: nobody was found in clip[b].mp4",
        "hint: say who with [--subject X,Y]",
    ]
    assert files() == ["clip[b].mp4"]


def never(path, options, on_frame):
    raise AssertionError("the long work has begun")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("a.foo", ".foo is not a known format"),
        ("a.mp4", "would overwrite the input a.mp4"),
        ("link.mp4", "would overwrite the input a.mp4"),
        ("blocked/a.json", "cannot write blocked/a.json: Not a directory"),
        ("/proc/a.json", "cannot write /proc/a.json: "),
        ("out/ -o .json", "out/a.json is a folder"),
        ("protected.json", "protected.json: it is write-protected"),
        ("loop/a.json", "cannot write loop/a.json: Too many levels of symbolic links"),
        (f"{'a' * 260}.json", "File name too long"),
        (f"{'a' * 260}", "File name too long"),
        ("b.json --subject 5000,5000", "outside the image: a.mp4 has 64x48 pixels"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_the_work(mocap, monkeypatch, output, said):
    monkeypatch.setattr("mocap_cli.tracking.track.track", never)
    film(Path("a.mp4"))
    Path("link.mp4").hardlink_to("a.mp4")
    Path("blocked").touch()
    Path("protected.json").touch(0o444)
    Path("loop").symlink_to("loop")
    Path("out/a.json").mkdir(parents=True)
    before = files()
    code, out, err = mocap(f"track a.mp4 -o {output}")
    assert (code, out) == (1, "")
    assert said in err.splitlines()[0]
    assert err.splitlines()[1].startswith("hint: ")
    assert files() == before


def test_a_disk_too_full_is_refused_before_the_work(mocap, monkeypatch):
    monkeypatch.setattr("mocap_cli.tracking.track.track", never)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    film(Path("a.mp4"))
    code, _, err = mocap("track a.mp4 -o a.json")
    assert code == 1
    assert "cannot write a.json: it needs about" in err
    assert files() == ["a.mp4"]


@pytest.mark.parametrize(
    "typed",
    [
        "track",
        "track a.mp4 --device tpu",
        "track a.mp4 --height -1",
        "track a.mp4 --height 5",
        "track a.mp4 --height 1e-308",
        "track a.mp4 --start 1e308",
        "export a.json --smooth 1e-308",
        "export a.json --smooth 1e-6",
        "pretrain a.mp4 --seed 100000000000000000000",
        "pretrain a.mp4 --dry-run --batch 1000000000",
        "track a.mp4 --focal nan",
        "track a.mp4 --start 2 --end 1",
        "track a.mp4 --subject nobody",
        "track a.mp4 --units inch",
        "track a.mp4 a.mp4 b.mp4 -o one.json",
        "track a.mp4 -o one/ -o two/",
        "trakc a.mp4",
    ],
)
def test_bad_usage_leaves_with_2_before_the_work(mocap, monkeypatch, typed):
    monkeypatch.setattr("mocap_cli.tracking.track.track", never)
    film(Path("a.mp4"))
    code, out, err = mocap(typed)
    assert (code, out) == (2, "")
    assert "Usage: mocap" in err
    assert files() == ["a.mp4"]


def test_the_version_is_told(mocap):
    assert mocap("--version") == (0, "mocap 0.1.0\n", "")


def test_the_help_names_every_option_and_ends_in_an_example(mocap):
    code, out, _ = mocap("track --help")
    assert code == 0
    options = {"output", "overlay", "subject", "height", "focal", "start", "end", "fps", "units"}
    assert {f"--{option}" for option in options | {"device", "quiet"}} <= set(out.split())
    assert "Example: mocap track dive.mp4" in out


def test_the_help_answers_before_anything_heavy_is_loaded():
    command = [sys.executable, "-X", "importtime", "-m", "mocap_cli", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in loaded
    assert not loaded & {"numpy", "torch", "av", "cv2", "onnxruntime", "scipy"}


def test_the_entry_point_loads_next_to_nothing_before_it_can_catch_an_interrupt():
    script = "import sys; import mocap_cli.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert not {"typer", "rich", "mocap_cli.cli.app"} & set(done.stdout.split())


def test_an_interrupt_of_the_imports_is_exit_status_130(mocap, monkeypatch):
    class Interrupted:
        def find_spec(self, name, path, target=None):
            if name == "mocap_cli.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "mocap_cli.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    assert mocap("--version") == (130, "", "")


_SLOW = """
import sys, time, types
sys.path.insert(0, {tests!r})
from person import stand
tracking = types.ModuleType("mocap_cli.tracking.track")  # the true one takes seconds to import
tracking.TrackOptions, tracking.track = types.SimpleNamespace, stand
tracking.networks_used = lambda *model: dict()
sys.modules[tracking.__name__] = tracking
from mocap_cli.cli import main
from mocap_cli.export.views import overlay
draw = overlay._draw_person
overlay._draw_person = lambda *values: (time.sleep(0.05), draw(*values))
sys.argv = "mocap track a.mp4 -o out/ -o .mp4".split()
main.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143), (1, 129)])
def test_an_interrupt_leaves_nothing_half_written(tmp_path, number, code):
    film(tmp_path / "a.mp4", range(600), sound_seconds=5)
    script = _SLOW.format(tests=str(Path(__file__).parent))
    child = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out/.a*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    assert list(tmp_path.glob("out/.a*.mp4")), "the overlay is being written"
    child.send_signal(number)
    _, err = child.communicate(timeout=30)
    assert child.returncode == code
    assert b"Traceback" not in err
    assert files(tmp_path) == ["a.mp4"]


def test_control_characters_in_names_and_motions_do_not_reach_the_terminal(mocap, monkeypatch):
    film(Path("a\x1b[2J.mp4"))
    shown = standing_named("b\x1b]0;title\x07.mp4")
    monkeypatch.setattr(
        "mocap_cli.tracking.track.track", lambda path, options, on_frame: shown(path, options)
    )
    typed = "track 'a\x1b[2J.mp4' -o .json"
    code, _, err = mocap(typed)
    assert (code, "\x1b" in err, "\x07" in err) == (0, False, False)
    assert "\N{SYMBOL FOR ESCAPE}[2J.json" in err
    code, _, err = mocap("track 'none\x1b[2J.mp4' -o .json")
    assert (code, "\x1b" in err) == (1, False)


def standing_named(name):
    def track(path, options):
        motion = stand(path, options)
        return replace(motion, source=replace(motion.source, file=name))

    return track


def test_a_height_in_centimetres_is_answered_with_metres(mocap):
    film(Path("a.mp4"))
    code, _, err = mocap("track a.mp4 --height 170")
    assert (code, "did you mean 1.70?" in " ".join(err.split())) == (2, True)
