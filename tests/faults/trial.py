"""A trial: one command in an empty folder, in a child process, and a verdict on how it ended."""

import faulthandler
import fcntl
import hashlib
import os
import re
import resource
import shlex
import signal
import sys
import time
import traceback
import unicodedata
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mocap_cli.errors import MocapError

CPU_SECONDS = 40  # a command on clips of a few frames takes two
WALL_SECONDS = 200.0
MAX_GROWTH = 1200 << 20  # bytes of memory beyond what the imports take
_ROOM = 6 << 30  # bytes of addresses: an allocation beyond ends in a MemoryError
_MAX_LINE = 1200  # characters of an error
_ENDS = (0, 1, 2)
_TURNS_TEXT = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_ASIDE = re.compile(r"\..*-[0-9a-f]{8}-\d+-[0-9a-f]{8}")  # temporary names: host, process

Verdict = Literal["refused", "answered", "killed", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is done in the folder, under which limits, and what must not change."""

    typed: str = ""  # after `mocap`
    call: Callable[[], object] | None = None  # instead of a command
    tracker: bool = False  # with the real networks, not with a made-up person
    file_bytes: int | None = None  # a disk that is full after so many bytes of a file
    kill_after: float | None = None  # seconds of a processor
    setup: Callable[[], None] = lambda: None  # in the process, before the command
    twice: bool = False  # two of it at once
    check: Callable[[], str] = lambda: ""  # what is wrong with the files after it
    must: Verdict | None = None  # the only right end, where it is known
    keep: tuple[str, ...] = ()  # files that must not change; all inputs by default


@dataclass(slots=True)
class Outcome:
    """How a trial ended."""

    verdict: Verdict
    why: str = ""  # of a wrong one
    said: str = ""  # on stderr
    processor: float = 0.0  # seconds


@dataclass(slots=True)
class _Child:
    number: int
    log: int  # the end of a pipe from its stderr
    began: float = field(default_factory=time.monotonic)


def carry_out(trial: Trial, folder: Path) -> Outcome:
    """Run the trial in the folder, with what lies there as its inputs."""
    (folder / "tmp").mkdir()
    before = _contents(folder)
    children = [_start(trial, folder) for _ in range(1 + trial.twice)]
    ends = [_wait(trial, child) for child in children]
    said = "".join(_said(child) for child in children)
    why = next(filter(None, (_fault(trial, end) for end in ends)), "")
    why = why or _said_wrong(trial, said, ends) or _changed(trial, before, _contents(folder))
    why = why or _leftovers(trial, folder) or trial.check()
    code = max(end.code for end in ends)
    verdict: Verdict = "killed" if code < 0 else "refused" if code else "answered"
    if not why and trial.must not in (None, verdict):
        why = f"{verdict}, not {trial.must}"
    return Outcome("wrong" if why else verdict, why, said, sum(end.processor for end in ends))


def _start(trial: Trial, folder: Path) -> _Child:
    reads, writes = os.pipe()  # a file would be full with the disk
    fcntl.fcntl(reads, fcntl.F_SETPIPE_SZ, 1 << 20)
    os.set_blocking(reads, False)
    process = os.fork()
    if process:
        os.close(writes)
        return _Child(process, reads)
    status = 71
    try:
        os.setsid()  # a signal to the group reaches only what this trial started
        os.chdir(folder)
        os.environ["TMPDIR"] = str(folder / "tmp")
        nothing = os.open(os.devnull, os.O_RDWR)
        for target, source in ((0, nothing), (1, nothing), (2, writes)):
            os.dup2(source, target)
        status = _child(trial)
    finally:
        os._exit(status)


def _said(child: _Child) -> str:
    with os.fdopen(child.log, "rb") as file:
        return (file.read() or b"").decode(errors="replace")


def _child(trial: Trial) -> int:
    """What the process of a command does, and its exit status."""
    import tempfile

    from mocap_cli.io import atomic

    atomic._clean_once.cache_clear()  # a process of its own looks into the folder again
    tempfile.tempdir = None  # TMPDIR is another
    weakref.finalize._registry.clear()  # those of the harness are not the command's
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_AS, (used + _ROOM, used + _ROOM))
    if trial.file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (trial.file_bytes, trial.file_bytes))
    how = {"mode": "w", "errors": "backslashreplace", "closefd": False}
    sys.stdout, sys.stderr = open(1, **how), open(2, **how)  # noqa: SIM115
    faulthandler.dump_traceback_later(WALL_SECONDS - 10)  # says where a command hangs
    try:
        trial.setup()
        if trial.call is not None:
            trial.call()
        else:
            _command(trial)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except MocapError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 70
    finally:
        weakref.finalize._exitfunc()  # may print, and the end of a fork leaves it out
        sys.stderr.flush()
    return 0


def _command(trial: Trial) -> None:
    from mocap_cli.cli.main import main

    if not trial.tracker:
        from person import stand

        import mocap_cli.tracking.track as tracking

        tracking.track = stand
        tracking.track_all = lambda *given, **named: [stand(*given, **named) for _ in range(2)]
    sys.argv = ["mocap", *shlex.split(trial.typed)]
    main()


@dataclass(frozen=True, slots=True)
class _End:
    code: int  # below zero: the signal
    growth: int  # bytes of memory beyond those at the start
    processor: float  # seconds


def _wait(trial: Trial, child: _Child) -> _End:
    """How the process ends, with a kill when its time has come."""
    killed = False
    while True:
        done, status, usage = os.wait4(child.number, os.WNOHANG)
        if done:
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            growth, spent = (usage.ru_maxrss - own) * 1024, usage.ru_utime + usage.ru_stime
            return _End(os.waitstatus_to_exitcode(status), growth, spent)
        late = time.monotonic() - child.began > WALL_SECONDS
        due = trial.kill_after is not None and _spent(child) >= trial.kill_after
        if (late or due) and not killed:
            os.kill(child.number, signal.SIGKILL)
            killed = True
        time.sleep(0.002 if trial.kill_after is not None else 0.005)


def _spent(child: _Child) -> float:
    """Seconds of a processor so far, as a busy machine delays the rest; of the clock elsewhere."""
    try:
        return int(Path(f"/proc/{child.number}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, IndexError, ValueError):
        return time.monotonic() - child.began


def _fault(trial: Trial, end: _End) -> str:
    code = end.code
    if code == -signal.SIGKILL and trial.kill_after is not None:
        return ""
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"took more than {CPU_SECONDS} s of a processor, or {WALL_SECONDS:.0f} s"
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    if end.growth > MAX_GROWTH:
        return f"took {end.growth >> 20} MB"
    return "" if code in _ENDS or code == 70 else f"exit status {code}"


def _said_wrong(trial: Trial, said: str, ends: list[_End]) -> str:
    lines = said.strip().splitlines()
    if "Traceback" in said or "stopped by a bug" in said:
        at = [line.strip() for line in lines if "mocap_cli/" in line and line.strip()[:4] == "File"]
        where = at[-1].rpartition("/")[2].replace('", line ', ":") if at else ""
        return f"traceback: {lines[-1][:120]} at {where}"
    failed = any(end.code > 0 for end in ends)
    if {"--json", "--check"} <= set(trial.typed.split()):
        return ""  # what fails the check is in the object on stdout
    if failed and not any(
        word in said for word in ("error:", "Error", "failed", "--check", "usable")
    ):
        return f"no error line: {said[:80]!r}"
    if any(len(line) > _MAX_LINE for line in lines):
        return f"a line of {max(map(len, lines))} characters"
    odd = [c for c in said if _steers_terminal(c)]
    return f"control characters: {odd[:3]!r}" if odd else ""


def _steers_terminal(character: str) -> bool:
    if character in "\n\t\r\x1b":
        return False
    return unicodedata.category(character) == "Cc" or character in _TURNS_TEXT


def _contents(folder: Path) -> Mapping[str, str]:
    """A digest of every file, without those that come and go."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = f"-> {path.readlink()}"
        elif path.is_file() and path.parent.name != "tmp" and not _ASIDE.match(path.name):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(folder))] = digest
    return found


def _changed(trial: Trial, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    for name in trial.keep or before:
        if before[name] != after.get(name):
            return f"{name!r} was changed"
    return ""


def _leftovers(trial: Trial, folder: Path) -> str:
    # `check` looks after the next command
    return left_aside(folder) if trial.kill_after is None else ""


def left_aside(folder: Path) -> str:
    """Which temporary file or lock a command has left; nothing where there is none."""
    hidden = [p.name for p in folder.rglob(".*") if _ASIDE.match(p.name) or p.suffix == ".lock"]
    own = [p.name for p in (folder / "tmp").iterdir() if not p.name.startswith("torchinductor")]
    left = hidden + own
    return f"left {left[0]!r}" if left else ""
