"""The events of a call, told: which thread has the call, where it moves, what is wrong about it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.recording import (
    AnyEvent,
    Callee,
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

STATUSES = {0: "dispatch", 1: "return", 2: "panic", 8: "refusal", 16: "restore"}
"""The protocol's names for the statuses of its traps."""
_PAGE = 4096
"""No pointer is below it."""


@dataclass(frozen=True)
class Step:
    """One event, told. `t` is in microseconds since the injection, or since the session began.

    `tid` is the thread that was seen, None for the whole target. `at` is the thread that has the
    call after the step, and `came_from` the one that had it before, where that is another one.
    `held`: the thread `at` is delayed. `wrong`: this is what an invariant forbids.
    """

    event: AnyEvent
    t: int
    tid: int | None
    text: str
    locked: bool | None = None
    at: int | None = None
    came_from: int | None = None
    held: bool = False
    wrong: bool = False


def steps(events: Sequence[AnyEvent]) -> Iterator[Step]:
    """Tell events, of one call or of the session; those that say nothing of a call are left out."""
    inject = next((event for event in events if isinstance(event, Inject)), None)
    begin = inject.t if inject else 0
    at: int | None = None
    held = False
    for event in events:
        text = _told(event)
        if not text:
            continue
        tid: int | None = getattr(event, "tid", None)
        before = at
        if isinstance(event, (Inject, Entry, Trap, Restored)):  # these the call itself runs into
            at = tid
        moved = None not in {before, at} and before != at
        held = isinstance(event, Hold) or (held and not moved and not isinstance(event, Release))
        if moved and isinstance(event, Trap):
            text += _elsewhere(event)
        locked: bool | None = getattr(event, "locked", None)
        yield Step(
            event,
            getattr(event, "t", 0) - begin,
            tid,
            text,
            locked,
            at,
            before if moved else None,
            held,
            moved or locked is False or _is_bad(event),
        )


def called(callee: Callee) -> str:
    """Return a call as one would write it."""
    arguments = ", ".join(str(a) if a < _PAGE else hex(a) for a in callee.arguments)
    return f"{printable(callee.name)}({arguments})"


def goroutine(inject: Inject) -> str:
    """Return a name of the calling goroutine."""
    return f"goroutine {hex(inject.g) if inject.goid is None else inject.goid}"


def printable(text: str) -> str:
    """Return text of a recording with what a terminal would obey, or hide, spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """Return text of several lines, each as `printable` has it."""
    return "\n".join(map(printable, text.expandtabs().split("\n")))


def _told(event: AnyEvent) -> str:  # noqa: C901, PLR0911 - a case each
    match event:
        case Inject():
            return f"inject {called(event.callee)}"
        case Entry():
            return "the call goroutine begins"
        case Preempt():
            return f"asked to yield, by {printable(event.by)}"
        case Hold():
            return "held: any thread may take the call"
        case HandBack():
            return "finds it locked and hands it back"
        case Release():
            return f"goes on: {printable(event.why)}"
        case Trap():
            return _trapped(event)
        case Restored():
            changed = ", ".join(map(printable, event.changed))
            text = f"; the runtime would have changed {changed}"
            return f"all registers restored{text if changed else ''}"
        case Lost():
            return f"the call never ended: {printable(event.why)}"
        case Report():
            return f"{event.mismatches} of {event.rounds} rounds of its computation came out wrong"
        case Exited():
            return f"the target ended by {event.how}"
        case _:
            return ""


def _trapped(trap: Trap) -> str:
    parts = [STATUSES.get(trap.status, f"status {trap.status}, not of the protocol")]
    if trap.results:
        parts.append(", ".join(map(str, trap.results)))
    if trap.text:
        parts.append(f'"{printable(trap.text)}"')
    return ": ".join(parts)


def _elsewhere(trap: Trap) -> str:
    return ", on the WRONG thread" if trap.status in {0, 8} else ", on another thread"


def _is_bad(event: AnyEvent) -> bool:
    match event:
        case Restored():
            return bool(event.changed)
        case Lost():
            return True
        case Report():
            return event.mismatches > 0
        case Trap():
            return event.status not in STATUSES
        case Exited():
            return event.crash
        case _:
            return False
