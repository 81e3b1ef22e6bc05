"""A Go program in memory: where the runtime's functions are, and what its goroutines hold."""

import struct
from dataclasses import dataclass
from functools import cached_property

from harness.arch import Arch
from harness.gobinary import Function, GoBinary, Layout, trap_sites
from harness.tracer import Process

STACK_PREEMPT = (1 << 64) - 1314
"""g.stackguard0 of a goroutine that is asked to yield (stackPreempt in Go's runtime/stack.go)."""

_word = struct.Struct("<Q").unpack_from
_half = struct.Struct("<I").unpack_from


@dataclass(frozen=True, slots=True)
class Goroutine:
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


class Program:
    """A Go executable as one process has it in memory."""

    def __init__(self, binary: GoBinary, process: Process, layout: Layout, bias: int) -> None:
        self.binary = binary
        self.process = process
        self.layout = layout
        self.bias = bias
        self._extent = 8 + max(
            offset
            for offset in (
                layout.g.lockedm,
                layout.g.m,
                layout.g.atomicstatus,
                layout.g.goid,
                layout.g.parent_goid,
            )
            if offset is not None
        )

    @property
    def arch(self) -> Arch:
        """The architecture that it runs on."""
        return self.process.arch

    def address(self, name: str) -> int:
        """Return the run-time address of a function's entry; `BinaryError` if there is none."""
        return self.binary.function(name).entry + self.bias

    def function_at(self, pc: int) -> Function | None:
        """Return the function that holds a run-time PC."""
        return self.binary.find(pc - self.bias)

    @cached_property
    def debug_call(self) -> int:
        """The entry of runtime.debugCallV2."""
        return self.address("runtime.debugCallV2")

    @cached_property
    def traps(self) -> dict[int, str]:
        """The PCs that the kernel reports at the protocol's traps, and the function of each."""
        shift = self.bias + self.arch.trap_pc
        return {site + shift: name for site, name in trap_sites(self.binary).items()}

    def goroutine(self, address: int) -> Goroutine:
        """Read a runtime.g; OSError where none can be."""
        layout = self.layout
        data = self.process.memory.read(address, self._extent)

        def word(offset: int | None) -> int | None:
            return None if offset is None else _word(data, offset)[0]

        return Goroutine(
            address,
            _word(data, layout.g.stack_lo)[0],
            _word(data, layout.g.stack_hi)[0],
            _word(data, layout.g.m)[0],
            _word(data, layout.g.lockedm)[0],
            _half(data, layout.g.atomicstatus)[0],
            word(layout.g.goid),
            word(layout.g.parent_goid),
        )

    def asked_to_yield(self, g: int) -> bool:
        """Tell whether the runtime, or the harness, has asked a goroutine to yield."""
        return self.process.memory.word(g + self.layout.g.stackguard0) == STACK_PREEMPT

    def ask_to_yield(self, g: int) -> None:
        """Do the part of runtime.preemptone (runtime/proc.go) that its prologue checks read."""
        self.process.memory.write(
            g + self.layout.g.stackguard0, STACK_PREEMPT.to_bytes(8, "little")
        )
