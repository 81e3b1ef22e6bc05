"""What becomes of a run, whatever QEMU does. In its place stands a program of a few lines."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from harness.errors import GuestError, InputError
from harness.vm import Guest, bound
from harness.vm.qemu import QEMU
from tests.integration.running import ended, until

FAKE = f"""#!{sys.executable}
import io, os, re, sys, tarfile, time
option = lambda name: sys.argv[sys.argv.index(name) + 1]
with open(os.environ["PIDS"], "a") as pids:
    print(os.getpid(), file=pids, flush=True)
handed = open(option("-initrd"), "rb").read()
word = re.search(rb"run/word\\0+([0-9a-f]{{32}})\\n", handed)[1].decode()
disk = open(option("-drive").rpartition("file=")[2], "r+b")
"""


@pytest.fixture
def pids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    return tmp_path / "pids"


@pytest.fixture
def fake(program: Callable[[str, str], Path], pids: Path) -> Callable[[str], Path]:
    """Return a function that makes a QEMU which does this, and notes its process id."""
    assert not pids.exists()
    return lambda does: program(QEMU, FAKE + does)


def assert_nothing_is_left(tmp_path: Path) -> None:
    assert not list((tmp_path / "tmp").iterdir()), "a file was left behind"
    for pid in (tmp_path / "pids").read_text().split():
        assert ended(int(pid)), "QEMU was left behind"


def test_status_lines_and_files_come_back(
    guest: Guest, fake: Callable[[str], Path], tmp_path: Path
) -> None:
    fake(
        "with tarfile.open(fileobj=disk, mode='w') as tar:\n"
        "    for name in ('./a', './deep/b', '../escaped', '/absolute'):\n"
        "        info = tarfile.TarInfo(name)\n"
        "        info.size = 4\n"
        "        tar.addfile(info, io.BytesIO(b'text'))\n"
        "disk.flush()\n"
        "print('one\\r\\ntwo', end='', flush=True)\n"
        "print(f'\\n\\r\\n{word} 7 kept', flush=True)\n"
        "time.sleep(1000)\n"
    )
    heard: list[str] = []
    out = tmp_path / "out"
    assert guest.run(["true"], limit=60, out=out, hear=heard.append) == 7
    assert heard == ["one", "two"]
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"out/a", "out/deep/b", "out/absolute"} <= found
    assert not (tmp_path / "escaped").exists()
    assert (out / "deep" / "b").read_text() == "text"
    assert_nothing_is_left(tmp_path)


def test_what_is_handed_in(guest: Guest, fake: Callable[[str], Path], tmp_path: Path) -> None:
    fake("open(os.environ['PIDS'] + '.handed', 'wb').write(handed)\nprint(word, '0 kept')\n")
    (tmp_path / "host").write_text("from the host")
    guest.image.base.write_text("THE BASE")
    guest.run(
        ["echo", "it's", "$HOME"],
        limit=60,
        files={"/job/a": b"given", "/job/b": tmp_path / "host"},
        environ={"NAME": "a 'value'"},
    )
    handed = (tmp_path / "pids.handed").read_bytes()
    assert handed.startswith(b"THE BASE")
    for text in (b"job/a\0", b"given", b"from the host", b"insmod", b"init\0"):
        assert text in handed
    script = handed[handed.index(b"export NAME") :].split(b"\0")[0].decode()
    shell = ["sh", "-c", script]
    said = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert said.stdout == "it's $HOME\n"
    assert "NAME='a '\"'\"'value'\"'\"''" in script


def test_what_is_handed_in_later(guest: Guest, fake: Callable[[str], Path], tmp_path: Path) -> None:
    fake(
        "print('ready\\nfor more', flush=True)\n"
        "for line in sys.stdin:\n"
        "    print(os.pread(disk.fileno(), int(line), 0).decode(), flush=True)\n"
        "    if line == '5\\n':\n"
        "        print(word, '4 kept', flush=True)\n"
    )
    heard: list[str] = []
    with guest.boot(["true"]) as booted:
        for given in (b"something", b"other"):
            for line in booted.lines(60):
                heard.append(line)
                if line in {"for more", "something"}:
                    booted.hand_in(given)
                    break
        assert booted.status is None
        heard += booted.lines(60)
        assert booted.status == 4
    assert heard == ["ready", "for more", "something", "other"]
    assert_nothing_is_left(tmp_path)


def test_half_a_line_is_shown_and_not_taken_for_one(
    guest: Guest, fake: Callable[[str], Path]
) -> None:
    fake("print('whole\\nhalf', end='', flush=True)\nos.kill(os.getpid(), 9)\n")
    heard: list[str] = []
    with pytest.raises(GuestError, match=r"(?s)killed by SIGKILL.*whole\nhalf"):
        guest.run(["true"], limit=60, hear=heard.append)
    assert heard == ["whole"]


def test_handing_in_to_a_guest_that_has_died(
    guest: Guest, fake: Callable[[str], Path], tmp_path: Path
) -> None:
    fake("print('ready', flush=True)\nos.kill(os.getpid(), 9)\n")
    with guest.boot(["true"]) as booted:
        lines = booted.lines(60)
        assert next(lines) == "ready"
        with pytest.raises(GuestError, match="killed by SIGKILL"):
            list(lines)
        booted.hand_in(b"something")
    assert_nothing_is_left(tmp_path)


def test_a_program_that_says_what_the_guest_says_at_its_end(
    guest: Guest, fake: Callable[[str], Path]
) -> None:
    fake("print('0 kept')\nprint('0' * 32, '0 kept')\nprint(word, '3 kept')\n")
    assert guest.run(["true"], limit=60) == 3


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("print('boot')\nprint('Kernel panic')\n", r"QEMU ended \(0\).*said:\nKernel panic"),
        ("sys.exit('unsupported machine')\n", r"QEMU ended \(1\).*unsupported machine"),
        ("sys.exit()\n", r"QEMU ended \(0\); it said nothing"),
        ("os.kill(os.getpid(), 9)\n", "killed by SIGKILL"),
        ("print(word, '0 lost')\n", "did not come through"),
    ],
)
def test_a_guest_that_fails(
    guest: Guest, fake: Callable[[str], Path], tmp_path: Path, does: str, words: str
) -> None:
    fake(does)
    with pytest.raises(GuestError, match=f"(?s){words}") as caught:
        guest.run(["true"], limit=60)
    assert caught.value.mend
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    "says",
    [
        "",
        "os.close(1)\nos.close(2)\n",
        "while True:\n    print('still here', flush=True)\n",
        "while True:\n    print('still here', end='', flush=True)\n",
    ],
)
def test_a_guest_that_hangs(
    guest: Guest, fake: Callable[[str], Path], tmp_path: Path, says: str
) -> None:
    fake(says + "time.sleep(1000)\n")
    with pytest.raises(GuestError, match="not done after 5 s") as caught:
        guest.run(["true"], limit=5)  # enough to start and speak on a busy machine
    assert ("still here" in caught.value.message) == ("still here" in says)
    assert "DEBUGCALL_TIME_SCALE" in caught.value.mend
    assert_nothing_is_left(tmp_path)


def test_a_limit_of_a_month(guest: Guest, fake: Callable[[str], Path]) -> None:
    fake("print(word, '0 kept')\n")
    assert guest.run(["true"], limit=30 * 86400) == 0


def test_a_damaged_disk(guest: Guest, fake: Callable[[str], Path], tmp_path: Path) -> None:
    fake("disk.write(b'?' * 2048)\ndisk.flush()\nprint(word, '0 kept')\n")
    with pytest.raises(GuestError, match="came through damaged"):
        guest.run(["true"], limit=60, out=tmp_path / "out")
    assert_nothing_is_left(tmp_path)


def test_a_time_limit_scales(
    guest: Guest, fake: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("time.sleep(1000)\n")
    monkeypatch.setenv("DEBUGCALL_TIME_SCALE", "0.01")
    with pytest.raises(GuestError, match="not done after 1 s"):
        guest.run(["true"], limit=100)


def test_who_listens_may_fail(guest: Guest, fake: Callable[[str], Path], tmp_path: Path) -> None:
    def fail(_: str) -> NoReturn:
        raise KeyboardInterrupt

    fake("print('here', flush=True)\ntime.sleep(1000)\n")
    with pytest.raises(KeyboardInterrupt):
        guest.run(["true"], limit=60, hear=fail)
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_harness_that_is_killed(
    guest: Guest,
    fake: Callable[[str], Path],
    program: Callable[[str, str], Path],
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    fake("time.sleep(1000)\n")
    # Busybox's has no option to end a program with its parent, and some machines have none at all.
    program("setpriv", "#!/bin/sh\necho unrecognized option >&2\nexit 1\n")
    image = guest.image
    script = (
        "from pathlib import Path\nfrom harness.vm.guest import Guest\n"
        "from harness.vm.image import Image\n"
        f"image = Image(Path({str(image.kernel)!r}), Path({str(image.base)!r}), '3.11', ())\n"
        f"Guest(image, Path({str(guest.site)!r})).run(['true'], limit=900)\n"
    )
    environ = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    harness = subprocess.Popen([sys.executable, "-c", script], env=environ)
    noted = tmp_path / "pids"
    while not (noted.exists() and noted.read_text().endswith("\n")):
        assert harness.poll() is None
        time.sleep(0.01)
    harness.send_signal(number)
    assert harness.wait() == -number
    until(lambda: ended(int(noted.read_text())), "the kernel's SIGKILL has come")
    assert_nothing_is_left(tmp_path)


def test_a_harness_that_is_gone_before_its_child_was_bound_to_it(tmp_path: Path) -> None:
    other = str(os.getppid())
    command = [sys.executable, bound.__file__, other, "touch", str(tmp_path / "executed")]
    assert subprocess.run(command, check=False).returncode == 1
    assert not (tmp_path / "executed").exists()


def test_what_is_bound_is_left_as_it_would_be_by_hand() -> None:
    see = ["grep", "SigIgn", "/proc/self/status"]
    command = [sys.executable, bound.__file__, str(os.getpid()), *see]
    ran = [subprocess.run(c, capture_output=True, check=True).stdout for c in (see, command)]
    assert ran[0] == ran[1]


def test_without_qemu(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(GuestError, match=f"there is no {QEMU} here") as caught:
        guest.run(["true"], limit=60)
    assert caught.value.mend == "sudo apt-get install qemu-system-arm"


def test_a_file_for_the_guest_that_is_not_there(
    guest: Guest, fake: Callable[[str], Path], tmp_path: Path
) -> None:
    fake("")
    with pytest.raises(InputError, match="cannot read"):
        guest.run(["true"], limit=60, files={"/x": tmp_path / "nonesuch"})


def test_no_place_for_temporary_files(
    guest: Guest, fake: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nonesuch"))
    with pytest.raises(GuestError, match="cannot write what the guest needs") as caught:
        guest.run(["true"], limit=60)
    assert "TMPDIR" in caught.value.mend


def test_a_full_disk(guest: Guest, fake: Callable[[str], Path], tmp_path: Path) -> None:
    """A file system of 64 KiB holds the temporary files."""
    fake("")
    script = (
        "import sys\nfrom pathlib import Path\nfrom harness.errors import HarnessError\n"
        "from harness.vm.guest import Guest\nfrom harness.vm.image import Image\n"
        f"at = Path({str(tmp_path / 'image')!r})\n"
        "guest = Guest(Image(at / 'kernel', at / 'base', '3.11', ()), at / 'site')\n"
        "try:\n    guest.run(['true'], limit=60, files={'/x': bytes(1 << 20)})\n"
        "except HarnessError as error:\n    print(error.message, '|', error.mend)\n"
    )
    mount = 'mount -t tmpfs -o size=64k none "$TMPDIR" && exec "$@"'
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"),
            *(sys.executable, "-c", script),
        ],
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no small file system can be made here: {done.stderr.strip()}")
    assert "the disk is full" in done.stdout, done.stderr
    assert "TMPDIR" in done.stdout
    assert guest.site.exists()
