"""Faults of the machine and of what is typed: kills, full disks, two at once, paths, numbers."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from typer.models import OptionInfo

from mocap_cli.cli.background import background
from mocap_cli.cli.export import export
from mocap_cli.cli.label_fit import label_fit
from mocap_cli.cli.pretrain import pretrain
from mocap_cli.cli.track import track
from mocap_cli.export.registry import FORMATS
from tests.faults.samples import Samples
from tests.faults.trial import Outcome, Trial, carry_out

_QUICK = [suffix for suffix in FORMATS if suffix not in (".mp4", ".png")]


def killed(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """A command that is killed: the old file or the new one stays, the next leaves nothing."""
    samples.copy("a.json", folder)
    samples.copy("a.mp4", folder)
    suffix = rng.choice(_QUICK)
    typed = f"export a.json -o b{suffix}" if rng.random() < 0.6 else f"track a.mp4 -o b{suffix}"
    whole = folder.with_name("whole")
    first = carry_out(Trial(typed=typed), _copy(folder, whole))
    made = (whole / f"b{suffix}").read_bytes() if first.verdict == "answered" else b""

    def check() -> str:
        path = folder / f"b{suffix}"
        if path.exists() and path.read_bytes() != made and suffix not in (".npz", ".html"):
            return f"half of {path.name} was written"
        again: Outcome = carry_out(Trial(typed=typed), _copy(folder, whole))
        return f"the next one: {again.why}" if again.verdict != "answered" else ""

    after = rng.uniform(0.0, 1.1 * first.processor)
    return Trial(typed=typed, kill_after=after, check=check)


def _copy(folder: Path, target: Path) -> Path:
    """The folder again, with the temporary files of the killed; without the log folder."""
    import shutil

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("tmp"))
    return target


def full_disk(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """A disk that is full after some bytes: one line, and an older file stays."""
    samples.copy("a.json", folder)
    samples.copy("a.mp4", folder)
    room = int(2 ** rng.uniform(0, 19))
    suffix = rng.choice(list(FORMATS))
    if suffix == ".json":
        typed = "track a.mp4 -o b.json"
    elif rng.random() < 0.2:
        how = rng.choice(("--median", "--panorama"))
        typed = f"background a.mp4 -o b.png {how} --no-people --samples 3 --video --sheet"
    else:
        typed = f"export a.json -o b{suffix} --overwrite"
        (folder / f"b{suffix}").write_text("old")
    keep = tuple(p.name for p in folder.iterdir())

    def check() -> str:
        left = folder / f"b{suffix}"
        return "an empty file was left" if left.exists() and not left.stat().st_size else ""

    # Where it fitted, the older file is replaced.
    inputs = tuple(name for name in keep if not name.startswith("b"))
    real = suffix == ".json" and rng.random() < 0.5
    return Trial(
        typed=typed, file_bytes=room, keep=inputs, check=check, tracker=real,
        setup=_records_in_a_file if rng.random() < 0.5 else lambda: None,
    )  # fmt: skip


def _records_in_a_file() -> None:
    """Keep what is known of every frame on the disk from the first frame on."""
    from mocap_cli.io import records

    records._IN_MEMORY = 100


def two_at_once(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """The same command twice at once: a whole file, and none left aside."""
    samples.copy("a.json", folder)
    samples.copy("a.mp4", folder)
    suffix = rng.choice(_QUICK)
    typed = f"export a.json -o b{suffix}" if rng.random() < 0.6 else f"track a.mp4 -o b{suffix}"

    def check() -> str:
        size = (folder / f"b{suffix}").stat().st_size
        return "" if size else "an empty file"

    return Trial(typed=typed, twice=True, check=check, must="answered")


def aliased_paths(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """Outputs that are inputs, other people's files or nothing that can be written."""
    for name in ("a.mp4", "a.json"):
        samples.copy(name, folder)
    (folder / "sub").mkdir()
    (folder / "own.bvh").write_text("somebody's")
    (folder / "own.json").write_text('{"mocap": "mine"}')
    (folder / "own.png").write_bytes(b"\x89PNG picture")
    for name in ("x.2.fbx", "x.1_ik.xml", "own-2.png"):
        (folder / name).write_text("somebody's")
    (folder / "l").symlink_to(folder, target_is_directory=True)
    for name in ("a.mp4", "a.json"):
        os.link(folder / name, folder / f"hard-{name}")
        (folder / f"soft-{name}").symlink_to(name)
    (folder / "loop.bvh").symlink_to("loop.bvh")
    os.mkfifo(folder / "pipe.bvh")
    targets = ("a.mp4", "a.json", "./a.json", "sub/../a.mp4", "l/a.json", "hard-a.json",
               "new/../a.mp4", "new/../own.png", "new/../x.bvh", "new/..", "new/../sub/",
               "soft-a.mp4", "hard-a.mp4", "soft-a.json", "own.bvh", "own.json", "own.png",
               "l/own.bvh", "loop.bvh", "pipe.bvh", "sub", "sub/", "n" * 300 + ".bvh", "/dev/null",
               "sub/x.bvh", "own.bvh/x.bvh", "x.mot", "x.blend.py",
               "''", ".", "..", "/proc/x.bvh", ".xyz", "x.fbx",
               "x.json", "l/x.json", "x.mp4")  # fmt: skip
    outputs = " ".join(f"-o {t}" for t in rng.sample(targets, rng.choice((1, 1, 2))))
    command = rng.choice(("track a.mp4", "export a.json", "track soft-a.mp4", "export l/a.json",
                          "track a.mp4 --subject all"))  # fmt: skip
    if rng.random() < 0.2:
        command += f" --summary {rng.choice(('own.json', 'a.json', 'x.2.csv', 'l/s.csv'))}"
    if rng.random() < 0.2:
        command, outputs = (
            "background a.mp4 --median --no-people --samples 3",
            outputs.split(" -o")[0],
        )
        outputs += rng.choice(("", " --video", " --sheet"))
    results = ("a.json", "hard-a.json")  # that may be replaced where they are not read
    keep = [p.name for p in folder.iterdir() if p.is_file() and p.name not in results]
    if command.startswith("export"):
        keep += results
    return Trial(typed=f"{command} {outputs}", keep=tuple(k for k in keep if "soft" not in k))


_NUMBERS = ("0", "-1", "1", "2", "0.5", "1e-9", "1e-308", "1e308", "nan", "inf", "-inf", "1e9",
            "99999999999999999999", "10", "3.7", "x", "''", "1,2", "٣", "26mm", "0mm")  # fmt: skip


def wild_options(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """Any value for any option of any command."""
    for name in ("a.mp4", "a.json", "a.csv"):
        samples.copy(name, folder)
    command = rng.choice(list(_COMMANDS))
    given = []
    for name, hint in rng.sample(_options(_COMMANDS[command]), rng.choice((1, 1, 2, 3))):
        flag = get_args(hint)[0] in (bool, bool | None)
        given.append(name if flag else f"{name} {rng.choice(_values(hint))}")
    base = {
        "track": "a.mp4 -o x.bvh",
        "export": "a.json -o x.bvh -o x.csv",
        "background": "a.mp4 -o y.png --no-people",
        "pretrain": "missing.mp4",  # a run would take minutes
        "label-fit": "missing.mp4 --labels a.csv",
    }[command]
    return Trial(typed=f"{command} {base} {' '.join(given)}")


_COMMANDS = {"track": track, "export": export, "background": background, "pretrain": pretrain,
             "label-fit": label_fit}  # fmt: skip
_LEFT_OUT = ("-o", "--appearance")


def _options(command: Callable[..., None]) -> list[tuple[str, Any]]:
    """Name and annotated type of every option."""
    found = []
    for name, hint in get_type_hints(command, include_extras=True).items():
        info = next(
            (i for i in getattr(hint, "__metadata__", ()) if isinstance(i, OptionInfo)), None
        )
        if info is not None:
            names = (info.param_decls or (f"--{name.replace('_', '-')}",))[0].split("/")
            found += [(one, hint) for one in names if one not in _LEFT_OUT]
    return found


def _values(hint: Any) -> tuple[str, ...]:
    choices = get_args(get_args(hint)[0]) if get_origin(get_args(hint)[0]) is Literal else ()
    return (*choices, "x") if choices else (*_NUMBERS, "a.json", "missing", "sub/")
