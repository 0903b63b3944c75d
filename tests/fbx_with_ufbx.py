"""Print what ufbx finds in an FBX file, as JSON, in the file's units.

    python tests/fbx_with_ufbx.py FILE.fbx

In a process of its own, because ufbx's Python module (0.0.5) crashes when it frees its objects:
all of them are kept, and the process ends without tidying up.
"""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import ufbx

_KEPT: list[Any] = []


def keep(thing: Any) -> Any:
    _KEPT.append(thing)
    return thing


def items(things: Any) -> Iterator[Any]:
    keep(things)
    return (keep(things[i]) for i in range(len(things)))


def vector(v: Any) -> list[float]:
    return [v.x, v.y, v.z]


def columns(matrix: Any) -> list[list[float]]:
    """The three axes and the place of a node."""
    return [vector(c) for c in (matrix.c0, matrix.c1, matrix.c2, matrix.c3)]


def clusters(mesh: Any) -> list[dict[str, Any]]:
    return [
        {
            "joint": keep(cluster.bone_node).name,
            "vertices": list(items(cluster.vertices)),
            "bind": columns(keep(cluster.bind_to_world)),
            "mesh_to_joint": columns(keep(cluster.mesh_node_to_bone)),
        }
        for skin in items(mesh.skin_deformers)
        for cluster in items(skin.clusters)
    ]


def lens(camera: Any) -> dict[str, Any]:
    tangents, film = camera.field_of_view_tan, keep(camera.props)
    return {
        "tangents": [tangents.x, tangents.y],
        "size": [camera.resolution.x, camera.resolution.y],
        "film_inches": [camera.film_size_inch.x, camera.film_size_inch.y],
        "offset_inches": [ufbx.find_real(film, f"FilmOffset{axis}", 0.0) for axis in "XY"],
    }


def main() -> None:
    scene = keep(ufbx.load_file(sys.argv[1]))
    settings, anim = keep(scene.settings), keep(scene.anim)
    curve = keep(keep(scene.anim_curves)[0])
    times = [key.time for key in items(curve.keyframes)]
    nodes = {node.name: node for node in items(scene.nodes) if node.name}
    posed = [keep(scene.evaluate(anim, time)) for time in times]
    found = {
        "fps": settings.frames_per_second,
        "custom_rate": settings.time_mode == ufbx.TimeMode.CUSTOM,
        "metres": settings.unit_meters,
        "up": keep(settings.axes).up.name,
        "times": times,
        "bones": [name for name, node in nodes.items() if keep(node.bone) is not None],
        "rest": {name: columns(keep(node.node_to_world)) for name, node in nodes.items()},
        "world": {
            name: [columns(keep(keep(at.find_node(name)).node_to_world)) for at in posed]
            for name in nodes
        },
        "points": [vector(p) for mesh in items(scene.meshes) for p in items(mesh.vertices)],
        "clusters": [c for mesh in items(scene.meshes) for c in clusters(mesh)],
        "cameras": [lens(camera) for camera in items(scene.cameras)],
    }
    print(json.dumps(found), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
