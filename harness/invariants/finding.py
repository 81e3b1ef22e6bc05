"""What an invariant finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from harness.recording import AnyEvent, Recording


class Finding(msgspec.Struct, frozen=True):
    """One breach. `call` is the injection's number, None for one of the whole session.

    `events` are those that show it.
    """

    invariant: str
    text: str
    call: int | None = None
    events: tuple[AnyEvent, ...] = ()


@dataclass(frozen=True)
class Invariant:
    """Something that must hold in every recording of a sound runtime."""

    name: str
    promise: str
    """What holds, in one sentence."""
    check: Callable[[Recording], Iterator[Finding]]
