"""Reading the 2D keypoints of another program, from a file or a folder of any known layout."""

from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.io.damage import damage_at
from mocap_cli.keypoints.readers.json_layouts import read_json_people, read_openpose_folder
from mocap_cli.keypoints.readers.people import FilePeople
from mocap_cli.keypoints.readers.table_layouts import read_csv_people, read_npz_people

_LAYOUTS = (
    "COCO, AlphaPose, MMPose or MediaPipe JSON, a folder of OpenPose, DeepLabCut or MediaPipe CSV,"
    " NPZ with xy, or a result of mocap track"
)
_READERS = {".json": read_json_people, ".csv": read_csv_people, ".npz": read_npz_people}


def read_people(path: Path) -> FilePeople:
    """All people of the file; an unknown layout is an error that lists the known ones."""
    with damage_at(path):
        if not path.exists():
            raise MocapError(f"there is no {path}", "check the path of --keypoints")
    if path.suffix.lower() in (".h5", ".hdf5"):
        raise MocapError(
            f"cannot read {path}: HDF5 is not supported",
            "give DeepLabCut's CSV of the same name (save_as_csv=True)",
        )
    reader = read_openpose_folder if path.is_dir() else _READERS.get(path.suffix.lower())
    people = reader(path) if reader else None
    if people is None:
        raise MocapError(f"{path} has no known layout of keypoints", f"give {_LAYOUTS}")
    return people
