"""Arguments and results, against a model of the ABI that plays the called function."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arch import Registers, arch_for
from harness.debugcall.frames import IntFrame
from tests.memory import BytesMemory
from tests.unit.protocol.abi_model import FRAME_ABOVE_SP, INTEGERS, Assigned

START = 0xC000010000
"""Where the frame begins."""
INT64 = st.integers(-(1 << 63), (1 << 63) - 1) | st.sampled_from([0, -1, 1 << 62, -(1 << 63)])
INTS = st.lists(INT64, max_size=20)
on_each = pytest.mark.parametrize("goarch", INTEGERS)


def stopped_at_trap(goarch: str) -> Registers:
    trap = arch_for(goarch).registers()
    trap.sp = START - FRAME_ABOVE_SP[goarch]
    return trap


def fetched(place: str | int, registers: Registers, memory: BytesMemory) -> int:
    """Read an int as Go code does: from a register, or relative to the frame's start."""
    raw = (
        getattr(registers, place).to_bytes(8, "little")
        if isinstance(place, str)
        else memory.read(START + place, 8)
    )
    return int.from_bytes(raw, "little", signed=True)


def stored(place: str | int, value: int, registers: Registers, memory: BytesMemory) -> None:
    raw = value.to_bytes(8, "little", signed=True)
    if isinstance(place, str):
        setattr(registers, place, int.from_bytes(raw, "little"))
    else:
        memory.write(START + place, raw)


@on_each
@given(INTS, INTS)
@settings(max_examples=200)
def test_arguments_arrive_and_results_come_back(
    goarch: str, arguments: list[int], results: list[int]
) -> None:
    model = Assigned(INTEGERS[goarch], len(arguments), len(results))
    frame = IntFrame(arch_for(goarch), len(arguments), len(results))
    trap, memory = stopped_at_trap(goarch), BytesMemory(START, frame.size)

    frame.write(arguments, trap, memory)
    assert [fetched(place, trap, memory) for place in model.arguments] == arguments

    # The callee may spill its arguments anywhere it has room for them.
    spill = frame.size - 8 * min(len(arguments), len(INTEGERS[goarch]))
    memory.write(START + spill, b"\xa5" * (frame.size - spill))
    for place, value in zip(model.results, results, strict=True):
        stored(place, value, trap, memory)
    assert frame.read(trap, memory) == tuple(results)


@on_each
@pytest.mark.parametrize("arguments", range(20))
def test_the_frame_has_the_size_that_the_abi_gives_it(goarch: str, arguments: int) -> None:
    for results in range(20):
        model = Assigned(INTEGERS[goarch], arguments, results)
        assert IntFrame(arch_for(goarch), arguments, results).size == model.size, results


@pytest.mark.parametrize(
    ("arguments", "results", "size"),
    [(0, 0, 0), (2, 1, 16), (9, 9, 72), (10, 0, 80), (0, 10, 8), (12, 11, 72 + 24 + 16)],
)
def test_sizes_worked_out_by_hand(arguments: int, results: int, size: int) -> None:
    assert IntFrame(arch_for("amd64"), arguments, results).size == size


@on_each
@given(INTS)
def test_only_what_carries_an_argument_is_changed(goarch: str, arguments: list[int]) -> None:
    frame = IntFrame(arch_for(goarch), len(arguments), 0)
    trap, memory = stopped_at_trap(goarch), BytesMemory(START, frame.size)
    before = trap.copy()
    frame.write(arguments, trap, memory)
    used = set(INTEGERS[goarch][: len(arguments)])
    for name, *_ in trap._fields_:
        if name not in used:
            assert getattr(trap, name) == getattr(before, name), name
    on_stack = 8 * max(0, len(arguments) - len(INTEGERS[goarch]))
    assert memory.read(START + on_stack, frame.size - on_stack) == bytes(frame.size - on_stack)


@on_each
def test_unsigned_arguments_keep_their_bits(goarch: str) -> None:
    trap = stopped_at_trap(goarch)
    values = [0xFFFFFFFFFFFFFFFF, 1 << 63]
    IntFrame(arch_for(goarch), 2, 0).write(values, trap, BytesMemory(START, 16))
    assert [getattr(trap, name) for name in INTEGERS[goarch][:2]] == values
