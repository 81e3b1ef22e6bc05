"""An ELF executable as a flat, checked address space.

Only what Go programs need: little-endian 64-bit files, loadable segments, section headers where
they exist, and relative relocations, which some linkers leave as the only place of a pointer's
value. Format: elf(5) and the System V ABI; Go's own reader is debug/elf in Go's tree.
"""

import struct
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from harness.errors import BinaryError
from harness.gobinary.mapping import MEND, map_file

_PT_LOAD, _PT_DYNAMIC, _PT_NOTE = 1, 2, 4
_ET_EXEC, _ET_DYN = 2, 3
_SHT_NOBITS = 8
_DT_NULL, _DT_RELA, _DT_RELASZ = 0, 7, 8
_PF_X, _PF_W = 1, 2
_RELA = struct.Struct("<QQQ")
_MOST_SECTIONS = 1 << 16
_MOST_DYNAMIC = 1 << 16  # bytes
_LONGEST_NAME = 256

# e_machine -> (GOARCH, type of its relative relocation, MinLC): debug/elf/elf.go and
# cmd/internal/sys/arch.go in Go's tree.
_MACHINES = {62: ("amd64", 8, 1), 183: ("arm64", 1027, 4)}
_OTHER_MACHINES = {
    3: "386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 243: "riscv64",
    258: "loong64",
}  # fmt: skip


class _Header(NamedTuple):
    """A program header: struct Elf64_Phdr."""

    kind: int
    flags: int
    offset: int
    address: int
    physical: int
    size: int
    memory: int
    align: int


class Segment(NamedTuple):
    """A part of the file and where it is loaded; `size` counts the bytes that the file holds."""

    address: int
    offset: int
    size: int
    writable: bool


class Section(NamedTuple):
    """A named part of the file; `address` is 0 if it is not loaded."""

    name: str
    address: int
    offset: int
    size: int
    flags: int


class ElfImage:
    """A mapped ELF file. Each address is a link-time address; each error is a BinaryError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: The whole file.
        self.data = map_file(path)
        start = self.data[:64]
        self._check_kind(start)
        fields = struct.unpack_from("<HHIQQQIHHHHHH", start, 16)
        kind, machine, _, _, table, self._section_table, _, _, size, count = fields[:10]
        self._section_count: tuple[int, int, int] = fields[10:]
        if machine not in _MACHINES:
            name = _OTHER_MACHINES.get(machine, f"ELF machine {machine}")
            raise BinaryError(
                f"{path} is a program for {name}; only amd64 and arm64 can be examined",
                mend="build it with GOARCH=amd64",
            )
        #: `quantum` is the size in bytes of the smallest instruction.
        self.goarch, self._relative, self.quantum = _MACHINES[machine]
        if kind not in (_ET_EXEC, _ET_DYN):
            raise BinaryError(f"{path} is an object file or a core dump, no program", mend=MEND)
        #: Whether the program is loaded at an address that is chosen when it starts.
        self.pie: bool = kind == _ET_DYN
        if count and size < struct.calcsize("<IIQQQQQQ"):
            raise self.damaged("its program headers have an impossible size")
        self._headers = [
            _Header(*struct.unpack("<IIQQQQQQ", self._bytes(table + i * size, 56)))
            for i in range(count)
        ]
        for header in self._headers:
            if header.kind in (_PT_LOAD, _PT_NOTE, _PT_DYNAMIC):
                self._check_bounds(header.offset, header.size)
        self.segments = tuple(
            Segment(header.address, header.offset, header.size, bool(header.flags & _PF_W))
            for header in self._headers
            if header.kind == _PT_LOAD
        )

    def damaged(self, what: str) -> BinaryError:
        """The error for a file that contradicts itself."""
        return BinaryError(
            f"{self.path} is damaged or cut off: {what}", mend="build or copy the program again"
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
        """The 64-bit word at `address`, relocated as for a load bias of 0.

        A linker may keep a pointer's value in its relocation only, and leave zeros in the file.
        """
        value: int = struct.unpack("<Q", self.read(address, 8))[0]
        if value == 0 and self._relocations:
            key = struct.pack("<QQ", address, self._relative)
            for at in self._places(key, self._relocations, _RELA.size):
                relocated: int = _RELA.unpack_from(self.data, at)[2]
                return relocated
        return value

    def pointers_to(self, target: int) -> Iterator[int]:
        """Addresses of aligned words that hold `target`, in writable segments and relocations."""
        value = struct.pack("<Q", target)
        for segment in self.segments:
            if segment.writable:
                where = range(segment.offset, segment.offset + segment.size)
                for at in self._places(value, where, 8):
                    yield at - segment.offset + segment.address
        key = struct.pack("<QQ", self._relative, target)
        behind_address = self._relocations[8:]
        for at in self._places(key, behind_address, _RELA.size):
            yield _RELA.unpack_from(self.data, at - 8)[0]

    def notes(self) -> Iterator[tuple[bytes, int, bytes]]:
        """Name, type and content of each ELF note."""
        for header in self._headers:
            at, end = header.offset, header.offset + header.size
            while header.kind == _PT_NOTE and at + 12 <= end:
                name, size, kind = struct.unpack_from("<III", self.data, at)
                content = at + 12 + (name + 3) // 4 * 4
                if content + size > end:
                    break
                yield (
                    self.data[at + 12 : at + 12 + name].rstrip(b"\0"),
                    kind,
                    self.data[content : content + size],
                )
                at = content + (size + 3) // 4 * 4

    @cached_property
    def sections(self) -> Mapping[str, Section]:
        """Sections by name; empty if the headers were stripped or are beyond use."""
        table, (size, count, names) = self._section_table, self._section_count
        if not table or size < 64 or not count <= _MOST_SECTIONS or names >= count:
            return {}
        if table + count * size > len(self.data):
            return {}
        headers = [struct.unpack_from("<IIQQQQ", self.data, table + i * size) for i in range(count)]
        strings = range(headers[names][4], headers[names][4] + headers[names][5])
        found: dict[str, Section] = {}
        for name_at, kind, flags, address, offset, length in headers:
            start = strings.start + name_at
            if kind == _SHT_NOBITS or offset + length > len(self.data):
                continue
            if start < strings.stop <= len(self.data):
                raw = self.data[start : min(strings.stop, start + _LONGEST_NAME)]
                name = raw.partition(b"\0")[0].decode(errors="replace")
                found.setdefault(name, Section(name, address, offset, length, flags))
        return found

    @cached_property
    def _relocations(self) -> range:
        """Where in the file the relocations with addends are that the dynamic loader applies."""
        table = size = 0
        for header in self._headers:
            if header.kind != _PT_DYNAMIC:
                continue
            end = header.offset + min(header.size, _MOST_DYNAMIC)
            for at in range(header.offset, end - 15, 16):
                tag, value = struct.unpack_from("<QQ", self.data, at)
                if tag == _DT_NULL:
                    break
                table = value if tag == _DT_RELA else table
                size = value if tag == _DT_RELASZ else size
        if not table or not size:
            return range(0)
        start = self.offset(table)
        self._check_bounds(start, size)
        return range(start, start + size)

    def _check_kind(self, start: bytes) -> None:
        if start[:4] != b"\x7fELF":
            raise BinaryError(f"{self.path} is not an ELF executable", mend=MEND)
        if len(start) < struct.calcsize("<16sHHIQQQIHHHHHH"):
            raise self.damaged("its header is not complete")
        for place, wanted, what, other in (
            (4, 2, "a 32-bit", "64-bit"),
            (5, 1, "a big-endian", "little-endian"),
        ):
            if start[place] != wanted:
                raise BinaryError(
                    f"{self.path} is {what} program; only {other} ones can be examined",
                    mend="build it with GOARCH=amd64",
                )

    def _check_bounds(self, offset: int, size: int) -> None:
        if offset + size > len(self.data):
            raise self.damaged("it ends before what its headers announce")

    def _bytes(self, offset: int, size: int) -> bytes:
        self._check_bounds(offset, size)
        return self.data[offset : offset + size]

    def _places(self, needle: bytes, where: range, step: int) -> Iterator[int]:
        """Places of `needle` in this part of the file, at multiples of `step` from its start."""
        at = self.data.find(needle, where.start, where.stop)
        while at >= 0:
            if (at - where.start) % step == 0:
                yield at
            at = self.data.find(needle, at + 1, where.stop)
