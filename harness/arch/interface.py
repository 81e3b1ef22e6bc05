"""The seam between the harness and a processor architecture."""

import ctypes
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, Self

from harness.arch.regset import RegisterSet

LEAST_STACK = 2048
"""Size in bytes of the smallest goroutine stack (stackMin in Go's runtime/stack.go): a copy of a
stack is at least so far away."""


class Registers(ctypes.LittleEndianStructure):
    """The general registers of one thread, as the kernel's NT_PRSTATUS set lays them out.

    Each architecture names its fields and gives some of them a second name, for the role that
    they have in Go. `goroutine` is the register in which ABIInternal keeps the current g,
    `status` and `closure` are those of the debug call protocol, `argument` holds the first
    integer argument, `flags` the condition flags.
    """

    pc: int
    sp: int
    flags: int
    goroutine: int
    status: int
    closure: int
    argument: int

    def copy(self) -> Self:
        """Return registers of their own, with the same values."""
        return type(self).from_buffer_copy(self)


class Memory(Protocol):
    """A target's memory: addresses and sizes in bytes; OSError where nothing is mapped."""

    def read(self, address: int, size: int) -> bytes:
        """Return `size` bytes."""
        ...

    def write(self, address: int, data: bytes) -> None:
        """Write all of `data`."""
        ...


class Beginning(NamedTuple):
    """The bytes to write at an address, and the registers, that begin a call."""

    address: int
    data: bytes
    registers: Registers


class FrameImage(NamedTuple):
    """What `size` bytes of memory must hold, at a distance in bytes from the SP that must be there.

    At `places` in there must be these `pieces`; what lies between them does not matter.
    """

    sp: int
    distance: int
    size: int
    places: tuple[int, ...]
    pieces: tuple[bytes, ...]

    def is_in(self, memory: Memory) -> bool:
        """Tell whether memory holds it."""
        found = memory.read(self.sp + self.distance, self.size)
        return all(map(found.startswith, self.pieces, self.places))


class Frame(NamedTuple):
    """What to go on with at the trap with status 16, and what debugCallV2 would have made of it.

    `registers` are those from before the call, for the thread that is at the trap: writing them
    leaves debugCallV2 without its epilogue, which destroys the flags (amd64) or R27 (arm64), even
    after a refusal. `changed` names the registers that the epilogue would have restored to another
    value. If `moved`, the stack was copied meanwhile: then the values are the runtime's, which
    knows where pointers point now.
    """

    registers: Registers
    changed: tuple[str, ...]
    moved: bool


class Arch(Protocol):
    """One architecture: its trap, hardware breakpoints and Go's calling convention."""

    name: str
    """What Go calls it: the value of GOARCH."""
    first_go: tuple[int, int]
    """The first language version whose runtime has debugCallV2 here (runtime/asm_GOARCH.s)."""
    trap_pc: int
    """Bytes from a trap instruction to the PC that the kernel reports for it."""
    silent_trap: bytes
    """An instruction of a trap's size with which a call goes on as if a debugger had been there."""
    breakpoint_slots: int
    """Hardware execution breakpoints that each thread may have."""
    steps_off_breakpoints: bool
    """Whether a thread at an armed breakpoint can go on only by a step while it is out."""
    integer_registers: Sequence[str]
    """Registers of integer arguments and results, in order (Go's abi-internal.md)."""

    def registers(self) -> Registers:
        """Return a structure to read into."""
        ...

    def get_registers(self, tid: int, into: Registers) -> None:
        """Read the general registers of a stopped thread."""
        ...

    def set_registers(self, tid: int, registers: Registers) -> None:
        """Write the general registers of a stopped thread."""
        ...

    def reader(self, tid: int, into: Registers) -> Callable[[], None]:
        """Return a function that does what `get_registers` does, again and again."""
        ...

    def writer(self, tid: int, registers: Registers) -> Callable[[], None]:
        """Return a function that does what `set_registers` does, with what they hold by then."""
        ...

    def vector_state(self, tid: int) -> RegisterSet:
        """Return the floating point and vector state of a stopped thread."""
        ...

    def in_system_call(self, tid: int, registers: Registers) -> bool:
        """Tell whether a thread, stopped with these registers, is inside a system call.

        There a new PC would be disturbed by the call's end.
        """
        ...

    def set_breakpoints(
        self, tid: int, old: Sequence[int | None], new: Sequence[int | None]
    ) -> None:
        """Change a stopped thread's hardware breakpoints; None is a slot that is off."""
        ...

    def begin_call(self, saved: Registers, entry: int, frame_size: int) -> Beginning:
        """Return what to write so that a thread enters debugCallV2, at `entry`.

        `frame_size` is the size in bytes of the arguments' part of the callee's frame.
        """
        ...

    def frame_image(self, saved: Registers) -> FrameImage:
        """Return what debugCallV2's frame holds at the trap with status 16 if nothing changed."""
        ...

    def enter_function(self, trap: Registers, memory: Memory, entry: int, closure: int) -> None:
        """At the dispatch trap, change `trap` so that the thread calls the function at `entry`."""
        ...

    def leave_trap(self, trap: Registers, memory: Memory) -> bool:
        """Change `trap`, at one of the protocol's traps, so that the thread goes on behind it.

        False: it does so as it is.
        """
        ...

    def pass_breakpoint(self, at: Registers, memory: Memory) -> bool:
        """Change `at`, at a SIGTRAP of the program's own, so that it goes on behind a breakpoint.

        False: it does so as it is, or there is no breakpoint instruction.
        """
        ...

    def call_from(self, at: Registers, memory: Memory, entry: int) -> Registers:
        """Return the registers that call `entry` and come back to `at.pc`."""
        ...

    def data(self, trap: Registers) -> int:
        """Return the address of the arguments, or of the runtime's data, at a trap."""
        ...

    def read_frame(self, trap: Registers, memory: Memory, saved: Registers) -> Frame:
        """Read debugCallV2's frame at the trap with status 16."""
        ...
