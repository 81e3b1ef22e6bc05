"""A real guest. Each test boots it once, which takes some seconds."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from harness.errors import GuestError
from harness.vm import CPUS, Guest, harness_tree
from tests.arm64.children import children
from tests.integration.running import ended, until

GENEROUS = 300.0
RUN = """
import sys
from pathlib import Path
from harness.errors import HarnessError
from harness.vm import Guest
try:
    Guest.prepare().run(sys.argv[1:], limit=300, out=Path("out"), hear=sys.stderr.write)
except HarnessError as error:
    print(error.message)
"""


def test_a_command_with_its_files(arm64_guest: Callable[..., Guest], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "script").write_text(
        "#!/bin/sh\nuname -m; nproc; id -u; pwd; echo $NAME; cat /job/given; mkdir /out/deep\n"
        "cp /proc/version /out/deep/; head -c 5000000 /dev/urandom | tee /out/random | sha256sum\n"
        "exit 7\n"
    )
    (folder / "deep" / "script").chmod(0o755)
    heard: list[str] = []
    status = arm64_guest().run(
        ["/job/folder/deep/script"],
        limit=GENEROUS,
        files={"/job/folder": folder, "/job/given": b"given\n"},
        environ={"NAME": "it's a $NAME"},
        out=tmp_path / "out",
        hear=heard.append,
    )
    assert status == 7
    *lines, digest = heard
    assert lines == ["aarch64", "2", "0", "/root", "it's a $NAME", "given"]
    assert (tmp_path / "out" / "deep" / "version").read_text().startswith("Linux version")
    random = (tmp_path / "out" / "random").read_bytes()
    assert hashlib.sha256(random).hexdigest() == digest.split()[0]
    assert not children(os.getpid())


@pytest.mark.parametrize("cpu", CPUS)
def test_the_harness_itself_on_each_cpu(arm64_guest: Callable[..., Guest], cpu: str) -> None:
    guest = arm64_guest(cpu)
    heard: list[str] = []
    see = (
        "import harness.debugcall.session, msgspec, ptrace, hashlib, sys\n"
        "print(harness.debugcall.session.__cached__ is not None)\n"
        "print('atomics' in open('/proc/cpuinfo').read())\n"
        "sys.exit(msgspec.json.decode(b'3'))\n"
    )
    status = guest.run(
        ["python3", "-c", see],
        limit=GENEROUS,
        tree=harness_tree(guest.image.python),
        hear=heard.append,
    )
    assert heard == ["True", str(cpu == "neoverse-n1")]
    assert status == 3


def test_a_command_that_dies_by_a_signal(arm64_guest: Callable[..., Guest]) -> None:
    status = arm64_guest().run(["sh", "-c", "kill -TERM $$"], limit=GENEROUS)
    assert status == 128 + signal.SIGTERM


def test_a_panic_is_shown(arm64_guest: Callable[..., Guest]) -> None:
    with pytest.raises(GuestError, match=r"(?s)died before .* QEMU ended \(0\)") as caught:
        arm64_guest().run(["sh", "-c", "echo c >/proc/sysrq-trigger; sleep 99"], limit=GENEROUS)
    assert "Kernel panic - not syncing: sysrq triggered crash" in caught.value.message
    assert not children(os.getpid())


def test_qemu_killed_in_the_middle(arm64_guest: Callable[..., Guest]) -> None:
    def kill(line: str) -> None:
        assert line == "here"
        for pid in children(os.getpid()):
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(GuestError, match="killed by SIGKILL"):
        arm64_guest().run(["sh", "-c", "echo here; sleep 999"], limit=GENEROUS, hear=kill)


def test_a_command_that_takes_too_long(arm64_guest: Callable[..., Guest]) -> None:
    with pytest.raises(GuestError, match="was not done after 5 s"):
        arm64_guest().run(["sleep", "999"], limit=5)
    assert not children(os.getpid())


def test_what_is_no_kernel_does_not_boot(arm64_guest: Callable[..., Guest], tmp_path: Path) -> None:
    guest = arm64_guest()
    (tmp_path / "kernel").write_text("no kernel" * 1000)
    broken = replace(guest, image=msgspec.structs.replace(guest.image, kernel=tmp_path / "kernel"))
    with pytest.raises(GuestError, match="was not done after 2 s; it said nothing"):
        broken.run(["true"], limit=2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_harness_that_is_ended_takes_the_guest_with_it(
    arm64_guest: Callable[..., Guest], tmp_path: Path, number: signal.Signals
) -> None:
    assert arm64_guest()
    (tmp_path / "tmp").mkdir()
    harness = subprocess.Popen(
        [sys.executable, "-c", RUN, "sh", "-c", "echo here; sleep 999"],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
        stderr=subprocess.PIPE,
    )
    assert harness.stderr is not None
    assert harness.stderr.read(4) == b"here"
    (qemu,) = children(harness.pid)
    harness.send_signal(number)
    harness.wait()
    harness.stderr.close()
    until(lambda: ended(qemu), "after SIGTERM the kernel's own has come")
    assert not list((tmp_path / "tmp").iterdir())


def test_a_disk_that_gets_full_while_files_come_back(
    arm64_guest: Callable[..., Guest], tmp_path: Path
) -> None:
    """The temporary files are on a file system that has 4 MiB more than the guest boots from."""
    guest = arm64_guest()
    size = (guest.image.base.stat().st_size + guest.site.stat().st_size >> 20) + 4
    (tmp_path / "tmp").mkdir()
    mount = f'mount -t tmpfs -o size={size}m none "$TMPDIR" && exec "$@"'
    fill = "head -c 20000000 /dev/zero >/out/zeros"
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"),
            *(sys.executable, "-c", RUN, "sh", "-c", fill),
        ],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no small file system can be made here: {done.stderr.strip()}")
    assert "did not come through" in done.stdout, done.stderr
