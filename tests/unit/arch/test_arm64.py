"""arm64's registers, and what the debug call protocol writes and reads on it.

Expected places come from Go's runtime/asm_arm64.s: the comment before debugCallV2, the STPs at its
beginning and the LDPs at its end; and from the kernel's arch/arm64/include/uapi/asm/ptrace.h.
"""

import ctypes
import struct
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.arch import Registers, arch_for, arm64
from harness.arch.arm64 import Arm64Registers
from harness.arch.regset import NT_ARM_HW_BREAK
from tests.memory import BytesMemory

ARCH = arch_for("arm64")
STACK = 0x4000010000
ENTRY = 0x6E5D0
ROLES = {
    "flags": "pstate",
    "goroutine": "x28",
    "status": "x20",
    "closure": "x26",
    "argument": "x0",
}
FRAME = 288
"""Bytes from SP at the trap with status 16 to the caller's SP: SUB $272, and the 16 handed over."""
FRAME_PLACES = (
    {f"x{n}": 8 * (4 + n) for n in range(18)}
    | {f"x{n}": 8 * (3 + n) for n in range(19, 29)}
    | {"x29": -8, "pc": 0, "x30": 272}
)
"""Bytes from SP at the trap with status 16 to what the epilogue gives each register."""
FRAME_SIZE_PLACE = 256
FIELDS = [name for name, *_ in Arm64Registers._fields_]
WORDS = st.integers(0, (1 << 64) - 1)


def numbered(first: int) -> Arm64Registers:
    """Return registers of which no two are equal."""
    registers = Arm64Registers()
    for i, name in enumerate(FIELDS):
        setattr(registers, name, first + i)
    return registers


def values(registers: Registers) -> dict[str, int]:
    return {name: getattr(registers, name) for name in FIELDS}


def test_the_fields_lie_as_the_kernel_has_them() -> None:
    # struct user_pt_regs { __u64 regs[31]; __u64 sp; __u64 pc; __u64 pstate; };
    assert ctypes.sizeof(Arm64Registers) == 34 * 8
    expected = {f"x{n}": 8 * n for n in range(31)} | {"sp": 31 * 8, "pc": 32 * 8, "pstate": 33 * 8}
    assert {name: getattr(Arm64Registers, name).offset for name in FIELDS} == expected
    assert {getattr(Arm64Registers, name).size for name in FIELDS} == {8}


@pytest.mark.parametrize(("role", "field"), ROLES.items())
def test_a_role_is_a_second_name_of_a_field(role: str, field: str) -> None:
    registers = numbered(1)
    assert getattr(registers, role) == getattr(registers, field)
    setattr(registers, role, 0xFFFFFFFFFFFFFFFF)
    assert [n for n, v in values(registers).items() if v == 0xFFFFFFFFFFFFFFFF] == [field]


def test_all_roles_of_the_interface_are_there() -> None:
    assert set(get_type_hints(Registers)) <= ROLES.keys() | set(FIELDS)


@given(WORDS, WORDS, st.integers(0, 65536))
def test_begin_call_writes_what_debug_call_v2_expects(pc: int, lr: int, size: int) -> None:
    memory, saved = BytesMemory(STACK - 64, 128), numbered(1)
    saved.sp, saved.pc, saved.x30 = STACK, pc, lr
    before = values(saved)
    address, data, registers = ARCH.begin_call(saved, ENTRY, size)
    for place in range(STACK - 64, STACK + 64):
        memory.write(place, b"\xa5")
    memory.write(address, data)
    assert values(saved) == before
    assert values(registers) == before | {"sp": STACK - 16, "x30": pc, "pc": ENTRY}
    assert registers.sp % 16 == 0
    assert memory.word(registers.sp) == lr
    assert memory.word(registers.sp - 16) == size
    assert memory.read(STACK - 8, 72) == b"\xa5" * 72  # the caller's, from the word below its SP on


def test_enter_function_comes_back_behind_the_trap() -> None:
    memory, trap = BytesMemory(0, 0), numbered(1)
    before = values(trap)
    ARCH.enter_function(trap, memory, ENTRY, 0x4000123456)
    called = {"x30": before["pc"] + 4, "pc": ENTRY, "x26": 0x4000123456}
    assert values(trap) == before | called


def test_call_from_comes_back_to_where_it_was() -> None:
    at = numbered(1)
    before = values(at)
    registers = ARCH.call_from(at, BytesMemory(0, 0), ENTRY)
    assert values(at) == before
    assert values(registers) == before | {"x30": before["pc"], "pc": ENTRY}


def test_data_is_above_the_link_register() -> None:
    trap = numbered(1)
    trap.sp = STACK
    assert ARCH.data(trap) == STACK + 8


@pytest.mark.parametrize(("status", "returned"), [(0, False), (1, True), (2, False), (8, False)])
def test_a_trap_is_left_behind_it(status: int, *, returned: bool) -> None:
    memory, trap = BytesMemory(STACK, 8), numbered(100)
    memory.write(STACK, (0x71234).to_bytes(8, "little"))
    trap.sp, trap.status = STACK, status
    before = values(trap)
    assert ARCH.trap_pc == 0
    assert ARCH.leave_trap(trap, memory)
    link = {"x30": 0x71234} if returned else {}
    assert values(trap) == before | {"pc": before["pc"] + 4} | link


@pytest.mark.parametrize(
    ("instruction", "passed"),
    [(0xD4200000, True), (0xD4200020, False), (0xD503201F, False)],
    ids=["BRK #0", "BRK #1", "NOP"],
)
def test_only_a_breakpoint_is_passed(instruction: int, *, passed: bool) -> None:
    memory, at = BytesMemory(ENTRY, 4), numbered(100)
    memory.write(ENTRY, struct.pack("<I", instruction))
    at.pc, at.status = ENTRY, 1  # garbage that looks like a status changes nothing
    before = values(at)
    assert ARCH.pass_breakpoint(at, memory) is passed
    assert values(at) == before | {"pc": ENTRY + 4 * passed}


def test_the_silent_trap_loads_the_link_register() -> None:
    # LDR (immediate), 64 bits, unsigned offset: 1111100101 imm12 Rn Rt; SP is 31.
    encoded = 0b1111100101 << 22 | 0 << 10 | 31 << 5 | 30
    assert struct.pack("<I", encoded) == ARCH.silent_trap


@pytest.mark.parametrize(
    ("old", "new", "written"),
    [
        ((None,) * 4, (None,) * 4, None),
        ((ENTRY, None, None, None), (ENTRY, None, None, None), None),
        ((None,) * 4, (ENTRY, None, None, None), [(ENTRY, 0x1E5)]),
        ((None, 8, None, None), (ENTRY, 8, None, None), [(ENTRY, 0x1E5)]),
        ((8, None, None, None), (8, None, ENTRY, None), [(8, 0x1E5), (0, 0), (ENTRY, 0x1E5)]),
        ((8, 16, None, None), (None,) * 4, [(0, 0), (0, 0)]),
    ],
)
def test_breakpoints_are_written_up_to_the_last_that_changed(
    monkeypatch: pytest.MonkeyPatch,
    old: tuple[int | None, ...],
    new: tuple[int | None, ...],
    written: list[tuple[int, int]] | None,
) -> None:
    sets: list[tuple[int, int, bytes]] = []
    monkeypatch.setattr(arm64, "write_set", lambda tid, note, data: sets.append((tid, note, data)))
    ARCH.set_breakpoints(7, old, new)
    if written is None:
        assert not sets
        return
    # struct user_hwdebug_state: dbg_info and pad, then address, control and pad of each slot.
    ((tid, note, data),) = sets
    assert (tid, note) == (7, NT_ARM_HW_BREAK)
    slots = b"".join(struct.pack("<QII", address, control, 0) for address, control in written)
    assert bytes(data) == bytes(8) + slots


class AtRestore:
    """A caller that was stopped at STACK, and debugCallV2 at its trap with status 16."""

    def __init__(self, moved_by: int = 0) -> None:
        self.saved = numbered(1000)
        self.saved.sp = STACK
        self.trap = numbered(5000)
        self.trap.sp = STACK + moved_by - FRAME
        self.memory = BytesMemory(self.trap.sp - 8, FRAME + 8)
        for name in FRAME_PLACES:
            self.restores(name, getattr(self.saved, name))

    def restores(self, name: str, value: int) -> None:
        """Let the epilogue give a register this value."""
        self.memory.write(self.trap.sp + FRAME_PLACES[name], value.to_bytes(8, "little"))

    def scribble(self) -> None:
        """Change all of the frame that is no saved register."""
        used = {at + i for at in FRAME_PLACES.values() for i in range(8)}
        for at in set(range(-8, FRAME)) - used:
            self.memory.write(self.trap.sp + at, b"\xa5")


def test_the_frame_has_its_places() -> None:
    assert len(set(FRAME_PLACES.values()) | {FRAME_SIZE_PLACE}) == 32
    begin = ARCH.begin_call(AtRestore().saved, ENTRY, 32)
    assert begin.address == STACK - FRAME + FRAME_SIZE_PLACE


def test_a_frame_that_is_as_it_was_changes_nothing() -> None:
    at = AtRestore()
    at.scribble()
    frame = ARCH.read_frame(at.trap, at.memory, at.saved)
    assert (frame.changed, frame.moved) == ((), False)
    assert values(frame.registers) == values(at.saved)
    image = ARCH.frame_image(at.saved)
    assert image.sp == at.trap.sp
    assert image.is_in(at.memory)


@pytest.mark.parametrize("name", FRAME_PLACES)
def test_each_register_that_changed_is_named_and_put_right(name: str) -> None:
    at = AtRestore()
    at.restores(name, 0xBAD)
    frame = ARCH.read_frame(at.trap, at.memory, at.saved)
    assert (frame.changed, frame.moved) == ((name,), False)
    assert values(frame.registers) == values(at.saved)
    assert not ARCH.frame_image(at.saved).is_in(at.memory)


@pytest.mark.parametrize("distance", [-64, 16, 1024])
def test_a_frame_of_unknown_size_is_told_and_the_saved_registers_are_kept(distance: int) -> None:
    at = AtRestore()
    at.trap.sp -= distance
    at.memory = BytesMemory(at.trap.sp - 8, FRAME + 8)
    frame = ARCH.read_frame(at.trap, at.memory, at.saved)
    assert (frame.changed, frame.moved) == (("sp",), False)
    assert values(frame.registers) == values(at.saved)


@given(
    st.sampled_from([-4096, 2048, 0x20000]),
    st.lists(WORDS, min_size=len(FRAME_PLACES), max_size=len(FRAME_PLACES)),
)
def test_on_a_stack_that_moved_the_runtime_s_values_count(by: int, words: list[int]) -> None:
    at = AtRestore(moved_by=by)
    from_runtime = dict(zip(FRAME_PLACES, words, strict=True))
    for name, value in from_runtime.items():
        at.restores(name, value)
    saved, trap = values(at.saved), values(at.trap)
    frame = ARCH.read_frame(at.trap, at.memory, at.saved)
    assert (frame.changed, frame.moved) == ((), True)
    assert values(frame.registers) == saved | from_runtime | {"sp": STACK + by}
    assert (values(at.saved), values(at.trap)) == (saved, trap)


def test_integers_are_passed_in_the_registers_of_the_abi() -> None:
    assert list(ARCH.integer_registers) == [f"x{n}" for n in range(16)]
