"""The documentation: links lead somewhere, and commands have the options they are shown with.

Nothing is run here but the parser; `.ci/run` runs the commands of the README.
"""

import ast
import contextlib
import importlib
import importlib.util
import inspect
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import mocap_cli
from mocap_cli.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/*.md", "training/*.md", "weights/*.md")
    for page in ROOT.glob(pattern)
)
MOCAP = typer.main.get_command(app)
_FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^(?: {4}\S.*\n?)+", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"(?:mocap_cli|training|benchmarks|examples|docs|tests|weights)/[\w/.-]+")
_MADE = {"docs/labels-curve.png"}  # paths that a command of the page writes


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def code_lines(text: str) -> Iterator[str]:
    """Lines of fenced and indented code, one command each, without comments."""
    blocks = _FENCE.findall(text) + _INDENTED.findall(_FENCE.sub("", text))
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        yield from re.split(r"&&|\||;", line.split(" #")[0])


def inline_code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))


def after(words: list[str], *start: str) -> list[str] | None:
    """What follows `start` in a command, if it is in it."""
    for i in range(len(words)):
        if tuple(words[i : i + len(start)]) == start:
            return words[i + len(start) :]
    return None


def mocap_arguments(line: str) -> list[str] | None:
    """The arguments of a line that calls mocap, in any of the ways the pages call it."""
    try:
        words = shlex.split(line)
    except ValueError:  # prose with an apostrophe
        return None
    if words and words[0].rsplit("/")[-1] == "mocap":
        return words[1:]
    return after(words, "-m", "mocap_cli")


def parse(arguments: list[str]) -> None:
    """Parse as the command line would, without running the command."""
    word = None if arguments[0].startswith("-") else arguments[0]
    rest = arguments[1:] if word else arguments
    with contextlib.suppress(typer.Exit):  # --help, --version
        (MOCAP.commands[word] if word else MOCAP).make_context(word or "mocap", list(rest))


def options_of(command: str) -> set[str]:
    found = {
        option for p in MOCAP.commands[command].params for option in (*p.opts, *p.secondary_opts)
    }
    return found | {"--help"}


def slug(heading: str) -> str:
    """The anchor that a Markdown viewer gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for link in _LINK.findall(page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)} links to {link}"
        if anchor:
            headings = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)
            assert anchor in map(slug, headings), f"{name(page)} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_of_the_project_that_a_page_names_exists(page):
    text = page.read_text()
    for code in [*inline_code(text), *code_lines(text)]:
        for word in code.split():
            path = word.strip(",.:()")
            if _PATH.fullmatch(path) and path not in _MADE:
                assert (ROOT / path).exists(), f"{name(page)} names {path}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_mocap_command_parses(page):
    for line in code_lines(page.read_text()):
        if (arguments := mocap_arguments(line)) is not None:
            try:
                parse(arguments)
            except Exception as error:
                pytest.fail(f"{name(page)}: {line.strip()}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_option_named_in_a_sentence_is_one_of_its_command(page):
    for code in inline_code(page.read_text()):
        arguments = mocap_arguments(code)
        if not arguments or arguments[0].startswith("-") or not arguments[0].islower():
            continue
        assert arguments[0] in MOCAP.commands, f"{name(page)}: {code}"
        for option in re.findall(r"(?<!\S)--[a-z][\w-]*", code):
            if option != "--nproc-per-node":
                assert option in options_of(arguments[0]), f"{name(page)}: {code}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_script_that_a_page_runs_exists_and_has_its_options(page):
    text = page.read_text()
    for line in [*code_lines(text), *inline_code(text)]:
        if not re.search(r"\bpython[\d.]* ", line) or "-m mocap_cli" in line:
            continue
        words = line.split()
        script = next((w for w in words if _PATH.fullmatch(w) and w.endswith(".py")), None)
        if module := re.search(r"-m ((?:training|mocap_cli)\.[\w.]+)", line):
            spec = importlib.util.find_spec(module[1])
            assert spec is not None, f"{name(page)} runs {module[1]}"
            script = spec.origin
        if script is None:
            continue
        source = (ROOT / script).read_text()
        for option in re.findall(r"(?<!\S)\[?(--[a-z][\w-]*)", line):
            assert f'"{option}"' in source, f"{name(page)}: {script} has no {option}"


@pytest.mark.parametrize(("page", "end"), [("library", "summary/3.csv"), ("pretrain", "-o ./ski")])
def test_a_slurm_script_runs_in_bash(page, end, tmp_path):
    (script,) = (
        block
        for block in _FENCE.findall((ROOT / "docs" / f"{page}.md").read_text())
        if block.startswith("#!/bin/bash")
    )
    stubs = "mocap() { echo mocap $*; }; srun() { echo $*; }; scontrol() { echo n1; echo n2; }; "
    slurm = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_NNODES": "2", "SLURM_JOB_ID": "77"}

    def run() -> str:
        command = ["bash", "-euc", stubs + script.replace("/shared/runs", ".")]
        path = {"PATH": "/usr/bin:/bin", "SLURM_JOB_NODELIST": "n[1-2]"}
        done = subprocess.run(
            command, cwd=tmp_path, env=slurm | path, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    first = run()
    assert first.endswith(end)
    if page == "pretrain":
        assert "--nnodes 2" in first
        assert "--rdzv-id 77 --rdzv-endpoint n1:29500" in first
        assert "pretrain /shared/videos --batch 64 -o" in first
        (tmp_path / "ski").mkdir()
        (tmp_path / "ski" / "last.safetensors").touch()
        assert "pretrain --resume -o" in run()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_of_a_page_imports_and_calls_what_exists(page):
    for block in _PYTHON.findall(page.read_text()):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mocap_cli"):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), block
            elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("mocap."):
                function = getattr(mocap_cli, ast.unparse(node.func).removeprefix("mocap."))
                given = {keyword.arg for keyword in node.keywords}
                assert given <= set(inspect.signature(function).parameters), ast.unparse(node)


@pytest.mark.parametrize("command", sorted(MOCAP.commands))
def test_the_examples_in_the_help_of_a_command_parse(command):
    examples = re.findall(r"Example: (mocap .*)", MOCAP.commands[command].help)
    assert examples
    for example in examples:
        parse(mocap_arguments(example))


def test_scripts_name_files_that_exist():
    for folder in ("benchmarks", "examples", "training", "tests"):
        for script in (ROOT / folder).rglob("*.py"):
            for path in re.findall(r"(?:benchmarks|examples)/\w+\.py", script.read_text()):
                assert (ROOT / path).exists(), f"{name(script)} names {path}"


def test_the_hooks_run_tests_that_exist():
    for path in _PATH.findall((ROOT / ".pre-commit-config.yaml").read_text()):
        assert (ROOT / path).exists(), path


def test_the_architecture_page_names_every_package():
    text = (ROOT / "docs/architecture.md").read_text()
    for file in sorted((ROOT / "mocap_cli").rglob("__init__.py")):
        if (package := file.parent) != ROOT / "mocap_cli":
            assert f"{package.name}/" in text, package


def test_every_page_can_be_reached_from_the_readme():
    reached, queue = set(), [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        if page in reached:
            continue
        reached.add(page)
        for link in _LINK.findall(page.read_text()):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists():
                queue.append(target)
    assert {name(page) for page in PAGES} <= {name(page) for page in reached}
