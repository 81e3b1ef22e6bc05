"""Taking a runtime.g apart."""

import struct

import pytest

from harness.debugcall.goroutine import Goroutine, GoroutineFormat
from harness.errors import Unsupported
from harness.gobinary import GLayout
from tests.memory import BytesMemory

LAYOUT = GLayout(
    stack_lo=0, stack_hi=8, stackguard0=16, m=48, atomicstatus=68, lockedm=96, goid=72
)  # in no order, with gaps


def test_each_field_is_read_where_it_is() -> None:
    format_ = GoroutineFormat(LAYOUT)
    memory = BytesMemory(800, format_.size)
    for offset, value in ((0, 10), (8, 11), (48, 12), (96, 13), (72, 15)):
        memory.write(800 + offset, struct.pack("<Q", value))
    memory.write(868, struct.pack("<I", 14))
    assert format_.read(800, memory) == Goroutine(800, 10, 11, 12, 13, 14, 15, None)


def test_the_parent_is_read_where_there_is_one() -> None:
    memory = BytesMemory(800, 200)
    memory.write(880, struct.pack("<Q", 7))
    assert GoroutineFormat(LAYOUT._replace(parent_goid=80)).read(800, memory).parent == 7


@pytest.mark.parametrize(("m", "lockedm", "locked"), [(0, 0, False), (1, 1, True), (1, 2, False)])
def test_what_is_locked(m: int, lockedm: int, *, locked: bool) -> None:
    assert Goroutine(9, 10, 11, m, lockedm, 2, None, None).locked is locked


def test_fields_in_one_place_are_refused() -> None:
    with pytest.raises(Unsupported, match=r"g\.goid"):
        GoroutineFormat(LAYOUT._replace(goid=70))
