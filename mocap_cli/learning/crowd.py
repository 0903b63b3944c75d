"""Crowd: how many people a clip shows, looked up now and then; the method is for one."""

from mocap_cli.keypoints.person_detector import PersonDetector, whole_image_crop
from mocap_cli.video.reader import Frame

_SECONDS_BETWEEN_COUNTS = 1.0
"""Seconds between looks."""

_SURE = 0.35  # the finder's score; people in the background score less
_AS_TALL = 0.5  # of the tallest; smaller ones are passers-by far off


class PersonCounter:
    """Counts the people in a frame a second; between looks the last count stands."""

    def __init__(self) -> None:
        self._finder = PersonDetector()
        self._due = 0.0
        self._count = -1

    def count(self, frame: Frame) -> int:
        """People about as large as the largest at that moment."""
        if frame.time >= self._due:
            self._due = frame.time + _SECONDS_BETWEEN_COUNTS
            height, width = frame.image.shape[:2]
            people = self._finder.people(frame.image, [whole_image_crop(width, height)])
            sides = [p.crop.side for p in people if p.score > _SURE]
            self._count = sum(side > _AS_TALL * max(sides) for side in sides)
        return self._count
