"""Whether a stopped thread can take a debug call without harm to the program.

debugCallV2 checks less than it should: it accepts stops in assembly, in runtime code without the
"runtime." prefix and in goroutines that hold runtime locks, and what follows there can end the
program. So the harness asks more, and only then injects.
"""

from collections.abc import Iterator
from itertools import chain

from harness.debugcall.frames import WORD
from harness.debugcall.program import Program
from harness.gobinary import Function
from harness.tracer import Thread

STACK_NEEDED = 1024
"""Bytes below SP. debugCallV2 writes up to 304 (amd64) or 440 (arm64), though 256 are asked for."""

_G_RUNNING = 2
_P_RUNNING = 1
"""_Grunning and _Prunning of Go's runtime/runtime2.go."""

_UNSAFE_PACKAGES = (
    "runtime.",
    "runtime/internal/",
    "internal/runtime/",
    "internal/abi.",
    "internal/bytealg.",
    "internal/chacha8rand.",
    "internal/cpu.",
    "reflect.",
    "syscall.",
    "time.now",
)
"""Code that holds runtime locks, has no stack maps, or runs with the write barrier half done."""


def why_never(function: Function) -> str:
    """Say why no stop in a function can take a call; empty if one may."""
    if function.name.startswith(_UNSAFE_PACKAGES):
        return f"in {function.name}"
    return f"in assembly, {function.name}" if function.asm or function.spwrite else ""


def why_unsafe(program: Program, thread: Thread) -> str:
    """Say why nothing may be injected into a thread as it stands; empty if it may.

    Reads `thread.registers`, which must be those of the present stop.
    """
    registers = thread.registers
    function = program.function_at(registers.pc)
    if function is None:
        return "not in Go code"
    if program.arch.in_system_call(thread.tid, registers):
        return "in a system call"
    reasons = chain(_code_reasons(program, function, registers.pc), _state_reasons(program, thread))
    try:
        return next(filter(None, reasons), "")
    except OSError:
        return "no goroutine in the register"


# Both are lazy, so that a later check may rely on the earlier ones.


def _code_reasons(program: Program, function: Function, pc: int) -> Iterator[str]:
    yield why_never(function)
    if not program.binary.has_locals_map(function):
        yield f"in assembly, {function.name}"
    if program.binary.unsafe_point(function, pc - program.bias) != -1:
        yield f"at an unsafe point of {function.name}"


def _state_reasons(program: Program, thread: Thread) -> Iterator[str]:
    layout, memory = program.layout, program.process.memory
    goroutine = program.goroutine(thread.registers.goroutine)
    if not goroutine.stack_lo + STACK_NEEDED <= thread.registers.sp <= goroutine.stack_hi:
        yield "not on the goroutine's stack, or too near its end"
    if goroutine.status != _G_RUNNING:
        yield "the goroutine is not running"
    m = goroutine.m
    if memory.word(m + layout.m.procid) != thread.inner_tid:
        yield "the goroutine is not this thread's"
    if memory.word(m + layout.m.curg) != goroutine.address:
        yield "the thread runs another goroutine"
    if layout.m.preemptoff is not None and memory.word(m + layout.m.preemptoff + WORD):
        yield "the runtime forbids it: m.preemptoff is not empty"
    for name, offset in (("locks", layout.m.locks), ("mallocing", layout.m.mallocing)):
        if offset is not None and any(memory.read(m + offset, 4)):
            yield f"the runtime forbids it: m.{name} is not 0"
    if layout.m.p is not None:
        p = memory.word(m + layout.m.p)
        if not p or memory.read(p + layout.p.status, 4) != _P_RUNNING.to_bytes(4, "little"):
            yield "the thread has no running P"
