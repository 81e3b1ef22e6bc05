"""The traps of each call come in the order that the protocol gives them, to its end."""

from collections.abc import Iterator

from harness.debugcall.protocol import State, advance
from harness.invariants.invariant import Invariant
from harness.recording import Entry, Injection, Lost, Recording, Trap
from harness.recording.recording import DISPATCH, PANIC, RETURN
from harness.verdict import Finding

_OF_THE_CALL = (DISPATCH, RETURN, PANIC)


def _check(recording: Recording) -> Iterator[Finding]:
    calls = recording.injections
    for injection in calls:
        # Where a call was lost, or the file breaks off, nobody knows how it went on.
        lost = injection.first(Lost) is not None
        cut = lost or (not recording.complete and injection is calls[-1])
        traps = injection.all(Trap)
        if text := _breach(injection, traps, cut=cut):
            yield Finding(
                INVARIANT.name, text, injection.inject.call, (injection.inject, *injection.events)
            )


def _breach(injection: Injection, traps: list[Trap], *, cut: bool) -> str:
    goid = injection.inject.goid
    entry = injection.first(Entry)
    call_g = entry.g if entry else None
    state = State.INJECTED
    for trap in traps:
        before = state
        state, _ = advance(state, trap.status)
        if state is State.ILLEGAL:
            return f"status {trap.status} came when the call was {before.value}"
        mine = trap.g != injection.inject.g
        if mine is not (trap.status in _OF_THE_CALL):
            return f"status {trap.status} came from the wrong goroutine, {trap.g:#x}"
        if mine and call_g is None:
            call_g = trap.g
        if mine and trap.g != call_g:
            return f"status {trap.status} came from another goroutine than the call's, {trap.g:#x}"
        if None not in {trap.parent, goid} and trap.parent != goid:
            return f"the call goroutine is a child of goroutine {trap.parent}"
    return "" if cut or state is State.ENDED else f"the protocol stopped while it was {state.value}"


INVARIANT = Invariant(
    "protocol-order",
    "each call goes through dispatch, return or panic, restore; or through refusal, restore",
    _check,
)
