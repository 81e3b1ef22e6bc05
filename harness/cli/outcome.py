"""What became of each check of a command, and the exit code of all of them together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from harness.errors import HarnessError, Interrupted, TracePermissionError

if TYPE_CHECKING:
    from harness.experiment.verdict import Check

    Outcome: TypeAlias = "Check | Failure"


@dataclass(frozen=True)
class Failure:
    """A check that came to no verdict: the `error`, and what mends it."""

    toolchain: str
    exit_code: int
    error: str
    mend: str

    @property
    def hopeless(self) -> bool:
        """Whether the checks that should follow would meet the same."""
        return self.exit_code in {Interrupted.exit_code, TracePermissionError.exit_code}


def attempt(toolchain: str, act: "Callable[[], Check]") -> "Outcome":
    """Do a check; an error that the user can meet becomes a `Failure`."""
    try:
        return act()
    except HarnessError as error:
        return Failure(toolchain, error.exit_code, error.message, error.mend)
    except KeyboardInterrupt:
        return Failure(toolchain, Interrupted.exit_code, "interrupted", "")


def exit_code(outcomes: "Iterable[Outcome]") -> int:
    """Return the worst: an error of 128 or above, else 1 (violation), 125 (cannot tell), 0."""
    codes = {o.exit_code if isinstance(o, Failure) else o.result.exit_code for o in outcomes}
    return max(codes, key=lambda code: (code > 128, code == 1, code))  # noqa: PLR2004 - see above
