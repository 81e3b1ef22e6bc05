"""A Go program in memory: where the runtime's functions are, and what its goroutines hold."""

from functools import cached_property
from pathlib import Path

from harness.arch import Arch
from harness.debugcall.frames import IntFrame
from harness.debugcall.goroutine import Goroutine, GoroutineFormat
from harness.errors import InputError, TargetError
from harness.gobinary import (
    Facts,
    Function,
    GoBinary,
    calibrate,
    is_locked,
    load_bias,
)
from harness.recording import Callee
from harness.tracer import Process

STACK_PREEMPT = (1 << 64) - 1314
"""g.stackguard0 of a goroutine that is asked to yield (stackPreempt in Go's runtime/stack.go)."""


class Program:
    """A Go executable as one process has it in memory."""

    def __init__(self, binary: GoBinary, facts: Facts, process: Process) -> None:
        self.binary = binary
        self.process = process
        maps = Path(f"/proc/{process.pid}/maps").read_text(errors="surrogateescape")
        self.bias = load_bias(binary, maps)
        self.layout = facts.layout
        self._trap_sites = facts.traps
        self.silenced = False
        self._calibrated = False
        self._addresses: dict[str, int] = {}
        self._frames: dict[tuple[int, int], IntFrame] = {}
        self.goroutine_format = GoroutineFormat(self.layout.g)

    @property
    def arch(self) -> Arch:
        """The architecture that it runs on."""
        return self.process.arch

    def address(self, name: str) -> int:
        """Return the run-time address of a function's entry; `BinaryError` if there is none."""
        if name not in self._addresses:
            self._addresses[name] = self.binary.function(name).entry + self.bias
        return self._addresses[name]

    def function_at(self, pc: int) -> Function | None:
        """Return the function that holds a run-time PC."""
        return self.binary.find(pc - self.bias)

    def name_at(self, pc: int) -> str:
        """Return the name of the function that holds a run-time PC, "?" for none."""
        function = self.function_at(pc)
        return function.name if function else "?"

    def frame(self, callee: Callee) -> IntFrame:
        """Return where the arguments and results of a function are.

        Raises `InputError` if an argument is no integer of 64 bits.
        """
        for value in callee.arguments:
            if not -(1 << 63) <= value < 1 << 64:
                raise InputError(
                    f"{value} is too large to be an argument of {callee.name}",
                    mend="give an integer of 64 bits, signed or not",
                )
        shape = len(callee.arguments), len(callee.results)
        if shape not in self._frames:
            self._frames[shape] = IntFrame(self.arch, *shape)
        return self._frames[shape]

    def is_locked(self, g: int) -> bool:
        """Tell whether a goroutine is locked to the thread that runs it: g.lockedm is g.m.

        Raises `Unsupported` where g.lockedm turns out not to be where it was thought to be.
        """
        return is_locked(self.layout, g, self.process.memory.read)

    def calibrate(self, tid: int, g: int) -> None:
        """Check the layout once against a thread that is seen to run goroutine `g`.

        Raises `Unsupported` if the runtime's memory contradicts it.
        """
        if not self._calibrated:
            calibrate(self.layout, tid, g, self.process.memory.read)
            self._calibrated = True

    @cached_property
    def debug_call(self) -> int:
        """The entry of runtime.debugCallV2."""
        return self.address("runtime.debugCallV2")

    @cached_property
    def traps(self) -> dict[int, str]:
        """The PCs that the kernel reports at the protocol's traps, and the function of each.

        Raises `TargetError` if `silence_traps` was needed in an earlier session.
        """
        silent, sites = self.arch.silent_trap, self._trap_sites
        if any(self.process.memory.read(s + self.bias, len(silent)) == silent for s in sites):
            raise TargetError(
                "debug calls were switched off in this process: a session with it had to be broken "
                "off in the middle of a call",
                mend=f"restart the program, process {self.process.pid}",
            )
        shift = self.bias + self.arch.trap_pc
        return {site + shift: name for site, name in sites.items()}

    def silence_traps(self) -> None:
        """Overwrite the protocol's traps, so that a call in flight ends without a debugger.

        The last resort for a target that must be let go in the middle of a call: its next trap
        would kill it. What the runtime does not restore (flags, vector registers) is lost, and no
        debugger can call functions in it any more.
        """
        self.silenced = True
        for pc in self.traps:
            self.process.memory.write(pc - self.arch.trap_pc, self.arch.silent_trap)

    def goroutine(self, address: int) -> Goroutine:
        """Read a runtime.g; OSError where none can be."""
        return self.goroutine_format.read(address, self.process.memory)

    def asked_to_yield(self, g: int) -> bool:
        """Tell whether the runtime, or the harness, has asked a goroutine to yield."""
        return self.process.memory.word(g + self.layout.g.stackguard0) == STACK_PREEMPT

    def ask_to_yield(self, g: int) -> None:
        """Do the part of runtime.preemptone (runtime/proc.go) that its prologue checks read."""
        self.process.memory.write(
            g + self.layout.g.stackguard0, STACK_PREEMPT.to_bytes(8, "little")
        )
