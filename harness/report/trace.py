"""Recordings as a Chrome trace, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

The format is that of Google's "Trace Event Format": X is a slice, with `ts` and `dur` in
microseconds; s and f are the ends of an arrow between the slices that hold them; i is an instant;
M names processes and threads.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import PurePath
from typing import Any

import msgspec

from harness.recording import (
    Entry,
    Exited,
    HandBack,
    Hold,
    Inject,
    Injection,
    Lost,
    Preempt,
    Release,
    Report,
    Restored,
    Starved,
    Trap,
)
from harness.report.exhibit import Exhibit, outcome
from harness.report.outfile import MARK
from harness.report.story import STATUSES, Step, called, goroutine, steps

TraceEvent = dict[str, Any]

_PHASES = {
    Inject: "debugCallV2",
    Entry: "call goroutine runs",
    Preempt: "yields",
    Hold: "held",
    HandBack: "hands it back",
    Release: "goes on",
    Restored: "restored",
    Lost: "lost",
}
_TRAPPED = {0: "call of", 1: "returned", 2: "panicked", 8: "refused", 16: "restoring"}


def trace(exhibits: Sequence[Exhibit], call: int | None = None) -> str:
    """Return the document: a process for each recording, with all its calls or only one.

    Raises `InputError` if a recording has no call of this number.
    """
    events: list[TraceEvent] = []
    pids: set[int] = set()
    ids = count(1)
    for exhibit in exhibits:
        pid = exhibit.recording.header.target.pid
        while pid in pids:  # of another machine, or of another day
            pid += 1 << 22  # above all that Linux gives (PID_MAX_LIMIT)
        pids.add(pid)
        events += _process(exhibit, pid, call, ids)
    document = {
        "otherData": {"written by": MARK},
        "displayTimeUnit": "ms",
        "traceEvents": events,
    }
    return msgspec.json.encode(document).decode() + "\n"


def _process(
    exhibit: Exhibit, pid: int, call: int | None, ids: Iterator[int]
) -> Iterator[TraceEvent]:
    target, check = exhibit.recording.header.target, exhibit.check
    program = PurePath(next(iter(target.argv), "")).name or "target"
    name = f"{exhibit.name} {program}: {check.result.value}"
    yield _meta("process_name", pid, pid, name=name)
    yield _meta("process_labels", pid, pid, labels=check.reason)
    injections = exhibit.recording.injections
    if call is not None:
        chosen = exhibit.injection(call)
        injections = [chosen] if chosen else []
    told = [(i, list(steps([i.inject, *i.events]))) for i in injections]
    seen = {step.tid for _, them in told for step in them if step.tid is not None}
    for tid in sorted({target.pid, *seen}):
        yield _meta("thread_name", pid, tid, name=f"{program} {tid}")
    earliest = min(0, *(i.inject.t + step.t for i, them in told for step in them), 0)
    for injection, them in told:
        at = _At(pid, injection.inject.t - earliest)
        yield from _slices(injection, them, at)
        yield from _arrows(them, at, ids)
    for event in exhibit.recording.events:
        if isinstance(event, (Report, Exited, Starved)):
            said = next((step.text for step in steps([event])), type(event).__name__.lower())
            ts = max(0, event.t - earliest)
            yield {"ph": "i", "s": "p", "name": said, "pid": pid, "tid": target.pid, "ts": ts}


class _At:
    """Where and when a call is in the trace."""

    def __init__(self, pid: int, begin: int) -> None:
        self._pid = pid
        self._begin = begin

    def event(self, ph: str, tid: int, t: int, name: str, **fields: object) -> TraceEvent:
        ts = self._begin + t
        return {"ph": ph, "name": name, "pid": self._pid, "tid": tid, "ts": ts, **fields}


def _slices(injection: Injection, told: Sequence[Step], at: _At) -> Iterator[TraceEvent]:
    """Yield a slice for the whole on each thread, and in it one for each phase."""
    inject = injection.inject
    phases: dict[int, list[tuple[Step, int]]] = {}
    for number, step in enumerate(told):
        if step.tid is not None:
            phases.setdefault(step.tid, []).append((step, _end(told, number)))
    for tid, them in phases.items():
        begin = min(step.t for step, _ in them)
        end = max(end for _, end in them)
        yield at.event(
            *("X", tid, begin, f"call {inject.call}: {outcome(injection)}"),
            dur=end - begin,
            cat="call",
            args={
                "call": called(inject.callee),
                "schedule": inject.schedule.value,
                "injected into": goroutine(inject),
                "at": inject.function,
                "injected on thread": inject.tid,
            },
        )
        for step, until in them:
            args: dict[str, object] = {"what": step.text}
            if step.locked is not None:
                args["call goroutine locked to its thread"] = step.locked
            yield at.event(
                *("X", tid, step.t, _phase(step, injection)),
                dur=until - step.t,
                cat="wrong" if step.wrong else "phase",
                args=args,
            )


def _end(told: Sequence[Step], number: int) -> int:
    """Return when the phase that a step begins is over, in microseconds."""
    step = told[number]
    later = told[number + 1 :]
    for following in later:
        leaves = following.came_from == step.tid and not isinstance(step.event, Hold)
        alone = isinstance(step.event, HandBack)
        if following.tid == step.tid or leaves or alone:
            return max(step.t + 1, following.t)
    return step.t + 1


def _phase(step: Step, injection: Injection) -> str:
    event = step.event
    if not isinstance(event, Trap):
        return _PHASES[type(event)]
    if event.status == 0:
        return f"{_TRAPPED[0]} {injection.inject.callee.name}"
    return _TRAPPED.get(event.status, STATUSES.get(event.status, f"status {event.status}"))


def _arrows(told: Sequence[Step], at: _At, ids: Iterator[int]) -> Iterator[TraceEvent]:
    """Yield the arrows of a call from thread to thread."""
    last: dict[int | None, Step] = {}
    before: Step | None = None
    for step in told:
        if step.tid is None:
            continue
        if step.came_from is not None:
            yield from _arrow(at, next(ids), "the call moves", last.get(step.came_from), step)
        elif isinstance(step.event, HandBack):
            yield from _arrow(at, next(ids), "taken", last.get(step.at), step)
        elif before and isinstance(before.event, HandBack):
            yield from _arrow(at, next(ids), "handed back", before, step)
        last[step.tid] = before = step


def _arrow(at: _At, number: int, name: str, origin: Step | None, to: Step) -> Iterator[TraceEvent]:
    if origin and None not in {origin.tid, to.tid} and origin.tid != to.tid:
        for ph, step, more in (("s", origin, {}), ("f", to, {"bp": "e"})):
            assert step.tid is not None
            t = max(origin.t, step.t)
            yield at.event(ph, step.tid, t, name, id=number, cat="way", **more)


def _meta(kind: str, pid: int, tid: int, **args: str) -> TraceEvent:
    return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "ts": 0, "args": args}
