"""QEMU as a child process: how it is started, what its console says, and that it ends.

Nothing survives the harness: the kernel kills the child when its parent is gone, and the files made
for it have no name.
"""

import select
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO

from harness.errors import GuestError

CPUS = ("neoverse-n1", "cortex-a72")
"""CPU models to test on: with atomic instructions (LSE) and with load/store exclusive only.

Not `max`: pointer authentication makes emulation ten times slower.
"""

QEMU = "qemu-system-aarch64"
PROCESSORS = 2  # threads of a target must really run at the same time
MEMORY = 768  # MiB

_KERNEL_OPTIONS = (
    "console=ttyAMA0",
    "quiet",
    "panic=-1",  # a panic restarts, and that ends QEMU (-no-reboot)
    # The rest saves time under emulation; nothing of it changes ptrace or scheduling.
    "nokaslr",
    "cryptomgr.notests",
    "rodata=off",
    "kpti=off",
    "mitigations=off",
)
_CHUNK = 65536


def require_qemu() -> None:
    """Raise GuestError if QEMU is not installed."""
    if shutil.which(QEMU) is None:
        raise GuestError(
            f"the arm64 guest runs under QEMU, and there is no {QEMU} here",
            mend="sudo apt-get install qemu-system-arm",
        )


def command(cpu: str, kernel: Path, files: IO[bytes], disk: IO[bytes]) -> Sequence[str]:
    """Return the command line of a guest that has no network, and its console on stdout.

    `files` holds the archives that it boots from, `disk` is what it writes; both are open files
    that the child inherits.
    """
    # util-linux; without it QEMU would survive a SIGKILL of the harness, until its guest is done.
    setpriv = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
    # On a full disk the guest is to see the error; QEMU's own way is to stop and wait (werror).
    drive = f"if=none,id=out,format=raw,cache=unsafe,werror=report,file={_inherited(disk)}"
    return (
        *(*setpriv, QEMU, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-machine", "virt", "-cpu", cpu, "-accel", "tcg,thread=multi"),
        *("-smp", str(PROCESSORS), "-m", str(MEMORY), "-serial", "stdio"),
        *("-kernel", str(kernel), "-initrd", _inherited(files)),
        *("-append", " ".join(_KERNEL_OPTIONS)),
        *("-drive", drive, "-device", "virtio-blk-device,drive=out"),
    )


def _inherited(file: IO[bytes]) -> str:
    return f"/proc/self/fd/{file.fileno()}"


@contextmanager
def running(command: Sequence[str], *files: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Run QEMU with some open files handed down; on leaving it is killed and reaped."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        pass_fds=[file.fileno() for file in files],
        process_group=0,  # Ctrl-C is for the harness, which ends it
    )
    try:
        yield process
    finally:
        process.kill()
        assert process.stdout is not None
        process.stdout.close()
        process.wait()


def console_lines(process: subprocess.Popen[bytes], limit: float) -> Iterator[str]:
    """Yield the lines of the guest's console until it closes, for `limit` seconds at most.

    What QEMU itself complains of comes on the same way. Raises TimeoutError.
    """
    assert process.stdout is not None
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)
    deadline = monotonic() + limit
    partial = b""
    while True:
        if not poll.poll(max(deadline - monotonic(), 0) * 1000):
            raise TimeoutError
        chunk = process.stdout.read(_CHUNK)
        *lines, partial = (partial + chunk).split(b"\n")
        yield from (_text(line) for line in lines)
        if len(partial) > _CHUNK:  # no line of words; it is not to fill the memory
            yield _text(partial)
            partial = b""
        if not chunk:
            break
    if partial:
        yield _text(partial)


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode(errors="replace")
