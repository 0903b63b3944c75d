"""Pose models: open a .mocap file, whatever `mocap label-fit` made it of."""

from pathlib import Path

from mocap_cli.labels.fitting.fitted_tracker import FittedTracker
from mocap_cli.labels.tuning.tuned_tracker import TunedTracker
from mocap_cli.tracking.estimate import PoseModel
from mocap_cli.weights import Device


def open_pose_model(path: Path, device: Device = "auto") -> PoseModel:
    """The model of a .mocap file; its encoder, if it has one, runs on `device`."""
    if TunedTracker.KIND.matches(path):
        return TunedTracker.open(path)
    return FittedTracker.open(path, device)
