"""Real headless Chromium behind one function: do something to a page and tell what came of it."""

import atexit
import functools
import json
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from readers import node_modules

PLAYWRIGHT = "playwright-core@1.65.1"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Visit:
    """What a visit to a page gave."""

    value: Any
    said: list[str]  # on the console, errors included
    outside: list[str]  # addresses that were asked for besides the page


def visit(page: Path, script: str, size: str = "1280x860", scheme: str = "dark") -> Visit:
    """Open the page from file:// and run `script`, which has Playwright's page as `tab`."""
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None or shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("looking at pages needs chromium, node and npm, which are not installed here")
    servant = _servant(chromium)
    wish = {"page": str(page), "script": script, "size": size, "scheme": scheme}
    servant.stdin.write(json.dumps(wish) + "\n")
    servant.stdin.flush()
    answer = json.loads(servant.stdout.readline())
    assert "failed" not in answer, answer["failed"]
    return Visit(**answer)


@functools.cache
def _servant(chromium: str) -> subprocess.Popen[str]:
    """One browser for all pages of a run: it takes seconds to start."""
    look = Path(__file__).parent / "browser" / "look.mjs"
    command = ["node", str(look), str(node_modules(PLAYWRIGHT)), chromium]
    pipe = subprocess.PIPE
    servant = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    atexit.register(end, servant)
    return servant


def end(servant: subprocess.Popen[str], patience: float = 10.0) -> None:
    """Let it close the browser; on a busy machine end it after so many seconds."""
    servant.stdin.close()
    for ask in (lambda: None, servant.terminate, servant.kill):
        ask()
        with suppress(subprocess.TimeoutExpired):
            servant.wait(patience)
            break
    servant.stdout.close()
