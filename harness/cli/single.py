"""A command that judges one thing: attempt it, show what came of it."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.cli import output
from harness.cli.outcome import Failure, attempt, exit_code
from harness.report.terminal import LiveProgress

if TYPE_CHECKING:
    from harness.experiment.verdict import Check


def single(
    subject: str, act: "Callable[[LiveProgress], Check]", *, as_json: bool, again: str = ""
) -> int:
    """Do a check of `subject`, print the outcome and return the exit code; `again` repeats it."""
    with LiveProgress(sys.stderr) as progress:
        outcome = attempt(subject, lambda: act(progress))
    code = exit_code([outcome])
    if isinstance(outcome, Failure):
        output.complain(outcome.error, outcome.mend)
    if as_json:
        output.write_json({"exit_code": code, "checks": [outcome]})
    elif not isinstance(outcome, Failure):
        from harness.cli import lines

        text = [output.render(lines.headline(outcome)), *lines.account(outcome, again)]
        output.write("\n".join(text))
    return code
