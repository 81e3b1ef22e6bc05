"""What a goroutine's runtime.g holds."""

import struct
from operator import itemgetter

import msgspec

from harness.arch import Memory
from harness.errors import Unsupported
from harness.gobinary import GLayout


class Goroutine(msgspec.Struct, frozen=True):
    """What a runtime.g held when it was read. None where the layout does not give the field."""

    address: int
    stack_lo: int
    stack_hi: int
    m: int
    lockedm: int
    status: int
    goid: int | None
    parent: int | None

    @property
    def locked(self) -> bool:
        """Whether it is locked to the m, the thread, that it runs on."""
        return self.lockedm == self.m != 0


_FIELDS = ("stack_lo", "stack_hi", "m", "lockedm", "atomicstatus", "goid", "parent_goid")
"""The fields of `GLayout` in the order in which `Goroutine` has them."""


class GoroutineFormat:
    """How to take the first `size` bytes of a runtime.g apart.

    Raises `Unsupported` if the layout has two fields in one place.
    """

    def __init__(self, layout: GLayout) -> None:
        known = [name for name in _FIELDS if getattr(layout, name) is not None]
        known.sort(key=lambda name: int(getattr(layout, name)))
        text, end = "<", 0
        for name in known:
            gap = getattr(layout, name) - end
            if gap < 0:
                raise Unsupported(f"runtime.g.{name} seems to lie in another field")
            text += f"{gap}x" + ("I" if name == "atomicstatus" else "Q")
            end = struct.calcsize(text)
        self._unpack = struct.Struct(text).unpack
        self._order = itemgetter(
            *(known.index(name) if name in known else len(known) for name in _FIELDS)
        )
        self.size = end

    def read(self, address: int, memory: Memory) -> Goroutine:
        """Read the goroutine at an address; OSError where none can be."""
        data = memory.read(address, self.size)
        return Goroutine(address, *self._order((*self._unpack(data), None)))
