"""linux/amd64: registers, INT3, debug registers, Go's register ABI.

Sources: the kernel's arch/x86/include/asm/user_64.h (user_regs_struct) and
arch/x86/include/asm/debugreg.h; Go's runtime/asm_amd64.s (debugCallV2) and
cmd/compile/abi-internal.md.
"""

import ctypes
import struct
from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter

from harness.arch.binding import prepared, request
from harness.arch.interface import LEAST_STACK, Beginning, Frame, FrameImage, Memory, Registers
from harness.arch.regset import NT_X86_XSTATE, RegisterSet

# fmt: off
_FIELDS = (
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi",
    "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base",
    "ds", "es", "fs", "gs",
)
# fmt: on
_ROLES = {
    "pc": "rip",
    "sp": "rsp",
    "flags": "eflags",
    "goroutine": "r14",
    "status": "r12",
    "closure": "rdx",
    "argument": "rax",
}

_GETREGS, _SETREGS, _POKEUSER = 12, 13, 6
_DEBUG_REGISTERS = 848
"""offsetof(struct user, u_debugreg)."""
_DR7 = _DEBUG_REGISTERS + 8 * 7

_INJECTED = struct.Struct("<QQQ")
_LOCALS = 152
"""Size in bytes of debugCallV2's locals. Above them lie the caller's frame pointer, the PC."""
_FRAME = struct.Struct(f"<{_LOCALS // 8 + 2}Q")
# fmt: off
_SAVED = (
    "r15", "r14", "r13", "r12", "r11", "r10", "r9", "r8", "rdi", "rsi", "_", "rbx", "rdx", "rcx",
    "rax", "rbp", "rip",
)
# fmt: on
"""What the frame's last words hold. The eleventh is debugCallV2's own frame pointer."""
_FIRST_SAVED = _FRAME.size // 8 - len(_SAVED)
_RESTORED = [(name, _FIRST_SAVED + i) for i, name in enumerate(_SAVED) if name != "_"]
_restored = attrgetter(*(name for name, _ in _RESTORED))
_in_frame = itemgetter(*(index for _, index in _RESTORED))


class Amd64Registers(Registers):
    """struct user_regs_struct."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in _FIELDS)

    orig_rax: int
    fs_base: int
    gs_base: int


for _role, _field in _ROLES.items():  # a field's descriptor under a second name costs nothing
    setattr(Amd64Registers, _role, getattr(Amd64Registers, _field))


class Amd64:
    """The `Arch` of linux/amd64."""

    name = "amd64"
    first_go = (1, 17)
    trap_pc = 1
    silent_trap = b"\x90"  # NOP
    breakpoint_slots = 4
    steps_off_breakpoints = False  # the kernel sets RF in the flags of a thread that hits one
    integer_registers: Sequence[str] = ("rax", "rbx", "rcx", "rdi", "rsi", "r8", "r9", "r10", "r11")

    def registers(self) -> Registers:
        return Amd64Registers()

    def get_registers(self, tid: int, into: Registers) -> None:
        request(_GETREGS, tid, 0, ctypes.byref(into))

    def set_registers(self, tid: int, registers: Registers) -> None:
        request(_SETREGS, tid, 0, ctypes.byref(registers))

    def reader(self, tid: int, into: Registers) -> Callable[[], None]:
        return prepared(_GETREGS, tid, 0, ctypes.byref(into))

    def writer(self, tid: int, registers: Registers) -> Callable[[], None]:
        return prepared(_SETREGS, tid, 0, ctypes.byref(registers))

    def vector_state(self, tid: int) -> RegisterSet:
        return RegisterSet(tid, NT_X86_XSTATE)

    def in_system_call(self, tid: int, registers: Registers) -> bool:  # noqa: ARG002 - arm64 needs it
        assert isinstance(registers, Amd64Registers)
        return registers.orig_rax < 1 << 63

    def set_breakpoints(
        self, tid: int, old: Sequence[int | None], new: Sequence[int | None]
    ) -> None:
        for slot, address in enumerate(new):
            if address is not None and address != old[slot]:
                place = _DEBUG_REGISTERS + 8 * slot
                request(_POKEUSER, tid, place, ctypes.c_void_p(address))
        if _control(old) != _control(new):
            request(_POKEUSER, tid, _DR7, _control(new))

    def begin_call(self, saved: Registers, entry: int, frame_size: int) -> Beginning:
        registers = saved.copy()
        registers.sp -= 8
        registers.pc = entry
        # debugCallV2 finds its caller's PC at SP, the frame size at SP-16; between them is free.
        return Beginning(saved.sp - 24, _INJECTED.pack(frame_size, 0, saved.pc), registers)

    def frame_image(self, saved: Registers) -> FrameImage:
        frame_pointer = saved.sp - 16  # of debugCallV2: it saved the caller's there
        values = [frame_pointer if name == "_" else getattr(saved, name) for name in _SAVED]
        data = b"".join(value.to_bytes(8, "little") for value in values)
        return FrameImage(saved.sp - _FRAME.size, 8 * _FIRST_SAVED, len(data), (0,), (data,))

    def enter_function(self, trap: Registers, memory: Memory, entry: int, closure: int) -> None:
        sp = trap.sp - 8
        memory.write(sp, trap.pc.to_bytes(8, "little"))
        trap.sp = sp
        trap.closure = closure
        trap.pc = entry

    def leave_trap(self, trap: Registers, memory: Memory) -> bool:  # noqa: ARG002 - PC is behind it
        return False

    def pass_breakpoint(self, at: Registers, memory: Memory) -> bool:  # noqa: ARG002 - the same
        return False

    def call_from(self, at: Registers, memory: Memory, entry: int) -> Registers:
        registers = at.copy()
        registers.sp -= 8
        registers.pc = entry
        memory.write(registers.sp, at.pc.to_bytes(8, "little"))
        return registers

    def data(self, trap: Registers) -> int:
        return trap.sp

    def read_frame(self, trap: Registers, memory: Memory, saved: Registers) -> Frame:
        words = _FRAME.unpack(memory.read(trap.sp, _FRAME.size))
        sp = trap.sp + _FRAME.size
        moved = abs(sp - saved.sp) >= LEAST_STACK
        assert isinstance(trap, Amd64Registers)
        registers = saved.copy()
        assert isinstance(registers, Amd64Registers)
        # TLS belongs to the thread, and a broken runtime may end the call on another one.
        registers.fs_base, registers.gs_base = trap.fs_base, trap.gs_base
        if moved:
            for name, index in _RESTORED:
                setattr(registers, name, words[index])
            registers.sp = sp
            return Frame(registers, (), moved)
        if sp != saved.sp:  # a frame of another size than this one: its words say nothing
            return Frame(registers, ("rsp",), moved)
        before, after = _restored(saved), _in_frame(words)
        if before == after:
            return Frame(registers, (), moved)
        names = (name for name, _ in _RESTORED)
        changed = (name for name, a, b in zip(names, before, after, strict=True) if a != b)
        return Frame(registers, tuple(changed), moved)


def _control(addresses: Sequence[int | None]) -> int:
    """Return DR7 for these slots: L<slot> set, type and length 0 (execution)."""
    return sum(1 << (2 * slot) for slot, address in enumerate(addresses) if address is not None)
