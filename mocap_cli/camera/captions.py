"""Captions: graphics burned into a video, which stay while the camera pans, and hold it back."""

import cv2
import numpy as np

from mocap_cli.camera.homography import apply_homography, frame_corners
from mocap_cli.types import Float32, Float64, UInt8

_MOVED = 16  # reduced pixels by which the whole view must have moved
_SAME, _OTHER = 8, 24  # grey levels: what stays, and what cannot be both caption and scene
_LEAST_LOOKS = 5  # frames in which a pixel can be told
_SHARE = 0.8  # of them in which the pixel of a caption stays
_MARGIN = 21  # pixels around a caption, the window of optical flow


class CaptionFinder:
    """Finds them in frames that are registered to a key frame."""

    def __init__(self) -> None:
        self.mask: UInt8 | None = None  # (H, W) 0 where a caption is, else 255
        self._counts = np.zeros((2, 0, 0), np.float32)  # frames in which a pixel is told, and stays

    def look(self, gray: UInt8, key_gray: UInt8, key_from_frame: Float64) -> None:
        """Take a frame and its key frame; nothing is learnt before the camera has moved."""
        size = gray.shape[1], gray.shape[0]
        corners = frame_corners(size)
        moved = np.linalg.norm(apply_homography(key_from_frame, corners) - corners, axis=1)
        if moved.min() < _MOVED:
            return
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        # Outside of the key frame the scene is unknown: the key frame itself tells nothing there.
        scene = cv2.warpPerspective(
            key_gray, key_from_frame, size, dst=key_gray.copy(), flags=how,
            borderMode=cv2.BORDER_TRANSPARENT,
        )  # fmt: skip
        told = cv2.absdiff(key_gray, scene) > _OTHER
        stays = told & (cv2.absdiff(gray, key_gray) < _SAME)
        if not self._counts.size:
            self._counts = np.zeros((2, *gray.shape), np.float32)
        self._counts += np.stack((told, stays))
        told_in, stays_in = self._counts
        stayed = (told_in >= _LEAST_LOOKS) & (stays_in > _SHARE * told_in)
        # Single pixels are noise.
        found = cv2.morphologyEx(stayed.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2)))
        self.mask = np.asarray(255 * (1 - cv2.dilate(found, np.ones((_MARGIN, _MARGIN)))), np.uint8)

    def added_to(self, mask: UInt8 | None) -> UInt8 | None:
        """A mask of people with the captions in it."""
        return mask if self.mask is None else self.mask if mask is None else mask & self.mask

    def without(self, points: Float32) -> Float32:
        """The points (N, 2) that are not on a caption."""
        if self.mask is None:
            return points
        return points[self.mask[points[:, 1].astype(int), points[:, 0].astype(int)] > 0]
