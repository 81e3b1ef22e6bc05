"""Taking a runtime.g apart."""

import struct

import pytest

from harness.debugcall.goroutine import Goroutine, GoroutineFormat
from harness.errors import Unsupported
from harness.gobinary import GLayout

LAYOUT = GLayout(
    stack_lo=0, stack_hi=8, stackguard0=16, m=48, atomicstatus=68, lockedm=96, goid=72
)  # in no order, with gaps


def test_each_field_is_read_where_it_is() -> None:
    format_ = GoroutineFormat(LAYOUT)
    assert format_.size == 104
    data = bytearray(format_.size)
    for offset, value in ((0, 10), (8, 11), (48, 12), (96, 13), (72, 15)):
        struct.pack_into("<Q", data, offset, value)
    struct.pack_into("<I", data, 68, 14)
    assert format_.read(9, bytes(data)) == Goroutine(9, 10, 11, 12, 13, 14, 15, None)


def test_the_parent_is_read_where_there_is_one() -> None:
    format_ = GoroutineFormat(LAYOUT._replace(parent_goid=80))
    assert format_.read(9, bytes(80) + b"\x07" + bytes(23)).parent == 7


@pytest.mark.parametrize(("m", "lockedm", "locked"), [(0, 0, False), (1, 1, True), (1, 2, False)])
def test_what_is_locked(m: int, lockedm: int, *, locked: bool) -> None:
    assert Goroutine(9, 10, 11, m, lockedm, 2, None, None).locked is locked


def test_fields_in_one_place_are_refused() -> None:
    with pytest.raises(Unsupported, match=r"g\.goid"):
        GoroutineFormat(LAYOUT._replace(goid=70))
