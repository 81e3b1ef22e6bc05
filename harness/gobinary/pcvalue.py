"""Tables that give a value for each pc of a function: frame size, line, unsafe points.

A table is a run of pairs: a zigzag varint that changes the value, a varint that advances the pc by
that many instruction quanta. A value change of 0 ends it, except in the first pair. The value
starts at -1. Source: step, readvarint and pcvalue in runtime/symtab.go; funcpctab in
cmd/internal/obj/pcln.go.
"""

from collections.abc import Iterator
from typing import Protocol

_MOST = 1 << 18  # runs in one table


class Bytes(Protocol):
    """What a table is read from: bytes, bytearray or a mapped file."""

    def __getitem__(self, index: int, /) -> int: ...
    def __len__(self) -> int: ...


class DamagedTableError(ValueError):
    """A table that runs on where it must have ended."""


def runs(
    data: Bytes, at: int, entry: int, limit: int, quantum: int
) -> Iterator[tuple[int, int, int]]:
    """(lo, hi, value) of each run of pcs with one value, from `entry` on, read from `data[at:]`.

    Raises DamagedTableError if the table reaches beyond `limit`, the end of its function, or is
    longer than any real one.
    """
    pc, value, first = entry, -1, True
    for _ in range(_MOST):
        change, at = varint(data, at)
        if change == 0 and not first:
            return
        first = False
        value = _int32(value + (-(change >> 1) - 1 if change & 1 else change >> 1))
        advance, at = varint(data, at)
        if advance == 0 or pc + advance * quantum > limit:
            raise DamagedTableError
        lo, pc = pc, pc + advance * quantum
        yield lo, pc, value
    raise DamagedTableError


def varint(data: Bytes, at: int) -> tuple[int, int]:
    """The unsigned 32-bit LEB128 number at `at`, and the place behind it."""
    value = shift = 0
    while shift < 35 and at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFF, at
        shift += 7
    raise DamagedTableError


def _int32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
