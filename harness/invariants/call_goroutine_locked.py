"""The call goroutine is locked to its thread before it runs its first instruction.

Seen without any second thread, so this decides where no theft is possible (GOMAXPROCS=1) too.
"""

from collections.abc import Iterator

from harness.invariants.invariant import Invariant
from harness.recording import Recording
from harness.verdict import Finding


def _check(recording: Recording) -> Iterator[Finding]:
    for injection in recording.injections:
        if injection.locked is False:
            yield Finding(
                INVARIANT.name,
                "the call goroutine was not locked to its thread when it began to run",
                injection.inject.call,
                (injection.inject, *injection.events[:1]),
            )


INVARIANT = Invariant(
    "call-goroutine-locked",
    "the call goroutine is locked to its thread from its first instruction on",
    _check,
)
