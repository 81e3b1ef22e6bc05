"""What an invariant is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.recording import Recording
from harness.verdict import Finding


@dataclass(frozen=True)
class Invariant:
    """Something that must hold in every recording of a sound runtime."""

    name: str
    promise: str
    """What holds, in one sentence."""
    check: Callable[[Recording], Iterator[Finding]]
