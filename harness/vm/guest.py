"""One guest: what a boot runs, what is handed in, what comes back."""

import re
import secrets
import shlex
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.cache import is_full, no_room
from harness.errors import GuestError, HarnessError
from harness.tracer.waiting import time_scale
from harness.vm import qemu
from harness.vm.image import Image, image
from harness.vm.python import NEEDED, site_archive
from harness.vm.tree import Tree, file, from_host, place, write_archive

_INIT = Path(__file__).with_name("init")
_DISK = 256 << 20  # bytes, sparse: as much may come back
_SHOWN_LINES = 8  # of the console in an error
_KEPT_LINES = 80  # of the console: a panic tells of registers and frames after its cause


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest that can be booted: each `run` is a new boot, and nothing of the last one is left."""

    image: Image
    site: Path
    cpu: str = qemu.CPUS[0]

    @classmethod
    def prepare(
        cls,
        cpu: str = qemu.CPUS[0],
        *,
        distributions: Sequence[str] = NEEDED,
        hear: Callable[[str], None] = lambda _: None,
    ) -> "Guest":
        """Return a guest with these Python distributions (names of requirements.lock).

        What it is made of is fetched the first time, and `hear` is told; then it stays in the
        cache. Raises GuestError.
        """
        qemu.require_qemu()
        base = image(hear)
        return cls(base, site_archive(distributions, base.python), cpu)

    def run(
        self,
        command: Sequence[str],
        *,
        limit: float,
        files: Mapping[str, Path | bytes] | None = None,
        tree: Tree | None = None,
        environ: Mapping[str, str] | None = None,
        out: Path | None = None,
        hear: Callable[[str], None] = lambda _: None,
    ) -> int:
        """Boot, run one command as root in /root, and return its exit status (128+n: a signal).

        `files` maps paths in the guest to files or folders of the host, or to contents; `tree`
        holds more of them (`harness_tree`). Each line that the command or the kernel writes to the
        console goes to `hear`. What the command leaves in /out comes to the folder `out`: regular
        files and folders, 256 MiB at most. `limit` is in seconds, for all, times
        DEBUGCALL_TIME_SCALE.

        Raises GuestError if the guest does not boot, dies, or is not done in time. Whatever
        happens, no process and no file is left.
        """
        qemu.require_qemu()
        word = secrets.token_hex(16)
        handed: Tree = dict(tree or {})
        for path, source in (files or {}).items():
            if isinstance(source, bytes):
                handed[place(path)] = file(source)
            else:
                handed.update(from_host(source, path))
        handed["init"] = file(_INIT.read_bytes(), executable=True)
        handed["run/command"] = file(_script(command, environ or {}))
        handed["run/word"] = file(f"{word}\n".encode())
        with _temporary() as archives, _temporary() as disk:
            self._fill(archives, disk, handed)
            status = self._boot(archives, disk, word, limit * time_scale(), hear)
            if out is not None:
                _unpack(disk, out)
        return status

    def _boot(
        self,
        archives: IO[bytes],
        disk: IO[bytes],
        word: str,
        limit: float,
        hear: Callable[[str], None],
    ) -> int:
        last: deque[str] = deque(maxlen=_KEPT_LINES)
        line = qemu.command(self.cpu, self.image.kernel, archives, disk)
        with qemu.running(line, archives, disk) as process:
            try:
                for text in qemu.console_lines(process, limit):
                    if end := re.search(rf"{word} (\d+) (kept|lost)", text):
                        if end[2] == "lost":
                            raise _lost(last)
                        return int(end[1])
                    if text:
                        last.append(text)
                        hear(text)
                raise _died(process.wait(limit), last)
            except (TimeoutError, subprocess.TimeoutExpired):
                raise _too_slow(limit, last) from None

    def _fill(self, archives: IO[bytes], disk: IO[bytes], handed: Tree) -> None:
        try:
            for part in (self.image.base, self.site):
                with part.open("rb") as source:
                    shutil.copyfileobj(source, archives, 1 << 20)
            write_archive(handed, archives)
            archives.flush()
            disk.truncate(_DISK)
        except OSError as error:
            raise _unwritable(error) from error


def _script(command: Sequence[str], environ: Mapping[str, str]) -> bytes:
    exports = (f"export {name}={shlex.quote(value)}\n" for name, value in environ.items())
    return f"{''.join(exports)}exec {shlex.join(command)}\n".encode()


def _temporary() -> IO[bytes]:
    """Return an open file without a name: it is gone with the last process that has it open."""
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise _unwritable(error) from error


def _unpack(disk: IO[bytes], out: Path) -> None:
    """Read the tar on the disk. Only what lies below `out` is written, whatever its names say."""
    disk.seek(0)
    try:
        with tarfile.open(fileobj=disk, mode="r:") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is None or ".." in Path(member.name).parts:
                    continue
                path = out / member.name.lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as stream:
                    shutil.copyfileobj(content, stream)
    except OSError as error:
        raise _unwritable(error, out) from error


def _unwritable(error: OSError, folder: Path | None = None) -> HarnessError:
    where = folder or Path(tempfile.gettempdir())
    if is_full(error):
        return no_room(where)
    return GuestError(
        f"cannot write what the guest needs to {where}: {error.strerror or error}",
        mend="make it writable, or set TMPDIR to a folder that is",
    )


def _too_slow(limit: float, last: Sequence[str]) -> GuestError:
    return GuestError(
        f"the arm64 guest was not done after {limit:.0f} s{_words(last)}",
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
        f" ({_DISK >> 20} MiB can){_words(last)}",
        mend="free some space, or set TMPDIR to a disk that has some",
    )


def _words(last: Sequence[str]) -> str:
    """Return what the console said last, or first in a panic."""
    lines = list(last)
    panic = (number for number, line in enumerate(lines) if "Kernel panic" in line)
    start = next(panic, max(len(lines) - _SHOWN_LINES, 0))
    said = "\n".join(lines[start : start + _SHOWN_LINES])
    return f"; it said:\n{said}" if said else "; it said nothing"
