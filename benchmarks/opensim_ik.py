"""How far OpenSim's inverse kinematics of our markers is from the coordinates of the .mot.

    mocap export walk.json -o out/walk.mot
    python benchmarks/opensim_ik.py out/walk.mot LaiUhlrich2022.osim

Needs the Python package opensim (4.6), which may live in an environment of its own: nothing of
mocap is imported. Runs the Scale Tool and the Inverse Kinematics Tool with the set-up files beside
the .mot, and prints for each coordinate its range and the differences in degrees and millimetres.
"""

import argparse
import os
import shutil
from pathlib import Path

import numpy as np
import opensim

# Models with a spine of several joints name the lumbar joint by its vertebrae.
OTHER_NAMES = {
    "lumbar_extension": "L5_S1_Flex_Ext",
    "lumbar_bending": "L5_S1_Lat_Bending",
    "lumbar_rotation": "L5_S1_axial_rotation",
}


def read(path: Path) -> dict[str, np.ndarray]:
    """The columns of a .mot."""
    names, *rows = path.read_text().split("endheader\n", 1)[1].splitlines()
    table = np.array([row.split() for row in rows], float)
    return dict(zip(names.split(), table.T, strict=True))


def solve(mot: Path, model: Path) -> Path:
    """Scale the model and solve; the path of OpenSim's own .mot."""
    shutil.copy(model, mot.with_name("LaiUhlrich2022.osim"))
    os.chdir(mot.parent)
    opensim.Logger.setLevelString("error")
    opensim.ScaleTool(f"{mot.stem}_scale.xml").run()
    opensim.InverseKinematicsTool(f"{mot.stem}_ik.xml").run()
    return mot.with_name(f"{mot.stem}_ik.mot")


def main() -> None:
    """Print one line for each coordinate that was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mot", type=Path)
    parser.add_argument("model", type=Path)
    options = parser.parse_args()
    mot = options.mot.resolve()
    ours, theirs = read(mot), read(solve(mot, options.model.resolve()))
    print("| coordinate | lowest | highest | median difference | 95 % within | largest |")
    print("|---|---|---|---|---|---|")
    for name, values in ours.items():
        if name == "time" or name.startswith("pro_sup"):
            continue
        other = theirs.get(name, theirs.get(OTHER_NAMES.get(name, "")))
        metres = name in ("pelvis_tx", "pelvis_ty", "pelvis_tz")
        error = np.abs(other - values) * (1000 if metres else 1)
        low, high = values.min(), values.max()
        print(
            f"| `{name}` | {low:.1f} | {high:.1f} | {np.median(error):.1f} |"
            f" {np.percentile(error, 95):.1f} | {error.max():.1f} |"
        )


if __name__ == "__main__":
    main()
