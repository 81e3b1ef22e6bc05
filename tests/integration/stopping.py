"""Sessions with a target of gotargets, and stops at places that the product would not choose."""

import ctypes
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.arch import host_goarch
from harness.arch.binding import request
from harness.debugcall.caller import Caller
from harness.debugcall.session import Session
from harness.experiment.gotarget import GoTarget
from harness.gobinary.disassembly import Instruction, disassemble
from harness.recording import Recorder, Report
from harness.tracer import Kind, Thread
from tests.integration.running import GENEROUS

_SLOT = 3
_GETREGSET = 0x4204  # include/uapi/linux/ptrace.h
_VECTOR_NOTES = {"amd64": 0x202, "arm64": 2}  # NT_X86_XSTATE and NT_FPREGSET in elf.h there
_OWN = {"amd64": slice(21 * 8, 23 * 8), "arm64": slice(0, 0)}
"""What belongs to the thread: fs_base and gs_base in struct user_regs_struct."""

only_on_amd64 = pytest.mark.skipif(host_goarch() != "amd64", reason="it is about amd64")
only_on_arm64 = pytest.mark.skipif(host_goarch() != "arm64", reason="it is about arm64")


@contextmanager
def ready(binary: Path, env: Mapping[str, str] | None = None) -> Iterator[GoTarget]:
    """Launch a target under a session and let it run until it is ready."""
    environ = None if env is None else os.environ | env
    with GoTarget(binary, Recorder(), env=environ) as target:
        target.await_ready()
        yield target


def report_of(target: GoTarget) -> Report:
    """Let a target end; return what it says of its computation."""
    target.finish()
    (report,) = target.session.recorder.recording().all(Report)
    return report


def instructions(session: Session, function: str) -> list[Instruction]:
    """Return a function's instructions, with run-time addresses."""
    binary = session.program.binary
    found = binary.function(function)
    start = found.entry + session.program.bias
    return list(disassemble(binary.goarch, binary.code(found), start))


def state_of(session: Session, thread: Thread) -> tuple[bytes, bytes]:
    """Return the general and the vector registers of a stopped thread, as the kernel has them.

    Without those that are the thread's own: a broken release may end a call on another thread.
    """
    general = bytes(session.process.read_registers(thread))
    own = _OWN[host_goarch()]
    general = general[: own.start] + general[own.stop :]
    buffer = ctypes.create_string_buffer(16384)
    vector = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), len(buffer))
    request(_GETREGSET, thread.tid, _VECTOR_NOTES[host_goarch()], ctypes.byref(vector))
    return general, buffer.raw[: vector[1]]


def stop_at(session: Session, address: int) -> Caller:
    """Stop a thread at an address, be it safe to inject there or not."""
    process = session.process
    with process.frozen():
        process.set_breakpoint_everywhere(_SLOT, address)
    process.resume_all()
    while True:
        stop = process.wait(time.monotonic() + GENEROUS)
        assert stop is not None, f"nobody comes by {address:#x}"
        if stop.kind is Kind.BREAKPOINT and stop.thread.registers.pc == address:
            break
        process.resume(stop.thread)
    with process.frozen():
        process.set_breakpoint_everywhere(_SLOT, None)
    thread = stop.thread
    return Caller(
        thread,
        thread.registers.copy(),
        session.program.arch.vector_state(thread.tid),
        thread.registers.goroutine,
        None,
        session.program.name_at(address),
    )
