"""linux/arm64: registers, BRK, hardware breakpoints by register set, Go's register ABI.

Sources: the kernel's arch/arm64/include/uapi/asm/ptrace.h (user_pt_regs, user_hwdebug_state) and
arch/arm64/kernel/ptrace.c; Go's runtime/asm_arm64.s (debugCallV2), its use in
runtime/export_debug_arm64_test.go, and cmd/compile/abi-internal.md; for DBGBCR<n>_EL1 the Arm
Architecture Reference Manual.
"""

import ctypes
import struct
from collections.abc import Callable, Sequence
from errno import EINVAL
from operator import attrgetter

from harness.arch.binding import PtraceError
from harness.arch.interface import LEAST_STACK, Beginning, Frame, FrameImage, Memory, Registers
from harness.arch.regset import (
    NT_ARM_HW_BREAK,
    NT_ARM_SVE,
    NT_ARM_SYSTEM_CALL,
    NT_FPREGSET,
    NT_PRSTATUS,
    RegisterSet,
    read_set,
    set_reader,
    set_writer,
    write_set,
)

_FIELDS = (*(f"x{n}" for n in range(31)), "sp", "pc", "pstate")
_ROLES = {
    "flags": "pstate",
    "goroutine": "x28",
    "status": "x20",
    "closure": "x26",
    "argument": "x0",
}

_BRK = 0xD4200000
"""BRK #0: what runtime.breakpoint and the protocol's traps are made of."""
_RETURN = 1
_INSTRUCTION = 4
"""Size in bytes of each instruction."""
_EXECUTE_AT_EL0 = 0x1E5
"""DBGBCR<n>_EL1: enabled, in user mode, for all four bytes of an instruction."""
_SLOT = struct.Struct("<QI4x")
"""One of user_hwdebug_state's dbg_regs: address and control."""
_HEADER = bytes(8)
"""What stands before them: the kernel ignores it in a write."""

_INJECTED = struct.Struct("<QQQ")
_HANDED = 16
"""Bytes below the caller's SP in which its link register is handed over to debugCallV2."""
# fmt: off
_SAVED = (
    "x29", "pc",
    *(f"x{n}" for n in range(18)),
    *(f"x{n}" for n in range(19, 29)),
    "x30",
)
# fmt: on
"""What debugCallV2's epilogue restores. It is a jump through X27, which this destroys."""
_FRAME = struct.Struct("<2Q 24x 28Q 16x Q 8x")
"""Where it finds them: from 8 bytes below SP up to the caller's SP. Skipped are the arguments of
what debugCallV2 calls, the frame size that was asked for, and a word of the caller's."""
_BELOW_SP = 8
_SIZE = _FRAME.size - _BELOW_SP
"""Bytes from SP at the trap with status 16 to the caller's SP."""
_restored = attrgetter(*_SAVED)


class Arm64Registers(Registers):
    """struct user_pt_regs."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in _FIELDS)

    x30: int


for _role, _field in _ROLES.items():  # a field's descriptor under a second name costs nothing
    setattr(Arm64Registers, _role, getattr(Arm64Registers, _field))


class Arm64:
    """The `Arch` of linux/arm64."""

    name = "arm64"
    first_go = (1, 18)
    trap_pc = 0
    silent_trap = bytes.fromhex("fe0340f9")  # LDR X30, [SP]: see leave_trap; harmless elsewhere
    breakpoint_slots = 4
    steps_off_breakpoints = True
    integer_registers: Sequence[str] = tuple(f"x{n}" for n in range(16))

    def registers(self) -> Registers:
        return Arm64Registers()

    def get_registers(self, tid: int, into: Registers) -> None:
        read_set(tid, NT_PRSTATUS, into)

    def set_registers(self, tid: int, registers: Registers) -> None:
        write_set(tid, NT_PRSTATUS, registers)

    def reader(self, tid: int, into: Registers) -> Callable[[], None]:
        return set_reader(tid, NT_PRSTATUS, into)

    def writer(self, tid: int, registers: Registers) -> Callable[[], None]:
        return set_writer(tid, NT_PRSTATUS, registers)

    def vector_state(self, tid: int) -> RegisterSet:
        # The SVE set holds the V registers too, and what a write of those alone would clear. It is
        # there only where the processor has SVE. A thread in SME's streaming mode is never at a
        # stop from which Go calls: compiled Go code cannot run in it.
        try:
            return RegisterSet(tid, NT_ARM_SVE)
        except PtraceError as error:
            if error.errno != EINVAL:
                raise
            return RegisterSet(tid, NT_FPREGSET)

    def in_system_call(self, tid: int, registers: Registers) -> bool:  # noqa: ARG002 - they do not tell
        # A thread that was interrupted in a system call is, by then, back at its SVC with all
        # arguments in place (do_signal in arch/arm64/kernel/signal.c): that is outside. Inside it
        # is at an event such as clone, when its return value is still to be written.
        number = ctypes.c_int32()
        read_set(tid, NT_ARM_SYSTEM_CALL, number)
        return number.value >= 0

    def set_breakpoints(
        self, tid: int, old: Sequence[int | None], new: Sequence[int | None]
    ) -> None:
        # The kernel takes the first so many slots. Those never used would cost it an event each.
        changed = [slot for slot, address in enumerate(new) if address != old[slot]]
        if changed:
            slots = (_control(address) for address in new[: changed[-1] + 1])
            state = _HEADER + b"".join(slots)
            write_set(tid, NT_ARM_HW_BREAK, ctypes.create_string_buffer(state, len(state)))

    def begin_call(self, saved: Registers, entry: int, frame_size: int) -> Beginning:
        assert isinstance(saved, Arm64Registers)
        registers = saved.copy()
        registers.sp -= _HANDED
        registers.x30 = saved.pc
        registers.pc = entry
        # The link register lies at the new SP, the frame size at SP-16; between them is free. The
        # word above the link register is not: there the caller's callees save the frame pointer.
        data = _INJECTED.pack(frame_size, 0, saved.x30)
        return Beginning(registers.sp - 16, data, registers)

    def frame_image(self, saved: Registers) -> FrameImage:
        data = _FRAME.pack(*_restored(saved))
        # The gaps are as in _FRAME: two words, three of others, 28 words, two of others, one word.
        pieces = data[:16], data[40:264], data[280:288]
        return FrameImage(saved.sp - _SIZE, -_BELOW_SP, 288, (0, 40, 280), pieces)

    def enter_function(self, trap: Registers, memory: Memory, entry: int, closure: int) -> None:  # noqa: ARG002 - amd64 needs it
        assert isinstance(trap, Arm64Registers)
        trap.x30 = trap.pc + _INSTRUCTION
        trap.closure = closure
        trap.pc = entry

    def leave_trap(self, trap: Registers, memory: Memory) -> bool:
        assert isinstance(trap, Arm64Registers)
        trap.pc += _INSTRUCTION
        if trap.status == _RETURN:
            # debugCallN is a leaf to Go's assembler: it returns by the link register as it found
            # it, and the call, of which the assembler knows nothing, has changed that one.
            trap.x30 = int.from_bytes(memory.read(trap.sp, 8), "little")
        return True

    def pass_breakpoint(self, at: Registers, memory: Memory) -> bool:
        if int.from_bytes(memory.read(at.pc, _INSTRUCTION), "little") != _BRK:
            return False
        at.pc += _INSTRUCTION
        return True

    def call_from(self, at: Registers, memory: Memory, entry: int) -> Registers:  # noqa: ARG002 - amd64 needs it
        registers = at.copy()
        assert isinstance(registers, Arm64Registers)
        registers.x30 = at.pc
        registers.pc = entry
        return registers

    def data(self, trap: Registers) -> int:
        return trap.sp + 8  # at SP is the link register of the function with the trap

    def read_frame(self, trap: Registers, memory: Memory, saved: Registers) -> Frame:
        after = _FRAME.unpack(memory.read(trap.sp - _BELOW_SP, _FRAME.size))
        sp = trap.sp + _SIZE
        moved = abs(sp - saved.sp) >= LEAST_STACK
        registers = saved.copy()
        if moved:
            for name, value in zip(_SAVED, after, strict=True):
                setattr(registers, name, value)
            registers.sp = sp
            return Frame(registers, (), moved)
        if sp != saved.sp:  # a frame of another size than this one: its words say nothing
            return Frame(registers, ("sp",), moved)
        before = _restored(saved)
        changed = (name for name, a, b in zip(_SAVED, before, after, strict=True) if a != b)
        return Frame(registers, tuple(changed), moved)


def _control(address: int | None) -> bytes:
    return _SLOT.pack(0, 0) if address is None else _SLOT.pack(address, _EXECUTE_AT_EL0)
