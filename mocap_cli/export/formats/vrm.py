"""VRM: the glTF extensions that name the bones of a person, for avatars and for their motions."""

from typing import Any

from mocap_cli.export.formats.animation import Animation

_LICENCE = "https://vrm.dev/licenses/1.0/"  # the only one that VRM 1.0 accepts
_PERMISSIONS = {  # of the body of capsules, which belongs to nobody
    "avatarPermission": "everyone",
    "commercialUsage": "corporation",
    "creditNotation": "unnecessary",
    "allowRedistribution": True,
    "modification": "allowModificationRedistribution",
}


def vrm_extensions(animation: Animation) -> dict[str, Any]:
    """VRMC_vrm, which makes an avatar of the file, and VRMC_vrm_animation, which makes a motion."""
    rig = animation.rig
    bones = {name: {"node": i} for i, name in enumerate(rig.names) if rig.children(i)}
    humanoid = {"humanBones": bones}
    meta = {"name": animation.name or "mocap", "authors": ["mocap"], "licenseUrl": _LICENCE}
    return {
        "VRMC_vrm": {"specVersion": "1.0", "meta": meta | _PERMISSIONS, "humanoid": humanoid},
        "VRMC_vrm_animation": {"specVersion": "1.0", "humanoid": humanoid},
    }
