"""An ELF executable as a flat, checked address space.

Only what Go programs need: little-endian 64-bit files, loadable segments, section headers where they
exist, and relative relocations, which some linkers leave as the only place of a pointer's value.
Format: elf(5) and the System V ABI; Go's own reader is debug/elf in Go's tree.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.errors import BinaryError

_PT_LOAD, _PT_DYNAMIC, _PT_NOTE = 1, 2, 4
_ET_EXEC, _ET_DYN = 2, 3
_SHT_NOBITS = 8
_DT_NULL, _DT_RELA, _DT_RELASZ = 0, 7, 8
_RELA = struct.Struct("<QQq")

# e_machine -> (GOARCH, type of its relative relocation); elf(5), debug/elf/elf.go in Go's tree.
_MACHINES = {62: ("amd64", 8), 183: ("arm64", 1027)}
_OTHER_MACHINES = {
    3: "386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 243: "riscv64", 258: "loong64",
}  # fmt: skip

_MEND = "pass the path of a Go program for linux, such as `go build` writes"


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the file and where it is loaded; `size` counts the bytes that the file holds."""

    address: int
    offset: int
    size: int
    writable: bool
    executable: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A named part of the file; `address` is 0 if it is not loaded."""

    name: str
    address: int
    offset: int
    size: int
    flags: int


class Image:
    """A mapped ELF file. Each address is a link-time address; each error is a BinaryError.

    `data` is the whole file. The file must not shrink while it is open: reading a mapping that lost
    its file is a SIGBUS.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = _map(path)
        header = self.data[:64]
        if header[:4] != b"\x7fELF":
            raise BinaryError(f"{path} is not an ELF executable.", mend=_MEND)
        if len(header) < 64:
            raise self.damaged("the ELF header is cut off")
        if header[4] != 2:
            raise BinaryError(
                f"{path} is a 32-bit program; only 64-bit ones can be examined.",
                mend="build it with GOARCH=amd64",
            )
        if header[5] != 1:
            raise BinaryError(
                f"{path} is a big-endian program; only little-endian ones can be examined.",
                mend="build it with GOARCH=amd64",
            )
        (self._type, machine, _, _, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, shstrndx) = (
            struct.unpack_from("<HHIQQQIHHHHHH", header, 16)
        )
        if machine not in _MACHINES:
            name = _OTHER_MACHINES.get(machine, f"ELF machine {machine}")
            raise BinaryError(
                f"{path} is a program for {name}; only amd64 and arm64 can be examined.",
                mend="build it with GOARCH=amd64",
            )
        self.goarch, self._relative = _MACHINES[machine]
        if self._type not in (_ET_EXEC, _ET_DYN):
            raise BinaryError(f"{path} is an object or core file, not a program.", mend=_MEND)
        if phnum and phentsize < 56:
            raise self.damaged("its program headers have an impossible size")
        self._headers = [
            struct.unpack_from("<IIQQQQQQ", self._slice(phoff + i * phentsize, 56, "a program header"))
            for i in range(phnum)
        ]
        self.segments = tuple(self._load(*header) for header in self._headers if header[0] == _PT_LOAD)
        self._section_table = (shoff, shentsize, shnum, shstrndx)

    @property
    def pie(self) -> bool:
        """Whether the program is loaded at an address that is chosen when it starts."""
        return self._type == _ET_DYN

    def damaged(self, what: str) -> BinaryError:
        """The error for a file that contradicts itself."""
        return BinaryError(
            f"{self.path} is damaged or cut off: {what}.", mend="build or copy the program again"
        )

    def segment(self, address: int) -> Segment:
        """The segment that holds `address`."""
        for segment in self.segments:
            if 0 <= address - segment.address < segment.size:
                return segment
        raise self.damaged(f"there is nothing at address {address:#x}")

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes that the file holds for `address`."""
        segment = self.segment(address)
        start = address - segment.address
        if not 0 <= size <= segment.size - start:
            raise self.damaged(f"there are no {size} bytes at address {address:#x}")
        return self.data[segment.offset + start : segment.offset + start + size]

    def offset(self, address: int) -> int:
        """The place in the file of the byte that is loaded at `address`."""
        segment = self.segment(address)
        return address - segment.address + segment.offset

    def word(self, address: int) -> int:
        """The 64-bit word at `address`, relocated as the dynamic loader would with a load bias of 0.

        A linker may keep a pointer's value only in its relocation and leave zeros in the file.
        """
        value: int = struct.unpack("<Q", self.read(address, 8))[0]
        if value == 0 and self._relocations.stop:
            key = struct.pack("<QQ", address, self._relative)
            at = self._aligned(key, self._relocations, 24)
            if at >= 0:
                value = _RELA.unpack_from(self.data, at)[2] & (1 << 64) - 1
        return value

    def pointers_to(self, target: int) -> Iterator[int]:
        """Addresses in writable segments of aligned words that hold `target`, ascending per source."""
        value = struct.pack("<Q", target)
        for segment in self.segments:
            if segment.writable:
                where = range(segment.offset, segment.offset + segment.size)
                for at in self._find_all(value, where, 8, segment.offset - segment.address):
                    yield at - segment.offset + segment.address
        key = struct.pack("<QQ", self._relative, target)
        for at in self._find_all(key, self._relocations, 24, 8 - self._relocations.start):
            yield _RELA.unpack_from(self.data, at - 8)[0]

    def notes(self) -> Iterator[tuple[bytes, int, bytes]]:
        """Name, type and content of each ELF note."""
        for kind, _, offset, _, _, size, _, _ in self._headers:
            if kind != _PT_NOTE or offset + size > len(self.data):
                continue
            at, end = offset, offset + size
            while at + 12 <= end:
                name_size, content_size, note = struct.unpack_from("<III", self.data, at)
                content = at + 12 + (name_size + 3) // 4 * 4
                if content + content_size > end:
                    break
                yield self.data[at + 12 : at + 12 + name_size].rstrip(b"\0"), note, self.data[
                    content : content + content_size
                ]
                at = content + (content_size + 3) // 4 * 4

    @cached_property
    def sections(self) -> Mapping[str, Section]:
        """Sections by name; empty if the headers were stripped or are beyond use."""
        offset, entry, count, names_index = self._section_table
        if entry < 64 or not offset or offset + 64 > len(self.data):
            return {}
        if count == 0:  # more than 65279 sections: the count is in the first header
            count = struct.unpack_from("<Q", self.data, offset + 32)[0]
        if count > 1 << 16 or offset + count * entry > len(self.data) or names_index >= count:
            return {}
        raw = [struct.unpack_from("<IIQQQQ", self.data, offset + i * entry) for i in range(count)]
        names = range(raw[names_index][4], raw[names_index][4] + raw[names_index][5])
        found: dict[str, Section] = {}
        for name_offset, kind, flags, address, start, size in raw:
            name_at = names.start + name_offset
            end = self.data.find(b"\0", name_at, min(names.stop, name_at + 256))
            if kind == _SHT_NOBITS or start + size > len(self.data) or end < 0:
                continue
            name = self.data[name_at:end].decode(errors="replace")
            found.setdefault(name, Section(name, address, start, size, flags))
        return found

    @cached_property
    def _relocations(self) -> range:
        """Where in the file the relocations with addends are that the dynamic loader applies."""
        table = size = 0
        for kind, _, offset, _, _, length, _, _ in self._headers:
            if kind != _PT_DYNAMIC or offset + length > len(self.data):
                continue
            for at in range(offset, offset + min(length, 1 << 16) - 15, 16):
                tag, value = struct.unpack_from("<QQ", self.data, at)
                if tag == _DT_NULL:
                    break
                table = value if tag == _DT_RELA else table
                size = value if tag == _DT_RELASZ else size
        if not table or not size:
            return range(0)
        start = self.offset(table)
        if start + size > len(self.data):
            raise self.damaged("its relocations are cut off")
        return range(start, start + size)

    def _load(
        self, kind: int, flags: int, offset: int, address: int, _p: int, size: int, _m: int, _a: int
    ) -> Segment:
        del kind
        if offset + size > len(self.data):
            raise self.damaged("a segment ends behind the end of the file")
        return Segment(address, offset, size, writable=bool(flags & 2), executable=bool(flags & 1))

    def _slice(self, offset: int, size: int, what: str) -> bytes:
        if offset + size > len(self.data):
            raise self.damaged(f"{what} is cut off")
        return self.data[offset : offset + size]

    def _aligned(self, needle: bytes, where: range, step: int) -> int:
        return next(self._find_all(needle, where, step, -where.start), -1)

    def _find_all(self, needle: bytes, where: range, step: int, shift: int) -> Iterator[int]:
        """Places of `needle` in the file where place + shift is a multiple of `step`."""
        at = self.data.find(needle, where.start, where.stop)
        while at >= 0:
            if (at + shift) % step == 0:
                yield at
            at = self.data.find(needle, at + 1, where.stop)


def _map(path: Path) -> mmap.mmap:
    try:
        # O_NONBLOCK: a FIFO would keep us waiting for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise BinaryError(f"There is no file {path}.", mend=_MEND) from None
    except PermissionError:
        raise BinaryError(
            f"{path} cannot be read: permission denied.", mend=f"chmod +r {path}, or run as its owner"
        ) from None
    except (OSError, ValueError) as error:
        raise BinaryError(f"{path} cannot be opened: {error}.", mend=_MEND) from None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise BinaryError(f"{path} is a directory.", mend=_MEND)
        if not stat.S_ISREG(status.st_mode):
            raise BinaryError(f"{path} is not a regular file.", mend=_MEND)
        if status.st_size == 0:
            raise BinaryError(f"{path} is empty.", mend=_MEND)
        return mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    except OSError as error:
        raise BinaryError(f"{path} cannot be mapped: {error}.", mend=_MEND) from None
    finally:
        os.close(descriptor)
