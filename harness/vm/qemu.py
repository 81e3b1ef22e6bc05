"""QEMU as a child process: how it is started, what its console says, and that it ends.

Nothing survives the harness: the kernel kills the child when its parent is gone, and the files made
for it have no name.
"""

import os
import select
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import IO

from harness.errors import GuestError
from harness.vm import bound

GOARCH = "arm64"
"""What Go calls the guest's architecture."""
CPUS = ("neoverse-n1", "cortex-a72")
"""CPU models to test on: with atomic instructions (LSE) and with load/store exclusive only.

Not `max`: pointer authentication makes emulation ten times slower.
"""

QEMU = "qemu-system-aarch64"
PROCESSORS = 2  # a thief has one of its own
MEMORY = 768  # MiB

_ACCELERATOR = ("-accel", "tcg,thread=single")
"""The processors take turns in one thread of the host's. With a thread each, one spins while the
host keeps the other from running: in the guest's kernel a tracer waits so for a thread that has
just stopped (wait_task_inactive in kernel/sched/core.c). On a busy host that cost twice the time.
"""

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
_LONGEST_POLL = 3600.0  # seconds; poll(2) takes milliseconds as a C int
_CHUNK = 65536


def require_qemu() -> None:
    """Raise GuestError if QEMU is not installed."""
    if shutil.which(QEMU) is None:
        raise GuestError(
            f"the arm64 guest runs under QEMU, and there is no {QEMU} here",
            mend="sudo apt-get install qemu-system-arm",
        )


def command(cpu: str, kernel: Path, files: IO[bytes], disk: IO[bytes]) -> Sequence[str]:
    """Return the command line of a guest that has no network, and its console on stdin and stdout.

    `files` holds the archives that it boots from, `disk` is what it writes; both are open files
    that the child inherits.
    """
    # On a full disk the guest is to see the error; QEMU's own way is to stop and wait (werror).
    drive = f"if=none,id=out,format=raw,cache=unsafe,werror=report,file={_inherited(disk)}"
    return (
        *(QEMU, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-machine", "virt", "-cpu", cpu, *_ACCELERATOR),
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
        [sys.executable, "-I", "-S", bound.__file__, str(os.getpid()), *command],
        stdin=subprocess.PIPE,
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
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        process.wait()


class Console:
    """The guest's console: what it says, and its input. QEMU's own complaints come the same way.

    `partial` is a line that is not ended yet, and never will be once the console is closed.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.partial = b""
        self._input, self._output = process.stdin, process.stdout
        self._lines: deque[bytes] = deque()

    def lines(self, limit: float) -> Iterator[str]:
        """Yield whole lines until it closes, for `limit` seconds at most. Raises TimeoutError."""
        poll = select.poll()
        poll.register(self._output, select.POLLIN)
        deadline = monotonic() + limit
        while True:
            while self._lines:
                yield text_of(self._lines.popleft())
            rest = deadline - monotonic()
            if rest <= 0:
                raise TimeoutError
            if not poll.poll(min(rest, _LONGEST_POLL) * 1000):
                continue
            chunk = self._output.read(_CHUNK)
            if not chunk:
                return
            *lines, self.partial = (self.partial + chunk).split(b"\n")
            self._lines.extend(lines)
            if len(self.partial) > _CHUNK:  # no line of words; it is not to fill the memory
                self._lines.append(self.partial)
                self.partial = b""

    def say(self, text: str) -> None:
        """Write to the guest; one that has gone hears nothing."""
        with suppress(BrokenPipeError):
            self._input.write(text.encode())


def text_of(line: bytes) -> str:
    """Return what a line of the console says."""
    return line.rstrip(b"\r").decode(errors="replace")
