"""What CI is told. A toolchain that is not there is checked: it needs neither Go nor ptrace."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harness.arch import host_goarch
from harness.cli import main

MISSING = "/missing/go"


@pytest.fixture(autouse=True)
def summary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    return tmp_path / "summary"


def check(*arguments: object) -> int:
    return main(["check", "--go", MISSING, *map(str, arguments)])


def test_github_is_told(capsys: pytest.CaptureFixture[str], summary: Path) -> None:
    summary.write_text("what came before\n")
    assert check() == 129
    assert capsys.readouterr().out.startswith("::error title=debugcall /missing/go%3A error 129::")
    assert summary.read_text().startswith("what came before\n### debugcall\n")


def test_the_command_that_repeats_it_is_for_another_machine(tmp_path: Path, summary: Path) -> None:
    assert check("--junit", tmp_path / "j", f"--record={tmp_path}", "-n", "5") == 129
    assert f"\ndebugcall check --go {MISSING} -n 5\n" in summary.read_text()


def test_of_several_too(capsys: pytest.CaptureFixture[str], summary: Path) -> None:
    assert check("--go", "/missing/2") == 129
    assert capsys.readouterr().out.count("\n::error title=") == 2
    assert "/missing/2" in summary.read_text()


def test_json_stays_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--json") == 129
    said = capsys.readouterr()
    assert json.loads(said.out)["exit_code"] == 129
    assert "\n::error title=" in said.err


@pytest.mark.parametrize("value", [None, "", "false"])
def test_elsewhere_nothing_is_told(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    summary: Path,
    value: str | None,
) -> None:
    if value is None:
        monkeypatch.delenv("GITHUB_ACTIONS")
    else:
        monkeypatch.setenv("GITHUB_ACTIONS", value)
    assert check() == 129
    assert "::error" not in capsys.readouterr().out
    assert not summary.exists()


def test_a_summary_that_cannot_be_written_changes_no_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    assert check() == 129
    assert f"error: cannot write the summary {tmp_path}: Is a directory" in capsys.readouterr().err


def test_junit_names_the_target(tmp_path: Path) -> None:
    file = tmp_path / "j.xml"
    for _ in range(2):  # a report of ours is written anew
        assert check("--go", "/missing/2", "--junit", file) == 129
    suites = list(ET.parse(file).getroot())  # noqa: S314 - it is our own
    assert [suite.get("name") for suite in suites] == [MISSING, "/missing/2"]
    assert [suite[0].get("name") for suite in suites] == ["caller", "caller"]


def test_each_case_of_a_matrix_has_a_name_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "j.xml"
    command = ["matrix", "--go", MISSING, "--schedule", "natural,delay,steal", "--junit", str(file)]
    assert main(command) == 129
    cases = [case.get("name") for case in ET.parse(file).iter("testcase")]  # noqa: S314 - our own
    arch = host_goarch()
    assert cases == [f"caller on {arch}, {way}" for way in ("natural", "delay", "steal")]


@pytest.mark.parametrize("command", ["check", "matrix"])
def test_what_was_found_is_told_though_a_file_cannot_be_written(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, "--go", f"{MISSING},/missing/2", "--junit", "/dev/full"]) == 129
    said = capsys.readouterr()
    assert "cannot write /dev/full" in said.err
    told, annotated = said.out.index("/missing/2"), said.out.index("::error title=")
    assert told < annotated


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<?xml version='1.0'?>\n<testsuites/>\n", "exists and is no report of debugcall"),
        (b"#!/bin/sh\ndebugcall check\n", "exists and is no report of debugcall"),
        (b'{"event":"header","x":"<?xml ?><testsuites name="debugcall""}\n', "is no report"),
        (b'{"event":"header","harness":"debugcall"}\n', "exists and is no report of debugcall"),
        (None, "Is a directory"),
    ],
)
def test_what_is_not_ours_is_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "file"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    assert check("--junit", file) == 129
    told = capsys.readouterr()
    assert said in told.err
    assert "\nmend: " in told.err
    assert "looking for" not in told.err, "it is told before anything is done"
    assert content is None or file.read_bytes() == content


def test_a_place_that_is_missing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert check("--junit", tmp_path / "no" / "j.xml") == 129
    assert f"mend: mkdir -p {tmp_path / 'no'}" in capsys.readouterr().err


def test_a_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--junit", "/dev/full") == 129
    assert "cannot write /dev/full: No space left on device\nmend: df -h" in capsys.readouterr().err
