"""One guest: what a boot runs, what is handed in, what comes back."""

import secrets
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.vm import qemu
from harness.vm.booted import Booted
from harness.vm.image import Image, image
from harness.vm.python import NEEDED, site_archive
from harness.vm.room import DISK_SIZE, nameless, unwritable
from harness.vm.tree import Tree, file, from_host, place, write_archive

_INIT = Path(__file__).with_name("init")


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest that can be booted: nothing of one boot is left in the next."""

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
        """Boot, run one command, and return its exit status (128+n: a signal).

        As in `boot`. Each line that the command or the kernel writes to the console goes to `hear`.
        What the command leaves in /out comes to the folder `out`: regular files and folders,
        256 MiB at most. `limit` is in seconds, for all, times DEBUGCALL_TIME_SCALE.

        Raises GuestError if the guest does not boot, dies, or is not done in time.
        """
        with self.boot(command, files=files, tree=tree, environ=environ) as booted:
            for line in booted.lines(limit):
                hear(line)
            if out is not None:
                booted.unpack(out)
        assert booted.status is not None
        return booted.status

    @contextmanager
    def boot(
        self,
        command: Sequence[str],
        *,
        files: Mapping[str, Path | bytes] | None = None,
        tree: Tree | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Iterator[Booted]:
        """Start a boot that runs one command as root in /root.

        `files` maps paths in the guest to files or folders of the host, or to contents; `tree`
        holds more of them (`harness_tree`). Whatever happens, no process and no file is left.
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
        with nameless() as archives, nameless() as disk:
            self._fill(archives, disk, handed)
            line = qemu.command(self.cpu, self.image.kernel, archives, disk)
            with qemu.running(line, archives, disk) as process:
                yield Booted(process, disk, word)

    def _fill(self, archives: IO[bytes], disk: IO[bytes], handed: Tree) -> None:
        try:
            for part in (self.image.base, self.site):
                with part.open("rb") as source:
                    shutil.copyfileobj(source, archives, 1 << 20)
            write_archive(handed, archives)
            archives.flush()
            disk.truncate(DISK_SIZE)
        except OSError as error:
            raise unwritable(error) from error


def _script(command: Sequence[str], environ: Mapping[str, str]) -> bytes:
    exports = (f"export {name}={shlex.quote(value)}\n" for name, value in environ.items())
    return f"{''.join(exports)}exec {shlex.join(command)}\n".encode()
