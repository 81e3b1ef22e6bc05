"""amd64's registers, and what the debug call protocol writes and reads on it.

Expected places come from Go's runtime/asm_amd64.s: the comment before debugCallV2, and the MOVQs
at its beginning, which save AX at 8 bytes below the end of its 152 bytes of locals and R15 at 120.
"""

import ctypes
from typing import get_type_hints

import pytest
from ptrace.binding.linux_struct import user_regs_struct

from harness.arch import Registers, arch_for
from harness.arch.amd64 import Amd64Registers
from harness.errors import Unsupported
from tests.memory import BytesMemory

ARCH = arch_for("amd64")
STACK = 0xC000010000
ENTRY = 0x464020
ROLES = {
    "pc": "rip",
    "sp": "rsp",
    "flags": "eflags",
    "goroutine": "r14",
    "status": "r12",
    "closure": "rdx",
    "argument": "rax",
}
LOCALS = 152
SAVED_BELOW_END = {
    "rax": 8,
    "rcx": 16,
    "rdx": 24,
    "rbx": 32,
    "rsi": 48,
    "rdi": 56,
    "r8": 64,
    "r9": 72,
    "r10": 80,
    "r11": 88,
    "r12": 96,
    "r13": 104,
    "r14": 112,
    "r15": 120,
}
FRAME_PLACES = {name: LOCALS - below for name, below in SAVED_BELOW_END.items()} | {
    "rbp": LOCALS,
    "rip": LOCALS + 8,
}
"""Bytes from SP at the trap with status 16 to what the epilogue gives each register."""
FIELDS = [name for name, *_ in Amd64Registers._fields_]


def numbered(first: int) -> Registers:
    """Return registers of which no two are equal."""
    registers = ARCH.registers()
    for i, name in enumerate(FIELDS):
        setattr(registers, name, first + i)
    return registers


def values(registers: Registers) -> dict[str, int]:
    return {name: getattr(registers, name) for name in FIELDS}


def test_the_fields_lie_as_python_ptrace_has_them() -> None:
    assert [
        (name, getattr(Amd64Registers, name).offset, getattr(Amd64Registers, name).size)
        for name in FIELDS
    ] == [
        (name, getattr(user_regs_struct, name).offset, getattr(user_regs_struct, name).size)
        for name, *_ in user_regs_struct._fields_
    ]
    assert ctypes.sizeof(Amd64Registers) == ctypes.sizeof(user_regs_struct)


@pytest.mark.parametrize(("role", "field"), ROLES.items())
def test_a_role_is_a_second_name_of_a_field(role: str, field: str) -> None:
    registers = numbered(1)
    assert getattr(registers, role) == getattr(registers, field)
    setattr(registers, role, 0xFFFFFFFFFFFFFFFF)
    assert getattr(registers, field) == 0xFFFFFFFFFFFFFFFF
    assert [n for n, v in values(registers).items() if v == 0xFFFFFFFFFFFFFFFF] == [field]


def test_all_roles_of_the_interface_are_there() -> None:
    assert set(get_type_hints(Registers)) >= set(ROLES)


def test_a_copy_has_a_life_of_its_own() -> None:
    first = numbered(1)
    before = values(first)
    second = first.copy()
    assert values(second) == before
    second.pc, first.sp = 77, 88
    assert values(first) == before | {"rsp": 88}
    assert values(second) == before | {"rip": 77}


@pytest.mark.parametrize(
    ("orig_rax", "inside"),
    [(0, True), (202, True), ((1 << 64) - 1, False), ((1 << 64) - 512, False)],
)
def test_a_system_call_s_number_tells_that_one_is_under_way(orig_rax: int, *, inside: bool) -> None:
    registers = Amd64Registers()
    registers.orig_rax = orig_rax
    assert ARCH.in_system_call(0, registers) is inside


def test_begin_call_writes_what_debug_call_v2_expects() -> None:
    memory, saved = BytesMemory(STACK - 24, 24), numbered(1)
    saved.sp = STACK
    before = values(saved)
    address, data, registers = ARCH.begin_call(saved, ENTRY, 4096)
    memory.write(address, data)
    assert values(saved) == before
    assert values(registers) == before | {"rsp": STACK - 8, "rip": ENTRY}
    assert memory.word(registers.sp) == saved.pc
    assert memory.word(registers.sp - 16) == 4096


def test_enter_function_calls_with_the_trap_s_pc_as_return_address() -> None:
    memory, trap = BytesMemory(STACK - 8, 8 + 16), numbered(1)
    trap.sp = STACK
    before = values(trap)
    memory.write(STACK, b"arguments, 16 by")
    ARCH.enter_function(trap, memory, ENTRY, 0xC000123456)
    assert values(trap) == before | {"rsp": STACK - 8, "rip": ENTRY, "rdx": 0xC000123456}
    assert memory.word(trap.sp) == before["rip"]
    assert memory.read(STACK, 16) == b"arguments, 16 by"


def test_call_from_comes_back_to_where_it_was() -> None:
    memory, at = BytesMemory(STACK - 8, 8), numbered(1)
    at.sp = STACK
    before = values(at)
    registers = ARCH.call_from(at, memory, ENTRY)
    assert values(at) == before
    assert values(registers) == before | {"rsp": STACK - 8, "rip": ENTRY}
    assert memory.word(registers.sp) == before["rip"]


def test_data_is_at_the_stack_pointer() -> None:
    trap = numbered(1)
    trap.sp = STACK
    assert ARCH.data(trap) == STACK


class AtRestore:
    """A caller that was stopped at STACK, and debugCallV2 at its trap with status 16."""

    def __init__(self, moved_by: int = 0) -> None:
        self.saved = numbered(1000)
        self.saved.sp = STACK
        self.trap = numbered(5000)
        self.trap.sp = STACK + moved_by - LOCALS - 16
        self.memory = BytesMemory(self.trap.sp, LOCALS + 16)
        for name in FRAME_PLACES:
            self.restores(name, getattr(self.saved, name))

    def restores(self, name: str, value: int) -> None:
        """Let the epilogue give a register this value."""
        self.memory.write(self.trap.sp + FRAME_PLACES[name], value.to_bytes(8, "little"))

    def of_thread(self) -> dict[str, int]:
        return {name: getattr(self.trap, name) for name in ("fs_base", "gs_base")}


def test_a_frame_that_is_as_it_was_changes_nothing() -> None:
    at = AtRestore()
    frame = ARCH.read_frame(at.trap, at.memory, at.saved)
    assert (frame.changed, frame.moved) == ((), False)
    assert values(frame.registers) == values(at.saved) | at.of_thread()


def test_the_image_of_a_frame_is_what_an_unchanged_one_holds() -> None:
    at = AtRestore()
    at.memory.write(at.trap.sp + LOCALS - 40, (STACK - 16).to_bytes(8, "little"))  # its own BP
    image = ARCH.frame_image(at.saved)
    assert image.sp == at.trap.sp
    assert image.distance + image.size == LOCALS + 16
    assert image.is_in(at.memory)


@pytest.mark.parametrize("name", FRAME_PLACES)
def test_the_image_of_a_frame_differs_where_a_register_changed(name: str) -> None:
    at = AtRestore()
    at.restores(name, 0xBAD)
    assert not ARCH.frame_image(at.saved).is_in(at.memory)


@pytest.mark.parametrize("distance", [-64, 8, 1024])
def test_a_frame_of_unknown_size_is_told_and_the_saved_registers_are_kept(distance: int) -> None:
    at = AtRestore()
    at.trap.sp -= distance
    at.memory = BytesMemory(at.trap.sp, LOCALS + 16)
    frame = ARCH.read_frame(at.trap, at.memory, at.saved)
    assert (frame.changed, frame.moved) == (("rsp",), False)
    assert values(frame.registers) == values(at.saved) | at.of_thread()


@pytest.mark.parametrize("name", FRAME_PLACES)
def test_each_register_that_changed_is_named_and_put_right(name: str) -> None:
    at = AtRestore()
    at.restores(name, 0xBAD)
    frame = ARCH.read_frame(at.trap, at.memory, at.saved)
    assert (frame.changed, frame.moved) == ((name,), False)
    assert values(frame.registers) == values(at.saved) | at.of_thread()


def test_all_that_changed_are_named() -> None:
    at = AtRestore()
    for name in FRAME_PLACES:
        at.restores(name, 0xBAD)
    assert set(ARCH.read_frame(at.trap, at.memory, at.saved).changed) == set(FRAME_PLACES)


def test_what_the_epilogue_does_not_restore_is_not_looked_at() -> None:
    at = AtRestore()
    own_frame_pointer = at.trap.sp + LOCALS - 40
    at.memory.write(own_frame_pointer, b"\xa5" * 8)
    at.memory.write(at.trap.sp, b"\xa5" * (FRAME_PLACES["r15"]))
    assert ARCH.read_frame(at.trap, at.memory, at.saved).changed == ()


@pytest.mark.parametrize("by", [-4096, 2048, 0x20000])
def test_on_a_stack_that_moved_the_runtime_s_values_count(by: int) -> None:
    at = AtRestore(moved_by=by)
    for i, name in enumerate(FRAME_PLACES):
        at.restores(name, 7000 + i)
    frame = ARCH.read_frame(at.trap, at.memory, at.saved)
    assert (frame.changed, frame.moved) == ((), True)
    from_runtime = {name: 7000 + i for i, name in enumerate(FRAME_PLACES)}
    assert values(frame.registers) == (
        values(at.saved) | from_runtime | {"rsp": STACK + by} | at.of_thread()
    )


@pytest.mark.parametrize("moved_by", [0, 4096])
def test_read_frame_leaves_what_it_got_alone(moved_by: int) -> None:
    at = AtRestore(moved_by)
    at.restores("rax", 0xBAD)
    saved, trap = values(at.saved), values(at.trap)
    ARCH.read_frame(at.trap, at.memory, at.saved)
    assert (values(at.saved), values(at.trap)) == (saved, trap)


def test_integers_are_passed_in_the_registers_of_the_abi() -> None:
    assert " ".join(ARCH.integer_registers) == "rax rbx rcx rdi rsi r8 r9 r10 r11"


def test_a_trap_leaves_the_pc_behind_it() -> None:
    at, memory = numbered(1), BytesMemory(0, 0)
    before = values(at)
    assert ARCH.trap_pc == 1
    assert not ARCH.leave_trap(at, memory)
    assert not ARCH.pass_breakpoint(at, memory)
    assert values(at) == before


def test_an_architecture_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(Unsupported, match=r"mips64 .* \(supported: amd64, arm64") as caught:
        arch_for("mips64")
    assert caught.value.exit_code == 125
