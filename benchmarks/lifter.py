"""The shipped lifter on subjects that it was never trained on; prints tables for docs.

    python benchmarks/lifter.py MOTION --held-out test.npz

MOTION is the folder of motion capture, test.npz what
`python -m training.lifter.recorded_shots MOTION -o test.npz --shots 30 --held-out` wrote; its
even shots calibrated the expected errors, its odd ones are measured here.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.lifting.lift import LIFTER_FILE, lift
from mocap_cli.lifting.metrics import mpjpe, n_mpjpe, p_mpjpe
from mocap_cli.weights import weight_path
from training.lifter.batches import TrainConfig, TrainingData
from training.lifter.evaluation import evaluate
from training.lifter.motion_bank import make_body_bank, make_motion_bank
from training.lifter.network import LifterNetwork
from training.lifter.recorded_shots import FPS, RecordedShots, load_recorded, split_in_half
from training.synthesis.body_model import make_body
from training.synthesis.mocap_dataset import is_held_out, read_mocap_folder

LENS = Pinhole(1.0, (0.0, 0.0))
CALM = ("08_", "12_")
"""Subjects who walk and do tai chi; the others do martial arts, acrobatics and styled dances."""


def shots(bank: RecordedShots, *, perfect: bool) -> list[tuple[Keypoints, torch.Tensor, bool]]:
    """What was seen (or should have been), the true joints, and whether the body tumbles."""
    found = []
    for first, length, tumbling in zip(bank.first, bank.length, bank.tumbling, strict=True):
        rows = slice(int(first), int(first + length))
        rays = (bank.true_rays if perfect else bank.rays)[rows].numpy()
        known = bank.known[rows].numpy()
        score = np.full_like(bank.score[rows], 0.7) if perfect else bank.score[rows].numpy()
        seen = Keypoints(
            times=np.arange(len(rays)) / FPS,
            xy=np.where(known[:, None, None], rays * (1, -1), np.nan).astype(np.float32),
            score=score,
            detected=known,
            cut=np.zeros(len(rays), np.bool_),
        )
        found.append((seen, bank.joints[rows], bool(tumbling)))
    return found


def measure(model: LifterNetwork, bank: RecordedShots, *, perfect: bool) -> None:
    """Rows for recorded shots, upright and tumbling apart."""
    lifter = model.in_numpy()
    rows: dict[bool, list[torch.Tensor]] = {False: [], True: []}
    for seen, truth, tumbling in shots(bank, perfect=perfect):
        pose = lift(seen, LENS, lifter)
        good = np.isfinite(pose.joints).all((1, 2))
        p, t = torch.from_numpy(pose.joints[good]).float(), truth[good]
        inside = (mpjpe(p, t) < torch.from_numpy(pose.sigma[good])).float() / 10
        each = torch.stack((mpjpe(p, t), n_mpjpe(p, t), p_mpjpe(p, t), inside), dim=-1)
        rows[tumbling].append(each[:, 1:].mean(1))
    for tumbling, found in rows.items():
        m = 1000 * torch.cat(found).mean(0)
        name = "tumbling" if tumbling else "upright"
        what = "true 2D" if perfect else "what the networks saw"
        print(f"| {name}, rendered, {what} | {m[0]:.0f} | {m[1]:.0f} | {m[2]:.0f} | {m[3]:.0f} % |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("motion", type=Path)
    parser.add_argument("--held-out", type=Path, required=True)
    options = parser.parse_args()
    model = LifterNetwork.load(weight_path(LIFTER_FILE))
    body = make_body(dict.fromkeys(("gender", "age", "muscle", "weight", "height"), 0.5))
    clips = [clip for clip in read_mocap_folder(options.motion, body) if is_held_out(clip)]
    calm = [clip for clip in clips if clip.name.startswith(CALM)]
    print("| held-out subjects | MPJPE | N-MPJPE | P-MPJPE | within the expected error |")
    print("|---|---|---|---|---|")
    shapes = make_body_bank(64, 2)
    for who, chosen in (("", clips), (", walking and tai chi", calm)):
        world = TrainingData(shapes, make_motion_bank(chosen, body))
        for name, row in evaluate(model, world, TrainConfig()).items():
            numbers = " | ".join(f"{row[key]:.0f}" for key in ("MPJPE", "N-MPJPE", "P-MPJPE"))
            print(f"| {name}{who}, drawn | {numbers} | {100 * row['inside']:.0f} % |")
    bank = split_in_half(load_recorded(options.held_out), 1)
    measure(model, bank, perfect=True)
    measure(model, bank, perfect=False)


if __name__ == "__main__":
    main()
