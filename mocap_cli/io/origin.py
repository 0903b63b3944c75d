"""Origin: whether this program wrote a file, by the file's own content or metadata."""

import re
import struct
import zlib
from pathlib import Path

MARK = "made by mocap"
"""What files of this program say of themselves where their format has room for it."""

_HEAD, _TAIL = 4 << 20, 64 << 10  # bytes: MP4 has its metadata after the tables of all frames
_PNG_HEADER = 33  # bytes of the signature and the first chunk
_SIGNS = {
    ".bvh": rb"\AHIERARCHY\nROOT \S+\n\{\n\tOFFSET [^\n]+\n"
    rb"\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n"
    rb".*\nFrame Time: \d+\.\d{10}\n",  # other programs write fewer decimals
    ".glb": rb'"generator":"mocap"',
    ".fbx": rb"CreatorS\x05\0\0\0mocap",
    ".usda": rb'\A#usda 1\.0\n\(\n    "made by mocap"\n',
    ".py": rb"\A# made by mocap; run it with: blender ",
    ".json": rb'\A(\{"mocap":1,"source":|\{"info":\{"description":"keypoints of |'
    rb'\{\n "scores": \{)',
    ".csv": rb"\A(time,(joint,x,y,z,sigma,seen|trunk_inclination,trunk_flexion,[a-z_,]+)|"
    rb"path,name,subject,height,start,end,status,[a-z_,]+)\n",
    ".jsonl": rb'\A\{"path": "[^\n]*, "status": "(tracked|made|exported|skipped|failed)", ',
    ".parquet": rb"made by mocap",
    ".npz": rb"(keypoint_names\.npy.*world_from_camera|mocap_background)\.npy",
    ".trc": rb"\APathFileType\t4\t\(X/Y/Z\)\t[^\r\n]*\r?\nDataRate[^\r\n]+\r?\n"
    rb"(\d+\.\d{6}\t){2}\d+\t\d+\tmm\t[^\r\n]+\r?\nFrame#\tTime\tpelvis\t",
    ".mot": rb"\A[^\n]*\nversion=1\nnRows=\d+\nnColumns=\d+\ninDegrees=yes\nmade by mocap\n",
    ".xml": rb'\A<\?xml [^\n]*\n<OpenSimDocument Version="40000">\n<!-- made by mocap -->\n',
    ".c3d": rb"SOFTWARE.{6}mocap",
    ".html": rb'<meta name="generator" content="mocap ',
    ".png": rb"tEXtSoftware\0made by mocap",
    ".mp4": rb"made by mocap",
    ".mocap": rb'\A.{8}\{"__metadata__":\{.*"mocap-(fitted|tuned)-',
}


def is_own(path: Path) -> bool:
    """Whether this program wrote the file; an empty one holds nothing and counts as such.

    A result that another program saved again does not.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if not size:
            return True
        sign = _SIGNS.get(path.suffix.lower())
        if sign is None:
            return False
        file.seek(0)
        head = file.read(_HEAD)
        file.seek(max(size - _TAIL, len(head)))
        return re.search(sign, head + file.read(), re.DOTALL) is not None


def marked_png(png: bytes) -> bytes:
    """The same image with a text chunk that names this program."""
    content = b"tEXtSoftware\0" + MARK.encode()
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:_PNG_HEADER] + chunk + png[_PNG_HEADER:]
