"""Given keypoints: what another detector found in a video, in place of the bundled networks."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import readable
from mocap_cli.io.damage import damage_at
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.readers.dispatch import read_people
from mocap_cli.keypoints.readers.one_person import keypoints_of_subject
from mocap_cli.keypoints.readers.people import FilePeople
from mocap_cli.keypoints.subject import Subject
from mocap_cli.video.probe import VideoInfo
from mocap_cli.video.reader import open_video
from mocap_cli.video.shots import TimedImage

_RIM = 0.2  # of the image's size: points further outside are of another image
_MOST_OUTSIDE = 0.2  # share of the points
_EXTRA_FRAMES = 5  # beyond the last, that decoders may differ by


@dataclass(frozen=True, slots=True, eq=False)
class GivenKeypoints:
    """The people of a file, and the SHA-256 of its content."""

    path: Path
    people: FilePeople
    digest: str

    @staticmethod
    def open(path: Path) -> "GivenKeypoints":
        """Read a file or a folder of any known layout; docs/formats.md lists them."""
        people = read_people(path)
        whole = hashlib.sha256()
        with damage_at(path):
            for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
                whole.update(file.read_bytes())
        return GivenKeypoints(path, people, whole.hexdigest())

    @property
    def name(self) -> str:
        """File name, without characters that are not printable."""
        return readable(self.path.name)

    def follow(
        self,
        frames: Iterable[tuple[TimedImage, bool]],
        video: VideoInfo,
        subject: Subject,
        start: float | None,
    ) -> Keypoints:
        """The subject's keypoints in those frames of the video."""
        seen = [(frame.time, cut) for frame, cut in frames]
        times, cut = (np.array(column) for column in zip(*seen, strict=True))
        keypoints = keypoints_of_subject(
            self.people, times.astype(np.float64), cut.astype(np.bool_),
            (video.width, video.height), subject, self._first_frame(video, start),
        )  # fmt: skip
        if not keypoints.detected.any():
            raise MocapError(
                f"{self.path} has no person in the {len(times)} frames of {video.path.name}",
                "give the keypoints of this video, its frames counted from 0",
            )
        return keypoints

    def warnings(self, keypoints: Keypoints, video: VideoInfo) -> tuple[str, ...]:
        """What suggests that the keypoints are of another video."""
        found = []
        size = np.array((video.width, video.height))
        known = keypoints.xy[keypoints.score > 0]
        outside = (known < -_RIM * size) | (known > (1 + _RIM) * size)
        if outside.any(axis=1).mean() > _MOST_OUTSIDE:
            found.append(
                f"many keypoints of {self.name} are outside the image of {video.width}x"
                f"{video.height} pixels: were they detected in another size?"
            )
        last = int(self.people.moments.max())
        frames = video.frames or 0
        if not self.people.in_seconds and frames and last >= frames + _EXTRA_FRAMES:
            found.append(
                f"{self.name} has people in frame {last}, but the video has {frames} frames"
            )
        return tuple(found)

    @property
    def notes(self) -> tuple[str, ...]:
        """Where the keypoints are from, and which of them the file never has."""
        never = [n for n, s in zip(KEYPOINTS, self.people.score.max(axis=0), strict=True) if s == 0]
        without = f", without {', '.join(never).replace('_', ' ')}" if never else ""
        return (f"2D keypoints are those of {self.name}{without}",)

    def _first_frame(self, video: VideoInfo, start: float | None) -> int:
        """The number of the first frame from `start` on: a seek does not tell it."""
        if self.people.in_seconds or not start:
            return 0
        with open_video(video, None, start) as before:
            return sum(frame.time < start for frame in before)
