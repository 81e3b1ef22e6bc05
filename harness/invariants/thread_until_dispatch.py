"""The call goroutine stays on the injecting thread until it asks for the call.

This is what Go commit d9a4b24a1775 (golang/go #61732) established, and what debuggers rely on:
they look for the dispatch trap on the thread that they injected into.
"""

from collections.abc import Iterator

from harness.invariants.invariant import Invariant
from harness.recording import Recording
from harness.recording.recording import DISPATCH, REFUSAL
from harness.verdict import Finding


def _check(recording: Recording) -> Iterator[Finding]:
    for injection in recording.injections:
        inject = injection.inject
        trap = injection.trap(DISPATCH, REFUSAL)
        if trap and trap.tid != inject.tid:
            yield Finding(
                INVARIANT.name,
                f"injected into thread {inject.tid}, dispatched on thread {trap.tid}",
                inject.call,
                (inject, *injection.events[: injection.events.index(trap) + 1]),
            )


INVARIANT = Invariant(
    "thread-until-dispatch",
    "a call is dispatched on the thread that it was injected into",
    _check,
)
