"""Go's table of functions, which every Go program carries: stripping does not remove it.

Layout by magic number: internal/abi/symtab.go, pcHeader, functab and _func in runtime/symtab.go and
runtime/runtime2.go, written by cmd/link/internal/ld/pcln.go, read by debug/gosym/pclntab.go. The
name table has one entry for each symbol, so of functions that share a name (ABI0 and ABIInternal
twins) each has its own.
"""

import bisect
import mmap
import struct
from array import array
from collections.abc import Iterator
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple

from harness.gobinary.image import ElfImage
from harness.gobinary.pcvalue import DamagedTableError, runs, varint

# Magic number -> (first Go release that writes it, size of a functab word, does textStart exist).
MAGICS = {0xFFFFFFFA: "1.16", 0xFFFFFFF0: "1.18", 0xFFFFFFF1: "1.20"}
OLD_MAGIC = 0xFFFFFFFB  # Go 1.2 to 1.15

_ASM, _SPWRITE = 4, 2  # internal/abi/symtab.go: FuncFlagAsm, FuncFlagSPWrite
_NO_FUNCDATA = _NO_FILE = _NO_UNIT = 0xFFFFFFFF

_MOST = 1 << 22  # functions; a program of 700 MB has fewer than a million
_PACKAGE = 1 << 20  # bytes of names; runtime, the largest package with twins, has a tenth of it

_UNSAFE_POINT = 0  # PCDATA_UnsafePoint
_LOCALS_POINTER_MAPS = 1  # FUNCDATA_LocalsPointerMaps


class Function(NamedTuple):
    """One function. `entry` and `end` are link-time addresses.

    `end` is the entry of the next function, so padding belongs to the function before it, as for
    the runtime (findfunc). `asm`: written in assembly; `spwrite`: writes SP freely, so no stack can
    be unwound through it. `func_id` marks special functions (FuncID in internal/abi/symtab.go; each
    release numbers them anew). `record` is the address of its _func.
    """

    name: str
    entry: int
    end: int
    asm: bool
    spwrite: bool
    func_id: int
    record: int


class PclnTab:
    """The table at link-time address `address` of `image`.

    `text` is runtime.text, which newer tables leave out; None takes it from the table's header.
    Raises BinaryError if the table contradicts itself.
    """

    def __init__(self, image: ElfImage, address: int, end: int, text: int | None = None) -> None:
        self.image, self.address, self.end = image, address, end
        magic, pad, self.quantum, pointer = struct.unpack("<IHBB", image.read(address, 8))
        if magic not in MAGICS or pad or self.quantum != image.quantum or pointer != 8:
            raise image.damaged(f"there is no function table at {address:#x}")
        self.since = MAGICS[magic]
        self.relative = magic != 0xFFFFFFFA
        words = [image.word(address + 8 + 8 * i) for i in range(8 if self.relative else 7)]
        self.count = words[0]
        self.header_text = words.pop(2) if self.relative else 0
        names, units, files, pctab, table = words[2:]
        self._word = 4 if self.relative else 8
        header = 72 if self.relative else 64
        if not header <= names <= units <= files <= pctab <= table <= end - address:
            raise image.damaged("the parts of its function table are out of order")
        if not 0 < self.count <= min((end - address - table) // (2 * self._word), _MOST):
            raise image.damaged("its function table is cut off")
        self.text = (self.header_text if text is None else text) if self.relative else 0
        self.names = range(address + names, address + units)
        self._units, self._files, self._values = address + units, address + files, address + pctab
        self.table = address + table
        base = image.offset(address) - address
        if image.offset(end - 1) - (end - 1) != base:
            raise image.damaged("its function table is cut off")
        self._base = base
        self._data: mmap.mmap = image.data

    def check(self) -> None:
        """Raise BinaryError unless the first and the last function make sense."""
        last = self.count - 1
        if not self.entry(0) <= self.entry(last) <= self.entry(self.count):
            raise self.image.damaged("its functions are out of order")
        self.function(0)
        self.function(last)

    def entry(self, index: int) -> int:
        """Entry of the function with this index; with index `count` the end of the last one."""
        if self.relative:
            return self.text + self._u32(self.table + 8 * index)
        return self.image.word(self.table + 16 * index)

    def record(self, index: int) -> int:
        """Address of the _func of the function with this index."""
        if self.relative:
            return self.table + self._u32(self.table + 8 * index + 4)
        return self.table + self.image.word(self.table + 16 * index + 8)

    def index(self, pc: int) -> int | None:
        """Index of the function that holds `pc` (findfunc in runtime/symtab.go)."""
        if not self.entry(0) <= pc < self.entry(self.count):
            return None
        return bisect.bisect_right(range(self.count), pc, key=self.entry) - 1

    def function(self, index: int) -> Function:
        """The function with this index."""
        record = self.record(index)
        flag = self._byte(self._tail(record) - 3)
        asm = bool(flag & _ASM) if self.relative else self._file(record).endswith(".s")
        return Function(
            self.name(self._u32(self._name_offset(record))),
            self.entry(index),
            self.entry(index + 1),
            asm,
            bool(flag & _SPWRITE),
            self._byte(self._tail(record) - 4),
            record,
        )

    def name(self, offset: int) -> str:
        """The name at this offset of the name table."""
        return self._string(self.names.start + offset, self.names.stop)

    def named(self, name: str) -> Iterator[Function]:
        """Functions of this name, by ascending place of their names: mostly by address."""
        column = self._name_column
        for offset in self._find_name(name.encode()):
            value = struct.pack("<I", offset)
            at = column.find(value)
            while at >= 0:
                if at % 4 == 0:
                    yield self.function(at // 4)
                at = column.find(value, at + 1)

    def all_names(self) -> list[str]:
        """Every name in the name table: those of functions that were inlined, too."""
        start, stop = self.names.start + self._base, self.names.stop + self._base
        return [str(name, errors="replace") for name in self._data[start:stop].split(b"\0")]

    @cached_property
    def _name_column(self) -> bytes:
        """The name offsets of all functions, 4 bytes each: made once, then searched for each name.

        Made by C loops: a Python one would take a second for the largest programs.
        """
        size = (self.end - self.table) // 4 * 4
        start = self.table + self._base
        table = memoryview(self._data)[start : start + size].cast("I")
        stride = self._word // 2
        records = table[stride // 2 : self.count * stride : stride].tolist()
        field = self._name_offset(0)
        if max(records) + field >= size:
            raise self.image.damaged("its function table points outside itself")
        wanted = [record + field >> 2 for record in records]
        # With one key itemgetter gives no tuple, so the first is asked for twice.
        names: tuple[int, ...] = itemgetter(wanted[0], *wanted)(table)
        return array("I", names[1:]).tobytes()

    def value_runs(self, function: Function, table: int) -> Iterator[tuple[int, int, int]]:
        """(lo, hi, value) from the table at this offset of the pc-value tables."""
        at = self._values + table
        if at >= self.table:
            raise self.image.damaged(f"a table of {function.name} is out of place")
        try:
            yield from runs(self._data, at + self._base, function.entry, function.end, self.quantum)
        except DamagedTableError:
            raise self.image.damaged(f"a table of {function.name} has no end") from None

    def frame_runs(self, function: Function) -> Iterator[tuple[int, int, int]]:
        """(lo, hi, bytes between SP and the return address) over the function's instructions."""
        return self._runs_at(function, 4)

    def line_runs(self, function: Function) -> Iterator[tuple[int, int, int]]:
        """(lo, hi, line) over the function's instructions."""
        return self._runs_at(function, 6)

    def unsafe_runs(self, function: Function) -> Iterator[tuple[int, int, int]]:
        """(lo, hi, PCDATA_UnsafePoint); nothing where the function has no such table."""
        tail = self._tail(function.record)
        if self._u32(self._field(function.record, 7)) <= _UNSAFE_POINT:
            return iter(())
        table = self._u32(tail + 4 * _UNSAFE_POINT)
        return self.value_runs(function, table) if table else iter(())

    def has_locals_map(self, function: Function) -> bool:
        """Whether FUNCDATA_LocalsPointerMaps is there (funcdata in runtime/symtab.go)."""
        tail = self._tail(function.record)
        if self._byte(tail - 1) <= _LOCALS_POINTER_MAPS:
            return False
        at = tail + 4 * self._u32(self._field(function.record, 7))
        if self.relative:
            return self._u32(at + 4 * _LOCALS_POINTER_MAPS) != _NO_FUNCDATA
        return self.image.word((at + 7) // 8 * 8 + 8 * _LOCALS_POINTER_MAPS) != 0

    def _runs_at(self, function: Function, field: int) -> Iterator[tuple[int, int, int]]:
        table = self._u32(self._field(function.record, field))
        return self.value_runs(function, table) if table else iter(())

    # A _func: entry (a word before 1.18, else 4 bytes), then fields of 4 bytes: 1 name, 2 args,
    # 3 deferreturn, 4 pcsp, 5 pcfile, 6 pcln, 7 npcdata, 8 cuOffset, from 1.20 startLine; then the
    # bytes funcID, flag, padding, nfuncdata. The tables of pcdata and funcdata follow.

    def _field(self, record: int, index: int) -> int:
        return record + 4 * index + (0 if self.relative else 4)

    def _name_offset(self, record: int) -> int:
        return self._field(record, 1)

    def _tail(self, record: int) -> int:
        return self._field(record, 9) + (8 if self.since == "1.20" else 4)

    def _find_name(self, name: bytes) -> Iterator[int]:
        """Offsets of a name in the name table: each of twins may have its own copy.

        Twins come from one package, and packages follow each other in the table. So the search ends
        soon behind the first one: a whole one for each name costs milliseconds in large programs.
        """
        start, stop = self.names.start + self._base, self.names.stop + self._base
        wanted = name + b"\0"
        if self._data[start : start + len(wanted)] == wanted:
            yield 0
        at = self._data.find(b"\0" + wanted, start, stop)
        stop = min(stop, at + _PACKAGE)
        while at >= 0:
            yield at + 1 - start
            at = self._data.find(b"\0" + wanted, at + 1, stop)

    def _file(self, record: int) -> str:
        """The source file of a function's first instruction (funcfile in runtime/symtab.go).

        C functions that the Go linker itself linked in, as those of the race detector, have none.
        """
        unit, pcfile = self._u32(self._field(record, 8)), self._u32(self._field(record, 5))
        if unit == _NO_UNIT or not pcfile:
            return ""
        table = self._values + pcfile
        if table >= self.table:
            raise self.image.damaged("a function's file table is out of place")
        try:
            change, _ = varint(self._data, table + self._base)
        except DamagedTableError:
            raise self.image.damaged("a function's file table has no end") from None
        index = unit + (change >> 1) - 1  # values start at -1
        offset = self._u32(self._units + 4 * index)
        return "" if offset == _NO_FILE else self._string(self._files + offset, self._values)

    def _string(self, start: int, stop: int) -> str:
        end = self._data.find(b"\0", start + self._base, stop + self._base) if start < stop else -1
        if end < 0:
            raise self.image.damaged("a name is outside the table of names")
        return self._data[start + self._base : end].decode(errors="replace")

    def _u32(self, address: int) -> int:
        if not self.address <= address <= self.end - 4:
            raise self.image.damaged("its function table points outside itself")
        value: int = struct.unpack_from("<I", self._data, address + self._base)[0]
        return value

    def _byte(self, address: int) -> int:
        if not self.address <= address < self.end:
            raise self.image.damaged("its function table points outside itself")
        return self._data[address + self._base]
