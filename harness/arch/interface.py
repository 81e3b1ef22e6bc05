"""The seam between the harness and a processor architecture."""

import ctypes
from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self

from harness.arch.regset import RegisterSet


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

    @property
    @abstractmethod
    def in_system_call(self) -> bool:
        """Whether the thread is stopped inside a system call, which a new PC would disturb."""


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


class Image(NamedTuple):
    """What a piece of memory must hold, at a distance in bytes from the SP that must be there."""

    sp: int
    distance: int
    data: bytes


class Frame(NamedTuple):
    """What to go on with at the trap with status 16, and what debugCallV2 would have made of it.

    `registers` are those from before the call, for the thread that is at the trap: writing them
    leaves debugCallV2 without its epilogue, which destroys the flags. `changed` names the
    registers that the epilogue would have restored to another value. If `moved`, the stack was
    copied meanwhile: then the values are the runtime's, which knows where pointers point now.
    """

    registers: Registers
    changed: tuple[str, ...]
    moved: bool


class Arch(Protocol):
    """One architecture: its trap, hardware breakpoints and Go's calling convention."""

    name: str
    """What Go calls it: the value of GOARCH."""
    trap_pc: int
    """Bytes from a trap instruction to the PC that the kernel reports for it."""
    trap_resume: int
    """Bytes to add to the reported PC to go on behind the trap."""
    no_operation: bytes
    """An instruction of a trap's size that does nothing."""
    breakpoint_slots: int
    """Hardware execution breakpoints that each thread may have."""
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

    def vector_state(self, tid: int) -> RegisterSet:
        """Return the floating point and vector state of a stopped thread."""
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

    def frame_image(self, saved: Registers) -> Image:
        """Return what debugCallV2's frame holds at the trap with status 16 if nothing changed."""
        ...

    def enter_function(self, trap: Registers, memory: Memory, entry: int, closure: int) -> None:
        """At the dispatch trap, change `trap` so that the thread calls the function at `entry`."""
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
