"""Attempting checks: whatever becomes of one is its conclusion, and gives an exit code."""

from collections.abc import Callable, Iterable

from harness.errors import HarnessError, Interrupted, TracePermissionError
from harness.verdict import Check, Conclusion, Failure


def attempt(toolchain: str, act: Callable[[], Check]) -> Conclusion:
    """Do a check; an error that the user can meet becomes a `Failure`."""
    try:
        return act()
    except HarnessError as error:
        return Failure(toolchain, error.exit_code, error.message, error.mend)
    except KeyboardInterrupt:
        return Failure(toolchain, Interrupted.exit_code, "interrupted", "")


def exit_code(conclusions: Iterable[Conclusion]) -> int:
    """Return the worst: an error of 128 or above, else 1 (violation), 125 (cannot tell), 0."""
    codes = {conclusion.exit_code for conclusion in conclusions}
    return max(codes, key=lambda code: (code > 128, code == 1, code))  # noqa: PLR2004 - see above


def is_hopeless(conclusion: Conclusion) -> bool:
    """Tell whether the checks that should follow would meet the same."""
    return conclusion.exit_code in {Interrupted.exit_code, TracePermissionError.exit_code}
