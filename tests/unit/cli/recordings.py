"""Recordings made by hand, as a check writes them."""

from collections.abc import Iterator
from pathlib import Path

from harness.recording import (
    AnyEvent,
    Callee,
    Entry,
    Exited,
    HandBack,
    Header,
    Hold,
    Inject,
    Machine,
    Recorder,
    Release,
    Report,
    Restored,
    Schedule,
    Target,
    Trap,
)
from harness.recording.events import FORMAT

INJECTING, OTHER = 4711, 4712
"""Threads."""
CALLER, CALLED = 0xC000000000, 0xC000000100
"""Goroutines."""

HEADER = Header(
    format=FORMAT,
    harness="0.1.0",
    python="3.11.2",
    started=1.8e9,
    command=("/somewhere/bin/debugcall", "check", "--go", "go1.21.3"),
    target=Target(("/home/me/caller",), 4710, "go1.21.3", "amd64", "abc", launched=True),
    machine=Machine("Linux 6.1.0", "x86_64", 2, 0.5),
)
END: tuple[AnyEvent, ...] = (
    Report(t=900_000, rounds=1000, mismatches=0),
    Exited(t=900_001, code=0),
)


def injection(call: int, *, stolen: bool = False) -> Iterator[AnyEvent]:
    """Yield one injection under `delay`: refused, or stolen from a runtime without the lock."""
    t = 1000 * call
    calling = OTHER if stolen else INJECTING
    yield Inject(
        t=t,
        call=call,
        tid=INJECTING,
        g=CALLER,
        goid=1,
        pc=0x401000,
        function="main.round",
        schedule=Schedule.DELAY,
        callee=Callee("main.add", (2, 3), (5,)),
    )
    yield Entry(t=t + 100, call=call, tid=INJECTING, g=CALLED, locked=not stolen)
    yield Hold(t=t + 200, call=call, tid=INJECTING)
    if not stolen:
        yield HandBack(t=t + 300, call=call, tid=OTHER)
    yield Release(
        t=t + 310, call=call, tid=INJECTING, why="dispatched" if stolen else "handed back"
    )
    for status, g in ((0, CALLED), (1, CALLED), (16, CALLER)):
        yield Trap(
            t=t + 400 + status,
            call=call,
            tid=calling,
            status=status,
            g=g,
            function="runtime.debugCallV2",
            results=(5,) if status == 1 else (),
        )
    yield Restored(t=t + 500, call=call, tid=calling)


def write(path: Path, outcomes: str, *, end: tuple[AnyEvent, ...] = END) -> Path:
    """Write a recording with an injection for each letter: "r" refused, "s" stolen."""
    with Recorder(path) as recorder:
        recorder.add(HEADER)
        for call, outcome in enumerate(outcomes):
            for event in injection(call, stolen=outcome == "s"):
                recorder.add(event)
        for event in end:
            recorder.add(event)
    return path
