"""The commands of README and docs/ci.md that call Docker, in their order."""

import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.errors import TracePermissionError
from harness.toolchain import Toolchain, unlocked_runtime
from harness.tracer.permission import yama_scope
from tests.clones import commit, git, start
from tests.docker.containers import Image, docker, must, unique
from tests.documented import LEFT_OUT, PAGES, commands

DEBUGCALL = Path(sysconfig.get_path("scripts"), "debugcall")
COMMANDS = list(
    dict.fromkeys(
        command
        for page in PAGES
        for command in commands(page)
        if command.startswith("docker ") and "compose" not in command and command not in LEFT_OUT
    )
)
EXPECTED = {
    "check --go go1.22.0": (0, "pass  go1.22.0: "),
    "check --go /goroot": (0, "pass  go1.21.3: "),
    "matrix --repo /go": (0, "pass"),
    "bisect --repo /go": (0, " runtime: lock debug calls"),
    "--record go1.21.1.jsonl": (1, "fail  go1.21.1: "),
    "show --html": (0, ""),
    "attach 1": (0, "thefts of the call goroutine were tried, all were refused"),
    "doctor": (0, "tracing"),
}
"""The exit code of the one command with these words, and what it says."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which they are run."""
    return tmp_path_factory.mktemp("documented")


@pytest.fixture(scope="module")
def clone(toolchain: Callable[[str], Toolchain], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone of Go, such as it might be: broken, and fixed."""
    go = toolchain("1.26.8")
    clone = start(tmp_path_factory.mktemp("clone") / "go")
    subprocess.run(["cp", "-R", go.goroot / "src", go.goroot / "VERSION", clone], check=True)  # noqa: S607
    locked = (clone / "src/runtime/debugcall.go").read_text()
    (unlocked,) = unlocked_runtime(go).values()
    path = {"src__runtime__debugcall_DOT_go": unlocked.read_text()}
    commit(clone, "runtime: break debug calls", **path)
    git(clone, "tag", "go1.21.1")
    commit(clone, "runtime: lock debug calls", src__runtime__debugcall_DOT_go=locked)
    git(clone, "tag", "go1.22.0")
    return clone


@pytest.fixture(scope="module")
def mine(volume: str) -> Iterator[str]:
    """Return a cache that this user may write to."""
    if os.getuid() in {0, 1000}:
        yield volume
        return
    name = must(docker("volume", "create", unique()))
    yield name
    docker("volume", "rm", name)


@pytest.fixture(scope="module")
def adapted(
    image: Image, target: str, clone: Path, mine: str, toolchain: Callable[[str], Toolchain]
) -> Callable[[str], str]:
    """Return a function that puts the names of what is here into a command."""
    here = {
        " debugcall ": f" {image.name} ",
        "debugcall:/cache": f"{image.cache}:/cache",
        "~/sdk/go:": f"{toolchain('1.21.3').goroot}:",
        "~/go:": f"{clone}:",
        "container:server": f"container:{target}",
    }

    def adapt(command: str) -> str:
        *network, cache = Image("", mine if "--user" in command else image.cache).where(online=True)
        options = [] if "--network" in command else network
        options += [] if ":/cache" in command or "--pid" in command else [cache]
        adapted = command.replace("run", " ".join(["run", *options]), 1)
        for word, other in here.items():
            adapted = adapted.replace(word, other)
        return adapted

    return adapt


@pytest.mark.parametrize("command", COMMANDS)
def test_it_does_what_it_says(command: str, adapted: Callable[[str], str], folder: Path) -> None:
    (words,) = [words for words in EXPECTED if words in command]
    name = unique()
    try:
        done = subprocess.run(
            ["bash", "-c", adapted(command.replace("run --rm", f"run --rm --name={name}"))],  # noqa: S607
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        docker("rm", "--force", name)
    code, said = EXPECTED[words]
    if yama_scope() and "--user 77:77" in command:
        code, said = TracePermissionError.exit_code, ""
    assert done.returncode == code, done.stderr
    assert said in done.stdout


def test_recordings_come_out_and_are_judged_here(folder: Path) -> None:
    recording = folder / "go1.21.1.jsonl"
    assert recording.stat().st_uid == os.getuid()
    assert "THE CALL MOVES" in (folder / "failure.html").read_text()
    verified = subprocess.run([DEBUGCALL, "verify", recording], capture_output=True, check=False)
    assert verified.returncode == 1


def test_each_is_known() -> None:
    assert all(any(words in command for command in COMMANDS) for words in EXPECTED)
