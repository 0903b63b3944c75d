"""Turn an ordinary video of one person into motion-capture files.

import mocap_cli as mocap

motion = mocap.track("dive.mp4", height=1.62)
motion.save("dive.bvh")
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mocap_cli.errors import MocapError

if TYPE_CHECKING:
    from mocap_cli.api import background as background
    from mocap_cli.api import swap_appearance as swap_appearance
    from mocap_cli.api import track as track
    from mocap_cli.api import track_all as track_all
    from mocap_cli.body.motion import Motion as Motion
    from mocap_cli.body.motion_json import read_motion as read_motion
    from mocap_cli.clips_api import track_clips as track_clips
    from mocap_cli.learning_api import fit_labels as fit_labels
    from mocap_cli.learning_api import pretrain as pretrain
    from mocap_cli.plates.background import Background as Background
    from mocap_cli.plates.background import read_background as read_background

__version__ = "0.1.0"

# onnxruntime from 1.29 on sends its maker what it runs and on which machine, unless this is set
# before it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__all__ = [
    "Background",
    "MocapError",
    "Motion",
    "background",
    "fit_labels",
    "pretrain",
    "read_background",
    "read_motion",
    "swap_appearance",
    "track",
    "track_all",
    "track_clips",
]

_MODULES = {
    "track_clips": "mocap_cli.clips_api",
    "pretrain": "mocap_cli.learning_api",
    "fit_labels": "mocap_cli.learning_api",
    "Motion": "mocap_cli.body.motion",
    "read_motion": "mocap_cli.body.motion_json",
    "Background": "mocap_cli.plates.background",
    "read_background": "mocap_cli.plates.background",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for on first use: torch and OpenCV take seconds."""
    if name not in __all__:
        raise AttributeError(f"module 'mocap_cli' has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "mocap_cli.api")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
