"""A guest that runs its command: what its console says, what goes in and comes back meanwhile."""

import re
import shutil
import signal
import subprocess
import tarfile
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from harness.errors import GuestError
from harness.tracer.waiting import time_scale
from harness.vm import qemu
from harness.vm.room import DISK_SIZE, unwritable

_SHOWN_LINES = 8  # of the console in an error
_KEPT_LINES = 80  # of the console: a panic tells of registers and frames after its cause


class Booted:
    """What `Guest.boot` gives. `status` is the command's exit status, once it has ended."""

    def __init__(self, process: subprocess.Popen[bytes], disk: IO[bytes], word: str) -> None:
        self.status: int | None = None
        self._process = process
        self._console = qemu.Console(process)
        self._disk = disk
        self._end = re.compile(rf"{word} (\d+) (kept|lost)")
        self._last: deque[str] = deque(maxlen=_KEPT_LINES)

    def lines(self, limit: float, late: str = "was not done after") -> Iterator[str]:
        """Yield what the command and the kernel say until the command ends, but no empty lines.

        `limit` is in seconds, times DEBUGCALL_TIME_SCALE. Whoever breaks off hears the rest the
        next time, with a limit of its own. Raises GuestError if the guest does not boot, dies, or
        is not done in time; `late` is what it then says of the guest and that time.
        """
        limit *= time_scale()
        try:
            for text in self._console.lines(limit):
                if end := self._end.search(text):
                    if end[2] == "lost":
                        raise _lost(self._last)
                    self.status = int(end[1])
                    return
                if text:
                    self._last.append(text)
                    yield text
            self._last.append(qemu.text_of(self._console.partial))
            raise _died(self._process.wait(limit), self._last)
        except (TimeoutError, subprocess.TimeoutExpired):
            raise _too_slow(f"{late} {limit:.0f} s", self._last) from None

    def hand_in(self, data: bytes) -> None:
        """Put bytes on the disk, /dev/vda; the command gets a line with their number on its stdin.

        It must have said that it waits for them: what the console gets before is lost.
        """
        try:
            self._disk.seek(0)
            self._disk.write(data)
            self._disk.flush()
        except OSError as error:
            raise unwritable(error) from error
        self._console.say(f"{len(data)}\n")

    def unpack(self, out: Path) -> None:
        """Write what the command left in /out below `out`, whatever the names there say."""
        self._disk.seek(0)
        try:
            with tarfile.open(fileobj=self._disk, mode="r:") as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isreg() else None
                    if content is None or ".." in Path(member.name).parts:
                        continue
                    path = out / member.name.lstrip("/")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with path.open("wb") as stream:
                        shutil.copyfileobj(content, stream)
        except OSError as error:
            raise unwritable(error, out) from error
        except tarfile.TarError as error:
            raise GuestError(
                f"what the command left in the arm64 guest came through damaged: {error}",
                mend="try again",
            ) from error


def _too_slow(what: str, last: Sequence[str]) -> GuestError:
    return GuestError(
        f"the arm64 guest {what}{_words(last)}",
        mend="try again when this machine is less busy, or with DEBUGCALL_TIME_SCALE=4",
    )


def _died(code: int, last: Sequence[str]) -> GuestError:
    how = f"QEMU was killed by {signal.Signals(-code).name}" if code < 0 else f"QEMU ended ({code})"
    return GuestError(
        f"the arm64 guest died before its command was done: {how}{_words(last)}",
        mend=f"try again, with QEMU 7.0 or newer and {qemu.MEMORY} MiB of free memory",
    )


def _lost(last: Sequence[str]) -> GuestError:
    return GuestError(
        "the files that the command left in the arm64 guest did not come through"
        f" ({DISK_SIZE >> 20} MiB can){_words(last)}",
        mend="free some space, or set TMPDIR to a disk that has some",
    )


def _words(last: Sequence[str]) -> str:
    """Return what the console said last, or first in a panic."""
    lines = [line for line in last if line]
    panic = (number for number, line in enumerate(lines) if "Kernel panic" in line)
    start = next(panic, max(len(lines) - _SHOWN_LINES, 0))
    said = "\n".join(lines[start : start + _SHOWN_LINES])
    return f"; it said:\n{said}" if said else "; it said nothing"
