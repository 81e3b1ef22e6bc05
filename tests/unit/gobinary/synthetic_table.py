"""Go's function table, encoded as cmd/link/internal/ld/pcln.go and cmd/internal/obj/pcln.go do.

Nothing is shared with the decoder, so that a mistake would have to be made twice.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

TEXT, DATA = 0x401000, 0x600000
MAGICS = {"1.16": 0xFFFFFFFA, "1.18": 0xFFFFFFF0, "1.20": 0xFFFFFFF1}

Runs = Sequence[tuple[int, int]]  # (bytes of code, value)


@dataclass(frozen=True)
class Fn:
    """A function to be written. `code` is padded to `align` bytes."""

    name: str
    code: bytes = b"\x90" * 15 + b"\xc3"
    asm: bool = False
    spwrite: bool = False
    func_id: int = 0
    frame: Runs = ()  # default: no frame
    lines: Runs = ()
    unsafe: Runs | None = None
    locals_map: bool = False
    is_c: bool = False
    align: int = 32

    @property
    def size(self) -> int:
        """Bytes with padding."""
        return -(-len(self.code) // self.align) * self.align


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def pc_values(runs: Runs, quantum: int) -> bytes:
    """A pc-value table; neighbouring runs must differ in value."""
    out, before = b"", -1
    for size, value in runs:
        change = (value - before + (1 << 31)) % (1 << 32) - (1 << 31)  # as an int32
        out += varint((change << 1 ^ change >> 31) & 0xFFFFFFFF) + varint(size // quantum)
        before = value
    return out + b"\0"


@dataclass
class PclnTab:
    """A function table for code that begins at TEXT. `since` is the release of its format."""

    functions: Sequence[Fn]
    since: str = "1.20"
    quantum: int = 1
    text_start: int | None = None  # what its header says, if not the truth
    values: bytearray = field(default_factory=lambda: bytearray(b"\0"))

    @property
    def relative(self) -> bool:
        return self.since != "1.16"

    def encoded(self) -> bytes:
        names = b"".join(function.name.encode() + b"\0" for function in self.functions)
        files, units = b"/go/src/x.go\0/go/src/x.s\0", struct.pack("<II", 0, 13)
        functab = self._functab()
        at = 72 if self.relative else 64
        body, offsets = b"", []
        for part in (names, units, files, bytes(self.values), functab):
            body += b"\0" * (-(at + len(body)) % 8)
            offsets.append(at + len(body))
            body += part
        header = struct.pack("<IHBB", MAGICS[self.since], 0, self.quantum, 8)
        header += struct.pack("<QQ", len(self.functions), 2)
        if self.relative:
            header += struct.pack("<Q", TEXT if self.text_start is None else self.text_start)
        return header + struct.pack("<5Q", *offsets) + body

    def _functab(self) -> bytes:
        pair, word = ("<II", "<I") if self.relative else ("<QQ", "<Q")
        size = len(self.functions) * struct.calcsize(pair) + struct.calcsize(word)
        first = (size + 7) // 8 * 8
        entries = records = b""
        name, pc = 0, TEXT
        for function in self.functions:  # twins have a name each
            place = first + len(records)
            entries += struct.pack(pair, pc - self._base, place)
            record = struct.pack(word, pc - self._base) + self._record(function, name)
            records += self._with_locals(function, record)
            name += len(function.name.encode()) + 1
            pc += function.size
        entries += struct.pack(word, pc - self._base)
        return entries.ljust(first, b"\0") + records

    @property
    def _base(self) -> int:
        return TEXT if self.relative else 0

    def _record(self, function: Fn, name: int) -> bytes:
        """What follows the entry in a _func."""
        size = len(function.code)
        if function.is_c:  # no information at all
            rest = struct.pack("<iiIIIIII", name, 0, 0, 0, 0, 0, 0, 0xFFFFFFFF)
            return rest + bytes(8 if self.since == "1.20" else 4)
        pcsp = self._table(function.frame or [(size, 0)])
        pcfile = self._table([(size, int(function.asm))])
        pcln = self._table(function.lines or [(size, 10)])
        pcdata = [] if function.unsafe is None else [self._table(function.unsafe)]
        record = struct.pack("<iiI", name, 0, 0)
        record += struct.pack("<IIIII", pcsp, pcfile, pcln, len(pcdata), 0)
        if self.since == "1.20":
            record += struct.pack("<i", 10)
        flag = 2 * function.spwrite + 4 * (function.asm and self.relative)
        record += bytes([function.func_id, flag, 0, 2 if function.locals_map else 0])
        return record + struct.pack(f"<{len(pcdata)}I", *pcdata)

    def _with_locals(self, function: Fn, record: bytes) -> bytes:
        """A whole _func with its funcdata: the second is that of the locals."""
        if function.locals_map and self.relative:
            record += struct.pack("<II", 0xFFFFFFFF, 8)
        elif function.locals_map:
            record = record.ljust((len(record) + 7) // 8 * 8, b"\0") + struct.pack("<QQ", 0, DATA)
        return record.ljust((len(record) + 7) // 8 * 8, b"\0")

    def _table(self, runs: Runs) -> int:
        place = len(self.values)
        self.values += pc_values(runs, self.quantum)
        return place
