"""How the benchmarks end, and what they are given."""

import argparse
from collections.abc import Callable

from harness.cli.output import complain
from harness.errors import HarnessError, Interrupted


def ended(main: Callable[[], int]) -> int:
    """Run a benchmark; return its exit code, that of an error that a user can meet included."""
    try:
        return main()
    except HarnessError as error:
        complain(error.message, error.mend)
        return error.exit_code
    except KeyboardInterrupt:
        return Interrupted.exit_code


def number_and_go(description: str, number: int) -> tuple[int, str | None]:
    """Parse the arguments `[N] [GO]`; `number` is the default of the first."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("number", nargs="?", type=at_least_one, default=number, metavar="N")
    parser.add_argument("go", nargs="?", metavar="GO", help="a release, a GOROOT or a go command")
    given = parser.parse_args()
    return given.number, given.go


def at_least_one(text: str) -> int:
    """Parse a whole number above 0 for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return number
