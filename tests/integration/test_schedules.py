"""The schedules on real releases: who loses the call goroutine, who keeps it, what is proved."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from harness.debugcall.injection import Injection
from harness.debugcall.program import Program
from harness.debugcall.session import Session
from harness.experiment.exercise import Plan, exercise
from harness.experiment.verdict import judge
from harness.recording import (
    Callee,
    Entry,
    HandBack,
    Hold,
    Preempt,
    Recorder,
    Recording,
    Release,
    Schedule,
)
from harness.schedule import Delay, Natural, Steal
from harness.schedule.contested import HOLD_LIMIT
from harness.toolchain import Toolchain, build_target, find_toolchain, unlocked_runtime
from harness.verdict import Counts, Result, Verdict
from tests.conftest import BROKEN_RELEASES, FIXED_RELEASES
from tests.integration.running import GENEROUS, Running, assert_free
from tests.integration.stopping import ready, report_of

ADD = Callee("main.add", (2, 3), (5,))
FIXED = ("1.21.3", None)
"""None is the Go found."""

Toolchains = Callable[[str], Toolchain]


def of(toolchain: Toolchains, version: str | None) -> Toolchain:
    return find_toolchain() if version is None else toolchain(version)


def run(binary: Path, plan: Plan, **environ: str) -> tuple[Recording, Verdict]:
    """Inject as planned into a target and let it end; return all that was seen."""
    with ready(binary, environ) as target:
        session = target.session
        assert exercise(session, [session.site("main.round")], lambda _: ADD, plan)
        assert report_of(target).mismatches == 0
    recording = session.recorder.recording()
    return recording, judge(recording)


def total(verdict: Verdict, schedule: Schedule, number: int) -> Counts:
    counts = verdict.counts[schedule]
    assert (counts.injections, counts.ended, counts.rejected) == (number, number, 0)
    assert counts.migrated + counts.refused + counts.uncontested == number
    assert counts.locked + counts.unlocked == number
    return counts


# -- what they find ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", BROKEN_RELEASES)
def test_broken_releases_lose_the_call(toolchain: Toolchains, version: str) -> None:
    recording, verdict = run(build_target(toolchain(version), "caller"), Plan.of(None, 60))
    assert verdict.result is Result.FAIL
    for schedule, number in ((Schedule.DELAY, 6), (Schedule.STEAL, 54)):
        counts = total(verdict, schedule, number)
        assert counts.refused == 0
        assert counts.migrated >= number - 1  # each contested one, and nearly each is
        assert counts.unlocked == number
    found = {breach.invariant: breach.count for breach in verdict.breaches}
    assert found["thread-until-dispatch"] >= 58
    assert found["call-goroutine-locked"] == 60
    assert found.keys() <= {
        "thread-until-dispatch",
        "thread-after-dispatch",
        "call-goroutine-locked",
    }
    assert verdict.detected_at == 0
    for injection in recording.injections:
        assert injection.ended
        assert not injection.all(HandBack)


@pytest.mark.parametrize("version", FIXED)
def test_fixed_releases_refuse_each_theft(toolchain: Toolchains, version: str | None) -> None:
    recording, verdict = run(build_target(of(toolchain, version), "caller"), Plan.of(None, 200))
    assert verdict.result is Result.PASS, verdict.reason
    delays, steals = (
        total(verdict, Schedule.DELAY, 20),
        total(verdict, Schedule.STEAL, 180),
    )
    assert delays.migrated == steals.migrated == 0
    assert delays.refused + steals.refused >= 198
    assert delays.locked + steals.locked == 200
    assert not verdict.breaches
    for injection in recording.injections:
        for back in injection.all(HandBack):
            assert back.tid != injection.inject.tid


@pytest.mark.parametrize("version", FIXED_RELEASES)
def test_the_control_loses_the_call(toolchain: Toolchains, version: str) -> None:
    found = toolchain(version)
    control = build_target(found, "caller", overlay=unlocked_runtime(found))
    _, verdict = run(control, Plan.of(None, 20))
    assert verdict.result is Result.FAIL
    counts = [total(verdict, Schedule.DELAY, 2), total(verdict, Schedule.STEAL, 18)]
    assert sum(count.migrated for count in counts) >= 19
    assert sum(count.refused + count.locked for count in counts) == 0


@pytest.mark.parametrize(("version", "locked"), [("1.21.1", False), ("1.21.3", True)])
def test_one_processor_leaves_it_to_the_second_witness(
    toolchain: Toolchains, version: str, *, locked: bool
) -> None:
    binary = build_target(toolchain(version), "caller")
    recording, verdict = run(binary, Plan.of(Schedule.STEAL, 6), GOMAXPROCS="1")
    # Nobody comes while the thread is held. Once it goes on, another one may have its processor.
    assert {event.why for event in recording.all(Release)} == {"time limit"}
    counts = total(verdict, Schedule.STEAL, 6)
    assert (counts.migrated if locked else counts.refused) == 0
    assert (counts.locked, counts.unlocked) == ((6, 0) if locked else (0, 6))
    assert (verdict.result is Result.FAIL) is not locked


@pytest.mark.parametrize("version", ["1.21.1", "1.21.3"])
def test_a_caller_on_a_thread_of_its_own_keeps_the_call(
    toolchain: Toolchains, version: str
) -> None:
    # The runtime hands the caller's own lock on to the call goroutine, with and without the fix.
    binary = build_target(toolchain(version), "threads")
    with ready(binary) as target:
        session = target.session
        same = Callee("runtime.memequal", (0, 0, 0), (1,))
        sites = [session.site("main.round")]
        assert exercise(session, sites, lambda _: same, Plan.of(Schedule.STEAL, 40, 4))
        assert report_of(target).mismatches == 0
    verdict = judge(session.recorder.recording())
    counts = total(verdict, Schedule.STEAL, 40)
    assert counts.migrated == 0
    assert counts.refused >= 38
    assert counts.locked == 40
    assert not verdict.breaches


# -- what they do --------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.21.1", "1.21.3"])
def test_delay_leaves_the_request_to_the_runtime(
    toolchain: Toolchains, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = build_target(toolchain(version), "caller")
    monkeypatch.delattr(Program, "ask_to_yield")
    with ready(binary) as target:
        session = target.session
        sites = [session.site("main.round")]
        assert exercise(session, sites, lambda _: ADD, Plan.of(Schedule.DELAY, 20))
        assert report_of(target).mismatches == 0
    recording = session.recorder.recording()
    asked = recording.all(Preempt)
    assert {event.by for event in asked} == {"sysmon"}
    assert len(asked) >= 19


def test_the_steps_of_a_theft_are_seen_in_order(toolchain: Toolchains) -> None:
    binary = build_target(toolchain("1.21.3"), "caller")
    recording, _ = run(binary, Plan.of(Schedule.STEAL, 40))
    assert {event.by for event in recording.all(Preempt)} == {"harness"}
    assert len(recording.all(Preempt)) >= 39
    assert len(recording.all(Hold)) == len(recording.all(Release))
    assert {event.why for event in recording.all(Release)} >= {"handed back"}
    for injection in recording.injections:
        entry, back = injection.first(Entry), injection.first(HandBack)
        dispatch = injection.trap(0)
        assert entry is not None
        assert dispatch is not None
        assert entry.g == dispatch.g
        assert entry.tid == injection.inject.tid
        if back is not None:
            assert entry.t <= back.t <= dispatch.t


@pytest.mark.parametrize("version", ["1.20.14", "1.21.3"])
def test_natural_leaves_it_to_chance(toolchain: Toolchains, version: str) -> None:
    binary = build_target(toolchain(version), "caller")
    recording, verdict = run(binary, Plan.of(Schedule.NATURAL, 400))
    counts = total(verdict, Schedule.NATURAL, 400)
    assert counts.refused == 0
    assert not recording.all(Hold)
    assert not recording.all(Preempt)
    found = {breach.invariant for breach in verdict.breaches}
    if version in BROKEN_RELEASES:
        assert "call-goroutine-locked" in found
        assert counts.unlocked == 400
    else:
        assert found == set()
        assert counts.locked == 400


@pytest.mark.parametrize("schedule", list(Schedule))
def test_an_attached_target_gets_its_breakpoints_back(
    toolchain: Toolchains, schedule: Schedule
) -> None:
    with Running(build_target(toolchain("1.21.1"), "caller")) as target:
        for _ in range(3):
            with Session.attach(target.pid, Recorder()) as session:
                sites = [session.site("main.round")]
                assert exercise(session, sites, lambda _: ADD, Plan.of(schedule, 15, 5))
            assert_free(target.pid)
        report = target.finish()
    assert report.rounds > 1000
    assert (report.mismatches, report.exit_code) == (0, 0)


def test_an_attached_target_is_not_held_for_a_whole_volley(
    toolchain: Toolchains, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.experiment.exercise.HELD_LIMIT", 0.002)
    stops: list[int] = []
    with Running(build_target(toolchain("1.21.3"), "caller")) as target:
        with Session.attach(target.pid, Recorder()) as session:
            sites = [session.site("main.round")]
            plan = Plan.of(Schedule.NATURAL, 1000, 1000)
            assert exercise(
                session, sites, lambda _: ADD, plan, lambda events: stops.append(len(events))
            )
        assert len(session.recorder.recording().injections) == 1000
        assert target.finish().mismatches == 0
    assert len(stops) > 1


class Patience(Delay):
    """Note how long sysmon is waited for."""

    seconds = 0.0

    def expired(self, call: Injection) -> None:
        self.seconds = max(self.seconds, self._until - monotonic())
        super().expired(call)


def test_an_attached_target_is_not_held_until_sysmon_wakes(
    toolchain: Toolchains, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Program, "asked_to_yield", lambda *_: False)
    binary = build_target(toolchain("1.21.3"), "caller")
    with Running(binary) as target:
        with Session.attach(target.pid, Recorder()) as session:
            caller = session.seek([session.site("main.round")], GENEROUS)
            patience = Patience(session)
            assert session.inject(caller, ADD, patience).results == (5,)
        assert target.finish().mismatches == 0
    assert 0 < patience.seconds <= HOLD_LIMIT * session.scale


def test_a_schedule_serves_many_callers_and_kinds_of_calls(toolchain: Toolchains) -> None:
    with ready(build_target(toolchain("1.21.3"), "caller")) as target:
        session = target.session
        steal, natural = Steal(session), Natural()
        calls = (ADD, Callee("main.collect", (3,), (3,)), Callee("main.yield", (9,), (9,)))
        for _ in range(10):
            for callee in (*calls, Callee("main.fail", (1,), ends_in=2)):
                caller = session.seek([session.site("main.round")], GENEROUS)
                for timing in (steal, natural):
                    assert session.inject(caller, callee, timing).results == callee.results
                session.release(caller)
        assert report_of(target).mismatches == 0
    verdict = judge(session.recorder.recording())
    assert not verdict.breaches
    assert total(verdict, Schedule.STEAL, 40).refused >= 39
