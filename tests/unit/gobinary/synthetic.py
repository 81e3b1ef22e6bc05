"""Whole Go programs made of nothing: what harness.gobinary reads, written from the same sources."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.unit.gobinary.synthetic_elf import PAGE, Elf, Load, Named, note
from tests.unit.gobinary.synthetic_table import DATA, TEXT, Fn, PclnTab, varint

RODATA, RELOCATIONS, DYNAMIC = 0x500000, 0x700000, 0x800000
INT3 = b"\xcc"
BRK = struct.pack("<I", 0xD4200000)
AMD64, ARM64 = 62, 183

#: What every Go program has, as far as the harness insists on it.
RUNTIME = (
    Fn("runtime.main"),
    Fn("runtime.debugCallV2", b"\x90\x90\xcc\xc3", asm=True),
)


@dataclass(frozen=True)
class Program:
    """A Go program. `relocated`: its pointers stand in relocations only, as lld leaves them."""

    functions: Sequence[Fn] = RUNTIME
    since: str = "1.20"
    version: str = "go1.21.1"
    module: str = ""
    machine: int = AMD64
    with_sections: bool = True
    text_start: int | None = None
    elf: Elf | None = None
    more: Sequence[Named] = ()
    relocated: bool = False

    def encoded(self) -> bytes:
        quantum, padding = (1, INT3) if self.machine == AMD64 else (4, BRK)
        table = PclnTab(self.functions, self.since, quantum, self.text_start).encoded()
        old = self.since == "1.16"
        info = old_build_info(self.version, DATA) if old else build_info(self.version, self.module)
        info = info.ljust(-(-len(info) // 64) * 64, b"\0")
        code = b"".join(
            function.code + padding * ((function.size - len(function.code)) // len(padding))
            for function in self.functions
        )
        loads: Sequence[Load] = (
            Load(TEXT, code, 5),
            Load(RODATA, table, 4),
            Load(DATA, info + module_data(RODATA, table), 6),
            Load(0, note(b"Go", 4, b"build/id"), 4, kind=4),
        )
        if self.relocated:
            loads = tuple(_relocated(loads, 8 if self.machine == AMD64 else 1027))
        sections = (
            Named(".text", TEXT, code),
            Named(".gopclntab", RODATA, table),
            Named(".go.buildinfo", DATA, info),
            *self.more,
        )
        elf = self.elf or Elf(machine=self.machine)
        return replace(elf, loads=loads, sections=sections if self.with_sections else ()).encoded()


def program(functions: Iterable[Fn] = RUNTIME, **options: Any) -> bytes:  # noqa: ANN401 - Program's
    """A Program as a file."""
    return Program(tuple(functions), **options).encoded()


def build_info(version: str, module: str = "") -> bytes:
    """The blob since Go 1.18: strings behind the header (debug/buildinfo)."""
    framed = b"<" * 16 + module.encode() + b">" * 16 if module else b""
    header = b"\xff Go buildinf:" + bytes([8, 2]) + b"\0" * 16
    strings = b"".join(varint(len(text)) + text for text in (version.encode(), framed))
    return header + strings


def old_build_info(version: str, address: int) -> bytes:
    """The blob up to Go 1.17, to stand at `address`: pointers to two strings."""
    raw = version.encode()
    header = b"\xff Go buildinf:" + bytes([8, 0])
    header += struct.pack("<QQ", address + 32, address + 48)
    strings = struct.pack("<QQQQ", address + 64, len(raw), address + 64, 0)
    return header + strings + raw


def module_data(address: int, table: bytes) -> bytes:
    """The first words of a moduledata (runtime/symtab.go)."""
    (names,) = struct.unpack_from("<Q", table, 32)
    words = [address, address + names, *[0] * 20, TEXT, 0]
    return struct.pack("<24Q", *words)


def _relocated(loads: Sequence[Load], kind: int) -> Iterable[Load]:
    """The same segments with zeros for pointers, and relocations that hold them."""
    relocations = b""
    for load in loads:
        content = bytearray(load.content)
        places = range(0)
        if load.address == DATA:
            places = range(0, len(content) - 7, 8)
        elif load.address == RODATA and content[0] == 0xFA:  # entries and records
            places = range(struct.unpack_from("<Q", content, 56)[0], len(content) - 7, 8)
        elif load.address == RODATA:  # textStart
            places = range(24, 25)
        for at in places:
            (word,) = struct.unpack_from("<Q", content, at)
            if TEXT <= word < DATA + PAGE:
                content[at : at + 8] = b"\0" * 8
                relocations += struct.pack("<QQQ", load.address + at, kind, word)
        yield replace(load, content=bytes(content))
    yield Load(RELOCATIONS, relocations, 4)
    tags = struct.pack("<6Q", 7, RELOCATIONS, 8, len(relocations), 0, 0)
    yield Load(DYNAMIC, tags, 6, kind=2)
