"""A recording as a whole, and grouped by injection."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from harness.recording.events import (
    AnyEvent,
    Entry,
    Event,
    HandBack,
    Header,
    Hold,
    Inject,
    Lost,
    Preempt,
    Release,
    Restored,
    Trap,
)

DISPATCH, RETURN, PANIC, REFUSAL, RESTORE = 0, 1, 2, 8, 16
"""The statuses of the protocol's traps (runtime/asm_amd64.s and asm_arm64.s, debugCallV2)."""


_OF_A_CALL = (Entry, Preempt, Hold, HandBack, Release, Trap, Restored, Lost)

E = TypeVar("E", bound=Event)


class Outcome(enum.StrEnum):
    """What became of a try to take the call goroutine to another thread."""

    MIGRATED = "migrated"
    REFUSED = "refused"
    UNCONTESTED = "uncontested"


@dataclass
class Injection:
    """The events of one injection, in order."""

    inject: Inject
    events: list[AnyEvent] = field(default_factory=list)

    def trap(self, *statuses: int) -> Trap | None:
        """Return the first trap with one of these statuses."""
        return next((e for e in self.events if isinstance(e, Trap) and e.status in statuses), None)

    def all(self, kind: type[E]) -> list[E]:
        """Return the events of this type, without the injection itself."""
        return [event for event in self.events if isinstance(event, kind)]

    def first(self, kind: type[E]) -> E | None:
        """Return the first event of this type."""
        return next((e for e in self.events if isinstance(e, kind)), None)

    @property
    def ended(self) -> bool:
        """Whether the protocol came to its end."""
        return self.first(Restored) is not None

    @property
    def outcome(self) -> Outcome:
        """Tell what the dispatch's thread, or a hand-back before it, proves."""
        dispatch = self.trap(DISPATCH)
        if dispatch and dispatch.tid != self.inject.tid:
            return Outcome.MIGRATED
        # A callee that yields is handed back too, after its dispatch.
        before = self.events[: self.events.index(dispatch)] if dispatch else self.events
        refused = any(isinstance(event, HandBack) for event in before)
        return Outcome.REFUSED if refused else Outcome.UNCONTESTED

    @property
    def locked(self) -> bool | None:
        """The second witness: was the call goroutine locked to its thread before it ran?"""
        seen = self.first(Entry) or self.trap(DISPATCH)
        return seen.locked if seen else None


@dataclass(frozen=True)
class Recording:
    """All that was seen. `complete` is false where the file breaks off in the middle."""

    events: Sequence[AnyEvent]
    complete: bool = True

    @property
    def header(self) -> Header:
        """The first event."""
        header = self.events[0]
        assert isinstance(header, Header)
        return header

    def all(self, kind: type[E]) -> list[E]:
        """Return the events of this type."""
        return [event for event in self.events if isinstance(event, kind)]

    @cached_property
    def injections(self) -> Sequence[Injection]:
        """The injections, in order."""
        found: dict[int, Injection] = {}
        for event in self.events:
            if isinstance(event, Inject):
                found[event.call] = Injection(event)
            elif isinstance(event, _OF_A_CALL):
                found[event.call].events.append(event)
        return list(found.values())
