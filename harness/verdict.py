"""What comes of a check: findings, counts, the verdict. Data only, for whoever shows it."""

import enum
from typing import TypeAlias

import msgspec

from harness.recording import AnyEvent, Schedule


class Result(enum.StrEnum):
    """What a check says of a runtime."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        """The exit code of a command that ends in it, as `git bisect run` reads it."""
        return {"pass": 0, "fail": 1, "inconclusive": 125}[self.value]


class Finding(msgspec.Struct, frozen=True):
    """One breach. `call` is the injection's number, None for one of the whole session.

    `events` are those that show it.
    """

    invariant: str
    text: str
    call: int | None = None
    events: tuple[AnyEvent, ...] = ()


class Breach(msgspec.Struct, frozen=True):
    """One invariant that did not hold: how often, and the first findings; of a control, none.

    `under` counts the findings by the schedule of their calls; those of no call are in none.
    """

    invariant: str
    promise: str
    count: int
    first: tuple[Finding, ...]
    under: dict[Schedule, int] = {}


class Counts(msgspec.Struct, frozen=True):
    """Injections under one schedule, by what was seen. `rejected`: the runtime refused the call.

    `locked` and `unlocked` count the second witness.
    """

    injections: int = 0
    ended: int = 0
    rejected: int = 0
    migrated: int = 0
    refused: int = 0
    uncontested: int = 0
    locked: int = 0
    unlocked: int = 0


class Verdict(msgspec.Struct, frozen=True):
    """What a recording says. `reason` is one sentence. `seconds` is the time spent injecting.

    `detected_after` is the time from the first injection to the first finding, in seconds, and
    `detected_at` that injection's number.
    """

    result: Result
    reason: str
    counts: dict[Schedule, Counts]
    breaches: tuple[Breach, ...]
    seconds: float
    detected_at: int | None = None
    detected_after: float | None = None


def built_for(version: str, goarch: str) -> str:
    """Return a Go version and what it built for, if that does not go without saying."""
    return version if goarch == "amd64" else f"{version} linux/{goarch}"


class Check(msgspec.Struct, frozen=True):
    """What came of one toolchain, one program or one recording.

    `result` and `reason` are the verdict's own, unless `control`, the verdict on the runtime
    without the lock, shows that it cannot be relied on. `recording` is the file it stands in, and
    `command` made it.
    """

    toolchain: str
    result: Result
    reason: str
    verdict: Verdict
    control: Verdict | None = None
    recording: str | None = None
    command: str | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of a command that made this one check."""
        return self.result.exit_code


class Failure(msgspec.Struct, frozen=True):
    """A check that came to no verdict: the `error`, and what mends it."""

    toolchain: str
    exit_code: int
    error: str
    mend: str


Conclusion: TypeAlias = Check | Failure
"""What a check ends with."""


class Cell(msgspec.Struct, frozen=True):
    """One check of a matrix: of what, and what came of it, None as long as nothing has.

    `schedule` None: some calls by delays, the others by steals.
    """

    toolchain: str
    target: str
    schedule: Schedule | None
    goarch: str
    cpu: str | None
    conclusion: Check | Failure | None = None

    @property
    def where(self) -> str:
        """The architecture, and the processor that is emulated."""
        return f"{self.goarch} {self.cpu}" if self.cpu else self.goarch

    @property
    def way(self) -> str:
        """The schedule."""
        return self.schedule.value if self.schedule else "delay+steal"


def counted(number: int, noun: str) -> str:
    """Return a number and what it counts: "1 call", "2 calls"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
