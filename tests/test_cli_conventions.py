"""What all commands have in common: summaries, progress, existing files, sub-folders, lenses."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from film import film
from person import stand
from rich.console import Console
from typer.models import OptionInfo

from mocap_cli.cli import display
from mocap_cli.cli.app import app
from mocap_cli.errors import MocapError

COMMANDS = ("track", "export", "background", "pretrain", "label-fit")


def plain(text: str) -> str:
    """Words of a box of rich, without its lines."""
    return " ".join(text.replace("│", " ").split())


# Existing files


def test_a_command_can_be_repeated_and_says_what_it_replaced(mocap):
    film(Path("a.mp4"))
    assert "wrote     a.bvh" in mocap("track a.mp4 -o a.bvh")[2]
    code, _, err = mocap("track a.mp4 -o a.bvh")
    assert code == 0
    assert "replaced  a.bvh" in err
    assert "wrote" not in err


@pytest.mark.parametrize(
    "typed",
    [
        "track a.mp4 -o a.json -o new.bvh",
        "export a.json -o a.bvh -o new.csv",
        "background a.mp4 -o a.png --no-people --median",
        "background a.mp4 -o b.png --no-people --median --sheet",
    ],
)
def test_no_overwrite_stops_before_the_work_and_writes_nothing(mocap, typed):
    film(Path("a.mp4"))
    assert mocap("track a.mp4")[0] == 0
    Path("a.png").touch()
    Path("b.sheet.png").touch()
    before = {path: path.read_bytes() for path in Path().iterdir()}
    code, _, err = mocap(f"{typed} --no-overwrite")
    assert code == 1
    assert "exists already" in err
    assert "--no-overwrite" in err
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_of_a_folder_no_overwrite_skips_what_is_done_and_replaces_nothing_else(mocap):
    Path("in").mkdir()
    for name in ("a", "b", "c"):
        film(Path(f"in/{name}.mp4"))
    assert mocap("track in/a.mp4 -o out/ -o .json")[0] == 0
    Path("out/b.json").write_text("{}")
    code, _, err = mocap("track in -o out/ -o .json --no-overwrite")
    assert code == 1
    assert "a.mp4: 30 frames" in err
    assert "done already" in err
    assert "1 of 3 videos failed" in err
    assert Path("out/b.json").read_text() == "{}"
    assert Path("out/c.json").exists()


# JSON summaries


def test_track_prints_one_json_object_for_scripts(mocap):
    film(Path("a.mp4"))
    film(Path("b.mp4"))
    code, out, err = mocap("track a.mp4 b.mp4 -o out/ -o .json --json")
    assert (code, err) == (0, "")
    summary = json.loads(out)
    assert summary["command"] == "track"
    assert summary["failures"] == []
    first = summary["results"][0]
    assert first["input"] == "a.mp4"
    assert first["frames"] == 30
    size = Path("out/a.json").stat().st_size
    assert first["outputs"] == [{"path": "out/a.json", "bytes": size, "replaced": False}]


def test_a_failure_is_in_the_json_and_in_the_exit_status(mocap):
    Path("bad.mp4").write_text("no video")
    code, out, err = mocap("track bad.mp4 --json")
    assert code == 1
    failure = json.loads(out)["failures"][0]
    assert failure["input"] == "bad.mp4"
    assert failure["error"] in err


def test_export_and_background_print_json_too(mocap):
    film(Path("a.mp4"))
    assert mocap("track a.mp4 -q")[0] == 0
    code, out, err = mocap("export a.json -o a.csv --json")
    assert (code, err) == (0, "")
    result = json.loads(out)["results"][0]
    assert result["problems"] == []
    assert result["quality"]["coverage"] == 1
    code, out, err = mocap("background a.mp4 --no-people --median --json")
    assert (code, err) == (0, "")
    result = json.loads(out)["results"][0]
    assert result["method"] == "median"
    paths = {output["path"] for output in result["outputs"]}
    assert {"a.background.png", "a.background.npz"} <= paths


# Progress


def test_progress_is_a_plain_line_every_ten_seconds_where_there_is_no_terminal(monkeypatch, capsys):
    clock = iter([0, 1, 11, 12, 22, 23])
    monkeypatch.setattr(display.time, "monotonic", lambda: float(next(clock)))
    shown = display.Display("track", quiet=False, as_json=False)
    with shown.progress("clip[b].mp4") as progress:
        for done in (10, 110, 120, 220):
            progress("tracking", done, 400)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "clip[b].mp4: tracking: 110 of 400 (28%), 11/s, 26 s left",
        "clip[b].mp4: tracking: 220 of 400 (55%), 10/s, 17 s left",
    ]


def test_progress_is_silent_when_quiet(monkeypatch, capsys):
    monkeypatch.setattr(display, "SECONDS_PER_LINE", 0)
    with display.Display("track", quiet=True, as_json=False).progress("a") as progress:
        progress("tracking", 1, 2)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_there_is_a_bar_for_each_stage(monkeypatch):
    console = Console(force_terminal=True, width=100, file=io.StringIO())
    monkeypatch.setattr(display, "_stderr_console", lambda: console)
    with display.Display("track", quiet=False, as_json=False) as shown:
        with shown.progress("clip[b].mp4") as progress:
            progress("tracking", 1, 2)
            bars = [task.fields["label"].plain for task in shown._bars.tasks]
            assert bars == ["clip[b].mp4: tracking"]
            progress("writing a.bvh", 1, 2)
            bars = [task.fields["label"].plain for task in shown._bars.tasks]
            assert bars == ["clip[b].mp4: writing a.bvh"]
        assert shown._bars.tasks == []


# Folders


@pytest.fixture
def nested(mocap):
    for folder in ("in", "in/day1", "in/day2", "in/.trash"):
        Path(folder).mkdir()
    for name in ("in/a", "in/day1/b", "in/day2/b", "in/.trash/c"):
        film(Path(f"{name}.mp4"))
    return mocap


def test_sub_folders_are_named_when_they_are_skipped(nested):
    code, _, err = nested("track in -o out/ -o .json")
    assert code == 0
    assert "skipped the sub-folder in/day1 and 1 more: --recursive includes them" in err
    assert [p.name for p in Path("out").iterdir()] == ["a.json"]


def test_recursive_includes_sub_folders_and_keeps_them_apart(nested):
    code, _, err = nested("track in -o out/ -o .json --recursive")
    assert code == 0
    assert "skipped" not in err
    made = sorted(p.as_posix() for p in Path("out").rglob("*.json"))
    assert made == ["out/a.json", "out/day1/b.json", "out/day2/b.json"]


def test_a_folder_with_videos_in_sub_folders_alone_names_the_option(nested):
    Path("in/a.mp4").unlink()
    code, _, err = nested("track in -o out/")
    assert code == 1
    assert "in holds no videos" in err
    assert "its sub-folder day1/ does: add --recursive" in err


# Values


@pytest.mark.parametrize(
    ("height", "hint"),
    [
        ("170", "did you mean 1.70?"),
        ("5.6", "5.6 feet are 1.71"),
        ("5", "5 feet are 1.52"),
        ("0.01", "give metres, 0.05 to 3"),
        ("-1", "give a number above 0"),
        ("nan", "give a number above 0"),
    ],
)
def test_a_height_that_is_not_in_metres_gets_a_hint(mocap, height, hint):
    film(Path("a.mp4"))
    code, _, err = mocap(f"track a.mp4 --height {height}")
    assert code == 2
    assert hint in plain(err)


def test_a_lens_may_be_given_as_a_35_mm_equivalent_or_a_field_of_view(mocap, monkeypatch):
    given = []
    monkeypatch.setattr(
        "mocap_cli.tracking.track.track",
        lambda p, o, on_frame: given.append(o.focal) or stand(p, o),
    )
    film(Path("a.mp4"))  # 64x48
    for lens in ("--focal 36mm", "--fov 90", "--focal 80"):
        assert mocap(f"track a.mp4 -o a.json {lens}")[0] == 0
    assert given == pytest.approx([64, 32, 80])


@pytest.mark.parametrize("lens", ["--focal 26cm", "--focal nan", "--fov 180", "--focal 9 --fov 9"])
@pytest.mark.parametrize("command", ["track", "background"])
def test_a_lens_that_cannot_be_is_bad_usage(mocap, command, lens):
    film(Path("a.mp4"))
    assert mocap(f"{command} a.mp4 {lens}")[0] == 2


# Help


@pytest.mark.parametrize("typed", ["-V", "--version"])
def test_the_version_has_a_short_option_too(mocap, typed):
    assert mocap(typed) == (0, "mocap 0.1.0\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_described_and_every_command_has_an_example(command):
    import typer

    found = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    assert f"Example: mocap {command}" in (found.help or "")
    for option in found.params:
        assert option.help, option.name
        assert option.help[0].isupper() or option.help[0] in "`.", option.help
        assert option.help.endswith("."), option.help


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_share_their_options_for_scripts(mocap, command):
    _, out, _ = mocap(f"{command} --help")
    assert {"--json", "--quiet", "--recursive"} <= set(out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_number_has_a_range_that_its_help_shows(command):
    numbers = 0
    for registered in app.registered_commands:
        if registered.callback.__name__.replace("_", "-") != command:
            continue
        for name, hint in get_type_hints(registered.callback, include_extras=True).items():
            kinds = (
                {get_args(hint)[:1], get_args(get_args(hint)[0])[:1]} if get_args(hint) else set()
            )
            if not kinds & {(int,), (float,)}:
                continue
            numbers += 1
            (info,) = [i for i in hint.__metadata__ if isinstance(i, OptionInfo)]
            both = info.min is not None and info.max is not None
            assert both or re.search(r"[\d.e-]+ to \d|above \d+, below \d", info.help), name
    assert numbers


def test_rare_options_are_grouped_below_the_usual_ones(mocap):
    _, out, _ = mocap("export --help")
    assert out.index("--output") < out.index("Clean-up") < out.index("--smooth")
    assert out.index("Appearance swap") < out.index("--appearance  ")
    _, out, _ = mocap("pretrain --help")
    assert out.index("--steps") < out.index("Research") < out.index("--pixel-weight")


def test_completion_can_be_installed(tmp_path):
    # No shell is looked for among the parent processes: a detached run has none.
    home = {
        **os.environ,
        "HOME": str(tmp_path),
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    command = [sys.executable, "-m", "mocap_cli", "--show-completion", "bash"]
    done = subprocess.run(command, capture_output=True, text=True, env=home)
    assert "_MOCAP_COMPLETE" in done.stdout, done.stderr


def test_an_error_names_no_python_and_keeps_brackets(capsys):
    display.show_error(MocapError("clip[b].mp4 is empty", "copy it [again]"))
    assert capsys.readouterr().err == "error: clip[b].mp4 is empty\nhint: copy it [again]\n"
