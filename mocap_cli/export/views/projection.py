"""Projections of the 3D joints: into the video with its camera, or orthographic."""

from enum import Enum

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.types import Float64


def project_joints(motion: Motion) -> Float64:
    """(T, J, 2) displayed pixels of the 3D joints."""
    camera = motion.camera
    rotation, position = camera.world_from_camera[..., :3], camera.world_from_camera[..., 3]
    in_camera = np.einsum("tji,tkj->tki", rotation, motion.joints - position[:, None])
    return Pinhole(camera.focal_pixels, camera.centre).project(in_camera)


class OrthographicView(Enum):
    """A direction of view without perspective: the world axes to the right and up in the image."""

    CAMERA = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    SIDE = (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)  # from the camera's right
    TOP = (1.0, 0.0, 0.0), (0.0, 0.0, -1.0)  # with the camera at the bottom

    def project(self, points: Float64) -> Float64:
        """(..., 3) metres to (..., 3): right, up and towards the viewer."""
        right, up = self.value
        return np.asarray(points @ np.stack((right, up, np.cross(right, up)), axis=-1))
