"""What README and the pages show is run: `console` blocks as commands, `python` blocks as programs, page by page.

In a `console` block a line that begins with "$ " is a command, continued after a backslash; the lines below it must
occur in its output in this order, where "..." stands for anything. Commands of one page run in order in one folder
that holds the data sets of `folders.py`.
"""

from __future__ import annotations

import re
import shlex
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import acme
from distributions import run, script
from docs.folders import write_all
from docs.warm import run_script

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted((DOCS / "pages").rglob("*.md"))]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]

# `sh` blocks install software or take minutes. First line -> where the same is run.
NOT_RUN = {
    "python -m pip install tox && python -m tox run -e demo": "tox itself; the demo in tests/demo and tests/cli",
    "pip install pyimgano pyimgano-industrial": "test_install.py",
    "python -m venv line": "test_install.py",
    "pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python-headless": "test_install.py",
    'pip install "pyimgano-industrial[headless]"': "test_install.py installs the two side by side",
    "pip install -e . pytest": "test_install.py runs the example's own tests",
    'pip install "pyimgano-industrial[anomalib]"': "tox installs it in its environment anomalib",
    "anomalib train --model Dinomaly --data Folder --data.name can --data.root AD2/can --data.normal_dir train/good": (
        "tests/models/test_anomalib_commands.py runs all four with PaDiM, by tox in anomalib; training takes hours"
    ),
    'pip install "pyimgano-industrial[completion]"': "tests/cli/test_completion.py",
    "pip install .": "test_install.py installs the example",
    "python -m tox run -e bench": "tests/benchmarks/startup.py, by tox",
    "pyimgano-industrial demo": "tests/demo and tests/cli",
    'pip install "pyimgano-industrial[clip]"': "tox -e clip",
    'pyimgano-infer --model vision_openclip_prompt_patch --model-kwargs \'{"class_name": "metal nut"}\' \\': (
        "tests/models/openclip/test_commands.py, with random weights"
    ),
    "pyimgano-infer --model vision_openclip_few_shot --model-kwargs "
    '\'{"class_name": "metal nut", "lighting": true}\' \\': "the same",
    "pyimgano-industrial evaluate --dataset industrial_folder --root parts --category bolt --output runs/clip \\": (
        "the same"
    ),
}

_FENCE = re.compile(r"^``` ?(?P<language>[^\n]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_SNIPPET = re.compile(r'^--8<-- "(?P<path>[^"]+)"$')


@dataclass
class Command:
    """One command and the output that the page shows below it."""

    text: str
    shown: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[None]]:
    """Start the selected pages, two at a time; a test waits for its own."""
    pool = ThreadPoolExecutor(2)
    folders = write_all(tmp_path_factory.mktemp("folders"))
    selected = [item for item in request.session.items if item.name.startswith("test_what_a_page_shows_runs[")]
    return {
        item.callspec.params["name"]: pool.submit(
            run_page,
            ROOT / item.callspec.params["name"],
            shutil.copytree(folders, tmp_path_factory.mktemp("page"), dirs_exist_ok=True),
        )
        for item in selected
        if isinstance(item, pytest.Function)
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_what_a_page_shows_runs(name: str, results: dict[str, Future[None]]) -> None:
    results[name].result()


def run_page(page: Path, folder: Path) -> None:
    """Run the blocks of a page in order; only the page on plugins has the example plugin installed."""
    plugin = acme.install(folder / "site") if page.stem == "write-a-plugin" else None
    for language, body in blocks(page):
        if language == "python":
            run(script("python"), "-c", body, path=plugin, cwd=folder)
        elif language == "console":
            code = 0
            for command in commands(body):
                code, output = execute(command.text, folder, plugin, last=code)
                missing = first_missing(command.shown, output)
                assert missing is None, f"{page.name}: {missing!r} is not in the output of {command.text}\n{output}"
                expected = (0, 1) if body.rstrip().endswith("$ echo $?\n1") else (0,)
                assert code in expected, f"{page.name}: {command.text} -> {code}\n{output}"


def execute(text: str, folder: Path, plugin: Path | None, *, last: int) -> tuple[int, str]:
    """Run one command line as a shell would, without one: NAME=value in front, and `echo $?` with the `last` code."""
    if text == "echo $?":
        return last, f"{last}\n"
    words = shlex.split(text)
    env = {}
    while "=" in words[0]:
        name, _, env[name] = words.pop(0).partition("=")
    if not env and plugin is None and words[0] != "python":
        return run_script(words[0], words[1:], folder)
    done = run(script(words[0]), *words[1:], path=plugin, cwd=folder, env=env, check=False)
    return done.returncode, done.stdout + done.stderr


def blocks(page: Path) -> list[tuple[str, str]]:
    return [(found["language"], found["body"]) for found in _FENCE.finditer(page.read_text(encoding="utf-8"))]


def commands(body: str) -> list[Command]:
    found: list[Command] = []
    for line in body.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append(Command(line.removeprefix("$ ")))
        else:
            found[-1].shown.append(line)
    return found


def first_missing(shown: list[str], output: str) -> str | None:
    """Return the first shown line that does not follow the others in the output; blanks count as one."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    position = 0
    for line in shown:
        wanted = " ".join(line.split())
        if wanted in ("", "..."):
            continue
        pattern = ".*".join(map(re.escape, wanted.split("...")))
        following = range(position, len(lines))
        position = next((index + 1 for index in following if re.fullmatch(pattern, lines[index])), 0)
        if not position:
            return line
    return None


def test_every_block_that_is_not_run_is_listed_with_its_reason() -> None:
    found = {
        body.partition("\n")[0].partition("  #")[0].rstrip()
        for page in PAGES
        for language, body in blocks(page)
        if language == "sh"
    }
    assert found == NOT_RUN.keys()


@pytest.mark.parametrize("name", NAMES)
def test_no_command_hides_in_a_block_that_nobody_runs(name: str) -> None:
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"^[ >]+```", text, re.MULTILINE), "an indented block is not found"
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(blocks(page))
    for language, body in blocks(page):
        if _SNIPPET.match(body.rstrip()):
            continue  # a file of the example, which its own tests run
        assert language in {"console", "python", "sh", "text", "json"}
        if language in ("text", "json"):
            assert not re.search(r"^(\$ |pip |python |tox |pyimgano(-\w+)* )", body, re.MULTILINE), body


def test_every_included_file_is_there() -> None:
    included = [found["path"] for page in PAGES for _, body in blocks(page) if (found := _SNIPPET.match(body.rstrip()))]
    example = DOCS / "examples" / "acme-bolts"
    assert {(DOCS / path).resolve() for path in included} == {
        path.resolve() for path in example.rglob("*") if path.suffix in (".py", ".toml")
    }


@pytest.mark.parametrize("name", NAMES)
def test_links_to_files_lead_somewhere(name: str) -> None:
    page = ROOT / name
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), f"{name} links to {target}"


def test_what_a_subclass_sets_is_listed() -> None:
    from pyimgano_industrial.datasets import FolderDataset

    text = (DOCS / "pages/reference/datasets.md").read_text(encoding="utf-8")
    table = text.partition("### What a subclass sets")[2].partition(":::")[0]
    rows = {
        name
        for line in table.splitlines()
        for name in re.findall(r"`(\w+)`", line.split("|")[1] if "|" in line else "")
    }
    assert rows == {name for name in FolderDataset.__annotations__ if not name.startswith("_")}


def test_shown_output_must_follow_in_order() -> None:
    assert first_missing(["a  b", "...", "c ... e"], "a b\nx\nc d e\n") is None
    assert first_missing(["c", "a"], "a\nc\n") == "a"
