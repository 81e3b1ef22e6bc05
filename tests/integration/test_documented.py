"""The commands that README and the docs show, run as they stand and in their order."""

import os
import re
import shlex
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from harness.cli.group import debugcall as harness
from harness.toolchain import Toolchain
from tests.conftest import BROKEN_RELEASES, FIXED_RELEASES
from tests.documented import LEFT_OUT, PAGES, ROOT, commands, mentioned

Done = subprocess.CompletedProcess[str]
SHOWN = {page: [c for c in commands(page) if c not in LEFT_OUT] for page in PAGES}
HERE = {page: [c for c in shown if not c.startswith("docker ")] for page, shown in SHOWN.items()}
_LINE_OF_A_RELEASE = re.compile(r"^ *(go1\.\S+ +(?:pass|fail) +200\b)", re.MULTILINE)


def run(command: str, folder: Path) -> Done:
    scripts = sysconfig.get_path("scripts")
    return subprocess.run(
        ["bash", "-c", command],  # noqa: S607
        cwd=folder,
        env=os.environ | {"PATH": f"{scripts}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("page", [page for page in PAGES if HERE[page]], ids=lambda page: page.stem)
def test_the_commands_of_a_page_work(
    page: Path, toolchain: Callable[[str], Toolchain], tmp_path: Path
) -> None:
    for version in BROKEN_RELEASES + FIXED_RELEASES:
        toolchain(version)
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    done = {command: run(command, tmp_path) for command in HERE[page]}
    for command, result in done.items():
        fails = "show" not in command and re.search(r"21\.1(?!\d)", command)
        assert result.returncode == int(bool(fails)), result
    said = "".join(result.stdout for result in done.values())
    for line in _LINE_OF_A_RELEASE.findall(page.read_text()):
        assert line in said
    if page.name == "show.md":
        assert {path.name for path in tmp_path.iterdir()} == {
            *("scripts", "go1.21.1.jsonl", "go1.22.0.jsonl"),
            *("failure.html", "failure.json", "results.xml"),
        }
        shown = done["debugcall show go1.21.1.jsonl go1.22.0.jsonl"].stdout
        assert "THE CALL MOVES to" in shown
        assert shown.splitlines()[-2].startswith("go1.21.1  NOT LOCKED")


def test_nothing_is_left_out_that_is_not_there() -> None:
    assert set(LEFT_OUT) <= {command for page in PAGES for command in commands(page)}


def test_docker_is_shown_where_its_tests_look() -> None:
    assert {page.name for page in PAGES if SHOWN[page] != HERE[page]} == {"README.md", "ci.md"}


@pytest.mark.parametrize(
    "text", sorted({*LEFT_OUT, *(text for page in PAGES for text in mentioned(page))})
)
def test_what_is_not_run_is_understood(text: str) -> None:
    words = shlex.split(re.sub(r"[][]", "", re.sub(r"\$\(.*?\)", "1", text)))
    if re.match(r"(\./)?(scripts|\.ci)/", text):
        assert os.access(ROOT / words[0], os.X_OK)
    if not any(word.endswith("debugcall") for word in words) or "build" in words:
        return
    name, *arguments = words[1 + [word.endswith("debugcall") for word in words].index(True) :]
    command = harness.get_command(click.Context(harness), name)
    assert command
    if arguments:
        command.make_context(name, arguments)


def test_the_example_in_python_works(caller_binary: Callable[[str], Path], tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "server").symlink_to(caller_binary("1.22.0"))
    script = example.replace("main.handle", "main.round")
    done = run(f"python -c {shlex.quote(script)}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "(5,)"
