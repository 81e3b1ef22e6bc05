"""The events of a recording. They say what was seen and judge nothing.

Fields that many events share:
    t      microseconds since the session began, on CLOCK_MONOTONIC
    call   number of the injection, from 0, in the order of the session
    tid    kernel id of the thread that was seen
    g      address of the goroutine's runtime.g
Addresses are run-time addresses. `debugcall` writes each event as one JSON object, whose "event"
names its type.
"""

import enum
from signal import SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP, Signals
from typing import Annotated

import msgspec

FORMAT = 1
"""Version of the recording format. A reader refuses what is newer than itself."""

Microseconds = Annotated[int, msgspec.Meta(gt=-(1 << 53), lt=1 << 53)]
"""What every reader of JSON takes exactly."""


class Schedule(enum.StrEnum):
    """What the harness does to the timing of a call."""

    NATURAL = "natural"
    DELAY = "delay"
    STEAL = "steal"


_CRASHES = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV}


class Event(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag=str.lower, kw_only=True):
    """The common part of all events: its type name in lower case is the value of "event"."""


class Target(msgspec.Struct, frozen=True):
    """The program under test. `toolchain` names how it was built, where the harness built it."""

    argv: tuple[str, ...]
    pid: int
    go_version: str
    goarch: str
    build_id: str
    launched: bool
    toolchain: str = ""
    control: bool = False


class Machine(msgspec.Struct, frozen=True):
    """Where it ran. `load` is the load average of the last minute when the session began."""

    kernel: str
    cpu: str
    cpus: int
    load: float


class Header(Event, frozen=True):
    """The first event: what, where, when (seconds since the epoch) and by which command."""

    format: Annotated[int, msgspec.Meta(ge=1, le=FORMAT)]
    harness: str
    python: str
    started: float
    command: tuple[str, ...]
    target: Target
    machine: Machine


class Callee(msgspec.Struct, frozen=True):
    """The function that is called, its integer arguments, the results that must come out.

    None stands for a result that is read but may be anything; where `results` is empty none is
    read. `ends_in` is the status expected between dispatch and restore: 1 return, 2 panic.
    """

    name: str
    arguments: tuple[int, ...] = ()
    results: tuple[int | None, ...] = ()
    ends_in: int = 1


class Inject(Event, frozen=True):
    """A thread that runs goroutine `g`, stopped at `pc` in `function`, is set to debugCallV2."""

    t: Microseconds
    call: int
    tid: int
    g: int
    goid: int | None
    pc: int
    function: str
    schedule: Schedule
    callee: Callee


class Entry(Event, frozen=True):
    """The call goroutine `g` is at the entry of runtime.debugCallWrap1, its first instruction.

    `locked` is the second witness: g.lockedm names the m that runs it.
    """

    t: Microseconds
    call: int
    tid: int
    g: int
    locked: bool


class Preempt(Event, frozen=True):
    """The call goroutine was asked to yield: its stackguard0 holds stackPreempt.

    `by` is "sysmon" where the runtime did it, "harness" where the harness wrote it.
    """

    t: Microseconds
    call: int
    tid: int
    by: str


class Hold(Event, frozen=True):
    """The injecting thread is delayed at the entry of runtime.schedule.

    The call goroutine is on the global run queue.
    """

    t: Microseconds
    call: int
    tid: int


class HandBack(Event, frozen=True):
    """Thread `tid` dequeued the call goroutine, found it locked and calls runtime.startlockedm."""

    t: Microseconds
    call: int
    tid: int


class Release(Event, frozen=True):
    """The injecting thread may go on. `why` is "dispatched", "handed back" or "time limit"."""

    t: Microseconds
    call: int
    tid: int
    why: str


class Trap(Event, frozen=True):
    """A thread is stopped at a breakpoint instruction of the protocol, in `function`.

    `parent` is the goid of the goroutine that made `g` (Go 1.21 and later). `locked` as in `Entry`.
    `results` are the integer results at a return, `text` the reason of a refusal.
    """

    t: Microseconds
    call: int
    tid: int
    status: int
    g: int
    function: str
    goid: int | None = None
    parent: int | None = None
    locked: bool | None = None
    results: tuple[int, ...] = ()
    text: str = ""


class Restored(Event, frozen=True):
    """Thread `tid` has the caller's registers back, flags and vector state included.

    `changed` names the registers that the runtime would have restored to another value than
    before the call, `moved` says that the stack was copied, so that this cannot be told.
    """

    t: Microseconds
    call: int
    tid: int
    changed: tuple[str, ...] = ()
    moved: bool = False


class Lost(Event, frozen=True):
    """The injection never ended: `why`."""

    t: Microseconds
    call: int
    why: str


class Planned(Event, frozen=True):
    """The session is about to make so many injections."""

    t: Microseconds
    injections: int


class Starved(Event, frozen=True):
    """No thread came by a place where a call is safe, for `seconds`; the session gave up.

    `suspended`: the target was stopped by SIGSTOP or the like.
    """

    t: Microseconds
    seconds: float
    suspended: bool = False


class Report(Event, frozen=True):
    """What the target says of its own computation: rounds made, and how many came out wrong."""

    t: Microseconds
    rounds: int
    mismatches: int


class Exited(Event, frozen=True):
    """The target ended, with an exit code or by a signal; or the harness let it go, or ended it.

    `early`: the harness did so before it had done what it was asked for.
    """

    t: Microseconds
    code: int | None = None
    signal: int | None = None
    detached: bool = False
    killed: bool = False
    early: bool = False

    @property
    def by_itself(self) -> bool:
        """Whether the target ended without the harness wanting it."""
        return not self.detached and not self.killed

    @property
    def how(self) -> str:
        """How the target ended, in words."""
        if self.signal is None:
            return f"exit code {self.code}"
        name = next((f", {known.name}" for known in Signals if known == self.signal), "")
        return f"signal {self.signal}{name}"

    @property
    def crash(self) -> bool:
        """Whether it ended by a signal that a fault raises. Any other one comes from outside."""
        return self.by_itself and self.signal in _CRASHES


AnyEvent = (
    Header
    | Inject
    | Entry
    | Preempt
    | Hold
    | HandBack
    | Release
    | Trap
    | Restored
    | Lost
    | Planned
    | Starved
    | Report
    | Exited
)
