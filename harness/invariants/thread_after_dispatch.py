"""The call goroutine stays on its thread from the dispatch to the end of the protocol.

A callee that blocks may continue elsewhere in runtimes that do not lock the call goroutine. This
is apart from `thread_until_dispatch`, since the two are different promises.
"""

from collections.abc import Iterator

from harness.invariants.invariant import Invariant
from harness.recording import Recording, Trap
from harness.recording.recording import DISPATCH
from harness.verdict import Finding


def _check(recording: Recording) -> Iterator[Finding]:
    for injection in recording.injections:
        dispatch = injection.trap(DISPATCH)
        if dispatch is None:
            continue
        for trap in injection.all(Trap):
            if trap.tid != dispatch.tid:
                yield Finding(
                    INVARIANT.name,
                    f"dispatched on thread {dispatch.tid}, status {trap.status} came from thread "
                    f"{trap.tid}",
                    injection.inject.call,
                    (injection.inject, dispatch, trap),
                )
                break


INVARIANT = Invariant(
    "thread-after-dispatch",
    "a call ends on the thread that it was dispatched on",
    _check,
)
