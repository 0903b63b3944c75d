"""Damaged files that are read back: results, archives, labels, models, checkpoints, stores."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import label_mutations
import numpy as np
from label_mutations import damage, damage_bytes, read_any
from safetensors import safe_open

from mocap_cli.export.registry import FORMATS
from mocap_cli.io.sealed import FileKind
from mocap_cli.labels.alignment.corrections import align_labels
from mocap_cli.labels.alignment.time_alignment import assign_frames
from tests.faults.samples import Samples
from tests.faults.trial import Trial

WILD: tuple[Any, ...] = (
    None, -1, 0, 1e300, 10**30, "", "x", [], {}, [[]], True, 0.5, 3, "9" * 5000, 1e9, -0.5, 4096,
    2**31, "\x1b[31m", float("nan"), float("inf"), "../../x",
)  # fmt: skip


def damaged_result(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """A result JSON with a wrong value or broken bytes, exported to any format."""
    path = samples.copy("a.json", folder)
    samples.copy("a.mp4", folder)
    if rng.random() < 0.5:
        _strange(path, rng)
    else:
        _damage(path, rng)
    suffixes = rng.sample(list(FORMATS), 2)
    if ".json" in suffixes:
        suffixes.remove(".json")
    edits = rng.choice(("", "", "--smooth 6", "--loop", "--fps 24", "--floor --foot-lock"))
    return Trial(typed=f"export a.json {' '.join(f'-o b{s}' for s in suffixes)} {edits}")


def _damage(path: Path, rng: random.Random) -> None:
    """Damage a file that may be so damaged that its structure cannot be changed any more."""
    try:
        damage(path, rng)
    except Exception:
        path.write_bytes(damage_bytes(path.read_bytes(), rng))


def _strange(path: Path, rng: random.Random) -> None:
    """Values that a result may have, and hardly ever has."""
    document = json.loads(path.read_bytes())
    T = len(document["times"])
    some = sorted(rng.sample(range(T), rng.randrange(T + 1)))
    start, step = rng.choice((0, -5, 1e5)), rng.choice((1e-5, 1 / 30, 1, 40, 1e4))
    changes: dict[str, Callable[[], Any]] = {
        "times": lambda: [start + step * i for i in range(T)],
        "joints": lambda: _blank(document["joints"], some, rng.choice((None, 0, 1e6, -1e6))),
        "sigma": lambda: _blank(document["sigma"], some, rng.choice((None, 0, 1e6))),
        "contacts": lambda: _blank(document["contacts"], some, rng.choice((None, 0, 1))),
        "seen": lambda: [t not in some for t in range(T)],
        "keypoints": lambda: {
            **document["keypoints"],
            "xy": _blank(document["keypoints"]["xy"], some, rng.choice((None, 0, 1e6, -1e6))),
        },
        "warnings": lambda: (
            [rng.choice(("x" * 4000, "\x1b[2J", "", "ü\n\n"))] * rng.choice((1, 50))
        ),
        "space": lambda: "camera",
        "source": lambda: {**document["source"], **rng.choice(_SOURCES)},
    }
    for key in rng.sample(list(changes), rng.choice((1, 1, 2, 3))):
        document[key] = changes[key]()
    if rng.random() < 0.3:
        document = _shortened(document, rng.choice((1, 2, 3)))
    path.write_text(json.dumps(document))


_SOURCES = (
    {"width": 1, "height": 1}, {"width": 100_000, "height": 1}, {"fps": 1e-6}, {"fps": 1e6},
    {"file": "../../x.mp4"}, {"file": ""}, {"file": "\x1b[31m"}, {"file": "missing.mp4"},
    {"rotation": 90}, {"frames": 1_000_000_000}, {"file": "a" * 700}, {"file": "<script>.mp4"},
)  # fmt: skip


def _blank(rows: Any, some: list[int], value: Any) -> Any:
    """The nested lists with every number of those rows replaced."""

    def fill(cell: Any) -> Any:
        return [fill(inner) for inner in cell] if isinstance(cell, list) else value

    return [fill(row) if t in some else row for t, row in enumerate(rows)]


def _shortened(document: dict[str, Any], frames: int) -> dict[str, Any]:
    whole = len(document["times"])

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cut(inner) for key, inner in value.items()}
        return value[:frames] if isinstance(value, list) and len(value) == whole else value

    return {key: cut(value) for key, value in document.items()}


def damaged_archive(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """A background archive with other arrays, read and rendered."""
    from mocap_cli.plates.background import read_background

    path = samples.copy("a.background.npz", folder)
    damage(path, rng)
    return Trial(call=lambda: read_background(path).at(0.0), keep=(path.name,))


def damaged_labels(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """A label file of any format, or a calibration, read and put on its frames."""
    name = rng.choice(label_mutations.FORMATS)
    path = samples.copy(name, folder)
    for _ in range(rng.choice((1, 1, 3))):
        _damage(path, rng)
    align = rng.random() < 0.1
    return Trial(call=lambda: _read_labels(path, samples.estimate, align))


def _read_labels(path: Path, estimate: Any, align: bool) -> None:
    for labels in read_any(path):
        if labels.synchronous:
            assign_frames(labels, estimate.times)
        elif align:
            align_labels(labels, estimate)


def damaged_model(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """A model, checkpoint or .mocap file with broken bytes, or with wrong values and a seal."""
    name = rng.choice(("best.safetensors", "last.safetensors", "a.mocap"))
    path = samples.copy(name, folder)
    if rng.random() < 0.3:
        path.write_bytes(damage_bytes(path.read_bytes(), rng))
    else:
        _reseal(path, rng)
    return Trial(call=_OPENERS[name](path), keep=(name,))


def _reseal(path: Path, rng: random.Random) -> None:
    """Change the metadata or a tensor, and seal the file again."""
    with safe_open(path, "pt") as file:
        header = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    metadata = {k: v for k, v in header.items() if k not in ("format", "seal", "sha256")}
    key = rng.choice(list(metadata))
    if rng.random() < 0.7:
        metadata[key] = json.dumps(_mutated(json.loads(metadata[key]), rng))
    elif rng.random() < 0.3:
        del metadata[key]
    else:
        name = rng.choice(list(tensors))
        value = tensors[name]
        changed = (value.reshape(-1)[:0], value[None], value.double(),
                   value.new_full(value.shape, 1e30), value * np.nan, value.bool())  # fmt: skip
        tensors[name] = rng.choice(changed)
    FileKind(format=header["format"], noun="", hint="").write(path, metadata, tensors)


def _mutated(document: Any, rng: random.Random) -> Any:
    """Another value in place of a random node, or nothing."""
    if not isinstance(document, dict | list) or not document or rng.random() < 0.1:
        return rng.choice(WILD)
    key = rng.choice(list(document)) if isinstance(document, dict) else rng.randrange(len(document))
    if rng.random() < 0.15:
        del document[key]
    else:
        document[key] = _mutated(document[key], rng)
    return document


def _open_best(path: Path) -> Callable[[], object]:
    from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder

    return lambda: _encoded(FrozenEncoder.open(path))


def _open_last(path: Path) -> Callable[[], object]:
    from mocap_cli.learning.loop.checkpoint import read_checkpoint_state

    def read() -> None:
        settings, state = read_checkpoint_state(path)
        settings.weights_at(state.step)
        settings.method_at(state.step)

    return read


def _open_fitted(path: Path) -> Callable[[], object]:
    from mocap_cli.labels.fitting.fitted_model import FittedModel

    return lambda: FittedModel.open(path)


_OPENERS = {
    "best.safetensors": _open_best, "last.safetensors": _open_last, "a.mocap": _open_fitted,
}  # fmt: skip


def _encoded(encoder: Any) -> None:
    """A black frame through the model, as label fitting would."""
    import torch

    width, height = encoder.size
    with torch.inference_mode():
        encoder._time_variant(torch.zeros(1, 3, height, width))


def damaged_run(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """A run's folder or a stored clip with a damaged file, opened as --resume does."""
    from mocap_cli.learning.data.ingest import RunSources
    from mocap_cli.learning.loop.metrics_log import MetricsLog

    samples.copy("run", folder)
    files = [path for path in (folder / "run").rglob("*") if path.is_file()]
    path = rng.choice([p for p in files if p.suffix != ".safetensors"])
    if path.suffix == ".json" and rng.random() < 0.7:
        path.write_text(json.dumps(_mutated(json.loads(path.read_text()), rng)))
    elif path.suffix == ".npy" and rng.random() < 0.7:
        old = np.load(path)
        made = (old[:-1], old[:0], old[None], np.array(7), old.astype("U8"), old.astype(complex),
                np.full(old.shape, np.nan), np.full(old.shape, 10**6))  # fmt: skip
        np.save(path, rng.choice(made))
    else:
        path.write_bytes(damage_bytes(path.read_bytes(), rng))

    def resume() -> None:
        text = (folder / "run/run.json").read_text(errors="replace")
        where = str(samples.folder / "run" / "store")
        (folder / "run/run.json").write_text(text.replace(where, str(folder / "run/store")))
        RunSources.read(folder / "run").reopen(folder / "run", "skip")
        with MetricsLog(folder / "run", 1):
            pass

    own = ("run/run.json", "run/metrics.jsonl")
    keep = [str(p.relative_to(folder)) for p in files if str(p.relative_to(folder)) not in own]
    return Trial(call=resume, keep=tuple(keep))


def damaged_cache(rng: random.Random, folder: Path, samples: Samples) -> Trial:
    """Cached arrays that are damaged: they are computed again, whatever they hold."""
    from mocap_cli.io.video_cache import cached
    from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo

    video = samples.copy("a.mp4", folder)
    made = EncodedVideo(*(np.zeros((4, n) if n else 4, np.float32) for n in (0, 8, 8, 4)))
    cache = folder / "codes"
    cached(EncodedVideo, video, cache, ["k"], lambda: made)
    damage(next(cache.glob("*.npz")), rng)
    if rng.random() < 0.3:
        next((cache / "hashes").iterdir()).write_bytes(rng.randbytes(40))

    def use() -> None:
        found = cached(EncodedVideo, video, cache, ["k"], lambda: made)
        rows = {len(found.times), len(found.time_variant), len(found.boxes)}
        if len(rows) != 1 or found.boxes.shape[1:] != (4,):
            raise ValueError(f"a damaged cache was used: {found.boxes.shape}")

    return Trial(call=use, keep=("a.mp4",), must="answered")
