"""Recordings made by hand, for tests of what judges and what reports.

A call is a list of events, as sound as a real one; a test changes one thing in it by `altered`.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from harness.recording import (
    AnyEvent,
    Callee,
    Entry,
    Event,
    Exited,
    HandBack,
    Header,
    Hold,
    Inject,
    Machine,
    Preempt,
    Recording,
    Release,
    Report,
    Restored,
    Schedule,
    Target,
    Trap,
)
from harness.recording.events import FORMAT

INJECTING, THIEF = 101, 102
"""Threads."""
CALLING_G, CALL_G = 0xC000002000, 0xC000004000
CALLING_GOID, CALL_GOID = 7, 40
SPACING = 1000
"""Microseconds from one call's beginning to the next one's."""
STEP = 10
"""Microseconds from one event of a call to the next one."""
CALLEE = Callee("main.add", (2, 3), (5,))

HEADER = Header(
    format=FORMAT,
    harness="1.0",
    python="3.11.7",
    started=1700000000.5,
    command=("debugcall", "check"),
    target=Target(
        argv=("caller",),
        pid=100,
        go_version="go1.27.3",
        goarch="amd64",
        build_id="a/b",
        launched=True,
        toolchain="go1.27.3",
    ),
    machine=Machine(kernel="Linux 6.1", cpu="x86_64", cpus=2, load=0.5),
)


def refused(call: int = 0, schedule: Schedule = Schedule.STEAL) -> list[AnyEvent]:
    """Return a call whose theft was tried and refused: the call goroutine was locked."""
    by = "sysmon" if schedule is Schedule.DELAY else "harness"
    return _timed(
        _inject(call, schedule),
        Entry(t=0, call=call, tid=INJECTING, g=CALL_G, locked=True),
        Preempt(t=0, call=call, tid=INJECTING, by=by),
        Hold(t=0, call=call, tid=INJECTING),
        HandBack(t=0, call=call, tid=THIEF),
        Release(t=0, call=call, tid=INJECTING, why="handed back"),
        *_protocol(call, INJECTING, locked=True),
    )


def migrated(call: int = 0, schedule: Schedule = Schedule.STEAL) -> list[AnyEvent]:
    """Return a call whose goroutine was stolen, as in Go 1.21.1: it was not locked."""
    return _timed(
        _inject(call, schedule),
        Entry(t=0, call=call, tid=INJECTING, g=CALL_G, locked=False),
        Preempt(t=0, call=call, tid=INJECTING, by="harness"),
        Hold(t=0, call=call, tid=INJECTING),
        *_protocol(call, THIEF, locked=False),
    )


def uncontested(call: int = 0, schedule: Schedule = Schedule.STEAL) -> list[AnyEvent]:
    """Return a call whose goroutine nobody tried to steal in time."""
    return _timed(
        _inject(call, schedule),
        Entry(t=0, call=call, tid=INJECTING, g=CALL_G, locked=True),
        Preempt(t=0, call=call, tid=INJECTING, by="harness"),
        Hold(t=0, call=call, tid=INJECTING),
        Release(t=0, call=call, tid=INJECTING, why="time limit"),
        *_protocol(call, INJECTING, locked=True),
    )


def natural(call: int = 0) -> list[AnyEvent]:
    """Return a call that was left to itself."""
    return _timed(_inject(call, Schedule.NATURAL), *_protocol(call, INJECTING, locked=True))


def rejected(call: int = 0, schedule: Schedule = Schedule.STEAL) -> list[AnyEvent]:
    """Return a call that debugCallV2 did not take."""
    return _timed(
        _inject(call, schedule),
        _trap(call, INJECTING, 8, CALLING_G, text="call not at safe point"),
        _trap(call, INJECTING, 16, CALLING_G),
        Restored(t=0, call=call, tid=INJECTING),
    )


def recording(*calls: Sequence[AnyEvent], header: Header = HEADER) -> Recording:
    """Return a recording of these calls in a target that computed right and was then ended."""
    events = list(chain([header], *calls))
    t = SPACING * len(calls)
    events += [Report(t=t, rounds=5000, mismatches=0), Exited(t=t + STEP, code=0)]
    return Recording(tuple(events))


def altered(events: Iterable[AnyEvent], kind: type[Event], **fields: object) -> list[AnyEvent]:
    """Return the events with these fields changed in those of one type."""
    return [msgspec.structs.replace(e, **fields) if isinstance(e, kind) else e for e in events]


def altered_trap(events: Iterable[AnyEvent], *statuses: int, **fields: object) -> list[AnyEvent]:
    """Return the events with these fields changed in the traps with one of these statuses."""
    return [
        msgspec.structs.replace(e, **fields) if isinstance(e, Trap) and e.status in statuses else e
        for e in events
    ]


def _inject(call: int, schedule: Schedule) -> Inject:
    return Inject(
        t=0,
        call=call,
        tid=INJECTING,
        g=CALLING_G,
        goid=CALLING_GOID,
        pc=0x480123,
        function="main.round",
        schedule=schedule,
        callee=CALLEE,
    )


def _protocol(call: int, tid: int, *, locked: bool) -> list[AnyEvent]:
    return [
        _trap(call, tid, 0, CALL_G, goid=CALL_GOID, parent=CALLING_GOID, locked=locked),
        _trap(call, tid, 1, CALL_G, results=CALLEE.results),
        _trap(call, tid, 16, CALLING_G),
        Restored(t=0, call=call, tid=tid),
    ]


def _trap(call: int, tid: int, status: int, g: int, **fields: object) -> Trap:
    function = "runtime.debugCall32" if status in {0, 1, 2} else "runtime.debugCallV2"
    trap = Trap(t=0, call=call, tid=tid, status=status, g=g, function=function)
    return msgspec.structs.replace(trap, **fields)


def _timed(inject: Inject, *events: AnyEvent) -> list[AnyEvent]:
    begin = SPACING * inject.call
    return [
        msgspec.structs.replace(event, t=begin + STEP * i)
        for i, event in enumerate([inject, *events])
    ]
