import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import BuildError, HarnessError, Unsupported
from harness.toolchain import Toolchain, build_target, find_toolchain, unlocked_runtime
from tests.conftest import BROKEN_RELEASES, FIXED_RELEASES

ENDS = ("1.17.13", "1.21.1", "1.21.3", "1.27.3")  # first and last of broken and fixed

Toolchains = Callable[[str], Toolchain]


def run(binary: Path, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a target whose stdin ends after `stdin`, which is soon."""
    return subprocess.run(
        [binary],
        input=stdin,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def code_of(toolchain: Toolchain, function: str, binary: Path) -> str:
    pattern = f"^{function.replace('.', '[.]')}$"
    return subprocess.run(
        [toolchain.go, "tool", "objdump", "-s", pattern, binary],
        env=os.environ | {"GOROOT": str(toolchain.goroot), "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("version", ENDS)
def test_a_release_is_fetched_by_name(toolchain: Toolchains, version: str) -> None:
    found = toolchain(version)
    assert found.version == f"go{version}"
    assert found.go == found.goroot / "bin" / "go"
    assert find_toolchain(str(found.goroot)) == found
    assert find_toolchain(str(found.go)) == found


def test_the_one_at_hand_is_found() -> None:
    assert find_toolchain().language >= (1, 17)


@pytest.mark.parametrize("version", ENDS)
@pytest.mark.parametrize("target", ["caller", "flags"])
def test_a_target_keeps_its_hand_shake(toolchain: Toolchains, version: str, target: str) -> None:
    binary = build_target(toolchain(version), target)
    with subprocess.Popen(
        [binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.close()
        report = json.loads(process.stdout.read())
        assert report.keys() == {"rounds", "mismatches"}
        assert report["rounds"] > 0 or target == "flags"
        assert report["mismatches"] == 0
        assert process.wait() == 0


def test_the_flags_target_branches_on_the_compare_and_swap(toolchain: Toolchains) -> None:
    found = toolchain("1.27.3")
    code = code_of(found, "main.round", build_target(found, "flags")).splitlines()
    swap = next(number for number, line in enumerate(code) if "CMPXCHG" in line)
    assert "SET" in code[swap + 1] or "J" in code[swap + 1], "something stands between"


def test_targets_that_misbehave(toolchain: Toolchains) -> None:
    found = toolchain("1.21.1")
    crashed = run(build_target(found, "crash"), stdin="x")
    assert (crashed.stdout, crashed.returncode) == ("ready\n", 2)
    assert "nil pointer dereference" in crashed.stderr
    assert run(build_target(found, "crash")).returncode == 0
    ended = run(build_target(found, "exit"))
    assert (ended.stdout, ended.returncode) == ("", 3)
    silent = run(build_target(found, "silent"), stdin="x")
    assert (silent.stdout, silent.returncode) == ("", 0)


@pytest.mark.parametrize("version", FIXED_RELEASES)
def test_the_control_has_no_lock_left(toolchain: Toolchains, version: str) -> None:
    found = toolchain(version)
    whole = build_target(found, "caller")
    control = build_target(found, "caller", overlay=unlocked_runtime(found))
    assert "lockOSThread" in code_of(found, "runtime.debugCallWrap", whole)
    cut = code_of(found, "runtime.debugCallWrap", control)
    assert "debugcall.go" in cut
    assert "lockOSThread" not in cut
    assert run(control).returncode == 0


@pytest.mark.parametrize("version", BROKEN_RELEASES)
def test_a_broken_release_needs_no_control(toolchain: Toolchains, version: str) -> None:
    with pytest.raises(Unsupported, match="nothing to cut"):
        unlocked_runtime(toolchain(version))


def test_a_build_is_kept_by_content(toolchain: Toolchains, tmp_path: Path) -> None:
    found = toolchain("1.21.1")
    package = tmp_path / "hello"
    package.mkdir()
    (tmp_path / "go.mod").write_text("module hello\n\ngo 1.17\n")
    main = package / "main.go"
    main.write_text('package main\n\nfunc main() { println("one") }\n')
    first = build_target(found, package)
    built_at = first.stat().st_mtime_ns
    assert run(first).stderr == "one\n"
    assert build_target(found, package) == first
    assert first.stat().st_mtime_ns == built_at
    stripped = build_target(found, package, flags=["-ldflags=-s -w"])
    assert stripped.stat().st_size < first.stat().st_size
    main.write_text('package main\n\nfunc main() { println("two") }\n')
    assert run(build_target(found, package)).stderr == "two\n"
    assert run(first).stderr == "one\n"


def test_a_program_that_does_not_compile(toolchain: Toolchains, tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module wrong\n\ngo 1.17\n")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() { undefinedName() }\n")
    with pytest.raises(BuildError, match="undefinedName"):
        build_target(toolchain("1.21.1"), tmp_path)


@pytest.mark.parametrize("version", ["1.17.13", "1.27.3"])
def test_the_users_go_settings_do_not_matter(
    toolchain: Toolchains,
    version: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    empty_cache: Path,
) -> None:
    found = toolchain(version)
    settings = tmp_path / "env"
    settings.write_text("GOFLAGS=-nonsense\nGOOS=windows\n")
    monkeypatch.setenv("GOENV", str(settings))
    for name, value in {
        "GOFLAGS": "-nonsense",
        "GOROOT": "/nonexistent",
        "GOTOOLCHAIN": "go1.99.0",
        "GOEXPERIMENT": "nonsense",
        "GOWORK": "/nonexistent/go.work",
        "GOARCH": "mips",
        "GOCACHE": "off",
        "CGO_ENABLED": "1",
    }.items():
        monkeypatch.setenv(name, value)
    assert find_toolchain(version) == found
    built = build_target(found, "exit")
    assert built.is_relative_to(empty_cache)
    assert built.read_bytes()[:4] == b"\x7fELF"


def test_the_users_proxy_does_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = tmp_path / "env"
    settings.write_text("GOPROXY=http://127.0.0.1:9\n")  # the discard port: nobody answers
    monkeypatch.delenv("GOPROXY", raising=False)
    monkeypatch.setenv("GOENV", str(settings))
    with pytest.raises(HarnessError, match=r"cannot fetch go1\.21\.99: .*127\.0\.0\.1:9") as caught:
        find_toolchain("1.21.99")
    assert "GOPROXY" in caught.value.mend


def test_two_processes_build_one_target(toolchain: Toolchains, empty_cache: Path) -> None:
    goroot = toolchain("1.21.1").goroot
    script = (
        "from harness.toolchain import *\n"
        f"path = build_target(find_toolchain({str(goroot)!r}), 'exit')\n"
        "print(path, path.stat().st_ino)\n"
    )
    builders = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = {builder.communicate()[0] for builder in builders}
    assert [builder.returncode for builder in builders] == [0, 0]
    assert len(answers) == 1, "the second one built it again"
    (home,) = (empty_cache / "targets").iterdir()
    assert {path.name for path in home.iterdir()} <= {"built", "lock"}
    assert [path.name for path in (home / "built").iterdir()] == ["exit"]


def test_arm64_is_built_without_hardware(toolchain: Toolchains) -> None:
    binary = build_target(toolchain("1.21.3"), "exit", goarch="arm64")
    machine = int.from_bytes(binary.read_bytes()[18:20], "little")
    assert machine == 183  # EM_AARCH64
