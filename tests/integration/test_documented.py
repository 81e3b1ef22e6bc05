"""The commands of docs/show.md, run in their order."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.toolchain import Toolchain
from tests.integration.test_cli import debugcall

PAGE = Path(__file__).parents[2] / "docs" / "show.md"


def test_the_commands_work_as_the_page_says(
    toolchain: Callable[[str], Toolchain], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1.21.1", "1.22.0"):
        toolchain(version)
    monkeypatch.chdir(tmp_path)
    lines = [line.strip() for line in PAGE.read_text().splitlines() if line.startswith("    ")]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("debugcall ")]
    done = {" ".join(words): debugcall(*words) for words in commands}
    for name, run in done.items():
        assert run.returncode == (1 if "check --go go1.21.1" in name else 0), run
    assert {path.name for path in tmp_path.iterdir()} == {
        *("go1.21.1.jsonl", "go1.22.0.jsonl"),
        *("failure.html", "failure.json", "results.xml"),
    }
    shown = done["show go1.21.1.jsonl go1.22.0.jsonl"].stdout
    assert "THE CALL MOVES to thread" in shown
    assert shown.splitlines()[-2].startswith("go1.21.1  NOT LOCKED")
