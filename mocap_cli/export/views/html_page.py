"""One HTML file that needs no network: template, style and script under one content policy."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from mocap_cli import __version__


def build_html(
    template: Path,
    styles: Sequence[Path],
    scripts: Sequence[Path],
    parts: Mapping[str, str],
    *,
    media: str = "'none'",
) -> str:
    """The template with its {{...}} replaced by `parts`, and the files embedded unchanged.

    The policy allows this script, this style and the `media` sources, and nothing else.
    """
    style = "".join(path.read_text("utf-8") for path in styles)
    script = '"use strict";\n' + "\n".join(path.read_text("utf-8") for path in scripts)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)};"
        f" media-src {media}; base-uri 'none'; form-action 'none'"
    )
    own = {"policy": policy, "version": __version__, "style": style, "script": script}
    every = {**parts, **own}
    # In one pass, so that {{...}} inside a part is not replaced.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: every[match[1]], template.read_text("utf-8"))


def as_script(value: Any) -> str:
    """JSON that cannot end its script element, whatever text it holds."""
    return orjson.dumps(value).decode("utf-8").replace("<", "\\u003c")


def embedded(name: str, content: str) -> str:
    """An element that carries base64, read by its id."""
    return f'<script type="application/octet-stream" id="{name}">{content}</script>'


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
