"""What debugCallV2 destroys in a program, and that the harness puts it right.

On amd64 it is the flags, on arm64 R27, on both the vector registers.

Each check has its opposite here: the same calls with the cure left out, to see the damage.
"""

import ctypes
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.arch.binding import request
from harness.debugcall.caller import Caller
from harness.debugcall.injection import Injection
from harness.debugcall.session import Session
from harness.recording import Callee, Restored
from harness.schedule import Delay, Natural, Steal, volley
from harness.toolchain import Toolchain, build_target, find_toolchain
from harness.tracer import Kind, Stop, Thread
from tests.integration.running import GENEROUS
from tests.integration.stopping import (
    instructions,
    only_on_amd64,
    only_on_arm64,
    ready,
    report_of,
    state_of,
    stop_at,
)

RELEASES = ("1.17.13", "1.21.1", "1.21.3", None)
"""None is the Go found."""

ADD = Callee("main.add", (2, 3), (5,))
TOO_LARGE = Callee("main.add", tuple(range(8300)), (0,))
"""Refused wherever it is tried: its arguments need more than 65536 bytes."""
SMEAR = Callee("main.smear", (8,), (1540,))
REFUSED = 8
_SLOT = 0

Build = Callable[[str, str | None], Path]


@pytest.fixture
def build(toolchain: Callable[[str], Toolchain]) -> Build:
    def built(target: str, version: str | None) -> Path:
        return build_target(find_toolchain() if version is None else toolchain(version), target)

    return built


class Classic(Injection):
    """Restore as the protocol says: all registers but PC and SP, then debugCallV2's own epilogue.

    A hardware breakpoint stops the thread again where it was, before it executes anything.
    """

    def _restore(self, thread: Thread) -> None:
        at, registers = thread.registers.copy(), self.caller.saved.copy()
        self.program.arch.leave_trap(at, self.process.memory)
        registers.pc, registers.sp = at.pc, at.sp
        self.process.set_breakpoint(thread, _SLOT, self.caller.saved.pc)
        self.process.write_registers(thread, registers)
        self.caller.vector.write(thread.tid)
        self.process.resume(thread)

    def _stopped(self, stop: Stop) -> None:
        if stop.kind is Kind.BREAKPOINT and stop.thread.registers.pc == self.caller.saved.pc:
            self.process.set_breakpoint(stop.thread, _SLOT, None)
            self.caller.thread = stop.thread
            self.record(Restored(t=self.clock(), call=self.number, tid=stop.thread.tid))
            self._restored = True
        else:
            super()._stopped(stop)


def classic(session: Session, caller: Caller, callee: Callee) -> None:
    Classic(
        session.program,
        caller,
        callee,
        Natural(),
        session.recorder,
        session.next_number(),
        session.clock,
        session.scale,
    ).run()


# -- flags ---------------------------------------------------------------------------------------


def behind_the_swap(session: Session) -> int:
    """Return the address right behind the LOCK CMPXCHG of main.round; its flags decide there."""
    code = instructions(session, "main.round")
    swap = next(n for n, i in enumerate(code) if "cmpxchg" in i.mnemonic)
    return code[swap + 1].address


def seek(session: Session, site: int) -> Caller:
    caller = session.seek([site], GENEROUS)
    assert caller.saved.pc == site
    return caller


def get_on(session: Session) -> None:
    """Let the target come to the next round.

    One that is stopped for the next call at once may not have executed an instruction since the
    last: then two calls damage one and the same round.
    """
    session.release(stop_at(session, session.site("main.round")))


@only_on_amd64
@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("callee", [ADD, TOO_LARGE], ids=["called", "refused"])
def test_no_flag_is_lost(build: Build, version: str | None, callee: Callee) -> None:
    with ready(build("flags", version)) as target:
        session = target.session
        site = behind_the_swap(session)
        number = 500 if callee is ADD else 150
        for n in range(number):
            caller = seek(session, site)
            if n % 2:
                session.inject(caller, callee, Natural())
            else:
                volley(session, caller, callee, 1)
            session.release(caller)
        report = report_of(target)
        assert report.rounds > number
        assert report.mismatches == 0
    statuses = {8: TOO_LARGE, 0: ADD}
    for injection in session.recorder.recording().injections:
        assert injection.trap(next(s for s, c in statuses.items() if c is callee))


@only_on_amd64
@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize(("schedule", "number"), [(Steal, 60), (Delay, 5)])
def test_no_flag_is_lost_in_a_theft(
    build: Build, version: str | None, schedule: type[Steal | Delay], number: int
) -> None:
    with ready(build("flags", version)) as target:
        session = target.session
        timing = schedule(session)
        for _ in range(number):
            caller = seek(session, behind_the_swap(session))
            session.inject(caller, ADD, timing)
            session.release(caller)
        assert report_of(target).mismatches == 0


@only_on_amd64
@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("callee", [ADD, TOO_LARGE], ids=["called", "refused"])
def test_flags_are_lost_without_the_cure(build: Build, version: str | None, callee: Callee) -> None:
    with ready(build("flags", version)) as target:
        session = target.session
        site = behind_the_swap(session)
        for _ in range(100):
            caller = seek(session, site)
            classic(session, caller, callee)
            session.release(caller)
            get_on(session)
        assert report_of(target).mismatches == 100


# -- R27 -----------------------------------------------------------------------------------------


def with_r27_live(session: Session) -> int:
    """Return an address in main.round where the outcome of its compare-and-swap is in R27.

    The compiler marks it as no safe point, so calls are refused there. Processors without atomic
    instructions go through the loop of load and store exclusive.
    """
    swap = "casal" if "atomics" in Path("/proc/cpuinfo").read_text() else "stlxr"
    code = instructions(session, "main.round")
    behind = code[next(n for n, i in enumerate(code) if i.mnemonic == swap) + 1]
    assert "27" in behind.operands
    return behind.address


@only_on_arm64
@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("cured", [True, False])
def test_a_refused_call_and_r27(build: Build, version: str | None, *, cured: bool) -> None:
    with ready(build("flags", version)) as target:
        session = target.session
        site, calls = with_r27_live(session), 0
        while calls < 100:
            caller = stop_at(session, site)
            # 1 is of a store exclusive that failed: it is done again, whatever becomes of R27.
            if getattr(caller.saved, "x27") != 1:  # noqa: B009 - a name of one architecture
                calls += 1
                if cured:
                    session.inject(caller, ADD, Natural())
                else:
                    classic(session, caller, ADD)
            session.release(caller)
            get_on(session)
        mismatches = report_of(target).mismatches
    assert all(i.trap(REFUSED) for i in session.recorder.recording().injections)
    assert mismatches == (0 if cured else 100)


# -- vector state --------------------------------------------------------------------------------


class Lost:
    """Stands for a vector state that is not written back."""

    def write(self, tid: int) -> None:
        pass


def loop_of(session: Session) -> int:
    """Return the address to which the loop of main.round jumps back."""
    for i in instructions(session, "main.round"):
        found = re.fullmatch(r"(?:j|b\.)\w+ #?(0x[0-9a-f]+)", f"{i.mnemonic} {i.operands}")
        if found and int(found[1], 16) < i.address:
            return int(found[1], 16)
    pytest.fail("main.round has no loop")


@pytest.mark.parametrize("version", RELEASES)
def test_vector_registers_survive(build: Build, version: str | None) -> None:
    with ready(build("vector", version)) as target:
        session = target.session
        loop = loop_of(session)
        steal = Steal(session)
        for n in range(200):
            # At the loop's head, and now and then wherever a thread happens to be.
            caller = session.seek([], 0.5 * GENEROUS / 60) if n % 20 == 0 else seek(session, loop)
            session.inject(caller, SMEAR, steal if n % 2 else Natural())
            volley(session, caller, SMEAR, 1)
            session.release(caller)
        report = report_of(target)
        assert report.rounds > 10
        assert report.mismatches == 0


@pytest.mark.parametrize("version", RELEASES)
def test_vector_registers_are_lost_without_the_cure(build: Build, version: str | None) -> None:
    with ready(build("vector", version)) as target:
        session = target.session
        loop = loop_of(session)
        for _ in range(50):
            caller = seek(session, loop)
            caller.vector = Lost()  # type: ignore[assignment]
            session.inject(caller, SMEAR, Natural())
            session.release(caller)
        assert report_of(target).mismatches > 0


@only_on_amd64
@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("cured", [True, False])
def test_the_upper_halves_of_the_wide_registers(
    build: Build, version: str | None, *, cured: bool
) -> None:
    with ready(build("caller", version)) as target:
        session = target.session
        caller = stop_at(session, session.site("main.round"))
        fill_upper_halves(session, caller.thread)
        before = state_of(session, caller.thread)
        caller.vector = session.program.arch.vector_state(caller.thread.tid)
        if not cured:
            caller.vector = Lost()  # type: ignore[assignment]
        session.inject(caller, Callee("main.collect", (1,), (1,)), Natural())
        general, vector = state_of(session, caller.thread)
        assert general == before[0]
        assert (vector == before[1]) is cured
        session.release(caller)
        if cured:
            assert report_of(target).mismatches == 0


def fill_upper_halves(session: Session, thread: Thread) -> None:
    """Write a pattern into the upper half of each YMM register, where Go's compiler keeps nothing.

    XSTATE in its standard format: 512 bytes as FXSAVE has them, the header, whose first word says
    which parts follow, and at 576 the 256 bytes of part 2 (Intel's manual, volume 1, chapter 13).
    """
    _, vector = state_of(session, thread)
    if len(vector) < 576 + 256:
        pytest.skip("this processor has no AVX")
    parts = int.from_bytes(vector[512:520], "little") | 4
    state = vector[:512] + parts.to_bytes(8, "little") + vector[520:576]
    state += bytes(range(256)) + vector[576 + 256 :]
    buffer = ctypes.create_string_buffer(state, len(state))
    iovec = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), len(state))
    request(0x4205, thread.tid, 0x202, ctypes.byref(iovec))  # PTRACE_SETREGSET, NT_X86_XSTATE
