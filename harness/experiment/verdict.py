"""From a recording to a verdict."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from harness.invariants import INVARIANTS
from harness.recording import (
    Exited,
    Injection,
    Lost,
    Outcome,
    Planned,
    Recording,
    Schedule,
    Starved,
)
from harness.verdict import Breach, Counts, Finding, Result, Verdict, counted

CONTESTED_SHARE = 0.9
"""Of the injections under `delay` and `steal`, how many must have been contested for a pass."""
SHOWN = 5
"""Findings of each invariant that a verdict carries whole; the others are counted."""


def judge(recording: Recording, invariants: Iterable[str] = INVARIANTS) -> Verdict:
    """Judge a recording by the invariants of these names."""
    injections = recording.injections
    counts = {
        schedule: _count(found)
        for schedule in Schedule
        if (found := [i for i in injections if i.inject.schedule is schedule])
    }
    findings = find(recording, invariants)
    schedules = {i.inject.call: i.inject.schedule for i in injections}
    breaches = tuple(_breach(name, found, schedules) for name, found in findings.items() if found)
    result, reason = _decide(recording, counts, breaches)
    calls = (f.call for found in findings.values() for f in found if f.call is not None)
    first = min(calls, default=None)
    return Verdict(
        result,
        reason,
        counts,
        breaches,
        _span(injections),
        first,
        None if first is None else _span([i for i in injections if i.inject.call <= first]),
    )


def find(recording: Recording, invariants: Iterable[str] = INVARIANTS) -> dict[str, list[Finding]]:
    """Return all findings of these invariants, by their names."""
    return {name: list(INVARIANTS[name].check(recording)) for name in invariants}


def _count(injections: Sequence[Injection]) -> Counts:
    dispatched = [i for i in injections if i.trap(0)]
    outcomes = [i.outcome for i in dispatched]
    witnesses = [i.locked for i in injections]
    return Counts(
        injections=len(injections),
        ended=sum(i.ended for i in injections),
        rejected=sum(i.trap(8) is not None for i in injections),
        migrated=outcomes.count(Outcome.MIGRATED),
        refused=outcomes.count(Outcome.REFUSED),
        uncontested=outcomes.count(Outcome.UNCONTESTED),
        locked=witnesses.count(True),
        unlocked=witnesses.count(False),
    )


def _breach(name: str, findings: Sequence[Finding], schedules: dict[int, Schedule]) -> Breach:
    under = Counter(schedules[f.call] for f in findings if f.call is not None)
    first = tuple(findings[:SHOWN])
    return Breach(name, INVARIANTS[name].promise, len(findings), first, dict(under))


def _decide(
    recording: Recording, counts: dict[Schedule, Counts], breaches: Sequence[Breach]
) -> tuple[Result, str]:
    forced = [count for schedule, count in counts.items() if schedule is not Schedule.NATURAL]
    refused = sum(count.refused for count in forced)
    contested = refused + sum(count.migrated for count in forced)
    tried = sum(count.injections for count in forced)
    if breaches:
        worst = breaches[0]
        reason = f"{worst.promise}: not so in {counted(worst.count, 'case')}"
        return Result.FAIL, reason if recording.complete else f"{reason}; {_broken_off(counts)}"
    if doubt := next(_doubts(recording, counts, tried, contested), ""):
        return Result.INCONCLUSIVE, doubt
    if contested == refused == 1:
        return Result.PASS, "1 theft of the call goroutine was tried, it was refused"
    share = "all" if refused == contested else refused
    return (
        Result.PASS,
        f"{counted(contested, 'theft')} of the call goroutine were tried, {share} were refused",
    )


def _doubts(
    recording: Recording, counts: dict[Schedule, Counts], tried: int, contested: int
) -> Iterator[str]:
    """Yield the reasons why nothing can be told, the plainest first."""
    if not recording.complete:
        yield _broken_off(counts)
    yield from _unplanned(recording)
    if not counts:
        yield "nothing could be injected"
    locked = sum(count.locked for count in counts.values())
    witness = f"the call goroutine was locked to its thread in {counted(locked, 'call')}"
    if not tried:
        yield f"no theft was tried; {witness}"
    if contested < CONTESTED_SHARE * tried:
        yield f"only {contested} of {tried} thefts came about; {witness}"
    # A verdict on another invariant rests on both witnesses, too.
    for finding in INVARIANTS["witnesses-agree"].check(recording):
        yield f"the witnesses do not agree: {finding.text}"


def _unplanned(recording: Recording) -> Iterator[str]:
    """Yield what kept a session from its plan."""
    made = len(recording.injections)
    planned = sum(plan.injections for plan in recording.all(Planned))
    for end in recording.all(Exited):
        if end.early:
            yield f"the session was broken off after {counted(made, 'injection')}"
        elif end.by_itself and made < planned:
            yield f"the program ended by itself ({end.how}) after {made} of {planned} injections"
        elif end.crash:
            done = counted(made, "injection")
            yield f"the program was ended by {end.how} after {done}, rightly or not"
    for lost in recording.all(Lost):
        yield f"injection {lost.call} was lost: {lost.why}"
    for starved in recording.all(Starved):
        state = (
            "is stopped by a signal (kill -CONT)"
            if starved.suspended
            else "is idle; send it something to do meanwhile"
            " (--wake connects to a server, and asks it for nothing)"
        )
        yield (
            f"after {counted(made, 'injection')} no thread came by a place where a call is safe, "
            f"for {starved.seconds:.0f} s: the program {state}"
        )


def _broken_off(counts: dict[Schedule, Counts]) -> str:
    ended = sum(count.ended for count in counts.values())
    return f"the recording breaks off after {counted(ended, 'whole injection')}"


def _span(injections: Sequence[Injection]) -> float:
    """Return the seconds from the first injection to the last event of the last one."""
    if not injections:
        return 0.0
    last = injections[-1]
    times = [getattr(event, "t", 0) for event in last.events]
    return (max(times, default=last.inject.t) - injections[0].inject.t) / 1e6
