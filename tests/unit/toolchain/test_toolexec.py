import subprocess
from pathlib import Path

import pytest

from harness.toolchain import tools

SHIM = Path(tools.__file__).with_name("toolexec")


@pytest.fixture
def compiler(tmp_path: Path) -> Path:
    """A tool that says how it was called."""
    tool = tmp_path / "compile"
    tool.write_text('#!/bin/sh\nprintf "%s\\n" "GOEXPERIMENT=$GOEXPERIMENT" "$@"\n')
    tool.chmod(0o755)
    return tool


def called(tool: Path, *words: str) -> list[str]:
    environ = {
        "PATH": "/usr/bin:/bin",
        "DEBUGCALL_TOOLS": "0123abcd",
        "DEBUGCALL_UNKNOWN": "asm:-x compile:-gone",
        "GOEXPERIMENT": "noswissmap",
    }
    done = subprocess.run(
        [SHIM, tool, *words], env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_a_tool_is_known_by_its_content(compiler: Path) -> None:
    # cmd/go/internal/work/buildid.go, toolID: name, "version", and anything but "devel".
    assert called(compiler, "-V=full") == ["compile version 0123abcd"]


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        (("-o", "a b", "x.go"), ("-o", "a b", "x.go")),
        (("-goversion", "go1.21.0", "-p", "runtime", "x.go"), ("-p", "runtime", "x.go")),
        (("-gone", "-x", "$HOME", "*", "-gone"), ("-x", "$HOME", "*")),
        (("-p", "main", "-goversion", "go1.21.0"), ("-p", "main")),
        (("-p", "runtime", "-lang=go1.26", "-std", "x.go"), ("-p", "runtime", "-std", "x.go")),
        (("-p", "main", "-lang=go1.17", "x.go"), ("-p", "main", "-lang=go1.17", "x.go")),
        (("", "two\nlines"), ("", "two", "lines")),
        ((), ()),
    ],
)
def test_what_the_tool_does_not_know_is_left_out(
    compiler: Path, words: tuple[str, ...], passed: tuple[str, ...]
) -> None:
    assert called(compiler, *words) == ["GOEXPERIMENT=", *passed]


def test_the_assembler_is_told_what_is_of_the_standard_library(compiler: Path) -> None:
    assembler = compiler.rename(compiler.with_name("asm"))
    assert called(assembler, "-p", "runtime", "a.s")[1:] == ["-std", "-p", "runtime", "a.s"]
    assert called(assembler, "-p", "main", "a.s")[1:] == ["-p", "main", "a.s"]


def test_a_failure_stays_one(tmp_path: Path) -> None:
    tool = tmp_path / "link"
    tool.write_text("#!/bin/sh\nexit 3\n")
    tool.chmod(0o755)
    assert subprocess.run([SHIM, tool, "x"], env={"PATH": "/bin"}, check=False).returncode == 3
