"""The ptrace requests that python-ptrace's binding has no function for, and their constants.

Source: include/uapi/linux/ptrace.h and ptrace(2).
"""

import ctypes
from collections.abc import Callable
from errno import ESRCH

from ptrace.binding.func import (
    PTRACE_CONT,
    PTRACE_DETACH,
    PTRACE_SINGLESTEP,
    ptrace_geteventmsg,
)

from harness.arch.binding import PtraceError, prepared, request

__all__ = [
    "EVENT_CLONE",
    "EVENT_EXEC",
    "EVENT_STOP",
    "PtraceError",
    "cont",
    "detach",
    "interrupt",
    "listen",
    "prepared_cont",
    "ptrace_geteventmsg",
    "seize",
    "step",
    "trap_code",
]

EVENT_CLONE = 3
EVENT_EXEC = 4
EVENT_STOP = 128
TRAP_TRACE, TRAP_HWBKPT = 2, 4
"""siginfo.si_code of a step and of a hardware breakpoint (include/uapi/asm-generic/siginfo.h)."""

_SEIZE, _INTERRUPT, _LISTEN, _GETSIGINFO = 0x4206, 0x4207, 0x4208, 0x4202
_O_TRACECLONE, _O_TRACEEXEC, _O_EXITKILL = 0x8, 0x10, 0x100000


def seize(tid: int, *, exit_kill: bool) -> None:
    """Attach to one thread without stopping it. `exit_kill`: it dies with the tracer."""
    options = _O_TRACECLONE | _O_TRACEEXEC | (_O_EXITKILL if exit_kill else 0)
    request(_SEIZE, tid, 0, options)


def interrupt(tid: int) -> None:
    """Make a running thread stop with EVENT_STOP; one that is dying is let die."""
    _unless_gone(_INTERRUPT, tid, 0)


def listen(tid: int) -> None:
    """Leave a thread in its group stop (SIGSTOP and the like) until SIGCONT."""
    _unless_gone(_LISTEN, tid, 0)


def cont(tid: int, signal: int) -> None:
    """Let a stopped thread run, with `signal` delivered first unless it is 0."""
    _unless_gone(PTRACE_CONT, tid, signal)


def prepared_cont(tid: int) -> Callable[[], None]:
    """Return a function that lets a stopped thread run. It raises if the thread is dying."""
    return prepared(PTRACE_CONT, tid)


def step(tid: int) -> None:
    """Let a stopped thread execute one instruction."""
    _unless_gone(PTRACE_SINGLESTEP, tid, 0)


def detach(tid: int, signal: int) -> None:
    """Let a stopped thread go for good."""
    _unless_gone(PTRACE_DETACH, tid, signal)


def trap_code(tid: int) -> int:
    """Return si_code of the signal that a thread is stopped with."""
    info = (ctypes.c_int * 32)()
    request(_GETSIGINFO, tid, 0, ctypes.byref(info))
    return int(info[2])


def _unless_gone(number: int, tid: int, data: int) -> None:
    # SIGKILL ends a thread in any stop; its exit is still to be reaped.
    try:
        request(number, tid, 0, data)
    except PtraceError as error:
        if error.errno != ESRCH:
            raise
