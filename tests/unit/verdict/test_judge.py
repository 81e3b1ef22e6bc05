"""From recordings to verdicts."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings

from harness.experiment.verdict import SHOWN, judge
from harness.invariants import INVARIANTS
from harness.recording import (
    AnyEvent,
    Entry,
    Exited,
    Inject,
    Planned,
    Recording,
    Report,
    Schedule,
    Starved,
)
from harness.verdict import Counts, Result, Verdict
from tests import any_recording, recordings
from tests.recordings import SPACING, STEP, altered, altered_trap


def judged(*calls: Sequence[AnyEvent]) -> Verdict:
    return judge(recordings.recording(*calls))


def test_thefts_that_were_all_refused_pass() -> None:
    verdict = judged(
        recordings.refused(0, Schedule.DELAY), *(recordings.refused(i) for i in range(1, 10))
    )
    assert verdict.result is Result.PASS
    assert verdict.reason == "10 thefts of the call goroutine were tried, all were refused"
    assert verdict.breaches == ()
    assert (verdict.detected_at, verdict.detected_after) == (None, None)
    assert verdict.counts == {
        Schedule.DELAY: Counts(injections=1, ended=1, refused=1, locked=1),
        Schedule.STEAL: Counts(injections=9, ended=9, refused=9, locked=9),
    }


def test_one_migration_among_many_refusals_fails() -> None:
    verdict = judged(*(recordings.refused(i) for i in range(6)), recordings.migrated(6))
    assert verdict.result is Result.FAIL
    assert [breach.invariant for breach in verdict.breaches] == [
        "thread-until-dispatch",
        "call-goroutine-locked",
    ]
    promise = INVARIANTS["thread-until-dispatch"].promise
    assert verdict.reason == f"{promise}: not so in 1 case"
    assert verdict.counts[Schedule.STEAL] == Counts(
        injections=7, ended=7, refused=6, migrated=1, locked=6, unlocked=1
    )


def test_the_first_detection_is_named_with_its_time() -> None:
    calls = [recordings.refused(i) for i in range(8)]
    calls[3], calls[5] = recordings.migrated(3), recordings.migrated(5)
    verdict = judged(*calls)
    last_of_call_3 = 3 * SPACING + (len(calls[3]) - 1) * STEP
    assert verdict.detected_at == 3
    assert verdict.detected_after == pytest.approx(last_of_call_3 / 1e6)


def test_the_time_is_counted_from_the_first_injection_to_the_end_of_the_last() -> None:
    calls = [recordings.natural(i) for i in range(2, 5)]
    verdict = judged(*calls)
    assert verdict.seconds == pytest.approx((2 * SPACING + 4 * STEP) / 1e6)


@pytest.mark.parametrize(
    ("tried", "contested", "result"),
    [
        (1, 1, Result.PASS),
        (1, 0, Result.INCONCLUSIVE),
        (10, 9, Result.PASS),
        (10, 8, Result.INCONCLUSIVE),
        (11, 10, Result.PASS),
        (11, 9, Result.INCONCLUSIVE),
        (200, 180, Result.PASS),
        (200, 179, Result.INCONCLUSIVE),
    ],
)
def test_nine_thefts_in_ten_must_come_about(tried: int, contested: int, result: Result) -> None:
    makers = [recordings.refused] * contested + [recordings.uncontested] * (tried - contested)
    verdict = judged(*(make(i) for i, make in enumerate(makers)))
    assert verdict.result is result
    if result is Result.INCONCLUSIVE:
        assert verdict.reason.startswith(f"only {contested} of {tried} thefts came about; ")


def test_calls_that_the_runtime_did_not_take_are_tries_that_prove_nothing() -> None:
    verdict = judged(*(recordings.refused(i) for i in range(8)), *map(recordings.rejected, (8, 9)))
    assert verdict.result is Result.INCONCLUSIVE
    assert verdict.counts[Schedule.STEAL] == Counts(
        injections=10, ended=10, rejected=2, refused=8, locked=8
    )


def test_natural_calls_prove_nothing_but_do_not_weaken_the_others() -> None:
    naturals = [recordings.natural(i) for i in range(50)]
    alone = judged(*naturals)
    assert alone.result is Result.INCONCLUSIVE
    assert "no theft was tried" in alone.reason
    assert "in 50 calls" in alone.reason
    together = judged(*naturals, recordings.refused(50))
    assert together.result is Result.PASS
    assert together.counts[Schedule.NATURAL] == Counts(
        injections=50, ended=50, uncontested=50, locked=50
    )


def test_a_natural_call_that_is_not_locked_fails() -> None:
    assert judged(altered_trap(recordings.natural(), 0, locked=False)).result is Result.FAIL


def test_without_an_injection_nothing_can_be_told() -> None:
    verdict = judged()
    assert (verdict.result, verdict.reason) == (Result.INCONCLUSIVE, "nothing could be injected")
    assert (verdict.counts, verdict.seconds) == ({}, 0.0)
    assert judge(Recording((recordings.HEADER,))).result is Result.INCONCLUSIVE


def test_a_session_that_was_broken_off_proves_nothing_but_a_violation_stands() -> None:
    end = Exited(t=10**6, killed=True, early=True)
    sound = recordings.recording(*(recordings.refused(call) for call in range(5)))
    verdict = judge(Recording((*sound.events, end)))
    assert verdict.result is Result.INCONCLUSIVE
    assert verdict.reason == "the session was broken off after 5 injections"
    broken = recordings.recording(recordings.migrated())
    assert judge(Recording((*broken.events, end))).result is Result.FAIL


def test_a_program_that_went_idle_proves_nothing_but_a_violation_stands() -> None:
    idle = Starved(t=10**6, seconds=10.0)
    sound = recordings.recording(*(recordings.refused(call) for call in range(5)))
    verdict = judge(Recording((*sound.events, idle)))
    assert verdict.result is Result.INCONCLUSIVE
    assert verdict.reason.startswith("after 5 injections no thread came by")
    broken = recordings.recording(recordings.migrated())
    assert judge(Recording((*broken.events, idle))).result is Result.FAIL


@pytest.mark.parametrize(
    ("planned", "end", "reason"),
    [
        (10, Exited(t=10**6, code=2), "ended by itself (exit code 2) after 5 of 10 injections"),
        (10, Exited(t=10**6, code=0), "ended by itself (exit code 0) after 5 of 10 injections"),
        (5, Exited(t=10**6, signal=6), "was ended by signal 6, SIGABRT after 5 injections"),
        (5, Exited(t=10**6, code=7), None),
        (5, Exited(t=10**6, signal=15), None),
        (10, Exited(t=10**6, detached=True), None),
    ],
)
def test_a_program_that_ends_before_its_time_proves_nothing(
    planned: int, end: Exited, reason: str | None
) -> None:
    target = msgspec.structs.replace(recordings.HEADER.target, toolchain="")
    foreign = msgspec.structs.replace(recordings.HEADER, target=target)
    calls = [event for call in range(5) for event in recordings.refused(call)]
    verdict = judge(Recording((foreign, Planned(t=0, injections=planned), *calls, end)))
    assert verdict.result is (Result.INCONCLUSIVE if reason else Result.PASS)
    assert (reason or "") in verdict.reason
    broken = Recording((foreign, Planned(t=0, injections=10), *recordings.migrated(), end))
    assert judge(broken).result is Result.FAIL


def test_a_target_that_came_to_harm_fails_at_no_injection() -> None:
    sound = recordings.recording(recordings.refused(0))
    verdict = judge(Recording(tuple(altered(sound.events, Exited, code=None, signal=11))))
    assert verdict.result is Result.FAIL
    assert (verdict.detected_at, verdict.detected_after) == (None, None)


def test_findings_are_counted_and_the_first_are_shown() -> None:
    verdict = judged(*map(recordings.migrated, range(SHOWN + 4)))
    breach = verdict.breaches[0]
    assert breach.count == SHOWN + 4
    assert [finding.call for finding in breach.first] == list(range(SHOWN))


def test_the_first_detection_is_named_also_when_it_is_not_shown() -> None:
    reports = [Report(t=i, rounds=10, mismatches=1) for i in range(SHOWN)]
    wrong = altered_trap(recordings.refused(1), 1, results=(6,))
    verdict = judged(reports, recordings.refused(0), wrong)
    assert all(finding.call is None for finding in verdict.breaches[0].first)
    assert verdict.detected_at == 1


def test_only_the_invariants_that_are_named_are_asked() -> None:
    recording = recordings.recording(altered_trap(recordings.refused(), 1, results=(6,)))
    assert judge(recording, ["thread-until-dispatch"]).result is Result.PASS
    assert judge(recording, ["computation-right"]).result is Result.FAIL
    with pytest.raises(KeyError):
        judge(recording, ["no-such-invariant"])


def test_witnesses_that_do_not_agree_allow_no_pass_of_another_invariant() -> None:
    odd = recordings.altered(recordings.refused(), Entry, locked=False)
    verdict = judge(recordings.recording(odd), ["thread-until-dispatch"])
    assert verdict.result is Result.INCONCLUSIVE
    assert "the witnesses do not agree: the theft was refused" in verdict.reason


def test_thefts_that_succeeded_are_never_said_to_be_refused() -> None:
    calls = recordings.refused(0), recordings.migrated(1)
    verdict = judge(recordings.recording(*calls), ["registers-kept"])
    assert verdict.reason == "2 thefts of the call goroutine were tried, 1 were refused"


def test_exit_codes_are_those_of_git_bisect_run() -> None:
    assert {result.value: result.exit_code for result in Result} == {
        "pass": 0,
        "fail": 1,
        "inconclusive": 125,
    }


@given(any_recording.acceptable())
@settings(max_examples=50)
def test_any_recording_that_can_be_read_has_one_verdict(events: Sequence[AnyEvent]) -> None:
    recording = Recording(tuple(events))
    verdict = judge(recording)
    assert verdict == judge(Recording(tuple(events)))
    assert (verdict.result is Result.FAIL) is bool(verdict.breaches)
    assert sum(c.injections for c in verdict.counts.values()) == len(recording.all(Inject))
    for count in verdict.counts.values():
        assert count.migrated + count.refused + count.uncontested <= count.injections
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
