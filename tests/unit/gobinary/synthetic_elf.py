"""ELF files made of nothing (elf(5))."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

PAGE = 0x1000
ENTRY = 0x401000


def note(name: bytes, kind: int, content: bytes) -> bytes:
    head = struct.pack("<III", len(name) + 1, len(content), kind)
    return (
        head
        + (name + b"\0").ljust((len(name) + 4) // 4 * 4, b"\0")
        + content.ljust((len(content) + 3) // 4 * 4, b"\0")
    )


@dataclass(frozen=True)
class Load:
    """A segment to be written. `flags`: 1 executable, 2 writable, 4 readable."""

    address: int
    content: bytes
    flags: int
    kind: int = 1


@dataclass(frozen=True)
class Named:
    """A section to be written: part of a segment if it has an address, else content of its own."""

    name: str
    address: int
    content: bytes
    flags: int = 0


@dataclass(frozen=True)
class Elf:
    """An ELF file to be written."""

    loads: Sequence[Load] = ()
    sections: Sequence[Named] = ()
    machine: int = 62
    kind: int = 2
    ident: bytes = b"\x7fELF\x02\x01\x01"

    def encoded(self) -> bytes:
        out = bytearray(b"\0" * PAGE)
        headers = b""
        places: dict[int, int] = {}
        for load in self.loads:
            out += b"\0" * (-len(out) % PAGE)
            offset = len(out)
            size = len(load.content)
            where = (offset, load.address, load.address)
            headers += struct.pack("<IIQQQQQQ", load.kind, load.flags, *where, size, size, 1)
            places[load.address] = offset
            out += load.content
        table = self._sections(out, places)
        out[: 64 + len(headers)] = self._header(table) + headers
        return bytes(out)

    def _sections(self, out: bytearray, places: dict[int, int]) -> int:
        if not self.sections:
            return 0
        strings, headers = b"\0", b"\0" * 64
        for section in (*self.sections, Named(".shstrtab", 0, b"")):
            name_at = len(strings)
            strings += section.name.encode() + b"\0"
            content = strings if section.name == ".shstrtab" else section.content
            if section.address:
                base = max(address for address in places if address <= section.address)
                offset = places[base] + section.address - base
            else:
                offset = len(out)
                out += content
            headers += struct.pack(
                "<IIQQQQIIQQ",
                name_at, 1, section.flags, section.address, offset, len(content), 0, 0, 1, 0,
            )  # fmt: skip
        out += headers
        return len(out) - len(headers)

    def _header(self, table: int) -> bytes:
        count = len(self.sections) + 2 if self.sections else 0
        return self.ident.ljust(16, b"\0") + struct.pack(
            "<HHIQQQIHHHHHH",
            self.kind, self.machine, 1, ENTRY, 64, table, 0, 64, 56, len(self.loads), 64, count,
            max(count - 1, 0),
        )  # fmt: skip
