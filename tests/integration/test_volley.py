"""Volleys of natural calls: what becomes of a call in which something fails."""

import time
from collections.abc import Callable
from errno import EIO
from pathlib import Path

import pytest

from harness.arch import binding
from harness.arch.binding import PtraceError
from harness.debugcall.caller import Caller
from harness.debugcall.session import Session
from harness.errors import HarnessError, TargetError
from harness.experiment.verdict import judge
from harness.recording import Callee, Inject, Recorder, Recording, Restored, Trap, load
from harness.schedule import volley
from harness.toolchain import Toolchain, build_target
from tests.integration.running import GENEROUS, Running, assert_free
from tests.integration.stopping import ready, report_of, state_of

ADD = Callee("main.add", (2, 3), (5,))
CALLS = 3
_CONT = 7  # PTRACE_CONT: fails only where the thread is being killed

Build = Callable[[str], Path]


@pytest.fixture
def build(toolchain: Callable[[str], Toolchain]) -> Build:
    return lambda target: build_target(toolchain("1.21.3"), target)


def seek(session: Session) -> Caller:
    caller = session.seek([session.site("main.round")], GENEROUS)
    assert caller is not None
    return caller


class FailingOnce:
    """Stands before a function and has one of its calls fail instead, counted from 0."""

    def __init__(self, real: Callable[..., object], nth: int, failure: object) -> None:
        self.real = real
        self.left = nth
        self.failure = failure

    @property
    def failed(self) -> bool:
        return self.left < 0

    def __call__(self, *args: object) -> object:
        self.left -= 1
        if self.left != -1:
            return self.real(*args)
        if isinstance(self.failure, BaseException):
            raise self.failure
        return self.failure


def assert_all_ended(recording: Recording) -> None:
    """Check that each call that was begun has come to its end in order, and with its result."""
    assert all(injection.ended for injection in recording.injections)
    assert not judge(recording).breaches


# Two writes and two reads of memory a call, and five requests besides PTRACE_CONT: each of the
# first two calls fails at each of its steps.


@pytest.mark.parametrize("nth", range(4))
@pytest.mark.parametrize("method", ["read", "write"])
@pytest.mark.parametrize(
    "failure", [OSError(EIO, "mistake"), MemoryError("mistake")], ids=["os", "memory"]
)
def test_a_failing_access_to_memory(
    build: Build, method: str, nth: int, failure: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Running(build("caller")) as target:
        with Session.attach(target.pid, Recorder()) as session:
            caller = seek(session)
            before = state_of(session, caller.thread)
            memory = session.process.memory
            once = FailingOnce(getattr(memory, method), nth, failure)
            with monkeypatch.context() as patch:
                patch.setattr(memory, method, once)
                with pytest.raises(type(failure), match="mistake"):
                    volley(session, caller, ADD, CALLS)
            assert state_of(session, caller.thread) == before
            volley(session, caller, ADD, CALLS)
            assert state_of(session, caller.thread) == before
        assert_all_ended(session.recorder.recording())
        assert_free(target.pid)
        assert target.finish().mismatches == 0


@pytest.mark.parametrize("nth", range(1, 11))
def test_a_failing_request(build: Build, nth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with Running(build("caller")) as target:
        with Session.attach(target.pid, Recorder()) as session:
            caller = seek(session)
            before = state_of(session, caller.thread)
            real = binding._call  # noqa: SLF001 - where each request comes by
            once = FailingOnce(real, nth, -1)
            with monkeypatch.context() as patch:
                patch.setattr(
                    binding,
                    "_call",
                    lambda number, *rest: (real if number == _CONT else once)(number, *rest),
                )
                with pytest.raises(PtraceError):
                    volley(session, caller, ADD, CALLS)
            assert once.failed
            assert state_of(session, caller.thread) == before
        assert_all_ended(session.recorder.recording())
        assert_free(target.pid)
        assert target.finish().mismatches == 0


def test_a_failing_recorder(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    with ready(build("caller")) as target:
        session = target.session
        caller = seek(session)
        before = state_of(session, caller.thread)
        once = FailingOnce(session.recorder.flush, 1, HarnessError("mistake"))
        with monkeypatch.context() as patch:
            patch.setattr(session.recorder, "flush", once)
            with pytest.raises(HarnessError, match="mistake"):
                volley(session, caller, ADD, CALLS)
        assert state_of(session, caller.thread) == before
        recording = session.recorder.recording()
        assert len(recording.injections) == 2
        assert_all_ended(recording)
        session.release(caller)
        assert report_of(target).mismatches == 0


def test_a_call_that_does_not_end(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGCALL_TIME_SCALE", "0.02")
    with Running(build("caller")) as target:
        with Session.attach(target.pid, Recorder()) as session:
            caller = seek(session)
            with pytest.raises(HarnessError, match=r"main\.yield it did not end in 0"):
                volley(session, caller, Callee("main.yield", (100_000,), ()), 1)
            with pytest.raises(TargetError, match="no more can be made"):
                volley(session, caller, ADD, 1)
        assert_free(target.pid)
        assert target.finish().mismatches == 0


def test_the_events_of_a_volley(build: Build, tmp_path: Path) -> None:
    path = tmp_path / "recording"
    with Recorder(path) as recorder, Running(build("caller")) as target:
        with Session.attach(target.pid, recorder) as session:
            caller = seek(session)
            volley(session, caller, ADD, CALLS)
        assert target.finish().mismatches == 0
    recording = recorder.recording()
    assert [injection.inject.call for injection in recording.injections] == [0, 1, 2]
    kinds = (Inject, Trap, Trap, Trap, Restored)
    for injection in recording.injections:
        events = (injection.inject, *injection.events)
        assert tuple(map(type, events)) == kinds
        times = [event.t for event in events if isinstance(event, kinds)]
        assert times == sorted(times)
        assert len(set(times)) > 1
    assert_all_ended(recording)
    assert load(path) == recording


def test_a_volley_ends_when_its_time_is_over(build: Build) -> None:
    with ready(build("caller")) as target:
        caller = seek(target.session)
        assert volley(target.session, caller, ADD, 7, until=0.0) == 0
        begin = time.monotonic()
        made = volley(target.session, caller, ADD, 1_000_000, until=begin + 0.2)
        assert 0 < made < 1_000_000
        recording = target.session.recorder.recording()
        assert len(recording.injections) == made
        assert_all_ended(recording)
