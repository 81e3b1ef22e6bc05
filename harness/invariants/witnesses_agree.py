"""The two witnesses of the lock, each seen without the other, say the same.

One is what another thread did with the call goroutine when it came to hold it, the other is
whether its g was locked to its m before it ran its first instruction.
"""

from collections.abc import Iterator

from harness.invariants.invariant import Invariant
from harness.recording import Outcome, Recording
from harness.verdict import Finding


def _check(recording: Recording) -> Iterator[Finding]:
    for injection in recording.injections:
        outcome, locked = injection.outcome, injection.locked
        if outcome is Outcome.UNCONTESTED or locked is None:
            continue
        if locked is not (outcome is Outcome.REFUSED):
            state = "locked to its thread" if locked else "not locked"
            yield Finding(
                INVARIANT.name,
                f"the theft was {outcome.value}, but the call goroutine was {state}",
                injection.inject.call,
                (injection.inject, *injection.events),
            )


INVARIANT = Invariant(
    "witnesses-agree",
    "a call goroutine migrates only if it is not locked, and is refused only if it is",
    _check,
)
