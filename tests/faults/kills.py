"""Kills at random moments of the long commands: the same again ends as if nothing had happened."""

import json
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
from blob import TINY
from safetensors.numpy import load_file

from tests.faults.samples import Samples
from tests.faults.trial import Trial, carry_out, left_aside

_COMPARED = (".json", ".bvh", ".glb", ".png", ".npz", ".mp4")
_STEPS, _SAVES = 4, 2
_PRETRAIN = "--preset small --side 96 --batch 2 --device cpu --store frames"
_BACKGROUND = "longer.mp4 -o y.png --median --no-people --samples 3 --video --sheet"


def killed_pretrain(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """Learning: resumed, or begun again, it ends in the same weights and losses."""
    for name in ("blob.mp4", "blob.background.npz"):
        samples.copy(name, folder)
    first = f"pretrain blob.mp4 -o run --steps {_STEPS} {_PRETRAIN}"

    def again() -> str:
        return "pretrain -o run --resume" if (folder / "run/last.safetensors").exists() else first

    return _killed(rng, folder, samples, first, again, setup=_use_tiny_model)


def killed_track(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """Tracking to several files: each is whole or not there, and the same command does the rest."""
    samples.copy("a.mp4", folder)
    typed = "track a.mp4 -o b.json -o b.bvh -o b.glb -o b.html --overlay"
    return _killed(rng, folder, samples, typed, lambda: typed)


def killed_background(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """The scene without the person, with its video and its sheet."""
    samples.copy("longer.mp4", folder)
    typed = f"background {_BACKGROUND}"
    return _killed(rng, folder, samples, typed, lambda: typed)


def _killed(
    rng: random.Random,
    folder: Path,
    samples: Samples,
    typed: str,
    again: Callable[[], str],
    setup: Callable[[], None] = lambda: None,
) -> Trial:
    """The command, killed once or twice before it runs to its end."""
    whole, seconds = _unbroken(folder, samples, Trial(typed=typed, setup=setup))
    inputs = tuple(str(p.relative_to(folder)) for p in folder.rglob("*.mp4"))

    def check() -> str:
        if broken := _torn(folder, whole):
            return broken
        for last in rng.choice(((True,), (False, True))):
            after = None if last else rng.uniform(0, seconds)
            shutil.rmtree(folder / "tmp")
            trial = Trial(typed=again(), setup=setup, keep=inputs, kill_after=after)
            end = carry_out(trial, folder)
            if end.verdict not in ("answered", "killed"):
                complete = "is complete" in end.said  # killed after its last step
                if not complete:
                    return f"the next one: {end.why or end.said[:300]}"
        return _different(folder, whole) or left_aside(folder)

    after = rng.uniform(0, 1.1 * seconds)
    return Trial(typed=typed, setup=setup, kill_after=after, keep=inputs, check=check)


def _unbroken(folder: Path, samples: Samples, trial: Trial) -> tuple[Path, float]:
    """The folder after the same command without a kill, made once, and what it took."""
    whole = samples.folder / f"whole-{trial.typed.split()[0]}"
    took = whole.with_suffix(".seconds")
    if not took.exists():
        shutil.copytree(folder, whole)
        end = carry_out(trial, whole)
        if end.verdict != "answered":
            raise RuntimeError(f"{trial.typed}: {end.why or end.said}")
        took.write_text(str(end.processor))
    return whole, float(took.read_text())


def _use_tiny_model() -> None:
    """The small preset with a network of seconds that saves every other step."""
    from mocap_cli.learning import options
    from mocap_cli.learning.loop.settings import PRESETS

    small = replace(PRESETS["small"], model=TINY, save_every=_SAVES, check_every=_SAVES)
    options.PRESETS = {"small": small}  # type: ignore[attr-defined]


def _torn(folder: Path, whole: Path) -> str:
    """Which file with its final name is not whole; nothing where all are."""
    for path in folder.rglob("*"):
        twin = whole / path.relative_to(folder)
        if path.suffix in _COMPARED and twin.is_file() and not _same(path, twin):
            return f"{path.name} is not whole"
    with suppress(FileNotFoundError):
        load_file(folder / "run/last.safetensors")
        load_file(folder / "run/best.safetensors")
    return ""


def _different(folder: Path, whole: Path) -> str:
    """Which file the unbroken command ended with is missing or another."""
    for twin in (path for path in whole.rglob("*") if path.is_file()):
        if twin.parent.name == "hashes":  # named after time and place of a video
            continue
        path = folder / twin.relative_to(whole)
        if not path.is_file():
            return f"{path.name} is missing"
        if not _same(path, twin):
            return f"{path.name} is not that of the unbroken one"
    return ""


def _same(path: Path, twin: Path) -> bool:
    """Equal but for times of day, seconds that steps took, and names of folders."""
    if path.suffix == ".safetensors":
        one, other = load_file(path), load_file(twin)
        return one.keys() == other.keys() and all((one[k] == other[k]).all() for k in one)
    if path.suffix == ".npz":
        with np.load(path) as one, np.load(twin) as other:
            return one.keys() == other.keys() and all((one[k] == other[k]).all() for k in one)
    if path.suffix == ".mp4":
        return _alike(path, twin)
    if path.name == "metrics.jsonl":
        return _losses(path) == _losses(twin)
    if path.name in ("run.json", "curves.png") or path.parent.name == "sheets":
        return True  # they name folders and times
    return path.read_bytes() == twin.read_bytes()


def _alike(path: Path, twin: Path) -> bool:
    """As many frames at the same times; x264 on a busy machine differs by a few bytes.

    Nothing is decoded: that would start threads, and trials are forked from this process.
    """
    return _stamps(path) == _stamps(twin)


def _stamps(path: Path) -> list[int | None]:
    with av.open(str(path)) as container:
        return [packet.pts for packet in container.demux(video=0) if packet.size]


def _losses(path: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in ("seconds", "waited")} for row in rows]
