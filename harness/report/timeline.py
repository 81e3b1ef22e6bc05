"""The events of one injection, line by line."""

from collections.abc import Iterator, Sequence

from harness.recording import (
    AnyEvent,
    Entry,
    Exited,
    HandBack,
    Hold,
    Inject,
    Lost,
    Preempt,
    Release,
    Report,
    Restored,
    Trap,
)

_PAGE = 4096
"""No pointer is below it."""
_STATUS = {0: "dispatch", 1: "return", 2: "panic", 8: "refusal", 16: "restore"}


def timeline(events: Sequence[AnyEvent]) -> Iterator[str]:
    """Tell the events of one injection, a line each: milliseconds since its begin, thread, what."""
    inject = next((event for event in events if isinstance(event, Inject)), None)
    for event in events:
        text = _told(event, inject)
        if text:
            ms = (getattr(event, "t", 0) - (inject.t if inject else 0)) / 1e3
            tid = getattr(event, "tid", None)
            yield f"{ms:9.3f} ms  {f'thread {tid}' if tid else 'the target'}: {text}"


def _told(event: AnyEvent, inject: Inject | None) -> str:  # noqa: C901, PLR0911 - a case each
    match event:
        case Inject():
            callee = event.callee
            arguments = ", ".join(str(a) if a < _PAGE else hex(a) for a in callee.arguments)
            return (
                f"goroutine {event.goid or hex(event.g)} is stopped in {event.function}; a call of "
                f"{callee.name}({arguments}) is injected, schedule {event.schedule.value}"
            )
        case Entry():
            return f"the call goroutine begins, {_locked(event.locked)}"
        case Preempt():
            return f"the call goroutine is asked to yield, by the {event.by}"
        case Hold():
            return "is delayed, the call goroutine waits for any thread to run it"
        case HandBack():
            return "took the call goroutine, found it locked and hands it back"
        case Release():
            return f"goes on: {event.why}"
        case Trap():
            return _trapped(event, inject)
        case Restored():
            changed = f"; the runtime would have changed {', '.join(event.changed)}"
            return f"the caller's registers are restored{changed if event.changed else ''}"
        case Lost():
            return f"the call never ended: {event.why}"
        case Report():
            return f"{event.mismatches} of {event.rounds} rounds of its computation came out wrong"
        case Exited():
            how = f"signal {event.signal}" if event.signal else f"exit code {event.code}"
            return f"ended by {how}"
        case _:
            return ""


def _trapped(trap: Trap, inject: Inject | None) -> str:
    parts = [f"trap {trap.status}, {_STATUS.get(trap.status, 'not of the protocol')}"]
    if trap.results:
        parts.append(f"results {', '.join(map(str, trap.results))}")
    if trap.text:
        parts.append(f'"{trap.text}"')
    if trap.locked is not None:
        parts.append(_locked(trap.locked))
    if inject and trap.tid != inject.tid:
        parts.append(f"NOT on thread {inject.tid}, where the call was injected")
    return "; ".join(parts)


def _locked(locked: bool) -> str:  # noqa: FBT001 - it is what it tells
    return "locked to its thread" if locked else "NOT locked to its thread"
