"""Debian's arm64 packages, by the host's own apt: its sources, its proxies, its keys.

apt works in a root of its own, so no root rights are needed and nothing of the host changes. It
checks signatures and checksums as ever.
"""

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.cache import no_room
from harness.errors import GuestError, HarnessError
from harness.vm.tree import FOLDER, Entry, file, link, place

OTHER_MACHINE = (
    "make the guest on Debian, in a container too; its folder `vm` in the cache"
    " (see debugcall doctor) can be copied to another machine with the same harness and Python"
)
# Hooks of the host's apt configuration are meant for the host's own root.
_CONFIGURATION = """\
#clear APT::Architectures;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; }};
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::State "{root}";
Dir::State::Lists "{root}/lists";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
"""


class Apt:
    """apt for arm64 below one folder, with fresh package lists.

    Raises GuestError where there is no apt, or where its sources cannot be read.
    """

    def __init__(self, root: Path) -> None:
        for command in ("apt-get", "dpkg-deb"):
            if shutil.which(command) is None:
                raise GuestError(
                    f"the arm64 guest is made of Debian packages, and there is no {command} here",
                    mend=OTHER_MACHINE,
                )
        self._root = root
        (root / "lists" / "partial").mkdir(parents=True)
        (root / "cache" / "archives" / "partial").mkdir(parents=True)
        (root / "status").touch()
        (root / "apt.conf").write_text(_CONFIGURATION.format(root=root))
        self._update_words = self._run("apt-get", "update", may_fail=True)

    def dependencies(self, package: str) -> list[str]:
        """Return the names of the packages that one depends on directly."""
        words = self._run("apt-cache", "depends", package)
        return re.findall(r"^[ |]*(?:Pre)?Depends: ([a-z0-9][a-z0-9.+-]*)$", words, re.MULTILINE)

    def download(self, packages: Sequence[str]) -> list[Path]:
        """Download packages into the root; return their files, `NAME_VERSION_arm64.deb`."""
        self._run("apt-get", "download", *packages)
        return sorted(self._root.glob("*.deb"))

    def _run(self, command: str, *arguments: str, may_fail: bool = False) -> str:
        done = subprocess.run(
            [command, "-c", self._root / "apt.conf", "-q", *arguments],
            cwd=self._root,
            env=os.environ | {"LC_ALL": "C"},  # it translates what is read here
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if "No space left on device" in done.stdout:
            raise no_room(self._root)
        # One source of the host that has nothing for arm64, or is away, need not matter.
        if done.returncode and not may_fail:
            raise self._failure(arguments, done.stdout)
        return done.stdout

    def _failure(self, arguments: Sequence[str], words: str) -> HarnessError:
        said = [
            line
            for line in (self._update_words + words).splitlines()
            if line.startswith(("E:", "W:", "Err:"))
        ]
        return GuestError(
            f"apt-get has no arm64 packages for the guest ({' '.join(arguments)[:60]}): "
            + "; ".join(said[:5]),
            mend="check the network and the sources in /etc/apt, then try again;"
            f" or {OTHER_MACHINE}",
        )


def content_of(package: Path) -> Iterator[tuple[str, Entry]]:
    """Read the regular files, folders and links of a package, whoever owns them."""
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as unpacking:
        assert unpacking.stderr is not None
        try:
            with tarfile.open(fileobj=unpacking.stdout, mode="r|") as archive:
                for member in archive:
                    if member.name.strip("./"):
                        yield from _entry(archive, member)
            # An archive that breaks off between two members looks whole.
            said = unpacking.stderr.read().decode(errors="replace").strip()
            if unpacking.wait():
                raise _damaged(package, said)
        except tarfile.TarError as error:
            said = unpacking.stderr.read().decode(errors="replace").strip()
            raise _damaged(package, said or str(error)) from None


def _damaged(package: Path, said: str) -> GuestError:
    return GuestError(f"cannot unpack {package.name}: {said}", mend="try again")


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[tuple[str, Entry]]:
    path = place(member.name)
    if member.isdir():
        yield path, FOLDER
    elif member.issym():
        yield path, link(member.linkname)
    elif member.isreg():
        content = archive.extractfile(member)
        assert content is not None
        yield path, file(content.read(), executable=bool(member.mode & 0o111))
