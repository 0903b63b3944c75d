"""Real headless Chromium behind one function: do something to a page and tell what came of it."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from readers import _modules

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
    look = Path(__file__).parent / "browser" / "look.mjs"
    # Not waitForFunction, which evaluates texts, and that the page does not allow.
    ready = (
        "for (let i = 0; i < 200 && !(await tab.evaluate(() => Boolean(window.mocap))); i++)"
        " await tab.waitForTimeout(100);\n"
    )
    done = subprocess.run(
        ["node", str(look), str(_modules(PLAYWRIGHT)), chromium, str(page), size, scheme],
        input=ready + script,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    return Visit(**json.loads(done.stdout))
