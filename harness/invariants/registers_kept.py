"""The runtime would have given the caller its general registers back as they were.

Not among them are the flags on amd64 and R27 on arm64: debugCallV2 destroys these in every release,
behind its last trap. The harness restores them itself; the recording cannot show that loss.
"""

from collections.abc import Iterator

from harness.invariants.invariant import Invariant
from harness.recording import Recording, Restored
from harness.verdict import Finding


def _check(recording: Recording) -> Iterator[Finding]:
    for injection in recording.injections:
        restored = injection.first(Restored)
        if restored and restored.changed:
            yield Finding(
                INVARIANT.name,
                f"debugCallV2 would have changed {', '.join(restored.changed)}",
                injection.inject.call,
                (injection.inject, restored),
            )


INVARIANT = Invariant(
    "registers-kept",
    "debugCallV2 keeps the general registers of its caller",
    _check,
)
