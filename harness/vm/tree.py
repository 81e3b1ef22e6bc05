"""The files of a guest: a tree in memory, and the cpio archive that the kernel unpacks at boot.

The format is `newc` (Documentation/driver-api/early-userspace/buffer-format.rst in Linux): for each
entry thirteen fields of eight hexadecimal digits, the path, the content, each padded to four bytes.
Archives add up: the kernel unpacks one after the other, and a later file replaces an earlier one.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.errors import InputError

_MAGIC = "070701"
_TRAILER = "TRAILER!!!"
_MERGED = {"bin", "lib", "sbin"}  # links into /usr, in Debian and here


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or symbolic link: `mode` as stat(2) has it, a link's target as content."""

    mode: int
    content: bytes = b""


Tree = dict[str, Entry]
"""Entries by their canonical path (`place`)."""

FOLDER = Entry(stat.S_IFDIR | 0o755)


def file(content: bytes, *, executable: bool = False) -> Entry:
    """Return a regular file that everybody may read."""
    return Entry(stat.S_IFREG | (0o755 if executable else 0o644), content)


def link(target: str) -> Entry:
    """Return a symbolic link."""
    return Entry(stat.S_IFLNK | 0o777, target.encode())


def place(path: str) -> str:
    """Return the canonical form of a guest's path: relative to /, past the links into /usr.

    An archive that named `lib/x` would put a folder in the place of the link /lib.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if not parts or ".." in parts:
        raise InputError(f"{path!r} is no place for a file in the guest", mend="give another path")
    if parts[0] in _MERGED and len(parts) > 1:
        parts.insert(0, "usr")
    return "/".join(parts)


def from_host(source: Path, path: str) -> Iterator[tuple[str, Entry]]:
    """Read a file or a folder with all below it; byte code and hidden files stay behind."""
    try:
        if source.is_dir():
            yield place(path), FOLDER
            for inner in sorted(source.iterdir()):
                if inner.name != "__pycache__" and not inner.name.startswith("."):
                    yield from from_host(inner, f"{path}/{inner.name}")
        else:
            yield place(path), file(source.read_bytes(), executable=os.access(source, os.X_OK))
    except OSError as error:
        raise InputError(
            f"cannot read {source} for the guest: {error.strerror}", mend="give a readable file"
        ) from error


def write_archive(tree: Mapping[str, Entry], stream: IO[bytes]) -> None:
    """Write a tree as one archive; folders that only occur in paths are made."""
    complete = dict(tree)
    for path in tree:
        for parent in Path(path).parents[:-1]:
            complete.setdefault(str(parent), FOLDER)
    for number, path in enumerate(sorted(complete), start=1):
        _write(stream, number, path, complete[path])
    _write(stream, 0, _TRAILER, Entry(0))


def _write(stream: IO[bytes], number: int, path: str, entry: Entry) -> None:
    name = path.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, device (2), device node (2), length of name, sum
    fields = (number, entry.mode, 0, 0, 1, 0, len(entry.content), 0, 0, 0, 0, len(name), 0)
    header = _MAGIC + "".join(f"{field:08X}" for field in fields)
    for part in (header.encode() + name, entry.content):
        stream.write(part)
        stream.write(b"\0" * (-len(part) % 4))
