"""Whole files of every kind, made once, that the cases damage copies of."""

import json
import os
import shutil
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from film import film
from label_mutations import write_samples


@dataclass(frozen=True, slots=True)
class Samples:
    """A folder of whole files, and an estimate that labels can be held against."""

    folder: Path
    estimate: Any

    def copy(self, name: str, folder: Path) -> Path:
        """A copy of one of them in a trial's folder."""
        source = self.folder / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copyfile(source, folder / name)
        return folder / name

    @staticmethod
    def make(folder: Path) -> "Samples":
        """Make them; what starts threads is made in a child, since trials are forked."""
        from witnesses import seen_dancing

        folder.mkdir()
        write_samples(folder)
        process = os.fork()
        if not process:
            status = 1
            try:
                _make_in_child(folder)
                status = 0
            except BaseException:
                traceback.print_exc()
            os._exit(status)
        if os.waitpid(process, 0)[1]:
            sys.exit("the samples could not be made")
        return Samples(folder, seen_dancing()[0])


def _make_in_child(folder: Path) -> None:
    from blob import film_blob
    from person import stand

    from mocap_cli import api
    from mocap_cli.body.motion_json import write_motion
    from mocap_cli.tracking.track import TrackOptions

    video = film(folder / "a.mp4", range(8))
    film(folder / "longer.mp4", range(20))
    write_motion(stand(video, TrackOptions()), folder / "a.json")
    background = api.background(video, kind="median", samples=3, people=False)
    background.write(folder / "a.background.npz")
    blob = film_blob(folder / "blob.mp4", seconds=1.0)
    scene = api.background(blob, kind="median", samples=3, people=False)
    scene.write(folder / "blob.background.npz")
    _make_run(folder)
    _make_fitted(folder / "a.mocap")


def _make_run(folder: Path) -> None:
    """A run of one step on a clip of a few frames, and its store."""
    from blob import scenes, settings

    from mocap_cli.learning.data.ingest import RunSources
    from mocap_cli.learning.data.store import ClipWriter, StoreRecipe
    from mocap_cli.learning.loop import training
    from mocap_cli.learning.loop.distributed import Distributed
    from mocap_cli.learning.loop.metrics_log import MetricsLog
    from mocap_cli.learning.loop.training import Hooks

    run, clip = folder / "run", scenes(0).stored
    store, (height, width) = run / "store", clip.frames.shape[1:3]
    with ClipWriter.store(store, "clip", StoreRecipe(width=width, height=height)) as writer:
        for name in ("frames", "plates", "known"):
            for image in getattr(clip, name):
                writer.append(name, image)
        writer.finish(clip)
    document = {"store": str(store),
                "clips": [{"video": str(run / "a.mp4"), "address": "clip"}]}  # fmt: skip
    (run / "run.json").write_text(json.dumps(document))
    dataset = RunSources.read(run).reopen(run, "skip")
    with MetricsLog(run, 0) as log:
        hooks = Hooks(on_step=log.log_step, on_validation=log.log_validation)
        plan = settings(steps=1, save_every=1, check_every=1)
        training.train(dataset, plan, run, Distributed(), hooks, resume=False)
    for name in ("best.safetensors", "last.safetensors"):
        shutil.copyfile(run / name, folder / name)


def _make_fitted(path: Path) -> None:
    """A fitted model whose heads are not trained."""
    from mocap_cli.body.skeleton import BODY
    from mocap_cli.labels.fitting.ensemble import HeadEnsemble
    from mocap_cli.labels.fitting.error_calibration import ErrorCalibration, ErrorScaling, Novelty
    from mocap_cli.labels.fitting.examples import Examples
    from mocap_cli.labels.fitting.fitted_model import FittedModel
    from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder
    from mocap_cli.labels.fitting.regression_head import HeadConfig, RegressionHead

    encoder = FrozenEncoder.open(path.with_name("best.safetensors"))

    def ensemble(extra: int) -> HeadEnsemble:
        inputs, joints = 4 + extra, len(BODY)
        one = np.ones(inputs)
        return HeadEnsemble(
            basis=np.zeros((16, 4)),
            heads=(RegressionHead(HeadConfig.default("A", inputs, 4)).eval(),),
            novelty=Novelty(np.zeros((3, inputs)), one, one.copy(), 1.0),
            calibration=ErrorCalibration(
                joints=np.ones(joints), scaling=ErrorScaling(*np.ones((4, 3))),
                lifter=np.ones(joints), lifter_ratio=1.0, held_out=0.1, counted=5,
            ),
        )  # fmt: skip

    FittedModel(encoder, ensemble(0), ensemble(Examples.KEYPOINT_SIZE), {}).save(path)
