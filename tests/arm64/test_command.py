"""`debugcall check --vm` as users run it, and what it says when something is wrong."""

import json
import os
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from time import sleep

import pytest

from harness.arch import host_goarch
from harness.toolchain import Toolchain, build_target
from harness.vm import Guest
from tests.arm64.children import children

DEBUGCALL = Path(sysconfig.get_path("scripts"), "debugcall")
FIXED = "go1.27.3"
CHECK = ("check", "--go", FIXED, "--goarch", "arm64", "--vm", "--no-control")
HARNESS_FAILED, WRONG_INPUT, CANNOT_TELL = 132, 129, 125

Result = subprocess.CompletedProcess[str]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files of the command."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def ready(
    arm64_guest: Callable[..., Guest], toolchain: Callable[[str], Toolchain], scratch: Path
) -> Path:
    """Have the guest and the target made before; return `scratch`."""
    assert arm64_guest()
    build_target(toolchain(FIXED.removeprefix("go")), "caller", goarch="arm64")
    return scratch


def debugcall(*arguments: str | Path, **environ: str) -> Result:
    return subprocess.run(
        [DEBUGCALL, *arguments],
        env=os.environ | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def assert_refused(done: Result, code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


def assert_nothing_is_left(scratch: Path) -> None:
    """No file, and no process that was started with this folder for its temporary files."""
    assert not list(scratch.iterdir())
    mark = f"TMPDIR={scratch}\0".encode()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            assert mark not in environ.read_bytes(), environ
        except OSError:
            continue  # it has ended, or is another user's


def test_a_check(ready: Path) -> None:
    done = debugcall(*CHECK, "--json", "-n", "30")
    assert done.returncode == 0, done.stderr
    (check,) = json.loads(done.stdout)["checks"]
    counts = check["verdict"]["counts"]
    assert counts["delay"]["refused"] + counts["steal"]["refused"] >= 29
    assert_nothing_is_left(ready)


def test_without_qemu(ready: Path, tmp_path: Path) -> None:
    go = shutil.which("go")
    (tmp_path / "bin").mkdir()
    if go:
        (tmp_path / "bin" / "go").symlink_to(go)
    done = debugcall(*CHECK, PATH=str(tmp_path / "bin"))
    assert_refused(
        done, HARNESS_FAILED, "no qemu-system-aarch64", "sudo apt-get install qemu-system-arm"
    )
    assert_nothing_is_left(ready)


def test_a_guest_that_is_killed(ready: Path, tmp_path: Path) -> None:
    record = tmp_path / "recording.jsonl"
    with subprocess.Popen(
        [DEBUGCALL, *CHECK, "-n", "5000", "--record", record],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (record.exists() and record.read_bytes().count(b'"inject"') > 40):
            assert process.poll() is None
            sleep(0.05)
        (qemu,) = children(process.pid)
        os.kill(qemu, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    assert_refused(
        Result([], process.returncode, out, err), HARNESS_FAILED, "killed by SIGKILL", "mend: "
    )
    assert_nothing_is_left(ready)
    verified = debugcall("verify", record, "--json")
    assert verified.returncode == CANNOT_TELL, verified.stderr
    (check,) = json.loads(verified.stdout)["checks"]
    assert "the recording breaks off after" in check["reason"]
    assert check["toolchain"] == f"{FIXED} linux/arm64"
    assert check["command"].startswith(f"debugcall check --go {FIXED} --goarch arm64 --vm ")
    counts = check["verdict"]["counts"]
    assert sum(count["refused"] for count in counts.values()) >= 39


def test_a_time_limit_that_is_too_short(ready: Path) -> None:
    done = debugcall(*CHECK, DEBUGCALL_TIME_SCALE="0.005")
    assert_refused(done, HARNESS_FAILED, "did not get on for 2 s", "DEBUGCALL_TIME_SCALE=4")
    assert_nothing_is_left(ready)


def test_a_full_disk(ready: Path) -> None:
    mount = f'mount -t tmpfs -o size=8m none "$TMPDIR" && exec {DEBUGCALL} {" ".join(CHECK)}'
    done = subprocess.run(
        [*("unshare", "--user", "--map-root-user", "--mount", "sh", "-c"), mount],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no small file system can be made here: {done.stderr.strip()}")
    assert_refused(done, HARNESS_FAILED, "the disk is full", "TMPDIR")
    assert_nothing_is_left(ready)


def test_another_architecture_for_the_guest() -> None:
    done = debugcall("check", "--goarch", "amd64", "--vm")
    assert_refused(done, WRONG_INPUT, "--vm runs arm64 targets only")
    done = debugcall("check", "--goarch", "mips", "--vm")
    assert_refused(done, WRONG_INPUT, "mips is not supported (supported: amd64, arm64)")


@pytest.mark.skipif(host_goarch() != "amd64", reason="for a machine that is no arm64")
def test_arm64_without_a_guest(toolchain: Callable[[str], Toolchain]) -> None:
    done = debugcall("check", "--goarch", "arm64")
    assert_refused(done, WRONG_INPUT, "cannot run arm64 targets", "check --goarch arm64 --vm")
    binary = build_target(toolchain("1.27.3"), "caller", goarch="arm64")
    done = debugcall("run", binary)
    assert_refused(done, CANNOT_TELL, "the program is for arm64, and this machine is amd64")
