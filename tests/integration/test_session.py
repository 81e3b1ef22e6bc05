"""Debug calls in real programs: what they return, what they refuse, what they leave behind."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from harness.debugcall.caller import Caller
from harness.debugcall.injection import Injection, Timing
from harness.debugcall.session import Session
from harness.errors import BinaryError, HarnessError, InputError, TargetError, Unsupported
from harness.experiment.gotarget import GoTarget
from harness.experiment.verdict import judge
from harness.recording import Callee, Exited, Lost, Recorder, Recording, Restored, Schedule
from harness.schedule import Delay, Natural, Steal, volley
from harness.toolchain import Toolchain, build_target, find_toolchain
from harness.tracer import Thread
from tests.conftest import BROKEN_RELEASES
from tests.integration.running import GENEROUS, Running, assert_free, ended, status
from tests.integration.stopping import instructions, ready, report_of, state_of, stop_at

RELEASES = ("1.17.13", "1.20.14", "1.21.1", "1.21.3", None)
"""Broken and fixed ones; None is the Go found."""
FIXED = "1.21.3"

ADD = Callee("main.add", (2, 3), (5,))
CALLS = (
    ADD,
    Callee("main.add", (-5, 3), (-2,)),
    Callee("main.add", (2**63 - 1, 1), (-(2**63),)),
    Callee("main.sum9", tuple(range(1, 10)), (285,)),
    Callee("main.divide", (17, 5), (3, 2, 22)),
    Callee("main.collect", (7,), (7,)),
    Callee("main.yield", (50,), (50,)),
    Callee("main.deep", (20000,), (20000,)),
    Callee("main.fail", (1,), ends_in=2),
)

Build = Callable[..., Path]


@pytest.fixture
def build(toolchain: Callable[[str], Toolchain]) -> Build:
    """Return a function that builds a target; without a release, with the Go found."""

    def built(target: str, version: str | None = FIXED, *flags: str) -> Path:
        found = find_toolchain() if version is None else toolchain(version)
        return build_target(found, target, flags=flags)

    return built


def seek(session: Session) -> Caller:
    return session.seek([session.site("main.round")], GENEROUS)


def statuses(target: GoTarget, call: int) -> list[int]:
    injection = target.session.recorder.recording().injections[call]
    return [event.status for event in injection.events if hasattr(event, "status")]


def breaches(recording: Recording) -> set[str]:
    return {breach.invariant for breach in judge(recording).breaches}


def excused(version: str | None) -> set[str]:
    """Return the invariants that a release breaks also when nobody tries to steal."""
    broken = version in BROKEN_RELEASES
    return {"call-goroutine-locked", "thread-after-dispatch"} if broken else set()


# -- calls ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", RELEASES)
def test_calls_return_what_they_compute(build: Build, version: str | None) -> None:
    with ready(build("caller", version)) as target:
        session = target.session
        for callee in CALLS * 3:
            caller = seek(session)
            call = session.inject(caller, callee, Natural())
            assert call.results == callee.results
            assert statuses(target, call.number) == [0, callee.ends_in, 16]
            session.release(caller)
        assert report_of(target).mismatches == 0
    recording = session.recorder.recording()
    assert recording.all(Exited)[0].code == 0
    assert breaches(recording) <= excused(version)


def test_results_that_nobody_knows_beforehand_are_read(build: Build) -> None:
    with ready(build("caller")) as target:
        session = target.session
        caller = seek(session)
        anything = Callee("main.divide", (17, 5), (None, None, 22))
        assert session.inject(caller, anything, Natural()).results == (3, 2, 22)
        wrong = Callee("main.divide", (17, 5), (None, None, 21))
        assert session.inject(caller, wrong, Natural()).results == (3, 2, 22)
        session.release(caller)
        report_of(target)
    (breach,) = judge(session.recorder.recording()).breaches
    assert (breach.invariant, breach.first[0].call) == ("computation-right", 1)


def test_an_argument_that_fits_into_no_register_is_refused_before_the_call(build: Build) -> None:
    with ready(build("caller")) as target:
        session = target.session
        caller = seek(session)
        for value in (1 << 64, 1 << 70, -(1 << 63) - 1):
            with pytest.raises(InputError, match=f"{value} is too large to be an argument"):
                session.inject(caller, Callee("main.add", (2, value), (0,)), Natural())
        unsigned = Callee("main.add", ((1 << 64) - 1, 1), (0,))
        assert session.inject(caller, unsigned, Natural()).results == (0,)
        session.release(caller)
        assert report_of(target).mismatches == 0


@pytest.mark.parametrize("version", ["1.17.13", "1.21.3", None])
def test_what_does_not_fit_into_registers(build: Build, version: str | None) -> None:
    eleven = tuple(range(1, 12))
    with ready(build("frames", version)) as target:
        session = target.session
        caller = seek(session)
        for callee in (
            Callee("main.sum12", tuple(range(1, 13)), (650,)),
            Callee("main.sum12", (0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0), (-10,)),
            Callee("main.count11", (-3,), tuple(-3 * n for n in eleven)),
            Callee("main.reverse11", eleven, eleven[::-1]),
            Callee("main.wide", tuple(range(1, 10)), (45,)),
        ):
            assert session.inject(caller, callee, Natural()).results == callee.results
            volley(session, caller, callee, 3)
        session.release(caller)
        assert report_of(target).mismatches == 0
    assert breaches(session.recorder.recording()) <= excused(version)


@pytest.mark.parametrize("version", ["1.20.14", "1.21.3"])
def test_five_hundred_calls_from_one_stop(build: Build, version: str) -> None:
    with ready(build("caller", version)) as target:
        session = target.session
        caller = seek(session)
        before = state_of(session, caller.thread)
        for _ in range(250):
            assert session.inject(caller, ADD, Natural()).results == (5,)
        volley(session, caller, ADD, 250)
        assert state_of(session, caller.thread) == before
        session.release(caller)
        assert report_of(target).mismatches == 0
    recording = session.recorder.recording()
    assert sum(injection.ended for injection in recording.injections) == 500
    assert breaches(recording) <= excused(version)


@pytest.mark.parametrize("single", [True, False], ids=["inject", "volley"])
def test_a_callee_that_stops_for_its_debugger_goes_on(build: Build, *, single: bool) -> None:
    callee = Callee("main.pause", (2,), (2,))
    with ready(build("frames")) as target:
        session = target.session
        caller = seek(session)
        if single:
            session.inject(caller, callee, Natural())
        else:
            volley(session, caller, callee, 5)
        session.release(caller)
        assert report_of(target).mismatches == 0
    assert not breaches(session.recorder.recording())


class Within(Natural):
    """Make another call from within the callee."""

    def __init__(self, session: Session, inner: Callee) -> None:
        self.session = session
        self.inner = inner
        self.results: tuple[int, ...] = ()
        self.site = session.program.address("main.yield")

    def dispatched(self, call: Injection) -> None:
        for thread in call.process.threads.values():
            if thread.stopped:
                call.process.set_breakpoint(thread, 2, self.site)

    def reached(self, call: Injection, thread: Thread) -> None:
        call.process.set_breakpoint(thread, 2, None)
        registers = thread.registers.copy()
        vector = call.program.arch.vector_state(thread.tid)
        inner = Caller(thread, registers, vector, registers.goroutine, None, "main.yield")
        self.results = self.session.inject(inner, self.inner, Natural()).results
        self.session.release(inner)
        assert call.process.shielded, "the outer call goes on"


@pytest.mark.parametrize("version", ["1.20.14", "1.21.3"])
def test_a_call_within_a_call(build: Build, version: str) -> None:
    with ready(build("caller", version)) as target:
        session = target.session
        for _ in range(20):
            caller = seek(session)
            within = Within(session, ADD)
            assert session.inject(caller, Callee("main.yield", (3,), (3,)), within).results == (3,)
            assert within.results == (5,)
            session.release(caller)
        assert report_of(target).mismatches == 0


# -- refusals ------------------------------------------------------------------------------------


def unsafe_point(session: Session) -> int:
    """Return an address in main.round's prologue, where the runtime refuses calls."""
    binary, bias = session.program.binary, session.program.bias
    function = binary.function("main.round")
    return next(
        i.address
        for i in instructions(session, "main.round")
        if binary.unsafe_point(function, i.address - bias) != -1
    )


def in_runtime(session: Session) -> int:
    return session.site("runtime.gopark")


def on_g0(session: Session) -> int:
    return session.program.address("runtime.schedule")


TOO_LARGE = Callee("main.add", tuple(range(8300)), (0,))
"""Its arguments need more than the 65536 bytes that the largest of debugCallN has."""


@pytest.mark.parametrize("version", ["1.20.14", "1.21.3", None])
@pytest.mark.parametrize(
    ("place", "callee", "text"),
    [
        (unsafe_point, ADD, "call not at safe point"),
        (in_runtime, ADD, "call from within the Go runtime"),
        (on_g0, ADD, "executing on Go runtime stack"),
        (lambda session: session.site("main.round"), TOO_LARGE, "call frame too large"),
    ],
    ids=["unsafe-point", "runtime", "g0", "too-large"],
)
def test_a_refusal_says_why_and_leaves_no_trace(
    build: Build,
    version: str | None,
    place: Callable[[Session], int],
    callee: Callee,
    text: str,
) -> None:
    with ready(build("caller", version)) as target:
        session = target.session
        address = place(session)
        for _ in range(20):
            caller = stop_at(session, address)
            before = state_of(session, caller.thread)
            call = session.inject(caller, callee, Natural())
            recorded = session.recorder.recording().injections[call.number]
            refusal = recorded.trap(8)
            assert refusal is not None
            assert refusal.text == text
            assert statuses(target, call.number) == [8, 16]
            assert caller.thread.tid == recorded.inject.tid
            assert state_of(session, caller.thread) == before
            session.release(caller)
        assert report_of(target).mismatches == 0


@pytest.mark.parametrize("timing", [lambda _: Natural(), Delay, Steal], ids=list(Schedule))
def test_a_refused_call_settles_under_every_schedule(
    build: Build, timing: Callable[[Session], Timing]
) -> None:
    with ready(build("caller")) as target:
        session = target.session
        chosen = timing(session)
        caller = stop_at(session, session.site("main.round"))
        for _ in range(3):
            refused = session.inject(caller, TOO_LARGE, chosen)
            assert statuses(target, refused.number) == [8, 16]
            assert chosen.settled
            assert session.inject(caller, ADD, chosen).results == ADD.results
        volley(session, caller, TOO_LARGE, 3)
        session.release(caller)
        assert report_of(target).mismatches == 0


def test_a_function_that_is_not_there_harms_nobody(build: Build) -> None:
    missing = Callee("main.subtract", (2, 3))
    with Running(build("caller")) as target:
        with Session.attach(target.pid, Recorder()) as session:
            caller = seek(session)
            for inject in (session.inject, lambda c, f, _: volley(session, c, f, 1)):
                with pytest.raises(BinaryError, match=r"no function main\.subtract"):
                    inject(caller, missing, Natural())
            assert session.inject(caller, ADD, Natural()).results == (5,)
        assert_free(target.pid)
        assert target.finish().mismatches == 0


# -- builds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.17.13", "1.21.1", "1.21.3", None])
@pytest.mark.parametrize(
    "flags",
    [
        ("-ldflags=-s -w",),
        ("-buildmode=pie",),
        ("-buildmode=pie", "-ldflags=-s -w"),
        ("-gcflags=all=-N -l",),
    ],
    ids=["stripped", "pie", "pie-stripped", "unoptimised"],
)
def test_other_builds(build: Build, version: str | None, flags: tuple[str, ...]) -> None:
    broken = version in BROKEN_RELEASES
    with ready(build("caller", version, *flags)) as target:
        session = target.session
        for timing in (Natural(), Steal(session)):
            caller = seek(session)
            for _ in range(10):
                assert session.inject(caller, ADD, timing).results == (5,)
            session.release(caller)
        assert report_of(target).mismatches == 0
        counts = judge(session.recorder.recording()).counts[Schedule.STEAL]
        assert counts.migrated + counts.refused >= 9
        assert counts.migrated == (counts.injections - counts.uncontested if broken else 0)
        assert (counts.unlocked if broken else counts.locked) == counts.injections


@pytest.mark.parametrize(
    ("owner", "field"), [("m", "procid"), ("m", "curg"), ("g", "m"), ("g", "stack_lo")]
)
def test_a_wrong_layout_is_refused(build: Build, owner: str, field: str) -> None:
    with ready(build("caller")) as target:
        session = target.session
        layout = session.program.layout
        part = getattr(layout, owner)
        wrong = part._replace(**{field: getattr(part, field) + 8})
        caller = stop_at(session, session.site("main.round"))
        session.program.layout = layout._replace(**{owner: wrong})
        with pytest.raises(Unsupported):
            session.program.calibrate(caller.thread.tid, caller.g)
        session.program.layout = layout
        session.program.calibrate(caller.thread.tid, caller.g)
        session.release(caller)
        assert report_of(target).mismatches == 0


def test_a_wrong_lock_witness_is_refused_and_the_target_lives(build: Build) -> None:
    with Running(build("caller")) as target:
        with Session.attach(target.pid, Recorder()) as session:
            caller = seek(session)
            layout = session.program.layout
            wrong = layout.g._replace(lockedm=layout.g.lockedm + 8)
            session.program.layout = layout._replace(g=wrong)
            with pytest.raises(Unsupported, match="lockedm"):
                session.inject(caller, ADD, Steal(session))
        assert_free(target.pid)
        assert target.finish().mismatches == 0


# -- targets that end ----------------------------------------------------------------------------


def test_a_target_that_never_gets_ready(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGCALL_TIME_SCALE", "0.05")
    with (
        pytest.raises(TargetError, match="did not say that it is ready in 1 s"),
        GoTarget(build("silent"), Recorder()) as target,
    ):
        target.await_ready()
    assert ended(target.session.process.pid)


def test_a_target_that_ends_before_it_is_ready(build: Build) -> None:
    said = "ended before it was ready: exit code 3"
    with pytest.raises(TargetError, match=said), GoTarget(build("exit"), Recorder()) as target:
        target.await_ready()
    (exit_,) = target.session.recorder.recording().all(Exited)
    assert exit_.code == 3


@contextlib.contextmanager
def crashing(binary: Path) -> Iterator[Session]:
    """Launch the target that crashes in its thousandth round."""
    reader, writer = os.pipe()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.write(writer, b"x")
    try:
        with Session.launch([binary], Recorder(), stdin=reader, stdout=nowhere) as session:
            yield session
    finally:
        for descriptor in (reader, writer, nowhere):
            os.close(descriptor)


def test_a_target_that_crashes_by_itself(build: Build) -> None:
    with crashing(build("crash")) as session:
        seen: set[int] = set()
        with pytest.raises(TargetError, match="exit code 2"):
            inject_in_each_round(session, seen)
        assert seen == set(range(1000))
    (exit_,) = session.recorder.recording().all(Exited)
    assert exit_.code == 2


def inject_in_each_round(session: Session, seen: set[int]) -> None:
    while True:
        caller = session.seek([session.program.address("main.round")], GENEROUS)
        seen.add(caller.saved.argument)
        session.inject(caller, Callee("runtime.memequal", (0, 0, 0), (1,)), Natural())


class Killing(Natural):
    """Kill the target at one point of a call."""

    def __init__(self, point: str) -> None:
        self.point = point

    def begin(self, call: Injection) -> None:
        if self.point == "begin":
            os.kill(call.process.pid, signal.SIGKILL)

    def dispatched(self, call: Injection) -> None:
        if self.point == "dispatched":
            os.kill(call.process.pid, signal.SIGKILL)


@pytest.mark.parametrize("point", ["begin", "dispatched"])
@pytest.mark.parametrize("attached", [True, False], ids=["attached", "launched"])
def test_a_target_that_is_killed_in_a_call(build: Build, point: str, *, attached: bool) -> None:
    binary, recorder = build("caller"), Recorder()
    with contextlib.ExitStack() as stack:
        if attached:
            running = stack.enter_context(Running(binary))
            session = stack.enter_context(Session.attach(running.pid, recorder))
        else:
            target = stack.enter_context(GoTarget(binary, recorder))
            target.await_ready()
            session = target.session
        caller = seek(session)
        with pytest.raises(TargetError, match=r"during the call of main\.add the target ended"):
            session.inject(caller, ADD, Killing(point))
    (exit_,) = recorder.recording().all(Exited)
    assert exit_.signal == signal.SIGKILL
    assert recorder.recording().all(Lost)


@pytest.mark.parametrize("timing", ["natural", "delay", "steal", "volley"])
def test_a_target_that_is_killed_at_any_moment(build: Build, timing: str) -> None:
    binary = build("caller")
    for n in range(12):
        with ready(binary) as target:
            session = target.session
            killer = threading.Timer(n * 0.004, os.kill, (session.process.pid, signal.SIGKILL))
            made = {"delay": Delay, "steal": Steal}.get(timing, lambda _: Natural())(session)
            killer.start()
            with pytest.raises(TargetError, match="ended"):
                inject_for_ever(session, None if timing == "volley" else made)
            killer.join()
        assert ended(session.process.pid)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def inject_for_ever(session: Session, timing: Timing | None) -> None:
    while True:
        caller = seek(session)
        if timing is None:
            volley(session, caller, ADD, 10)
        else:
            for _ in range(3):
                session.inject(caller, ADD, timing)
        session.release(caller)


# -- what goes wrong in the harness --------------------------------------------------------------


class Failing(Natural):
    """Fail in the middle of a call, as a full disk or a mistake of the harness's own could."""

    def dispatched(self, call: Injection) -> None:
        raise HarnessError(f"mistake in call {call.number}")


def test_a_failing_harness_ends_the_call_before_it_lets_go(build: Build) -> None:
    with Running(build("caller")) as target:
        with Session.attach(target.pid, Recorder()) as session:
            caller = seek(session)
            with pytest.raises(HarnessError, match="mistake in call 0"):
                session.inject(caller, ADD, Failing())
        assert session.recorder.recording().all(Restored)
        assert_free(target.pid)
        assert target.finish().mismatches == 0


@pytest.mark.parametrize("by_site", [True, False])
def test_a_program_whose_first_thread_ends_while_it_is_traced(
    build: Build, *, by_site: bool
) -> None:
    with Running(build("leaderless")) as target:
        with Session.attach(target.pid, Recorder()) as session:
            session.process.resume_all()
            target.stdin.write(b"x")
            target.stdin.flush()
            while status(target.pid)["State"][0] != "Z":
                assert session.process.wait(monotonic() + 0.01) is None
            # Without a site, threads are looked at wherever they are.
            caller = session.seek([session.site("main.double")] if by_site else [], GENEROUS)
            sp = caller.saved.sp
            callee = Callee("runtime.memequal", (sp, sp, 8), (1,))
            assert session.inject(caller, callee, Steal(session)).results == (1,)
        report = target.finish()
    assert report.rounds > 0
    assert (report.mismatches, report.exit_code) == (0, 0)
