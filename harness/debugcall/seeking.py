"""Finding a thread that can take a debug call, without waiting for luck."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from time import monotonic

from harness.debugcall.caller import Caller
from harness.debugcall.program import Program
from harness.debugcall.safepoint import why_unsafe
from harness.debugcall.slots import SEEK_SLOTS
from harness.errors import IdleTarget, Interrupted, TargetError
from harness.tracer import Kind, Thread

_LOOK = 0.01
"""Seconds between two looks at all threads."""


def seek(
    program: Program, sites: Sequence[int], seconds: float, nudge: Callable[[], None] | None
) -> Caller:
    """Let the target run until a thread can take a call; keep that one stopped, no other.

    A thread can at one of `sites`, run-time addresses, three at most. After a hundredth of the time
    threads are also looked at wherever they are: a program that only computes comes by no site.
    `nudge` is called once the target runs. Raises `IdleTarget` when the time is over.
    """
    try:
        return _seek(program, sites, seconds, nudge)
    except (TargetError, Interrupted):
        raise
    except Exception:
        if program.process.dies():
            raise _ended(program) from None
        raise


def _seek(
    program: Program, sites: Sequence[int], seconds: float, nudge: Callable[[], None] | None
) -> Caller:
    begin = monotonic()
    _watch(program, sites)
    program.process.resume_all()
    if nudge:
        nudge()
    caller = _await_site(program, begin + seconds / 100)
    while caller is None and monotonic() < begin + seconds:
        caller = _await_site(program, monotonic() + _LOOK) or _sample(program)
    _watch(program, ())
    if caller is None:
        raise _idle(program, seconds)
    return caller


def _watch(program: Program, sites: Sequence[int]) -> None:
    process = program.process
    with process.frozen():
        for slot, site in zip_longest(SEEK_SLOTS, sites):
            process.set_breakpoint_everywhere(slot, site)


def _await_site(program: Program, until: float) -> Caller | None:
    """Return the first thread at a breakpoint that can take a call."""
    while stop := program.process.wait(until):
        if stop.kind is Kind.EXIT:
            raise _ended(program)
        if stop.kind is Kind.EXEC:
            raise _ended(program)
        if stop.kind is Kind.BREAKPOINT and not why_unsafe(program, stop.thread):
            return _caller(program, stop.thread)
        program.process.resume(stop.thread)
    return None


def _idle(program: Program, seconds: float) -> IdleTarget:
    what = f"no thread came by a place where a call is safe, for {seconds:.0f} s"
    pid = program.process.pid
    if program.process.suspended:
        return IdleTarget(f"{what}: process {pid} is stopped", mend=f"kill -CONT {pid}")
    return IdleTarget(f"{what}: the program is idle", mend="send it something to do meanwhile")


def _ended(program: Program) -> TargetError:
    return TargetError(f"the target ended by itself: {program.process.ending}")


def _sample(program: Program) -> Caller | None:
    """Stop all threads and keep one that can take a call, if there is any."""
    process = program.process
    process.stop_all()
    for thread in process.threads.values():
        if not thread.stopped:  # a leader that ended before the others
            continue
        process.read_registers(thread)
        if not process.has_news(thread) and not why_unsafe(program, thread):
            process.resume_all(but=[thread])
            return _caller(program, thread)
    process.resume_all()
    return None


def _caller(program: Program, thread: Thread) -> Caller:
    registers = thread.registers.copy()
    program.calibrate(thread.inner_tid, registers.goroutine)
    goroutine = program.goroutine(registers.goroutine)
    return Caller(
        thread,
        registers,
        program.arch.vector_state(thread.tid),
        goroutine.address,
        goroutine.goid,
        program.name_at(registers.pc),
    )
