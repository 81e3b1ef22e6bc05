"""Each breach is found by the invariants that it breaks, and by no other."""

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from harness.experiment.verdict import judge
from harness.invariants import INVARIANTS
from harness.recording import (
    AnyEvent,
    Callee,
    Entry,
    Exited,
    HandBack,
    Inject,
    Lost,
    Recording,
    Report,
    Restored,
    Schedule,
    Trap,
)
from harness.verdict import Finding, Result
from tests import recordings
from tests.recordings import CALL_G, CALLING_G, INJECTING, THIEF, altered, altered_trap


def breaches(recording: Recording) -> Mapping[str, list[Finding]]:
    found = {name: list(invariant.check(recording)) for name, invariant in INVARIANTS.items()}
    return {name: findings for name, findings in found.items() if findings}


def without(events: Sequence[AnyEvent], *statuses: int) -> list[AnyEvent]:
    return [e for e in events if not (isinstance(e, Trap) and e.status in statuses)]


def until(events: Sequence[AnyEvent], status: int) -> list[AnyEvent]:
    """Return the events up to, and without, the first trap with this status."""
    stop = next(i for i, e in enumerate(events) if isinstance(e, Trap) and e.status == status)
    return list(events[:stop])


REFUSED, NATURAL = recordings.refused(1), recordings.natural(1)
PANICKED = altered_trap(
    altered(REFUSED, Inject, callee=Callee("main.fail", (1,), (), ends_in=2)),
    1,
    status=2,
    results=(),
)

SOUND = {
    "refused": REFUSED,
    "refused while delayed": recordings.refused(1, Schedule.DELAY),
    "uncontested": recordings.uncontested(1),
    "natural": NATURAL,
    "rejected": recordings.rejected(1),
    "a panic that was expected": PANICKED,
    "before Go 1.21: no parent": altered_trap(REFUSED, 0, parent=None),
    "no goid to compare the parent with": altered(REFUSED, Inject, goid=None),
    "nothing known of the results": altered(REFUSED, Inject, callee=Callee("main.add", (2, 3))),
    "a moved stack": altered(REFUSED, Restored, moved=True),
    "a lock that could not be seen": altered_trap(NATURAL, 0, locked=None),
}


@pytest.mark.parametrize("call", SOUND.values(), ids=SOUND)
def test_a_sound_call_has_no_findings(call: list[AnyEvent]) -> None:
    around = recordings.refused(0), call, recordings.natural(2)
    assert breaches(recordings.recording(*around)) == {}


UNTIL, AFTER = "thread-until-dispatch", "thread-after-dispatch"
LOCKED, WITNESSES = "call-goroutine-locked", "witnesses-agree"
ORDER, RIGHT, KEPT = "protocol-order", "computation-right", "registers-kept"

ON_THE_THIEF = altered(altered_trap(NATURAL, 0, 1, 16, tid=THIEF), Restored, tid=THIEF)

BROKEN = {
    "migrated": (recordings.migrated(1), {UNTIL, LOCKED}),
    "migrated while delayed": (recordings.migrated(1, Schedule.DELAY), {UNTIL, LOCKED}),
    "thread changed before dispatch, lock not seen": (
        altered_trap(ON_THE_THIEF, 0, locked=None),
        {UNTIL},
    ),
    "refusal on another thread": (
        altered(altered_trap(recordings.rejected(1), 8, 16, tid=THIEF), Restored, tid=THIEF),
        {UNTIL},
    ),
    "thread changed between dispatch and return": (
        altered(altered_trap(NATURAL, 1, 16, tid=THIEF), Restored, tid=THIEF),
        {AFTER},
    ),
    "thread changed between return and restore": (
        altered(altered_trap(NATURAL, 16, tid=THIEF), Restored, tid=THIEF),
        {AFTER},
    ),
    "thread changed and came back": (altered_trap(NATURAL, 1, tid=THIEF), {AFTER}),
    "not locked, nobody tried": (altered_trap(NATURAL, 0, locked=False), {LOCKED}),
    "not locked at its entry, nobody tried": (
        altered(recordings.uncontested(1), Entry, locked=False),
        {LOCKED},
    ),
    "locked, but migrated": (
        altered(recordings.migrated(1), Entry, locked=True),
        {UNTIL, WITNESSES},
    ),
    "not locked, but refused": (altered(REFUSED, Entry, locked=False), {LOCKED, WITNESSES}),
    "return before dispatch": (
        [NATURAL[0], NATURAL[2], NATURAL[1], *NATURAL[3:]],
        {ORDER},
    ),
    "no dispatch": (without(NATURAL, 0), {ORDER}),
    "no return": (without(NATURAL, 1), {ORDER}),
    "no restore": (without(NATURAL, 16), {ORDER}),
    "nothing at all": (NATURAL[:1], {ORDER}),
    "two dispatches": ([*NATURAL[:2], *NATURAL[1:]], {ORDER}),
    "a trap after the end": ([*NATURAL, *recordings.natural(1)[1:2]], {ORDER}),
    "an unknown status": (altered_trap(NATURAL, 1, status=3), {ORDER}),
    "refused and dispatched": (
        [*recordings.rejected(1)[:2], *NATURAL[1:]],
        {ORDER},
    ),
    "dispatched from the calling goroutine": (altered_trap(NATURAL, 0, g=CALLING_G), {ORDER}),
    "returned from the calling goroutine": (altered_trap(NATURAL, 1, g=CALLING_G), {ORDER}),
    "restored from the call goroutine": (altered_trap(NATURAL, 16, g=CALL_G), {ORDER}),
    "refused from the call goroutine": (altered_trap(recordings.rejected(1), 8, g=CALL_G), {ORDER}),
    "returned from a third goroutine": (altered_trap(NATURAL, 1, g=CALL_G + 512), {ORDER}),
    "dispatched from another goroutine than entered": (
        altered_trap(REFUSED, 0, 1, g=CALL_G + 512),
        {ORDER},
    ),
    "somebody else's child": (altered_trap(NATURAL, 0, parent=8), {ORDER}),
    "a wrong result": (altered_trap(NATURAL, 1, results=(6,)), {RIGHT}),
    "a result missing": (altered_trap(NATURAL, 1, results=()), {RIGHT}),
    "a panic, where a return was expected": (
        altered_trap(NATURAL, 1, status=2, results=()),
        {RIGHT},
    ),
    "a return, where a panic was expected": (altered_trap(PANICKED, 2, status=1), {RIGHT}),
    "a register changed": (altered(NATURAL, Restored, changed=("rax", "r15")), {KEPT}),
}


@pytest.mark.parametrize(("call", "expected"), BROKEN.values(), ids=BROKEN)
def test_a_breach_is_found_once_where_it_is_and_by_nobody_else(
    call: list[AnyEvent], expected: set[str]
) -> None:
    found = breaches(recordings.recording(recordings.refused(0), call, recordings.natural(2)))
    assert set(found) == expected
    for name, (finding, *more) in found.items():
        assert more == []
        assert (finding.invariant, finding.call) == (name, 1)
        assert finding.events[0] == call[0]
        assert all(event in call for event in finding.events)


def of_the_session(kind: type[Report | Exited], **fields: object) -> Recording:
    sound = recordings.recording(recordings.refused(0))
    return Recording(tuple(altered(sound.events, kind, **fields)))


@pytest.mark.parametrize(
    ("recording", "text"),
    [
        (of_the_session(Report, mismatches=3), "3 of 5000 rounds"),
        (of_the_session(Exited, code=None, signal=11), "ended by signal 11"),
        (of_the_session(Exited, code=2), "exit code 2"),
        (of_the_session(Exited, code=None, signal=6), "ended by signal 6"),
    ],
    ids=["wrong rounds", "a segmentation fault", "a fatal error", "an abort"],
)
def test_a_target_that_came_to_harm_is_found(recording: Recording, text: str) -> None:
    found = breaches(recording)
    assert set(found) == {RIGHT}
    (finding,) = found[RIGHT]
    assert text in finding.text
    assert finding.call is None
    assert finding.events in {(event,) for event in recording.events}


FOREIGN = msgspec.structs.replace(
    recordings.HEADER, target=msgspec.structs.replace(recordings.HEADER.target, toolchain="")
)


@pytest.mark.parametrize(
    "recording",
    [
        of_the_session(Exited, code=None, signal=9, killed=True),
        of_the_session(Exited, code=None, killed=True),
        of_the_session(Exited, code=None, detached=True),
        of_the_session(Exited, code=None, signal=15),
        Recording((FOREIGN, *of_the_session(Exited, code=2).events[1:])),
        Recording((FOREIGN, *of_the_session(Exited, code=None, signal=6).events[1:])),
        Recording((recordings.HEADER, Exited(t=1, code=2))),
    ],
    ids=[
        "the harness killed it",
        "the harness ended it",
        "it goes on",
        "somebody ended it",
        "somebody else's program fails",
        "somebody else's program crashes",
        "it failed before any call",
    ],
)
def test_an_end_that_says_nothing_of_the_runtime_is_no_finding(recording: Recording) -> None:
    assert breaches(recording) == {}


def test_findings_say_what_was_seen() -> None:
    def only(call: list[AnyEvent], name: str) -> Finding:
        (finding,) = breaches(recordings.recording(recordings.refused(0), call))[name]
        return finding

    migrated = recordings.migrated(1)
    assert only(migrated, UNTIL).text == (
        f"injected into thread {INJECTING}, dispatched on thread {THIEF}"
    )
    assert only(migrated, UNTIL).events == tuple(migrated[:5])
    assert "status 1 came from thread 102" in only(altered_trap(NATURAL, 1, tid=THIEF), AFTER).text
    assert "refused" in only(altered(REFUSED, Entry, locked=False), WITNESSES).text
    assert "not locked" in only(altered(REFUSED, Entry, locked=False), WITNESSES).text
    assert "status 1 came when the call was injected" in only(without(NATURAL, 0), ORDER).text
    assert "stopped while it was leaving" in only(without(NATURAL, 16), ORDER).text
    assert "main.add(2, 3)" in only(altered_trap(NATURAL, 1, results=(6,)), RIGHT).text
    assert "(6,), expected 1 and (5,)" in only(altered_trap(NATURAL, 1, results=(6,)), RIGHT).text
    assert "rax, r15" in only(altered(NATURAL, Restored, changed=("rax", "r15")), KEPT).text


def test_a_hand_back_counts_for_its_own_call_alone() -> None:
    calls = recordings.uncontested(0), altered(recordings.migrated(1), HandBack)
    assert set(breaches(recordings.recording(*calls))) == {UNTIL, LOCKED}


@pytest.mark.parametrize("cut", range(1, len(REFUSED)))
def test_a_call_that_a_broken_off_file_ends_in_is_no_breach(cut: int) -> None:
    events = (recordings.HEADER, *recordings.refused(0), *REFUSED[:cut])
    assert breaches(Recording(events, complete=False)) == {}
    ended = any(isinstance(e, Trap) and e.status == 16 for e in REFUSED[:cut])
    assert set(breaches(Recording(events))) == (set() if ended else {ORDER})


def test_only_the_last_call_of_a_broken_off_file_may_be_unfinished() -> None:
    events = (recordings.HEADER, *NATURAL[:2], *recordings.refused(2))
    assert set(breaches(Recording(events, complete=False))) == {ORDER}
    lost = (recordings.HEADER, *NATURAL[:2], Lost(t=1100, call=1, why="not ended after 10 s"))
    assert breaches(Recording(lost, complete=False)) == {}
    out_of_order = (recordings.HEADER, NATURAL[0], *NATURAL[2:3])
    assert set(breaches(Recording(out_of_order, complete=False))) == {ORDER}


@pytest.mark.parametrize(
    ("end", "found"),
    [
        (Exited(t=5000, signal=15), set()),
        (Exited(t=5000, signal=9), set()),
        (Exited(t=5000, code=0), set()),
        (Exited(t=5000, signal=11), {RIGHT}),
        (Exited(t=5000, code=2), {RIGHT}),
        (Exited(t=5000, killed=True), set()),
    ],
    ids=["SIGTERM", "SIGKILL", "its own exit", "a crash", "a fatal error", "given up"],
)
def test_a_call_that_the_target_did_not_survive(end: Exited, found: set[str]) -> None:
    cut = (*until(NATURAL, 0), Lost(t=1100, call=1, why="the target ended during the call"))
    sound = recordings.recording(recordings.refused(0)).events
    events = [event for event in sound if not isinstance(event, Exited)]
    recording = Recording((*events, *cut, end))
    assert set(breaches(recording)) == found
    if not found:
        assert judge(recording).result is Result.INCONCLUSIVE
