"""Remote outputs: clips whose files go to a URL are done in a local folder, and sent when whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from mocap_cli.clips.clip import Clip
from mocap_cli.clips.everybody import base_name
from mocap_cli.clips.finished import is_result
from mocap_cli.clips.plan import files_of
from mocap_cli.errors import MocapError
from mocap_cli.io.remote import RemoteFolder, local_folder, named_as
from mocap_cli.io.url import is_url
from mocap_cli.progress import Progress
from mocap_cli.workers.job import Do, Result, Work

F = TypeVar("F")


def with_remote_outputs(
    work: Work[Clip, F], clips: Sequence[Clip], overwrite: bool | None
) -> Work[Clip, F]:
    """The same work, also on clips whose outputs are URLs; refuses, before it, a wrong URL."""
    remote = [clip for clip in clips if any(map(is_url, clip.outputs))]
    if not remote:
        return work
    for clip in remote:
        if len({path.parent for path in clip.outputs}) > 1:
            raise MocapError(
                "outputs at a URL go to one folder", "give one folder, and suffixes such as .bvh"
            )
    RemoteFolder(remote[0].outputs[0].parent).refuse_unwritable()
    return _RemoteOutputs(work=work, overwrite=overwrite)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RemoteOutputs(Generic[F]):
    """Work on clips whose outputs are URLs."""

    work: Work[Clip, F]
    overwrite: bool | None  # as in the work

    def open(self) -> Do[Clip, F]:
        """Open the work once."""
        return _Sender(self.work.open(), self.overwrite).do


class _Sender(Generic[F]):
    """Does clips in a local folder, and sends what they write."""

    def __init__(self, do: Do[Clip, F], overwrite: bool | None) -> None:
        self._do, self._overwrite = do, overwrite
        self._folders: dict[Path, RemoteFolder] = {}

    def do(self, clip: Clip, progress: Progress) -> Result[F]:
        """Do a clip beside copies of its earlier files; the record of what is done is sent last."""
        remote = self._folder(clip.outputs[0].parent)
        there = {name for base in map(base_name, clip.outputs) for name in remote.starting(base)}
        records = {path.suffix for path in clip.outputs if any(_rank(path))}
        recorded = {name for name in there if Path(name).suffix in records}
        checked = set() if recorded else there & {path.name for path in files_of(clip.outputs)}
        remote.refuse_existing(checked, self._overwrite)
        with local_folder() as local, named_as(local, remote.path):
            for name in there:
                (remote.fetch if name in recorded else remote.stand_in)(name, local)
            before = _times(local)
            here = replace(clip, outputs=tuple(local / path.name for path in clip.outputs))
            result = self._do(here, progress)
            new = [local / name for name, time in _times(local).items() if time != before.get(name)]
            unread = {path.name for path in new} & there - recorded - checked
            remote.refuse_existing(unread, self._overwrite)
            for path in sorted(new, key=lambda path: (_rank(path), path.stat().st_mtime_ns)):
                progress(f"sending {path.name}", 0, None)
                remote.send(path)
            sizes = {remote.path / name: remote.size(name) for name in there}
            sizes |= {remote.path / path.name: path.stat().st_size for path in new}
        return replace(_moved(result, local, remote.path), sizes=sizes)

    def _folder(self, path: Path) -> RemoteFolder:
        """A folder, listed once for all clips: no other clip writes their files."""
        if path not in self._folders:
            self._folders[path] = RemoteFolder(path)
        return self._folders[path]


def _rank(path: Path) -> tuple[bool, bool]:
    """Later for files that say what is done: the JSON of a motion, the archive of a background."""
    return is_result(path), path.suffix == ".npz"


def _times(folder: Path) -> Mapping[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def _moved(value: Any, local: Path, folder: Path) -> Any:
    """The same value with the paths of one folder moved to another."""
    match value:
        case Path():
            return folder / value.name if value.parent == local else value
        case tuple() | frozenset():
            return type(value)(_moved(part, local, folder) for part in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    parts = {field.name: getattr(value, field.name) for field in fields(value)}
    return replace(value, **{name: _moved(part, local, folder) for name, part in parts.items()})
